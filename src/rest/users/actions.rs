//! Actions of `users` (authn-sessions-realms.md d.4).
//!
//! | action                                    | who            | here                  |
//! |-------------------------------------------|----------------|-----------------------|
//! | `changePassword`                          | the user       | `change_password`     |
//! | `idFromSession`                           | any session    | `id_from_session`     |
//! | `validateGoto`                            | any session    | `validate_goto`       |
//! | `forgotPassword` and other self-service   | anybody        | `self_service`        |
//! | `setGroups`                               | administrators | `memberships::set`  |
//! | `template`, `schema`, from version 4      | administrators | `schema`              |

use super::{Stored, check_password, find, memberships, not_found};
use crate::{
    attempts::{self, Attempt},
    authn::journey::goto,
    base_url::BaseUrl,
    crest::{Call, Error, Object, Version},
    desk::put,
    rest::{
        identity::is_secret,
        users::profile::{ATTRIBUTES, PASSWORD, is_administrator, stamped, text},
    },
};
use quorate_raft::Precondition;
use serde_json::{Value, json};

/// Actions of the collection that need a session and nothing else.
pub(super) const SIGNED_IN: &[&str] = &["idFromSession", "validateGoto"];

/// Actions of the collection that strangers may ask for.
pub(super) const OPEN: &[&str] = &["forgotPassword", "forgotPasswordReset", "register", "confirm", "anonymousCreate"];

pub(super) async fn run(call: &Call<'_>, id: Option<&str>, name: &str, content: &Object) -> Result<Value, Error> {
    let newest = call.version >= Version(4, 0);
    match (id, name) {
        (Some(id), "changePassword") if call.version >= Version(2, 0) => {
            change_password(call, id, content).await?;
            Ok(json!({}))
        }
        (Some(id), "setGroups") => {
            memberships::set(call, id, content).await?;
            Ok(json!({}))
        }
        (None, "idFromSession") => id_from_session(call),
        (None, "validateGoto") => validate_goto(call, content),
        (None, open) if OPEN.contains(&open) => Err(self_service(open, content)),
        (None, "template") if newest => Ok(json!({"username": "", "inetUserStatus": ["Active"]})),
        (None, "schema") if newest => Ok(schema()),
        (Some(_), _) => Err(Error::new(501, format!("{name} not supported for resource instances"))),
        (None, _) => Err(Error::unsupported()),
    }
}

/// The old password proves that it is not a stolen session that asks.
async fn change_password(call: &Call<'_>, id: &str, content: &Object) -> Result<(), Error> {
    let missing = |name: &str| Error::bad_request(format!("'{name}' attribute not set in JSON content."));
    let given = |name: &str| content.get(name).and_then(text).ok_or_else(|| missing(name));
    let (new, old) = (given(PASSWORD)?, given("currentpassword")?);
    let Stored { key, revision, mut body } = find(call, id).ok_or_else(not_found)?;
    if is_administrator(&key) {
        return Err(Error::plain(403)); // g.1: not through this endpoint
    }
    let verifier = body.get(PASSWORD).and_then(Value::as_str);
    let attempt = Attempt::new(key.clone(), attempts::source(call.desk, call.request));
    if !attempts::guarded(call.desk, &attempt, call.desk.passwords().verify(verifier, old)).await? {
        return Err(Error::bad_request("Old password is incorrect."));
    }
    if !is_secret(new) {
        return Err(Error::invalid_value(PASSWORD));
    }
    check_password(new)?;
    body.insert(PASSWORD.into(), call.desk.passwords().hash(new).await?.into());
    stamped(&mut body);
    // The revision that was verified: two changes at once cannot both have been right about the old password.
    call.write(put(key, Precondition::Revision(revision), &Value::Object(body), Vec::new(), true)).await?;
    Ok(())
}

/// Where a console sends whoever has just signed in.
fn success_url(call: &Call<'_>) -> String {
    format!("{}/console", call.desk.front().context_path)
}

fn id_from_session(call: &Call<'_>) -> Result<Value, Error> {
    let caller = call.signed_in()?;
    Ok(json!({
        "id": caller.name(),
        "realm": caller.realm().as_str(),
        "dn": &*caller.session.data.universal_id,
        "successURL": success_url(call),
        "fullLoginURL": null,
    }))
}

/// Where to go after the login: where a journey would lead, or nowhere that the caller chose.
fn validate_goto(call: &Call<'_>, content: &Object) -> Result<Value, Error> {
    let goto = content.get("goto").and_then(Value::as_str).unwrap_or_default();
    let own = BaseUrl::in_realm(call.desk, call.realm, call.request);
    let url = if goto::is_valid(call.desk, call.realm, &own, goto) { goto.to_owned() } else { success_url(call) };
    Ok(json!({"successURL": url}))
}

/// Legacy self-service is off (d.4); what is wrong with a request is told first.
fn self_service(action: &str, content: &Object) -> Error {
    let disabled = "Legacy Self Service REST Endpoint is not enabled.";
    let given = |name: &str| content.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    match (action, given("username"), given("email")) {
        ("forgotPassword", false, false) => Error::bad_request("Username or email not provided in request"),
        ("forgotPassword", true, true) => {
            Error::bad_request("Both username and email specified - only one allowed in request.")
        }
        ("forgotPassword", ..) => Error::new(503, disabled),
        _ => Error::new(501, disabled),
    }
}

pub(super) fn schema() -> Value {
    let list = |name: &&str| ((*name).to_owned(), json!({"title": name, "type": "array", "items": {"type": "string"}}));
    let mut properties: Object = ATTRIBUTES.iter().map(list).collect();
    properties.insert("username".into(), json!({"title": "User name", "type": "string", "required": true}));
    properties.insert(
        PASSWORD.into(),
        json!({"title": "Password", "type": "string", "format": "password", "required": true}),
    );
    json!({"type": "object", "properties": properties})
}
