//! Proof Key for Code Exchange.
//!
//! | RFC                | it says                                                 | we do it in      |
//! |--------------------|---------------------------------------------------------|------------------|
//! | 7636 §4.1          | the verifier's grammar                                  | [`verifier`]     |
//! | 7636 §4.2, §4.3    | `code_challenge`, `code_challenge_method`                | [`challenge`]    |
//! | 7636 §4.4.1        | missing where required, or a method that is not served  | [`challenge`]    |
//! | 9700 §2.1.1        | S256 only; public clients must                          | [`challenge`], [`PkceRule`] |

use super::{
    client::Client,
    error::{Error, Result},
    params::Params,
    provider::PkceRule,
};
use crate::secrets;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use quorate_raft::Challenge;

/// The challenge of an authorization request, in its stored form.
///
/// # Errors
/// `invalid_request`.
pub fn challenge(params: &Params<'_>, rule: PkceRule, client: &Client) -> Result<Option<Challenge>> {
    let required = match rule {
        PkceRule::All => true,
        PkceRule::Public => client.public,
        PkceRule::Passwordless => client.public && client.verifier.is_none(),
        PkceRule::Nobody => false,
    };
    let method = params.get("code_challenge_method");
    let Some(challenge) = params.get("code_challenge") else {
        // Naming a method without a challenge is half of the protocol: not a request to go without it.
        return if required || method.is_some() {
            Err(Error::invalid_request("Missing parameter, 'code_challenge'"))
        } else {
            Ok(None)
        };
    };
    // Without a method it would be `plain`, which is not served (RFC 9700 §2.1.1).
    if method != Some("S256") {
        return Err(Error::invalid_request("Invalid value for code_challenge_method"));
    }
    let mut digest = [0; 32];
    match (challenge.len() == 43).then(|| URL_SAFE_NO_PAD.decode_slice(challenge, &mut digest)) {
        Some(Ok(32)) => Ok(Some(Challenge(digest))),
        _ => Err(Error::invalid_request("Invalid value for code_challenge")),
    }
}

/// The stored form of a `code_verifier`. One that breaks the grammar becomes something that fits no challenge, so that it
/// spends the code like any other wrong guess.
pub fn verifier(sent: &str) -> Challenge {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (43..=128).contains(&sent.len()) && sent.bytes().all(is_unreserved) {
        secrets::s256(sent)
    } else {
        Challenge(secrets::hash(secrets::HandleKind::Code, sent).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn ask(query: &str, rule: PkceRule, public: bool) -> std::result::Result<Option<Challenge>, String> {
        let kind = if public { "Public" } else { "Confidential" };
        let client = Client::compile(&json!({ "coreOAuth2ClientConfig": { "clientType": kind } }));
        let params = Params::parse(&[query.as_bytes()]).expect("parses");
        challenge(&params, rule, &client).map_err(|error| error.says().to_owned())
    }

    #[test]
    fn az_14_only_s256_and_only_well_formed() {
        let good = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
        assert_eq!(ask(&good, PkceRule::Nobody, false), Ok(Some(verifier(VERIFIER))));
        let missing = Err("Missing parameter, 'code_challenge'".to_owned());
        for (rule, public, required) in [
            (PkceRule::All, false, true),
            (PkceRule::Public, true, true),
            (PkceRule::Public, false, false),
            (PkceRule::Passwordless, true, true),
            (PkceRule::Nobody, true, false),
        ] {
            assert_eq!(ask("", rule, public), if required { missing.clone() } else { Ok(None) });
        }
        assert_eq!(ask("code_challenge_method=S256", PkceRule::Nobody, false), missing);
        for method in ["", "&code_challenge_method=plain", "&code_challenge_method=s256"] {
            let query = format!("code_challenge={CHALLENGE}{method}");
            let says = Err("Invalid value for code_challenge_method".to_owned());
            assert_eq!(ask(&query, PkceRule::Nobody, false), says);
        }
        for challenge in
            [&CHALLENGE[1..], &format!("{CHALLENGE}A"), &CHALLENGE.replace('E', "%2B"), &CHALLENGE.replace("cM", "cN")]
        {
            let query = format!("code_challenge={challenge}&code_challenge_method=S256");
            assert_eq!(ask(&query, PkceRule::Nobody, false), Err("Invalid value for code_challenge".to_owned()));
        }
    }

    #[test]
    fn co_06_a_verifier_outside_the_grammar_fits_nothing() {
        for bad in ["", "short", &"a".repeat(129), &format!("{}é", "a".repeat(45)), &format!("{} ", "a".repeat(45))] {
            assert_ne!(verifier(bad), secrets::s256(bad));
        }
        assert_eq!(verifier(VERIFIER), secrets::s256(VERIFIER));
    }
}
