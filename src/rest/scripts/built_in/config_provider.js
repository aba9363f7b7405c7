/*
 * Configures a node: assign an object with the node's attributes to `config`.
 */
config = {};
