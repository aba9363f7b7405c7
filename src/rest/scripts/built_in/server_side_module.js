/*
 * Authenticates a user: assign SUCCESS or FAILED to `authState`, and the user's name to `username`.
 */
authState = FAILED;
