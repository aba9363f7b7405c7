//! Names, passwords, and who decides about them.
//!
//! A password is verified in one place ([`crate::authn::prove`]); whoever was proved is the journey's subject from then on,
//! whatever name is collected later without proof.

use super::{Fault, Node, Step, Visit};
use crate::authn::{
    Identities, Verdict,
    journey::{
        callback::{Callback, Validation},
        state::Inputs,
    },
    prove, zero_page,
};
use quorate_raft::{DocumentKey, Kind};
use serde::Deserialize;
use serde_json::Value;

/// `ZeroPageLoginNode` (a.9).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ZeroPageLogin {
    username_header: String,
    password_header: String,
    allow_without_referer: bool,
    referrer_white_list: Vec<String>,
}

impl Default for ZeroPageLogin {
    fn default() -> Self {
        Self {
            username_header: zero_page::USERNAME.to_owned(),
            password_header: zero_page::PASSWORD.to_owned(),
            allow_without_referer: true,
            referrer_white_list: Vec::new(),
        }
    }
}

impl ZeroPageLogin {
    /// Whether the page that the request comes from may send credentials.
    fn is_welcome(&self, visit: &Visit<'_, '_>) -> bool {
        let referer = visit.scene.request.headers.get("Referer").and_then(|value| value.to_str().ok());
        self.allow_without_referer || referer.is_some_and(|url| self.referrer_white_list.iter().any(|it| it == url))
    }
}

impl Node for ZeroPageLogin {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        // a.9: headers count when an authentication starts, not when it goes on.
        if !visit.journey.asked.is_empty() || !self.is_welcome(visit) {
            return Step::decided(false);
        }
        match zero_page::read(&visit.scene.request.headers, &self.username_header, &self.password_header) {
            zero_page::Headers::Absent => Step::decided(false),
            zero_page::Headers::Unusable => Err(Fault::of("a header of zero page login is repeated or no text")),
            zero_page::Headers::Present(credentials) => {
                visit.journey.state.put_shared("username", credentials.username);
                visit.journey.state.put_transient("password", credentials.password.as_str());
                Step::decided(true)
            }
        }
    }
}

/// `UsernameCollectorNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UsernameCollector {}

impl Node for UsernameCollector {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        match visit.answers.first().map(|answer| answer.text()).filter(|name| !name.is_empty()) {
            Some(name) => {
                visit.journey.state.put_shared("username", name);
                Step::done()
            }
            None => Step::ask(vec![Callback::name("User Name", "")]),
        }
    }
}

/// `PasswordCollectorNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PasswordCollector {}

impl Node for PasswordCollector {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        match visit.answers.first() {
            Some(answer) => {
                visit.journey.state.put_transient("password", answer.text());
                Step::done()
            }
            None => Step::ask(vec![Callback::password("Password")]),
        }
    }
}

/// `ValidatedUsernameNode`. There is no IDM to ask for policies: names are taken as they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ValidatedUsername {
    username_attribute: String,
}

impl Default for ValidatedUsername {
    fn default() -> Self {
        Self { username_attribute: "userName".to_owned() }
    }
}

impl Node for ValidatedUsername {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        match visit.answers.first().filter(|answer| !answer.text().is_empty() && !answer.flag(1)) {
            Some(answer) => {
                let state = &mut visit.journey.state;
                state.put_shared("username", answer.text());
                state.put_member(false, "objectAttributes", &self.username_attribute, answer.text());
                Step::done()
            }
            None => Step::ask(vec![Callback::validated_username("Username", "", Validation::default())]),
        }
    }
}

/// `ValidatedPasswordNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ValidatedPassword {
    password_attribute: String,
}

impl Default for ValidatedPassword {
    fn default() -> Self {
        Self { password_attribute: "password".to_owned() }
    }
}

impl Node for ValidatedPassword {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        match visit.answers.first().filter(|answer| !answer.flag(1)) {
            Some(answer) => {
                let state = &mut visit.journey.state;
                state.put_transient("password", answer.text());
                state.put_member(true, "objectAttributes", &self.password_attribute, answer.text());
                Step::done()
            }
            None => Step::ask(vec![Callback::validated_password("Password", false, Validation::default())]),
        }
    }
}

/// What came of name and password.
pub enum Checked {
    /// They belong together.
    Right,
    /// They do not.
    Wrong,
    /// The account is locked for a time.
    Locked,
}

/// Verifies what was collected; whoever it is becomes the journey's subject.
///
/// # Errors
/// When nothing was collected, or nothing was decided.
pub async fn check(visit: &mut Visit<'_, '_>, identities: Identities) -> Result<Checked, Fault> {
    let name = visit.username()?;
    let Some(password) = visit.journey.state.text("password").map(str::to_owned) else {
        return Err(Fault::of("no password is known yet"));
    };
    let scene = visit.scene;
    match prove(scene.desk, scene.realm, identities, &name, &password, scene.request.from).await? {
        Verdict::Right(proved) => {
            let key = proved.key;
            let universal_id = crate::sessions::universal_id(scene.realm, &key);
            visit.journey.state.put_shared("universalId", universal_id);
            visit.journey.subject = Some((key.kind, key.id.to_string()));
            Ok(Checked::Right)
        }
        // Whoever was proved before is not proved any more: this is another claim.
        Verdict::Wrong => {
            visit.journey.subject = None;
            visit.journey.state.remove("universalId");
            Ok(Checked::Wrong)
        }
        Verdict::Locked => {
            visit.journey.subject = None;
            visit.journey.state.remove("universalId");
            Ok(Checked::Locked)
        }
    }
}

fn name_and_password() -> Inputs {
    Inputs::keys(["username", "password"])
}

/// `DataStoreDecisionNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DataStoreDecision {}

impl Node for DataStoreDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        Step::decided(matches!(check(visit, Identities::Users).await?, Checked::Right))
    }

    fn inputs(&self) -> Inputs {
        name_and_password()
    }
}

/// `AgentDataStoreDecisionNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AgentDataStoreDecision {}

impl Node for AgentDataStoreDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        Step::decided(matches!(check(visit, Identities::Agents).await?, Checked::Right))
    }

    fn inputs(&self) -> Inputs {
        name_and_password()
    }
}

/// `IdentityStoreDecisionNode`. The store knows neither passwords that have to be changed nor ones that expire, so two of the
/// outcomes never come.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IdentityStoreDecision {}

impl Node for IdentityStoreDecision {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        match check(visit, Identities::Users).await? {
            Checked::Right => {
                let active = visit.profile()?.is_some_and(|entry| crate::caller::is_active(Kind::User, &entry));
                Step::to(if active { "TRUE" } else { "LOCKED" })
            }
            Checked::Wrong => Step::to("FALSE"),
            Checked::Locked => Step::to("LOCKED"),
        }
    }

    fn inputs(&self) -> Inputs {
        name_and_password()
    }
}

/// `AnonymousUserNode`: identifies as a user that everybody may be. The user must exist.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnonymousUser {
    anonymous_user_name: String,
}

impl Default for AnonymousUser {
    fn default() -> Self {
        Self { anonymous_user_name: "anonymous".to_owned() }
    }
}

impl Node for AnonymousUser {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let name = self.anonymous_user_name.clone();
        let key = DocumentKey::new(visit.scene.realm, Kind::User, &name.to_lowercase());
        visit.journey.state.put_shared("universalId", crate::sessions::universal_id(visit.scene.realm, &key));
        visit.journey.state.put_shared("username", Value::from(name));
        visit.journey.subject = Some((Kind::User, key.id.to_string()));
        Step::done()
    }
}
