//! Runs chains (authn-sessions-realms.md a.18): each of their modules asks for name and password in one step.

use super::{
    callback::{Answer, Callback},
    engine::Halt,
    model::{self, Chain, Criteria},
    nodes::{
        Fault, Prompt, Visit,
        credentials::{Checked, check},
    },
    scene::Scene,
    state::{Journey, Service},
};
use crate::authn::{
    Identities,
    events::{AuthenticationEvent, record},
    zero_page::{self, Headers},
};
use std::sync::Arc;

/// The chain that `service` means.
///
/// # Errors
/// When it is gone.
pub fn of(scene: &Scene<'_>, service: &Service) -> Result<Arc<Chain>, Fault> {
    match service {
        Service::Module(name) => Ok(Arc::new(model::single(name))),
        Service::Chain(name) | Service::Tree(name) => {
            model::chain(scene.desk, scene.realm, name).ok_or_else(|| Fault::of(format!("there is no chain {name}")))
        }
    }
}

/// What a module asks.
fn prompt(place: usize) -> Prompt {
    Prompt {
        callbacks: vec![Callback::name(" User Name: ", ""), Callback::password(" Password: ")],
        stage: Some(format!("DataStore{}", place + 1)),
        header: Some("Sign in".to_owned()),
        ..Prompt::default()
    }
}

/// What the headers of zero page login answer to a module's step (a.2): all of it, or nothing.
fn from_headers(scene: &Scene<'_>) -> Result<Option<(String, String)>, Fault> {
    match zero_page::read(&scene.request.headers, zero_page::USERNAME, zero_page::PASSWORD) {
        Headers::Absent => Ok(None),
        Headers::Unusable => Err(Fault::of("a header of zero page login is repeated or no text")),
        Headers::Present(credentials) => Ok(Some((credentials.username, credentials.password.to_string()))),
    }
}

/// Runs `journey` on. `answers` are for the module that asked last.
///
/// # Errors
/// When a module cannot do its work.
pub async fn run(scene: &Scene<'_>, journey: &mut Journey, answers: Vec<Answer>) -> Result<Halt, Fault> {
    let chain = of(scene, &journey.service)?;
    let mut given = match answers.as_slice() {
        [name, password] => Some((name.text().to_owned(), password.text().to_owned())),
        _ if journey.asked.is_empty() => from_headers(scene)?,
        _ => None,
    };
    while let Some(link) = chain.auth_chain_configuration.get(journey.links.next) {
        let Some((name, password)) = given.take() else {
            let prompt = prompt(journey.links.next);
            journey.asked = prompt.callbacks.iter().map(|callback| callback.asked()).collect();
            journey.state.pause(&super::state::Inputs::None);
            return Ok(Halt::Asks(prompt));
        };
        let module = model::module(scene.desk, scene.realm, &link.module);
        let module = module.filter(|module| module.kind == "datastore");
        let module = module.ok_or_else(|| Fault::of(format!("module {} is unsupported here", link.module)))?;
        let right = prove(scene, journey, name, password).await?;
        let (service, outcome) = (journey.service.name(), if right { "true" } else { "false" });
        let event = AuthenticationEvent::Node {
            service,
            node_type: "DataStore",
            node: &link.module,
            outcome,
            principal: journey.username(),
        };
        record(scene.desk, scene.realm, event);
        if right {
            journey.level = journey.level.max(module.level);
        }
        journey.links.next += 1;
        let links = &mut journey.links;
        match (link.criteria, right) {
            (Criteria::Required | Criteria::Optional, true) | (Criteria::Requisite, true) => links.succeeded = true,
            (Criteria::Sufficient, true) if links.failed => links.succeeded = true,
            (Criteria::Sufficient, true) => return Ok(Halt::Ends(true)),
            (Criteria::Required, false) => links.failed = true,
            (Criteria::Requisite, false) => return Ok(Halt::Ends(false)),
            (Criteria::Sufficient | Criteria::Optional, false) => {}
        }
    }
    Ok(Halt::Ends(journey.links.succeeded && !journey.links.failed))
}

/// Whether name and password belong together, and are not somebody else's than before.
async fn prove(scene: &Scene<'_>, journey: &mut Journey, name: String, password: String) -> Result<bool, Fault> {
    if name.is_empty() || password.is_empty() {
        return Ok(false);
    }
    let before = journey.subject.take();
    journey.state.put_shared("username", name);
    journey.state.put_transient("password", password);
    let id = journey.service.name().to_owned();
    let checked = check(&mut Visit { scene, journey, id: &id, answers: &[] }, Identities::Users).await?;
    let right = matches!(checked, Checked::Right);
    match before {
        Some(before) if right && journey.subject.as_ref() != Some(&before) => {
            Err(Fault::of("two modules of a chain proved two different users"))
        }
        Some(before) if !right => {
            journey.subject = Some(before);
            Ok(false)
        }
        _ => Ok(right),
    }
}
