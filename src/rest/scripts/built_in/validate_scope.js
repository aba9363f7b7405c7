/*
 * Decides which scopes are granted: one function for each way of asking. What nobody asked for are the defaults;
 * what is asked for must be allowed.
 */
var importer = JavaImporter(java.util.LinkedHashSet, org.forgerock.oauth2.core.exceptions.InvalidScopeException);

function grantedScopes() {
    var granted = new importer.LinkedHashSet();
    if (requestedScopes === null || requestedScopes.isEmpty()) {
        if (defaultScopes !== null) {
            granted.addAll(defaultScopes);
        }
    } else {
        if (allowedScopes === null || !allowedScopes.containsAll(requestedScopes)) {
            throw new importer.InvalidScopeException("Unknown/invalid scope(s)");
        }
        granted.addAll(requestedScopes);
    }
    if (granted.isEmpty()) {
        throw new importer.InvalidScopeException("No scope requested and no default scope configured");
    }
    return granted;
}

function validateAuthorizationScope() {
    return grantedScopes();
}

function validateAccessTokenScope() {
    return grantedScopes();
}

function validateRefreshTokenScope() {
    return grantedScopes();
}

function validateBackChannelAuthorizationScope() {
    return grantedScopes();
}
