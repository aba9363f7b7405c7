//! Which service is asked for (authn-sessions-realms.md a.3, a.10).
//!
//! | `authIndexType`            | we do it in                                               |
//! |----------------------------|-----------------------------------------------------------|
//! | none                       | [`Wanted::Default`]: the realm's                          |
//! | `service`                  | [`Wanted::Service`]                                       |
//! | `module`, `module_instance` | [`Wanted::Module`], if the realm allows it                |
//! | `level`                    | [`Wanted::Level`]: modules that give as much              |
//! | `composite_advice`         | [`Wanted::Advice`]: any of what it names                  |
//! | `transaction`              | [`Wanted::Transaction`]: what its policy asks for         |
//! | `resource`                 | [`Wanted::Resource`]: what policies advise for it         |
//! | `user`, `role`             | legacy; nothing here is found by them: 400                |
//! | other                      | 400 `Unknown Authentication Index Type`                   |

use super::{
    failure::{Code, Failure},
    model,
    scene::Scene,
    state::Service,
};
use crate::{
    audit::Purpose,
    caller::Caller,
    consensus::Unavailable,
    crest::Params,
    decisions::{NoDecision, Question, Who},
    policy::{circumstances::Environment, condition::outside::Strategy, model::PolicySet},
};
use quorate_raft::Kind;
use std::iter;

/// Longest advice that is looked at, bytes, and most things that it may ask for.
const MAX_ADVICE_BYTES: usize = 8192;
const MAX_ADVICES: usize = 16;

/// The advice that names a transaction.
const TRANSACTION: &str = "TransactionConditionAdvice";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing in particular.
    Default,
    /// A tree or a chain.
    Service(String),
    /// A module.
    Module(String),
    /// A level, whatever gives it.
    Level(i32),
    /// Any of these.
    Advice(Vec<Wanted>),
    /// What has to be done to confirm the transaction with this id (authorization.md §4.16).
    Transaction(String),
    /// Whatever policies advise for this resource.
    Resource(String),
}

/// What the parameters ask for, and how they say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// What.
    pub wanted: Wanted,
    /// `authIndexType` and `authIndexValue`, as sent.
    pub told: Option<(String, String)>,
}

impl Index {
    /// From the parameters.
    ///
    /// # Errors
    /// 400 for a type that is none, or a value that does not fit it.
    pub fn of(scene: &Scene<'_>, params: &Params) -> Result<Self, Failure> {
        let value = params.get("authIndexValue").filter(|value| !value.is_empty());
        let Some(kind) = params.get("authIndexType").filter(|kind| !kind.is_empty()) else {
            return match value {
                None => Ok(Self { wanted: Wanted::Default, told: None }),
                Some(_) => Err(Failure::plain(Code::NoConfiguration)),
            };
        };
        let kind = kind.to_ascii_lowercase();
        let known = ["service", "module", "module_instance", "level", "composite_advice", "transaction", "resource"]
            .contains(&kind.as_str());
        let wanted = match (kind.as_str(), value) {
            ("user" | "role", _) => Err(Failure::plain(Code::NoConfiguration)),
            _ if !known => Err(Failure::bad_request("Unknown Authentication Index Type")),
            ("service", None) => Ok(Wanted::Default),
            ("service", Some(name)) => Ok(Wanted::Service(name.to_owned())),
            ("module" | "module_instance", Some(name)) => Ok(Wanted::Module(name.to_owned())),
            ("level", level) => {
                let level = level.and_then(|level| level.trim().parse().ok());
                level.map(Wanted::Level).ok_or_else(|| Failure::plain(Code::InvalidLevel))
            }
            ("composite_advice", Some(advice)) => {
                let pairs = parse(advice).unwrap_or_default();
                let advices = scene_advices(scene, &pairs);
                let transaction = || pairs.iter().find(|(name, _)| name == TRANSACTION).map(|(_, id)| id.clone());
                // Everything else comes first (authorization.md §4.16).
                match advices.is_empty() {
                    false => Ok(Wanted::Advice(advices)),
                    true => transaction().map(Wanted::Transaction).ok_or_else(|| Failure::plain(Code::NoConfiguration)),
                }
            }
            ("resource", Some(url)) if url.len() <= MAX_ADVICE_BYTES => Ok(Wanted::Resource(url.to_owned())),
            ("transaction", Some(id)) => Ok(Wanted::Transaction(id.to_owned())),
            _ => Err(Failure::plain(Code::NoConfiguration)),
        }?;
        Ok(Self { wanted, told: Some((kind, value.unwrap_or_default().to_owned())) })
    }
}

/// What the advices mean in this realm.
fn scene_advices(scene: &Scene<'_>, pairs: &[(String, String)]) -> Vec<Wanted> {
    let own = |value: &str| match value.split_once(':') {
        Some((realm, rest)) if realm.starts_with('/') => (realm == scene.realm.as_str()).then(|| rest.to_owned()),
        _ => Some(value.to_owned()),
    };
    let wanted = |(name, value): &(String, String)| match name.as_str() {
        "AuthLevelConditionAdvice" => own(value)?.parse().ok().map(Wanted::Level),
        "AuthenticateToServiceConditionAdvice" | "AuthenticateToTreeConditionAdvice" => own(value).map(Wanted::Service),
        "AuthSchemeConditionAdvice" => own(value).map(Wanted::Module),
        "AuthenticateToRealmConditionAdvice" => (value == scene.realm.as_str()).then_some(Wanted::Default),
        _ => None,
    };
    pairs.iter().filter_map(wanted).take(MAX_ADVICES).collect()
}

/// The pairs of an `<Advices>` document: name and value. Elements, attributes and text are all that it may have.
fn parse(xml: &str) -> Option<Vec<(String, String)>> {
    if xml.len() > MAX_ADVICE_BYTES {
        return None;
    }
    let (mut rest, mut open, mut pairs) = (xml.trim(), Vec::new(), Vec::new());
    let mut name = None;
    while let Some(after) = rest.strip_prefix('<') {
        let (tag, text) = after.split_once('>')?;
        if tag.starts_with(['!', '?']) || open.len() > 8 {
            return None;
        }
        let (text, next) = text.split_at(text.find('<').unwrap_or(text.len()));
        let closing = tag.strip_prefix('/');
        let single = tag.ends_with('/');
        let body = tag.trim_end_matches('/');
        let element = body.split_whitespace().next()?;
        match (closing, element) {
            (Some(closed), _) => {
                if open.pop()? != closed.trim() {
                    return None;
                }
                if closed.trim() == "AttributeValuePair" {
                    name = None;
                }
            }
            (None, "Attribute") => {
                let (_, quoted) = body.split_once("name=")?;
                let quote = quoted.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
                name = Some(unescape(quoted.get(1..)?.split(quote).next()?)?);
            }
            (None, "Value") if !single => pairs.push((name.clone()?, unescape(text.trim())?)),
            (None, "Advices" | "AttributeValuePair" | "Value") => {}
            (None, _) => return None,
        }
        if closing.is_none() && !single {
            open.push(element);
        }
        if element != "Value" && !text.trim().is_empty() {
            return None;
        }
        rest = next.trim_start();
    }
    (rest.is_empty() && open.is_empty()).then_some(pairs)
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        out.push_str(rest);
    }
    Some(out)
}

impl Wanted {
    /// What a policy's strategy means in this realm; `None` when it means nothing.
    pub fn confirming(scene: &Scene<'_>, strategy: &str, specifier: &str) -> Option<Self> {
        let advice = match Strategy::of(strategy)? {
            Strategy::Realm => "AuthenticateToRealmConditionAdvice",
            Strategy::Tree => "AuthenticateToTreeConditionAdvice",
            Strategy::Level => "AuthLevelConditionAdvice",
            Strategy::Service => "AuthenticateToServiceConditionAdvice",
            Strategy::Module => "AuthSchemeConditionAdvice",
        };
        scene_advices(scene, &[(advice.to_owned(), specifier.to_owned())]).pop()
    }

    /// What the policies of the default set advise the owner of `existing` to do, who wants `resource`. Nothing is decided for
    /// anybody by asking; who has no session gets no advice.
    ///
    /// # Errors
    /// 400 without advice that means something in this realm.
    pub fn for_resource(scene: &Scene<'_>, resource: &str, existing: Option<&Caller>) -> Result<Self, Failure> {
        let none = || Failure::plain(Code::NoConfiguration);
        let (desk, realm, name) = (scene.desk, scene.realm, PolicySet::DEFAULT);
        let set = desk.policy_set(realm, name).ok_or_else(none)?;
        let who = existing.map(|caller| Who::session(desk, caller, scene.request.from)).ok_or_else(none)?;
        let environment = Environment::new();
        let question =
            Question { desk, realm, name, set: &set, who: &who, environment: &environment, purpose: Purpose::Advice };
        let decisions = question.try_out(&[resource.to_owned()]).map_err(|refused| match refused {
            NoDecision::Refused(_) => none(),
            NoDecision::Unrecorded(_) => Unavailable::Overloaded.into(),
            NoDecision::Unavailable(unavailable) => unavailable.into(),
        })?;
        let advices = decisions.iter().flat_map(|decision| &decision.advices);
        let pairs: Vec<_> =
            advices.flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone()))).collect();
        let advices = scene_advices(scene, &pairs);
        if advices.is_empty() { Err(none()) } else { Ok(Self::Advice(advices)) }
    }

    /// Whether the session of `caller` is as good as authenticating now (a.10).
    pub fn is_satisfied(&self, caller: &Caller) -> bool {
        match self {
            Self::Default => true,
            Self::Service(name) => {
                caller.session.data.properties.get("Service").is_some_and(|service| **service == **name)
            }
            Self::Module(_) | Self::Transaction(_) | Self::Resource(_) => false,
            Self::Level(level) => caller.session.data.auth_level >= *level,
            Self::Advice(any) => any.iter().any(|wanted| wanted.is_satisfied(caller)),
        }
    }

    /// The services that do: one, or several to choose from. Some trees are there for confirming transactions alone.
    ///
    /// # Errors
    /// The errors of a.8 when there is none.
    pub async fn services(&self, scene: &Scene<'_>, confirming: bool) -> Result<Vec<Service>, Failure> {
        let mut found: Vec<Service> = Vec::new();
        let mut refused = Failure::plain(Code::NoConfiguration);
        let all: Vec<&Self> = match self {
            Self::Advice(any) => any.iter().collect(),
            one => iter::once(one).collect(),
        };
        for wanted in all {
            match wanted.one(scene, confirming).await {
                Ok(services) => {
                    found.extend(services.into_iter().filter(|new| !found.contains(new)).collect::<Vec<_>>())
                }
                Err(failure) => refused = failure,
            }
        }
        if found.is_empty() { Err(refused) } else { Ok(found) }
    }

    async fn one(&self, scene: &Scene<'_>, confirming: bool) -> Result<Vec<Service>, Failure> {
        match self {
            Self::Default => service(scene, &scene.settings.core.org_config, confirming),
            Self::Service(name) => service(scene, name, confirming),
            Self::Module(_) if !scene.settings.security.module_based_auth_enabled => {
                Err(Failure::plain(Code::ModulesNotAllowed))
            }
            Self::Module(name) => match model::module(scene.desk, scene.realm, name) {
                Some(module) if module.kind == "datastore" => Ok(vec![Service::Module(name.clone())]),
                Some(_) => Err(Failure::plain(Code::NoConfiguration)),
                None => Err(Failure::plain(Code::NoModule)),
            },
            Self::Level(level) => {
                let stored = scene.desk.rows(scene.realm, Kind::AuthenticationModule);
                let names = stored.iter().filter_map(|row| row.id.strip_prefix("datastore/").map(str::to_owned));
                let gives = |name: &String| {
                    model::module(scene.desk, scene.realm, name).is_some_and(|module| module.level >= *level)
                };
                Ok(names.filter(gives).take(MAX_ADVICES).map(Service::Module).collect())
            }
            Self::Advice(_) | Self::Transaction(_) | Self::Resource(_) => Err(Failure::plain(Code::NoConfiguration)),
        }
    }
}

/// A tree shadows a chain of the same name.
fn service(scene: &Scene<'_>, name: &str, confirming: bool) -> Result<Vec<Service>, Failure> {
    let none = || Failure::plain(Code::NoConfiguration);
    if model::tree_exists(scene.desk, scene.realm, name) {
        let tree = model::tree(scene.desk, scene.realm, name).ok_or_else(none)?;
        let usable = !tree.inner_tree_only && (confirming || !tree.transactional_only);
        return if usable { Ok(vec![Service::Tree(name.to_owned())]) } else { Err(none()) };
    }
    model::chain(scene.desk, scene.realm, name).map(|_| vec![Service::Chain(name.to_owned())]).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_read_and_nothing_else() {
        let pair = |name: &str, value: &str| {
            format!("<AttributeValuePair><Attribute name=\"{name}\"/><Value>{value}</Value></AttributeValuePair>")
        };
        let both = format!("<Advices>\n{}{}</Advices>", pair("A", "/:x&amp;y"), pair("B", "7"));
        let text = |of: &str| of.to_owned();
        assert_eq!(parse(&both), Some(vec![(text("A"), text("/:x&y")), (text("B"), text("7"))]));
        let two = "<Advices><AttributeValuePair><Attribute name='A' /><Value>1</Value><Value>2</Value></AttributeValuePair></Advices>";
        assert_eq!(parse(two), Some(vec![(text("A"), text("1")), (text("A"), text("2"))]));
        assert_eq!(parse("<Advices/>"), Some(Vec::new()));
        for hostile in [
            "<!DOCTYPE x [<!ENTITY a \"b\">]><Advices/>",
            "<?xml version=\"1.0\"?><Advices/>",
            "<Advices>",
            "<Advices></Other>",
            "<Advices><Value>x</Value></Advices>",
            "<Advices><AttributeValuePair><Attribute name=\"A\"/><Value>&x;</Value></AttributeValuePair></Advices>",
            "<Advices><AttributeValuePair><Attribute name=/><Value>1</Value></AttributeValuePair></Advices>",
            "<Advices>text</Advices>",
            "<script>x</script>",
            "</Advices>",
            "<",
            "<>",
            "x<Advices/>",
            "<Advices/>x",
        ] {
            assert_eq!(parse(hostile), None, "{hostile}");
        }
        assert_eq!(parse(&"<Advices>".repeat(20)), None);
        assert_eq!(parse(&format!("<Advices>{}</Advices>", " ".repeat(MAX_ADVICE_BYTES))), None);
    }
}
