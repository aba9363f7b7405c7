/*
 * Changes nothing.
 */
