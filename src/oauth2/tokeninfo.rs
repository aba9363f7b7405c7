//! AM's token information endpoint (oauth2-endpoints §12): whoever holds a token reads what it says.
//!
//! | it says                                                        | we do it in     |
//! |----------------------------------------------------------------|-----------------|
//! | token in the header; both header and query is an error         | [`answer`]      |
//! | query alone is refused (§25, 11)                                | [`answer`]      |
//! | any realm: the token's own counts                              | [`active::find`] |
//! | opaque: a fixed set; client-based: every claim                  | `members`     |
//! | one member per scope with the owner's attribute of that name   | `attribute`   |
//! | scope-named members neither leak secrets nor shadow others     | `PUBLIC_ATTRIBUTES`, [`answer`] |

use super::{
    Request,
    active::{self, Active},
    answer as http_answer, bearer,
    error::{Code, Error, Result},
};
use actix_web::{HttpResponse, http::StatusCode};
use quorate_raft::RealmPath;
use serde_json::{Map, Value, json};

/// Profile attributes that a scope of their name shows, in lower case; others show as empty, whatever they hold.
const PUBLIC_ATTRIBUTES: [&str; 10] = [
    "uid",
    "cn",
    "sn",
    "givenname",
    "mail",
    "telephonenumber",
    "postaladdress",
    "preferredlocale",
    "preferredtimezone",
    "employeenumber",
];

/// oauth2-endpoints §12.
///
/// # Errors
/// `invalid_token`, or `invalid_request` for a token in two places.
pub fn answer(request: &Request<'_>) -> Result<HttpResponse> {
    let desk = request.desk;
    let in_query = request.params.get("access_token").is_some();
    let presented = bearer::from_header(request.http);
    if presented.is_some() && in_query {
        return Err(Error::invalid_request("Access Token cannot be provided in both query and header"));
    }
    let invalid = || Error::bearer(Code::InvalidToken, &request.realm);
    let presented = presented.ok_or_else(invalid)?;
    let token = active::find(desk, presented)?.ok_or_else(invalid)?;
    let facts = token.facts();
    let realm = RealmPath::from(facts.realm);
    let profile = facts.is_user.then(|| desk.views().entry(&active::user_key(&realm, facts.owner))).flatten();
    let mut body = members(&token);
    body.insert("access_token".into(), presented.into());
    body.insert("expires_in".into(), token.expires_in(desk).into());
    for scope in facts.scope {
        if !body.contains_key(&**scope) {
            let value = profile.as_ref().and_then(|entry| attribute(entry.json(), scope)).unwrap_or_default();
            body.insert(scope.to_string(), value.into());
        }
    }
    Ok(http_answer::json(StatusCode::OK, &body))
}

fn members(token: &Active) -> Map<String, Value> {
    let facts = token.facts();
    let members = match token {
        Active::Opaque(_) => json!({
            "token_type": "Bearer",
            "scope": facts.scope,
            "client_id": facts.client,
            "grant_type": facts.grant_type,
            "realm": facts.realm,
            "authGrantId": token.auth_grant_id(),
            "auditTrackingId": token.audit_tracking_id(),
        }),
        Active::ClientBased(claims) => serde_json::to_value(claims).unwrap_or_default(),
    };
    let mut members = if let Value::Object(members) = members { members } else { Map::new() };
    if let (Active::Opaque(_), Ok(Value::Object(extra))) = (token, serde_json::to_value(token.modification())) {
        members.extend(extra);
    }
    members.remove("sub_fence"); // ours alone
    members
}

fn attribute(profile: &Value, scope: &str) -> Option<String> {
    let public = PUBLIC_ATTRIBUTES.iter().any(|name| name.eq_ignore_ascii_case(scope));
    let (_, value) = profile.as_object()?.iter().find(|(name, _)| public && name.eq_ignore_ascii_case(scope))?;
    match value {
        Value::Array(values) => Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        value => value.as_str().map(str::to_owned),
    }
}
