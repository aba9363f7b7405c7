/*
 * Runs in the browser: assign what the server-side script shall see to `output.value`.
 */
