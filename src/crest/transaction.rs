//! `X-ForgeRock-TransactionId` (crest.md §14): one id for everything that a request causes, here and in the systems before
//! us, in records and answers.

use crate::desk::Desk;
use actix_web::{HttpMessage, HttpRequest, http::header::HeaderName, web::Data};
use std::{fmt, sync::Arc};
use uuid::Uuid;

/// The header, on requests and answers.
pub static HEADER: HeaderName = HeaderName::from_static("x-forgerock-transactionid");

/// Longest id that is taken from a request, bytes.
const MAX_BYTES: usize = 256;

/// The id of a request's transaction. Printable ASCII: it goes into records and headers as it is (HT-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionId(Arc<str>);

impl TransactionId {
    /// The id of `request`: the caller's, where ids of callers are trusted and it is one, else a new UUID. The same at every
    /// call for the same request.
    pub fn of(request: &HttpRequest) -> Self {
        if let Some(known) = request.extensions().get::<Self>() {
            return known.clone();
        }
        let trusted = request.app_data::<Data<Desk>>().is_some_and(|desk| desk.front().trust_transaction_ids);
        let sent = request.headers().get(&HEADER).and_then(|value| value.to_str().ok()).filter(|_| trusted);
        let id = match sent.filter(|id| is_id(id)) {
            Some(id) => Self(id.into()),
            None => Self((&*Uuid::new_v4().as_hyphenated().encode_lower(&mut Uuid::encode_buffer())).into()),
        };
        request.extensions_mut().insert(id.clone());
        id
    }

    /// The id, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:+=@".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        for (text, fine) in [
            ("a81c7f2e-1/0", true),
            ("urn:uuid:x", true),
            ("", false),
            ("a b", false),
            ("a\tb", false),
            ("a\"b", false),
            ("{\"a\":1}", false),
        ] {
            assert_eq!(is_id(text), fine, "{text}");
        }
        assert!(is_id(&"x".repeat(256)) && !is_id(&"x".repeat(257)));
    }

    #[test]
    fn a_request_has_one_id() {
        let request =
            actix_web::test::TestRequest::default().insert_header((HEADER.clone(), "theirs")).to_http_request();
        let id = TransactionId::of(&request);
        assert_eq!(TransactionId::of(&request), id);
        assert_ne!(id.as_str(), "theirs", "nobody trusts it");
        assert!(Uuid::parse_str(id.as_str()).is_ok());
    }
}
