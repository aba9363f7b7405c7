/*
 * The claims about a user, by the scopes that were granted and the claims that were asked for. A claim that was asked
 * for with values is told only if the user has one of them.
 */
(function () {
    var fr = JavaImporter(
        java.util.ArrayList,
        java.util.LinkedHashMap,
        org.forgerock.oauth2.core.UserInfoClaims
    );

    var attributes = {
        given_name: "givenname",
        family_name: "sn",
        name: "cn",
        locale: "preferredlocale",
        zoneinfo: "preferredtimezone",
        email: "mail",
        phone_number: "telephonenumber",
        address: "postaladdress"
    };

    var claimsOfScope = {
        profile: ["given_name", "family_name", "name", "locale", "zoneinfo"],
        email: ["email"],
        phone: ["phone_number"],
        address: ["address"]
    };

    function valuesOf(name) {
        var values = identity === null ? null : identity.getAttribute(attributes[name]);
        return values === null ? [] : values.toArray().map(String);
    }

    function resolve(name, wanted) {
        var values = valuesOf(name);
        if (wanted.length > 0) {
            values = values.filter(function (value) {
                return wanted.indexOf(value) !== -1;
            });
        }
        if (values.length === 0) {
            return null;
        }
        if (name === "address") {
            var address = new fr.LinkedHashMap();
            address.put("formatted", values[0]);
            return address;
        }
        if (values.length === 1) {
            return values[0];
        }
        var list = new fr.ArrayList();
        values.forEach(function (value) {
            list.add(value);
        });
        return list;
    }

    var computed = new fr.LinkedHashMap();
    computed.putAll(claims);
    var composite = new fr.LinkedHashMap();

    function tell(name, wanted) {
        var value = resolve(name, wanted);
        if (value === null) {
            computed.remove(name);
        } else {
            computed.put(name, value);
        }
    }

    scopes.toArray().map(String).forEach(function (scope) {
        if (!claimsOfScope.hasOwnProperty(scope)) {
            return;
        }
        var names = new fr.ArrayList();
        claimsOfScope[scope].forEach(function (name) {
            names.add(name);
            tell(name, []);
        });
        composite.put(scope, names);
    });

    claimObjects.toArray().concat(requestedTypedClaims.toArray()).forEach(function (claim) {
        var name = String(claim.getName());
        if (attributes.hasOwnProperty(name)) {
            var values = claim.getValues();
            tell(name, values === null ? [] : values.toArray().map(String));
        }
    });

    return new fr.UserInfoClaims(computed, composite);
}());
