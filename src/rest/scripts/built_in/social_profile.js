/*
 * Turns the profile of an identity provider into one of ours: the value of the script is a JsonValue.
 */
(function () {
    var fr = JavaImporter(org.forgerock.json.JsonValue);
    return fr.JsonValue.json(fr.JsonValue.object());
}());
