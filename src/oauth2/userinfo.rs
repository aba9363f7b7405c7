//! The userinfo endpoint (OpenID Connect Core §5.3).
//!
//! | source                | it says                                               | we do it in     |
//! |-----------------------|-------------------------------------------------------|-----------------|
//! | OIDC Core §5.3.1      | bearer token in header or form                        | [`answer`]      |
//! | 6750 §2               | not in two ways at once                               | [`answer`]      |
//! | 6750 §3.1             | 401 `invalid_token`, 403 `insufficient_scope`         | [`answer`]      |
//! | OIDC Core §5.4        | claims by scope                                       | [`claims`]      |
//! | OIDC Core §5.3.2      | `sub` always; signed answers carry `iss` and `aud`    | [`answer`]      |

use super::{
    Request, active, answer as http_answer, authenticate, bearer,
    client::UserInfoFormat,
    error::{Code, Error, Result},
    id_token,
    provider::Provider,
};
use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use quorate_raft::RealmPath;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Scope, claim, attribute (oauth2-tokens §10.5).
const CLAIMS: [(&str, &str, &str); 8] = [
    ("profile", "given_name", "givenName"),
    ("profile", "family_name", "sn"),
    ("profile", "name", "cn"),
    ("profile", "locale", "preferredLocale"),
    ("profile", "zoneinfo", "preferredTimezone"),
    ("email", "email", "mail"),
    ("phone", "phone_number", "telephoneNumber"),
    ("address", "address", "postalAddress"),
];

/// Names of the claims that scopes stand for.
pub fn claim_names() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|(_, claim, _)| *claim)
}

/// OpenID Connect Core §5.3.
///
/// # Errors
/// RFC 6750 §3.1.
pub fn answer(request: &Request<'_>) -> Result<HttpResponse> {
    let desk = request.desk;
    let presented = match (bearer::from_header(request.http), request.params.get("access_token")) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid_request("Access Token cannot be provided in both form and header"));
        }
        (in_header, in_form) => in_header.or(in_form),
    };
    let invalid = || Error::bearer(Code::InvalidToken, &request.realm);
    let token = active::find(desk, presented.ok_or_else(invalid)?)?.ok_or_else(invalid)?;
    let facts = token.facts();
    if facts.realm != request.realm.as_str() {
        return Err(invalid());
    }
    if !facts.is_user || !facts.scope.iter().any(|scope| **scope == *"openid") {
        return Err(Error::bearer(Code::InsufficientScope, &request.realm));
    }
    let realm = RealmPath::from(facts.realm);
    let user = desk.views().entry(&active::user_key(&realm, facts.owner)).ok_or_else(invalid)?;
    let (client, _) = authenticate::find(desk, &realm, facts.client).ok_or_else(invalid)?;
    let mut body = claims(user.json(), facts.scope);
    body.insert("sub".into(), facts.owner.into());
    if Provider::of(desk, &realm).subname {
        body.insert("subname".into(), facts.owner.into());
    }
    match client.userinfo_format {
        UserInfoFormat::Json => Ok(http_answer::json(StatusCode::OK, &body)),
        UserInfoFormat::Signed => {
            body.insert("iss".into(), facts.issuer.into());
            body.insert("aud".into(), facts.client.into());
            let jwt = id_token::signer(desk, &client)?.sign(&body)?;
            let mut builder = http_answer::builder(StatusCode::OK);
            Ok(builder.insert_header((header::CONTENT_TYPE, "application/jwt")).body(jwt))
        }
        UserInfoFormat::Other => Err(Error::of(Code::ServerError)),
    }
}

/// The claims that `scope` stands for, as far as the profile has them: one value as a string, several as an array.
pub fn claims(profile: &Value, scope: &[Arc<str>]) -> Map<String, Value> {
    let attributes = profile.as_object();
    let value = |attribute: &str| {
        let (_, value) = attributes?.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute))?;
        match value {
            Value::Array(values) => match values.as_slice() {
                [] => None,
                [one] => Some(one.clone()),
                several => Some(several.to_vec().into()),
            },
            Value::String(text) if !text.is_empty() => Some(value.clone()),
            _ => None,
        }
    };
    let mut claims = Map::new();
    for (of, claim, attribute) in CLAIMS {
        if scope.iter().any(|scope| **scope == *of)
            && let Some(value) = value(attribute)
        {
            let value = if claim == "address" { json!({ "formatted": value }) } else { value };
            claims.insert(claim.into(), value);
        }
    }
    claims
}
