/*
 * Decides where a journey goes on: assign one of the node's outcomes to `outcome`.
 */
outcome = "true";
