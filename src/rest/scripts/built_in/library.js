/*
 * A sample: what is assigned to members of `exports` is what require() gives to other scripts.
 */
exports.isBlank = function (text) {
    return text === null || text === undefined || String(text).trim() === "";
};
