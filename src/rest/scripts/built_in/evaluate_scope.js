/*
 * What tokeninfo tells for each scope: the values of the profile attribute of that name.
 */
(function () {
    var map = new (JavaImporter(java.util.LinkedHashMap)).LinkedHashMap();
    if (identity === null) {
        return map;
    }
    accessToken.getScope().toArray().forEach(function (scope) {
        var values = identity.getAttribute(String(scope));
        map.put(scope, values === null ? "" : values.toArray().map(String).join(","));
    });
    return map;
}());
