/*
 * May say who may act for the subject of a token, with token.setMayAct(value).
 */
