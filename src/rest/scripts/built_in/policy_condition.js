/*
 * Decides whether the condition of a policy is met: assign a boolean to `authorized`.
 * There are: username, resourceURI, environment, identity, session, logger, httpClient;
 * responseAttributes.put(name, values) and advice.put(name, values) add to the answer.
 */
authorized = false;
