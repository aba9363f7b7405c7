/*
 * May add to the authorization response: the value of the script is a map of parameters, or null for none.
 */
null;
