//! Client authentication.
//!
//! | RFC                  | it says                                                    | we do it in            |
//! |----------------------|------------------------------------------------------------|------------------------|
//! | 6749 §2.3.1          | Basic with form-encoded id and secret                       | `Presented::basic`   |
//! | 6749 §2.3.1          | `client_id` and `client_secret` in the body, never in the URI | `Presented::of`    |
//! | 6749 §2.3            | no more than one method in a request                        | `Presented::of`      |
//! | 6749 §3.2.1          | a public client names itself                                | [`authenticate`]       |
//! | 6749 §5.2            | one answer whatever failed                                  | [`Error::unauthenticated`] |
//! | 7591 §2              | the registered method is the one that counts                | `is_registered`      |
//! | 6819 §5.1.4.2.3      | wrong secrets are counted, and too many bring a pause (CL-12) | [`attempts::guarded`] |
//! | oauth2-endpoints §3.1 | an unknown client takes as long as a wrong secret           | [`authenticate`]       |

use super::{
    Reads,
    client::{AuthMethod, Client},
    error::{Code, Error, Result},
    params::{self, Params},
};
use crate::{
    attempts::{self, Attempt},
    audit::context,
    desk::Desk,
};
use actix_web::{HttpRequest, http::header};
use base64::{Engine, engine::general_purpose::STANDARD};
use quorate_raft::{ClientId, DocumentKey, Kind, RealmPath, Seq};
use std::{borrow::Cow, sync::Arc};

/// Clients that prove themselves with a secret may send it in the header or in the body, whichever of the two they are
/// registered with, unless they are OpenID clients. AM checks the method of OpenID clients only, and both published
/// walk-throughs post the secret of clients that have the default method; header and body prove the same thing.
const SECRET_METHODS_INTERCHANGE: bool = true;

/// A client that proved itself on this request, or a public one that named itself. Holding one *is* the proof: only
/// [`authenticate`] makes them.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient {
    /// Its id.
    pub id: ClientId,
    /// Its configuration.
    pub client: Arc<Client>,
    /// The fence that everything issued to it carries.
    pub fence: Seq,
}

/// What a request claims. Proves nothing.
struct Presented<'p> {
    id: Cow<'p, str>,
    secret: Option<Cow<'p, str>>,
    used_header: bool,
}

impl<'p> Presented<'p> {
    fn of(realm: &RealmPath, http: &'p HttpRequest, params: &'p Params<'_>) -> Result<Self> {
        let header = http.headers().get(header::AUTHORIZATION).and_then(|value| basic_credentials(value.as_bytes()));
        let asserts = params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some();
        if asserts {
            return Err(Error::unauthenticated(realm, header.is_some()));
        }
        let (id, secret) = (params.get("client_id"), params.get("client_secret"));
        let Some(credentials) = header else {
            let id = Cow::Borrowed(id.ok_or_else(|| Error::unauthenticated(realm, false))?);
            return Ok(Self { id, secret: secret.map(Cow::Borrowed), used_header: false });
        };
        let presented = Self::basic(credentials).ok_or_else(|| Error::unauthenticated(realm, true))?;
        if secret.is_some() || id.is_some_and(|id| id != presented.id) {
            return Err(Error::new(Code::InvalidRequest, "Client authentication failed"));
        }
        Ok(presented)
    }

    /// `base64( urlencode(id) ":" urlencode(secret) )`. An empty secret is none.
    fn basic(credentials: &[u8]) -> Option<Self> {
        let decoded = STANDARD.decode(credentials).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (id, secret) = decoded.split_at_checked(colon)?;
        let part = |text: &[u8]| Some(params::decode(text)?.into_owned());
        let (id, secret) = (part(id)?, part(secret.get(1..)?)?);
        let secret = (!secret.is_empty()).then_some(Cow::Owned(secret));
        (!id.is_empty()).then_some(Self { id: Cow::Owned(id), secret, used_header: true })
    }
}

/// What follows `Basic` in an `Authorization` header; other schemes are none of ours.
fn basic_credentials(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(5)?;
    let credentials = rest.strip_prefix(b" ")?.trim_ascii();
    scheme.eq_ignore_ascii_case(b"basic").then_some(credentials)
}

/// A client that is active, and its fence, for whoever only needs to know it: `/authorize`.
pub fn find(desk: &Desk, realm: &RealmPath, id: &str) -> Option<(Arc<Client>, Seq)> {
    let entry = desk.document(realm, Kind::OAuth2Client, id)?;
    let (client, fence) = Client::of(desk.views(), &entry);
    client.active.then_some((client, fence))
}

/// Authenticates the client of this request. Call [`Desk::barrier`] first, or have what was read confirmed (`reads`).
///
/// # Errors
/// `invalid_client` with one text for unknown, inactive, wrong and missing; `invalid_request` for two methods at once; 429
/// during a pause after too many failures; 503 when too many secrets wait to be checked.
pub async fn authenticate(
    desk: &Desk,
    realm: &RealmPath,
    http: &HttpRequest,
    params: &Params<'_>,
    reads: Reads,
) -> Result<AuthenticatedClient> {
    let presented = Presented::of(realm, http, params)?;
    let failed = || Error::unauthenticated(realm, presented.used_header);
    let key = DocumentKey::new(realm, Kind::OAuth2Client, &presented.id);
    let entry = desk.views().entry(&key);
    let client = entry.as_deref().map(|entry| Client::of(desk.views(), entry));
    if let Some(secret) = &presented.secret {
        let revision = entry.as_ref().map_or(Seq(0), |entry| entry.document.revision);
        let verifier = client.as_ref().and_then(|(client, _)| client.verifier.as_deref());
        let attempt = Attempt::new(key.clone(), attempts::source(desk, http));
        // The right secret of a client that may not act is no success: it would forget the failures of others.
        let active = client.as_ref().is_some_and(|(client, _)| client.active);
        let verify = async {
            let fits = desk.passwords().verify_client(&key, revision, verifier, secret).await?;
            Ok(fits && active)
        };
        let proved = match reads {
            Reads::Confirmed => attempts::guarded(desk, &attempt, verify).await?,
            // Whoever hears "no" is answered anew after the barrier, and counted then. A pause that begins until the answer
            // is confirmed has it answered anew, too.
            Reads::ToBeConfirmed => {
                attempts::blocked(desk, &attempt).is_none()
                    && verify.await?
                    && attempts::succeeded(desk, &attempt).await.is_ok()
            }
        };
        if !proved {
            return Err(failed());
        }
    }
    let Some((client, fence)) = client else {
        return Err(failed());
    };
    if !client.active || (!client.public && presented.secret.is_none()) {
        return Err(failed());
    }
    if !is_registered(&client, &presented) {
        return Err(Error::other_method(realm, presented.used_header));
    }
    context::client(realm, &key.id);
    let id = ClientId(key.id);
    Ok(AuthenticatedClient { id, client, fence })
}

/// Whether the client proved itself in the way it is registered with. A public client is never asked for its method.
fn is_registered(client: &Client, presented: &Presented<'_>) -> bool {
    if client.public {
        return true;
    }
    let used = if presented.used_header { AuthMethod::Basic } else { AuthMethod::Post };
    let by_secret = matches!(client.auth_method, AuthMethod::Basic | AuthMethod::Post);
    let interchange = SECRET_METHODS_INTERCHANGE && by_secret && client.scope("openid").is_none();
    client.auth_method == used || interchange
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Option<(String, Option<String>)> {
        let presented = Presented::basic(STANDARD.encode(text).as_bytes())?;
        Some((presented.id.into_owned(), presented.secret.map(Cow::into_owned)))
    }

    #[test]
    fn basic_credentials_are_form_encoded() {
        let some = |id: &str, secret: Option<&str>| Some((id.to_owned(), secret.map(str::to_owned)));
        assert_eq!(basic("web:s3cret"), some("web", Some("s3cret")));
        assert_eq!(basic("a%3Ab:s+c%2B%25:x"), some("a:b", Some("s c+%:x")));
        assert_eq!(basic("web:"), some("web", None));
        for broken in ["web", ":secret", "web:100%", "w%ffeb:x"] {
            assert_eq!(basic(broken), None, "{broken}");
        }
        assert!(Presented::basic(b"not base64!").is_none());
    }

    #[test]
    fn only_basic_is_basic() {
        assert_eq!(basic_credentials(b"bAsIc  abc "), Some(&b"abc"[..]));
        for other in [&b"Bearer abc"[..], b"Basicabc", b"Basic", b""] {
            assert_eq!(basic_credentials(other), None);
        }
    }
}
