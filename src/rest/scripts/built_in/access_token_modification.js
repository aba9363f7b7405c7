/*
 * May change an access token before it is issued, for instance with accessToken.setField(name, value).
 */
