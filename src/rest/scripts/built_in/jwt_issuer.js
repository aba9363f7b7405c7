/*
 * Tells whether the issuer of a JWT is trusted: the value of the script is a TrustedJwtIssuerConfig, or null.
 */
null;
