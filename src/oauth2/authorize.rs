//! The authorization endpoint, code flow. Read with the RFCs open beside it; the order of the checks is that of
//! oauth2-endpoints §4.2.
//!
//! | source                     | it says                                                | we do it in                 |
//! |----------------------------|--------------------------------------------------------|-----------------------------|
//! | RFC 6749 §3.1, abuse AZ-07 | GET and POST; a parameter appears once                  | `oauth2::serve_path`             |
//! | RFC 6749 §4.1.1            | `response_type`, `client_id` REQUIRED                    | [`answer`]                  |
//! | RFC 6749 §4.1.2.1, abuse AZ-06 | no redirect before client and URI are known good    | [`answer`], [`Target`]      |
//! | RFC 6749 §3.1.1            | `unsupported_response_type`                             | `response_type`           |
//! | RFC 7636 §4.3              | the challenge                                           | [`pkce::challenge`]         |
//! | RFC 6749 §3.3              | scope                                                   | [`scope::resolve`]          |
//! | OIDC Core §3.1.2.1         | `prompt`, `max_age`, `nonce`                              | `Prompt`, `freshness`   |
//! | OIDC Core §6               | request objects: not served                            | `request_object`          |
//! | OIDC Core §3.1.2.3         | a session of this realm, or log in                       | `session`                 |
//! | authorization §8.2         | scope by policy: what is denied, granted, to be asked  | [`scope_policy::put`]       |
//! | RFC 6749 §10.2             | consent                                                 | `proceed`                 |
//! | RFC 6749 §10.12            | CSRF                                                    | [`consent::is_authentic`]   |
//! | RFC 6749 §4.1.2, RFC 9207  | the answer: `code`, `iss`, `state`, `client_id`           | `issue`                   |
//! | RFC 9700 §4.12             | 303 after a form in a browser                            | `issue`                   |

use super::{
    Request,
    answer::redirect as redirect_to,
    authenticate,
    client::Client,
    consent::{self, Origin},
    error::{Code, Error, Result, unexpected},
    grant_type::GrantType,
    id_token,
    issue::now,
    login::{self, Freshness, Marker},
    pkce,
    provider::{Provider, Settings},
    redirect::{self, ResponseMode, Target},
    scope, scope_policy,
};
use crate::{
    caller::{self, Caller},
    consensus::Unavailable,
    secrets::{self, HandleKind, Minted},
};
use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
};
use quorate_raft::{
    Challenge, ClientId, Command, Kind, Outcome, OwnerId, Refusal, Seq, Stamp,
    grant_sets::{Authorization, IssueCode},
};
use std::{collections::BTreeSet, sync::Arc};

/// Longest `nonce`, bytes: it is stored with the code.
const MAX_NONCE_BYTES: usize = 2048;
/// Longest `state`, bytes: it travels in a header, percent-encoded.
const MAX_STATE_BYTES: usize = 4096;
/// Longest word that an error repeats, bytes.
const MAX_ECHO_BYTES: usize = 100;

/// What a request is worth once client and redirection URI are known good.
struct Asked<'r> {
    request: &'r Request<'r>,
    client_id: &'r str,
    client: Arc<Client>,
    client_fence: Seq,
    provider: Arc<Provider>,
    settings: Settings,
    target: Target,
    mode: ResponseMode,
    issuer: String,
}

/// How a request fails after that.
enum Failure {
    /// On our own page: it is none of the client's business, or must not leave.
    Page(Error),
    /// At the client.
    Client(Error),
}

impl From<Error> for Failure {
    /// RFC 6749 §4.1.2.1, unless nothing was decided (G7: 503).
    fn from(error: Error) -> Self {
        if error.code() == Code::TemporarilyUnavailable { Self::Page(error) } else { Self::Client(error) }
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Self::Page(unavailable.into())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Error::from(refusal).into()
    }
}

/// RFC 6749 §3.1.
///
/// # Errors
/// What is shown on a page. Everything else is sent to the client.
pub async fn answer(request: &Request<'_>) -> Result<HttpResponse> {
    let params = request.params;
    let missing = |name: &str| Error::invalid_request(format!("Missing parameter, {name}"));
    let client_id = params.get("client_id").ok_or_else(|| missing("client_id"))?;
    let response_type = params.get("response_type").ok_or_else(|| missing("response_type"))?;
    if params.get("state").is_some_and(|state| state.len() > MAX_STATE_BYTES) {
        return Err(Error::invalid_request("Invalid parameter: state"));
    }
    let (client, client_fence) = authenticate::find(request.desk, &request.realm, client_id)
        .ok_or_else(|| Error::unauthenticated(&request.realm, false))?;
    let target = redirect::choose(&client, params.get("redirect_uri"))?;
    let provider = Provider::of(request.desk, &request.realm);
    let mode = match params.get("response_mode") {
        Some("fragment") => Some(ResponseMode::Fragment),
        Some("query") | None => Some(ResponseMode::Query),
        Some(_) => None,
    };
    let asked = Asked {
        request,
        client_id,
        client_fence,
        settings: provider.settings(&client),
        provider,
        client,
        target,
        mode: mode.unwrap_or(ResponseMode::Query),
        issuer: request.base_url().issuer(&request.realm),
    };
    let outcome = match mode {
        Some(_) => proceed(&asked, response_type).await,
        None => Err(Failure::Client(Error::invalid_request("Invalid parameter: response_mode"))),
    };
    match outcome {
        Ok(response) => Ok(response),
        Err(Failure::Page(error)) => Err(error),
        Err(Failure::Client(error)) => Ok(asked.refuse(&error)),
    }
}

impl Asked<'_> {
    fn state(&self) -> Option<&str> {
        self.request.params.get("state")
    }

    fn is_post(&self) -> bool {
        self.request.http.method() == Method::POST
    }

    /// RFC 6749 §4.1.2.1.
    fn refuse(&self, error: &Error) -> HttpResponse {
        let location = self.target.location(
            self.mode,
            &[
                ("error_description", Some(error.says()).filter(|says| !says.is_empty())),
                ("iss", Some(&self.issuer)),
                ("state", self.state()),
                ("error", Some(error.code().name())),
                ("client_id", Some(self.client_id)),
            ],
        );
        redirect_to(StatusCode::FOUND, &location)
    }
}

async fn proceed(asked: &Asked<'_>, types: &str) -> std::result::Result<HttpResponse, Failure> {
    let params = asked.request.params;
    response_type(asked, types)?;
    request_object(asked)?;
    let prompt = Prompt::parse(params.get("prompt")).map_err(Failure::Page)?;
    let nonce = params.get("nonce").filter(|nonce| nonce.len() <= MAX_NONCE_BYTES);
    if nonce != params.get("nonce") {
        return Err(Error::invalid_request("Invalid parameter: nonce").into());
    }
    let challenge = pkce::challenge(params, asked.provider.pkce, &asked.client)?;
    let scope = scope::resolve(params.get("scope"), &asked.client, &asked.settings)?;
    if scope.iter().any(|scope| **scope == *"openid") {
        id_token::signer(asked.request.desk, &asked.client)?;
    }
    let freshness = freshness(asked, &prompt)?;

    // A POST that decides nothing is a request like any other (OpenID Connect Core §3.1.2.1).
    let token = caller::presented_token(asked.request.desk, asked.request.http);
    let decides = asked.is_post() && (params.get("decision").is_some() || params.get("csrf").is_some());
    let origin = match decides {
        true => match consent::is_authentic(asked.request, token.as_deref()) {
            Some(origin) => Some(origin),
            None => return Err(Failure::Page(Error::of(Code::BadRequest))),
        },
        false => None,
    };

    // `prompt=login` is gone on the return trip: where it stands, the trip has not begun.
    let returned_after = if prompt.login { None } else { Marker::read(asked.request) };
    let Some(caller) = session(asked, token.as_deref(), freshness, returned_after) else {
        if prompt.none {
            return Err(Error::of(Code::LoginRequired).into());
        }
        return login::redirect(asked.request, freshness).map_err(Failure::Page);
    };
    let address = asked.request.http.peer_addr().map(|peer| peer.ip().to_canonical());
    let client = (asked.client_id, &*asked.client);
    let (desk, realm) = (asked.request.desk, &asked.request.realm);
    let owner = scope_policy::Asker::Owner(&caller, address);
    let verdict = scope_policy::put(desk, realm, client, &asked.settings, scope, owner)?;
    let to_ask = verdict.to_ask();
    // What policy grants needs nobody's consent; where policy is not asked, an empty scope does all the same.
    let asks_consent = asked.settings.asks_consent && !(asked.settings.scope_policy_set.is_some() && to_ask.is_empty());
    let scope = verdict.with_owner();
    match origin {
        Some(_) if params.get("decision").is_some_and(|decision| decision.eq_ignore_ascii_case("allow")) => {}
        Some(_) => return Err(Error::of(Code::AccessDenied).into()),
        None if !asks_consent && !prompt.consent => {}
        None if prompt.none => return Err(Error::of(Code::ConsentRequired).into()),
        None => {
            let shown = if to_ask.is_empty() { &scope } else { &to_ask };
            return consent::page(asked.request, &caller, client, &asked.target, shown).map_err(Failure::Page);
        }
    }
    issue(asked, &caller, scope, challenge, nonce, origin).await
}

/// oauth2-endpoints §4.4.
fn response_type(asked: &Asked<'_>, types: &str) -> Result<()> {
    let requested: BTreeSet<&str> = types.split(' ').filter(|word| !word.is_empty()).collect();
    let unsupported = || Error::of(Code::UnsupportedResponseType);
    if requested.is_empty() || !requested.iter().all(|word| asked.provider.response_types.contains(*word)) {
        return Err(unsupported());
    }
    let same = |registered: &BTreeSet<Box<str>>| registered.iter().map(|word| &**word).eq(requested.iter().copied());
    if !asked.client.response_types.iter().any(same) {
        return Err(Error::new(Code::UnsupportedResponseType, "Client does not support this response type."));
    }
    if !requested.iter().copied().eq(["code"]) {
        return Err(unsupported());
    }
    let may = |grants: super::grant_type::GrantTypes| grants.contains(GrantType::AuthorizationCode);
    if !may(asked.provider.grant_types) || !may(asked.client.grant_types) {
        return Err(Error::of(Code::UnauthorizedClient));
    }
    Ok(())
}

/// OpenID Connect Core §6.1, §6.2.
fn request_object(asked: &Asked<'_>) -> Result<()> {
    if asked.request.params.get("request").is_some() {
        return Err(Error::of(Code::RequestNotSupported));
    }
    if asked.request.params.get("request_uri").is_some() {
        return Err(Error::of(Code::RequestUriNotSupported));
    }
    Ok(())
}

/// `prompt` (OpenID Connect Core §3.1.2.1, oauth2-endpoints §4.7).
#[derive(Debug, Default, PartialEq, Eq)]
struct Prompt {
    none: bool,
    login: bool,
    consent: bool,
}

impl Prompt {
    fn parse(sent: Option<&str>) -> Result<Self> {
        let mut prompt = Self::default();
        let Some(sent) = sent else {
            return Ok(prompt);
        };
        let invalid = || {
            let echo = if sent.len() <= MAX_ECHO_BYTES { sent } else { "" };
            Error::new(Code::BadRequest, format!("Prompt parameter {echo} is invalid or unsupported"))
        };
        for word in sent.split(' ').filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => return Err(invalid()),
            }
        }
        if prompt.none && (prompt.login || prompt.consent) { Err(invalid()) } else { Ok(prompt) }
    }
}

/// How new the session has to be (oauth2-endpoints §4.7, §4.8).
fn freshness(asked: &Asked<'_>, prompt: &Prompt) -> Result<Freshness> {
    let max_age = match asked.request.params.get("max_age") {
        Some(sent) => Some(sent.parse::<u64>().map_err(|_| Error::invalid_request("Invalid parameter: max_age"))?),
        None => asked.client.default_max_age,
    };
    Ok(match max_age {
        _ if prompt.login => Freshness::New,
        Some(0) => Freshness::New,
        Some(seconds) => Freshness::Within(seconds.max(asked.provider.min_max_age)),
        // The marker of a login that `prompt=login` asked for outlives that word.
        None if Marker::read(asked.request).is_some() => Freshness::New,
        None => Freshness::Any,
    })
}

/// The resource owner: a user of this realm with a live session that is new enough.
fn session(
    asked: &Asked<'_>,
    token: Option<&str>,
    freshness: Freshness,
    returned_after: Option<Stamp>,
) -> Option<Caller> {
    let desk = asked.request.desk;
    let caller = caller::session(desk, token?)?;
    let subject = &caller.session.data.subject;
    let is_owner = subject.kind == Kind::User && subject.realm == asked.request.realm;
    if !is_owner || !freshness.accepts(&caller.session, returned_after, now(desk)) {
        return None;
    }
    caller::touch(desk, &caller);
    Some(caller)
}

/// RFC 6749 §4.1.2.
async fn issue(
    asked: &Asked<'_>,
    caller: &Caller,
    scope: Vec<Arc<str>>,
    challenge: Option<Challenge>,
    nonce: Option<&str>,
    origin: Option<Origin>,
) -> std::result::Result<HttpResponse, Failure> {
    let Asked { request, target, .. } = asked;
    let desk = request.desk;
    let (client, owner) = (ClientId::from(asked.client_id), OwnerId::from(caller.name()));
    let minted = Minted::new(HandleKind::Code, secrets::grant_set_hint(&request.realm, &client, &owner));
    let wants_acr =
        request.params.get("acr_values").is_some() || asked.client.expects_acr || asked.provider.expects_acr;
    let authorization = Authorization {
        realm: request.realm.clone(),
        client,
        client_fence: asked.client_fence,
        owner,
        owner_fence: caller.session.data.fence,
        scope,
        issuer: asked.issuer.as_str().into(),
        grant: secrets::new_grant_id(asked.client_fence),
        redirect_uri: target.uri.as_str().into(),
        redirect_uri_sent: target.sent,
        challenge,
        nonce: nonce.map(Into::into),
        claims: None,
        // No journey is mapped to an acr: whoever asks hears that none was reached (oauth2-tokens §10.2).
        acr: wants_acr.then(|| "0".into()),
        auth_level: caller.session.data.auth_level,
        auth_time: caller.session.created.secs(),
    };
    let issue = IssueCode {
        hint: minted.hint(),
        hash: minted.hash(),
        authorization: Arc::new(authorization),
        ttl: asked.settings.code_ttl,
    };
    match desk.propose(Command::IssueCode(issue)).await? {
        Outcome::Issued { .. } => {}
        Outcome::Refused(refusal) => return Err(refusal.into()),
        Outcome::Done | Outcome::Written(_) => return Err(unexpected().into()),
    }
    let code = minted.reveal();
    let location = target.location(
        asked.mode,
        &[
            ("code", Some(&code)),
            ("iss", Some(&asked.issuer)),
            ("state", asked.state()),
            ("client_id", Some(asked.client_id)),
        ],
    );
    // A browser must not post its form again at the client; a headless client expects AM's status.
    let status = if origin == Some(Origin::Page) { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    Ok(redirect_to(status, &location))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_takes_three_words() {
        let some = |none, login, consent| Ok(Prompt { none, login, consent });
        assert_eq!(Prompt::parse(None), some(false, false, false));
        assert_eq!(Prompt::parse(Some("Login consent")), some(false, true, true));
        assert_eq!(Prompt::parse(Some("none")), some(true, false, false));
        for wrong in ["none login", "select_account", "login x"] {
            let error = Prompt::parse(Some(wrong)).expect_err(wrong);
            assert_eq!(error.says(), format!("Prompt parameter {wrong} is invalid or unsupported"));
            assert_eq!(error.code(), Code::BadRequest);
        }
        assert!(!Prompt::parse(Some(&"x".repeat(4000))).expect_err("long").says().contains("xx"));
    }
}
