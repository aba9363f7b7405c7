//! Who a policy speaks to ([`SubjectTree`]) and who is asking ([`Subject`]).
//!
//! | reference                          | here                                             |
//! |------------------------------------|--------------------------------------------------|
//! | §1.4 universal ids, compared as DN | [`UniversalId`]                                  |
//! | §3.1 the evaluated subject         | [`Subject`]                                      |
//! | §4.3–§4.12 what a session knows    | [`Session`]                                      |
//! | §3.2–§3.7 subject types            | [`SubjectTree::parse`], [`SubjectTree::is_satisfied`] |
//! | §3.5 an error in a child propagates| the `?` in `SubjectTree::evaluate`               |
//! | §2.10.3 messages                   | [`SubjectTree::parse`]                           |
//! | §2.4.6 query by identity           | [`SubjectTree::lists`]                           |
//!
//! An evaluation has three outcomes: satisfied, not satisfied, and a [`Fault`]. The third is not
//! "not satisfied": under `NOT` that would grant (§6.4).

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde_json::{Map, Value, json};

pub use super::fault::Fault;
use super::{
    Error,
    members::{Members, Wrong},
    trace::{Answer, Comparison, Observer},
};

/// Deepest nesting of subjects (and of conditions) in one policy. The reference documents no limit.
pub const MAX_DEPTH: usize = 32;

/// Most direct children of one `AND` or `OR`, and most values of one `Identity`.
pub const MAX_CHILDREN: usize = 10_000;

/// A user's, group's or agent's name across realms: `id=mona,ou=user,o=alpha,ou=services,ou=am-config`.
///
/// Compares as a DN: case and the spaces around `,` and `=` do not count (§1.4). Prints as it was sent.
#[derive(Debug, Clone)]
pub struct UniversalId {
    sent: String,
    normal: String,
}

impl UniversalId {
    pub fn new(sent: impl Into<String>) -> Self {
        let sent = sent.into();
        let mut normal = String::with_capacity(sent.len());
        let mut escaped = false;
        let mut after_separator = true;
        for c in sent.trim().chars().flat_map(char::to_lowercase) {
            match c {
                ' ' if after_separator && !escaped => continue,
                ',' | '=' if !escaped => {
                    normal.truncate(normal.trim_end_matches(' ').len());
                    after_separator = true;
                }
                _ => after_separator = false,
            }
            escaped = c == '\\' && !escaped;
            normal.push(c);
        }
        Self { sent, normal }
    }

    pub fn as_str(&self) -> &str {
        &self.sent
    }

    /// Equal ids have equal normal forms.
    pub(crate) fn normal(&self) -> &str {
        &self.normal
    }
}

impl PartialEq for UniversalId {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for UniversalId {}

impl fmt::Display for UniversalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sent)
    }
}

/// The members of a decoded JWT, or the `claims` of a request.
pub type Claims = Map<String, Value>;

/// A live session: holding one is being authenticated, in whatever realm (§3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose session it is.
    pub user: UniversalId,
    /// The groups that user is a member of.
    pub groups: Vec<UniversalId>,
    /// The highest authentication level reached (§4.2).
    pub auth_level: i64,
    /// The module instances that authenticated it (§4.3).
    pub modules: Vec<Module>,
    /// The chains and journeys that authenticated it (§4.5).
    pub services: Vec<Qualified>,
    /// The realms it authenticated to: `/alpha`, the root realm `/` (§4.4).
    pub realms: Vec<String>,
    /// Whence it comes, for requests that do not say so themselves (§4.7).
    pub address: Option<IpAddr>,
    /// When it authenticated, epoch milliseconds (§4.11).
    pub authenticated_at: i64,
    /// Session properties, by case-sensitive name (§4.12). Several values are divided by `|`.
    pub properties: BTreeMap<String, String>,
}

/// An authentication module instance that a session went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    pub name: Qualified,
    /// When, epoch milliseconds.
    pub authenticated_at: i64,
}

/// A name within a realm: `/alpha:StrongLogin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualified {
    /// `/alpha`, the root realm `/`.
    pub realm: String,
    pub name: String,
}

impl Qualified {
    pub fn new(realm: impl Into<String>, name: impl Into<String>) -> Self {
        Self { realm: realm.into(), name: name.into() }
    }

    /// Whether `text`, qualified or not, names this.
    pub(crate) fn is_called(&self, text: &str) -> bool {
        match text.split_once(':') {
            Some((realm, name)) => realm == self.realm && name == self.name,
            None => text == self.name,
        }
    }
}

impl fmt::Display for Qualified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.realm, self.name)
    }
}

impl Session {
    /// Of `user`, of whose authentication nothing is known: level 0, before everything else.
    pub fn new(user: UniversalId, groups: Vec<UniversalId>) -> Self {
        Self {
            user,
            groups,
            auth_level: 0,
            modules: Vec::new(),
            services: Vec::new(),
            realms: Vec::new(),
            address: None,
            authenticated_at: 0,
            properties: BTreeMap::new(),
        }
    }

    /// Whether the session's user is `id` or a member of it.
    pub(crate) fn is(&self, id: &UniversalId) -> bool {
        *id == self.user || self.groups.contains(id)
    }
}

/// Whom an evaluation is about. The two halves are separate principals (§3.1): each subject type
/// looks at the one it understands, and a `sub` that looks like a user's id does not make a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subject {
    pub session: Option<Session>,
    pub claims: Option<Claims>,
    /// The user's profile attributes, when the caller could resolve a user. Policies that promise
    /// `User` response attributes contribute nothing without it (§6.4).
    pub profile: Option<Profile>,
}

/// Attributes of a user's profile, by name.
pub type Profile = BTreeMap<String, Vec<String>>;

impl Subject {
    /// A subject known by a session only.
    pub fn session(user: UniversalId, groups: Vec<UniversalId>) -> Self {
        Self { session: Some(Session::new(user, groups)), ..Self::default() }
    }

    /// A subject known by claims only.
    pub fn claims(claims: Claims) -> Self {
        Self { claims: Some(claims), ..Self::default() }
    }

    /// What `$SELF` stands for: the name of each principal, which of a DN is the value of its first
    /// component (§6.2).
    pub(crate) fn principal_names(&self) -> impl Iterator<Item = &str> {
        self.principals().map(first_component)
    }

    /// The principals' names: the session's universal id, and `sub` (§3.1).
    pub(crate) fn principals(&self) -> impl Iterator<Item = &str> {
        let user = self.session.as_ref().map(|session| session.user.as_str());
        let sub = self.claims.as_ref().and_then(|claims| claims.get("sub")).and_then(Value::as_str);
        user.into_iter().chain(sub)
    }
}

/// Of a DN the value of its first component; any other name as it is.
pub(crate) fn first_component(name: &str) -> &str {
    match name.split_once('=') {
        Some((_, value)) => value.split(',').next().unwrap_or_default().trim(),
        None => name,
    }
}

/// A policy's `subject` member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SubjectTree {
    AuthenticatedUsers,
    Identity {
        subject_values: Vec<UniversalId>,
    },
    JwtClaim {
        claim_name: String,
        claim_value: String,
    },
    And(Vec<SubjectTree>),
    Or(Vec<SubjectTree>),
    Not(Box<SubjectTree>),
    /// Never satisfied; what a policy without a subject has (§3.6).
    #[default]
    None,
    /// Bridge to plug-ins from before 2010: kept, and never decided (§3.7).
    Policy {
        name: Option<String>,
        class_name: Option<String>,
        values: Vec<String>,
    },
}

impl SubjectTree {
    /// Reads a `subject` member. A type that is not one of the reference's, or a member that its type
    /// does not have, is an error: nothing in a policy is silently ignored.
    pub fn parse(value: &Value) -> Result<Self, Error> {
        Self::parse_at(value, 0)
    }

    fn parse_at(value: &Value, depth: usize) -> Result<Self, Error> {
        if depth == MAX_DEPTH {
            return Err(Error::json(format!("Subjects are nested deeper than {MAX_DEPTH} levels")));
        }
        let members = Members::of(value, "subject")?;
        // From ancient exports: accepted on every type, and dropped (§3.5).
        let only = |names: &[&str]| members.only(&[&["type", "subjectName"], names]);
        let tree = match members.kind("subject")? {
            "AuthenticatedUsers" => {
                only(&[])?;
                Self::AuthenticatedUsers
            }
            "NONE" => {
                only(&[])?;
                Self::None
            }
            "Identity" => {
                only(&["subjectValues"])?;
                let values = members.texts("subjectValues")?.unwrap_or_default();
                within_limit("subjectValues", values.len())?;
                Self::Identity { subject_values: values.into_iter().map(UniversalId::new).collect() }
            }
            "JwtClaim" => {
                only(&["claimName", "claimValue"])?;
                let member =
                    |name: &'static str| members.text(name)?.map(str::to_owned).ok_or(Error::PropertyMissing(name));
                Self::JwtClaim { claim_name: member("claimName")?, claim_value: member("claimValue")? }
            }
            "AND" => {
                only(&["subjects"])?;
                Self::And(children(&members, depth)?)
            }
            "OR" => {
                only(&["subjects"])?;
                Self::Or(children(&members, depth)?)
            }
            "NOT" => {
                only(&["subject", "subjects"])?;
                Self::Not(Box::new(only_child(&members, depth)?))
            }
            "Policy" => {
                only(&["name", "className", "values", "exclusive"])?;
                Self::Policy {
                    name: members.text("name")?.map(str::to_owned),
                    class_name: members.text("className")?.map(str::to_owned),
                    values: members.texts("values")?.unwrap_or_default(),
                }
            }
            unknown => return Err(members.unknown_kind("subject", unknown)),
        };
        Ok(tree)
    }

    /// The `subject` member as it reads back.
    pub fn to_json(&self) -> Value {
        let all = |children: &[Self]| children.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::AuthenticatedUsers => json!({"type": "AuthenticatedUsers"}),
            Self::Identity { subject_values } => {
                let values: Vec<_> = subject_values.iter().map(UniversalId::as_str).collect();
                json!({"type": "Identity", "subjectValues": values})
            }
            Self::JwtClaim { claim_name, claim_value } => {
                json!({"type": "JwtClaim", "claimName": claim_name, "claimValue": claim_value})
            }
            Self::And(children) => json!({"type": "AND", "subjects": all(children)}),
            Self::Or(children) => json!({"type": "OR", "subjects": all(children)}),
            Self::Not(child) => json!({"type": "NOT", "subject": child.to_json()}),
            Self::None => json!({"type": "NONE"}),
            Self::Policy { name, class_name, values } => {
                json!({"type": "Policy", "name": name, "className": class_name, "values": values})
            }
        }
    }

    /// Whether `subject` is one this policy speaks to.
    ///
    /// # Errors
    /// [`Fault`] when that cannot be said. `AND` and `OR` stop as soon as they know, in the order
    /// written, so a fault behind that point does not show.
    pub fn is_satisfied(&self, subject: &Subject) -> Result<bool, Fault> {
        self.evaluate(subject, &mut ())
    }

    /// [`SubjectTree::is_satisfied`], watched.
    pub(crate) fn evaluate(&self, subject: &Subject, observer: &mut impl Observer) -> Result<bool, Fault> {
        observer.enter(self.kind(), || self.to_json());
        let said = self.says(subject, observer);
        observer.leave(|| Answer::of(said.as_ref().copied()));
        said
    }

    fn says(&self, subject: &Subject, observer: &mut impl Observer) -> Result<bool, Fault> {
        match self {
            Self::AuthenticatedUsers => {
                let authenticated = subject.session.is_some();
                observer.compared(|| Comparison::new("session", "a session", authenticated));
                Ok(authenticated)
            }
            Self::Identity { subject_values } => {
                let session = subject.session.as_ref();
                observer.compared(|| {
                    let wanted: Value = subject_values.iter().map(UniversalId::as_str).collect();
                    let ids = session.map(|session| std::iter::once(&session.user).chain(&session.groups));
                    let found: Option<Value> = ids.map(|ids| ids.map(UniversalId::as_str).collect());
                    Comparison::new("session.user and its groups", wanted, found)
                });
                Ok(session.is_some_and(|session| subject_values.iter().any(|id| session.is(id))))
            }
            Self::JwtClaim { claim_name, claim_value } => {
                let claim = subject.claims.as_ref().and_then(|claims| claims.get(claim_name));
                observer
                    .compared(|| Comparison::new(format!("claims.{claim_name}"), claim_value.as_str(), claim.cloned()));
                Ok(claim_texts(claim_name, claim)?.contains(&claim_value.as_str()))
            }
            Self::And(children) => Self::until(children, false, subject, observer),
            Self::Or(children) => Self::until(children, true, subject, observer),
            Self::Not(child) => Ok(!child.evaluate(subject, observer)?),
            Self::None => Ok(false),
            Self::Policy { .. } => Err(Fault::LegacySubject),
        }
    }

    /// Looks at `children` until one says `decisive`, which then is the answer.
    fn until(
        children: &[Self],
        decisive: bool,
        subject: &Subject,
        observer: &mut impl Observer,
    ) -> Result<bool, Fault> {
        let mut children = children.iter();
        while let Some(child) = children.next() {
            let said = child.evaluate(subject, observer);
            if said != Ok(!decisive) {
                children.for_each(|child| observer.skipped(child.kind(), || child.to_json()));
                return said;
            }
        }
        Ok(!decisive)
    }

    /// Whether the tree lists `id` in an `Identity` subject that is not below a `NOT`: what a query by identity
    /// looks for (§2.4.6). Neither groups nor wildcards are expanded.
    pub fn lists(&self, id: &UniversalId) -> bool {
        match self {
            Self::Identity { subject_values } => subject_values.contains(id),
            Self::And(children) | Self::Or(children) => children.iter().any(|child| child.lists(id)),
            _ => false,
        }
    }

    /// The `type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::AuthenticatedUsers => "AuthenticatedUsers",
            Self::Identity { .. } => "Identity",
            Self::JwtClaim { .. } => "JwtClaim",
            Self::And(_) => "AND",
            Self::Or(_) => "OR",
            Self::Not(_) => "NOT",
            Self::None => "NONE",
            Self::Policy { .. } => "Policy",
        }
    }
}

/// The strings a claim consists of; none when it is absent or null (§3.4). No splitting at spaces.
pub(crate) fn claim_texts<'a>(name: &str, claim: Option<&'a Value>) -> Result<Vec<&'a str>, Fault> {
    match claim {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) => Some(vec![text.as_str()]),
        Some(Value::Array(elements)) => elements.iter().map(Value::as_str).collect(),
        Some(_) => None,
    }
    .ok_or_else(|| Fault::ClaimNotText(super::error::excerpt(name)))
}

/// The children of `AND` and `OR`, of which there must be one (§3.5).
fn children(members: &Members<'_>, depth: usize) -> Result<Vec<SubjectTree>, Error> {
    let children = members.values("subjects")?.unwrap_or_default();
    if children.is_empty() {
        return Err(Error::LogicalSubjectEmpty);
    }
    within_limit("subjects", children.len())?;
    children.iter().map(|child| SubjectTree::parse_at(child, depth + 1)).collect()
}

/// The child of `NOT`: `subject`, or in an older representation the one element of `subjects`.
fn only_child(members: &Members<'_>, depth: usize) -> Result<SubjectTree, Error> {
    let child = match (members.value("subject"), members.values("subjects")?.unwrap_or_default()) {
        (Some(child), []) => child,
        (None, [child]) => child,
        (None, []) => return Err(Error::LogicalSubjectEmpty),
        _ => {
            return Err(Wrong { member: "subject", expected: "one subject" }.into());
        }
    };
    SubjectTree::parse_at(child, depth + 1)
}

pub(crate) fn within_limit(member: &'static str, length: usize) -> Result<(), Error> {
    if length <= MAX_CHILDREN {
        return Ok(());
    }
    Err(Error::json(format!("Member '{member}' has more than {MAX_CHILDREN} elements")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: Value) -> SubjectTree {
        SubjectTree::parse(&json).unwrap()
    }

    fn refused(json: Value) -> String {
        let error = SubjectTree::parse(&json).unwrap_err();
        assert_eq!(error.status(), 400);
        error.message()
    }

    fn claims(json: Value) -> Subject {
        Subject::claims(json.as_object().cloned().unwrap())
    }

    fn mona() -> Subject {
        Subject::session(
            UniversalId::new("id=mona,ou=user,o=alpha,ou=services,ou=am-config"),
            vec![UniversalId::new("id=pickers,ou=group,o=alpha,ou=services,ou=am-config")],
        )
    }

    #[test]
    fn universal_ids_compare_as_names_not_as_text() {
        let id = UniversalId::new("id=mona,ou=user,o=alpha,ou=services,ou=am-config");
        assert_eq!(id, UniversalId::new("ID = Mona , OU= user,o=alpha, ou=services,ou=am-config "));
        assert_ne!(id, UniversalId::new("id=mona,ou=agent,o=alpha,ou=services,ou=am-config"));
        assert_ne!(UniversalId::new("id=a b,ou=user"), UniversalId::new("id=ab,ou=user"));
        assert_ne!(UniversalId::new(r"id=a\, b,ou=user"), UniversalId::new(r"id=a\,b,ou=user"));
    }

    #[test]
    fn each_type_looks_at_the_principal_it_understands() {
        let authenticated = tree(json!({"type": "AuthenticatedUsers"}));
        let identity = tree(json!({"type": "Identity", "subjectValues":
            ["id=PICKERS, ou=group, o=alpha, ou=services, ou=am-config"]}));
        let claim = tree(json!({"type": "JwtClaim", "claimName": "subject", "claimValue": "storefront"}));

        // A `sub` like a universal id makes no session (§3.1).
        let by_claims = claims(json!({"sub": "id=mona,ou=user,o=alpha,ou=services,ou=am-config",
            "subject": "storefront"}));
        assert_eq!(authenticated.is_satisfied(&by_claims), Ok(false));
        assert_eq!(identity.is_satisfied(&by_claims), Ok(false));
        assert_eq!(claim.is_satisfied(&by_claims), Ok(true));

        assert_eq!(authenticated.is_satisfied(&mona()), Ok(true));
        assert_eq!(identity.is_satisfied(&mona()), Ok(true));
        assert_eq!(claim.is_satisfied(&mona()), Ok(false));

        let other = tree(json!({"type": "Identity", "subjectValues": ["id=paul,ou=user,ou=am-config"]}));
        assert_eq!(other.is_satisfied(&mona()), Ok(false));
        let nobody = tree(json!({"type": "Identity"}));
        assert_eq!(nobody.is_satisfied(&mona()), Ok(false));
    }

    #[test]
    fn a_claim_is_compared_as_text_or_not_at_all() {
        let a = tree(json!({"type": "JwtClaim", "claimName": "scope", "claimValue": "a"}));
        let fault = Err(Fault::ClaimNotText("scope".into()));
        for (claim, expected) in [
            (json!("a"), Ok(true)),
            (json!("A"), Ok(false)),
            (json!("a b"), Ok(false)),
            (json!(["a", "b"]), Ok(true)),
            (json!(["b"]), Ok(false)),
            (json!([]), Ok(false)),
            (json!(null), Ok(false)),
            (json!(["a", 1]), fault.clone()),
            (json!(1), fault.clone()),
            (json!(true), fault.clone()),
            (json!({"a": "a"}), fault.clone()),
        ] {
            assert_eq!(a.is_satisfied(&claims(json!({"scope": claim}))), expected, "{claim}");
        }
        assert_eq!(a.is_satisfied(&claims(json!({}))), Ok(false));
        // A direct member only: no paths.
        let path = tree(json!({"type": "JwtClaim", "claimName": "a.b", "claimValue": "c"}));
        assert_eq!(path.is_satisfied(&claims(json!({"a": {"b": "c"}}))), Ok(false));
        assert_eq!(path.is_satisfied(&claims(json!({"a.b": "c"}))), Ok(true));
    }

    /// Columns: AND(a, b), OR(a, b), NOT(a); the children stop at the first that decides.
    #[test]
    fn logic_has_three_values() {
        let value = |what: &str| match what {
            "yes" => json!({"type": "JwtClaim", "claimName": "c", "claimValue": "v"}),
            "no" => json!({"type": "NONE"}),
            _ => json!({"type": "JwtClaim", "claimName": "number", "claimValue": "1"}),
        };
        let subject = claims(json!({"c": "v", "number": 1}));
        let says = |json: Value| match tree(json).is_satisfied(&subject) {
            Ok(true) => "yes",
            Ok(false) => "no",
            Err(_) => "fault",
        };
        for (a, b, and, or, not) in [
            ("yes", "yes", "yes", "yes", "no"),
            ("yes", "no", "no", "yes", "no"),
            ("yes", "fault", "fault", "yes", "no"),
            ("no", "yes", "no", "yes", "yes"),
            ("no", "no", "no", "no", "yes"),
            ("no", "fault", "no", "fault", "yes"),
            ("fault", "yes", "fault", "fault", "fault"),
            ("fault", "no", "fault", "fault", "fault"),
            ("fault", "fault", "fault", "fault", "fault"),
        ] {
            let pair = json!([value(a), value(b)]);
            assert_eq!(says(json!({"type": "AND", "subjects": pair})), and, "{a} AND {b}");
            assert_eq!(says(json!({"type": "OR", "subjects": pair})), or, "{a} OR {b}");
            assert_eq!(says(json!({"type": "NOT", "subject": value(a)})), not, "NOT {a}");
        }
    }

    #[test]
    fn a_legacy_subject_grants_to_nobody_even_when_negated() {
        let legacy = json!({"type": "Policy", "name": "old", "className": "com.example.Old",
            "values": ["x"]});
        assert_eq!(tree(legacy.clone()).is_satisfied(&mona()), Err(Fault::LegacySubject));
        let negated = tree(json!({"type": "NOT", "subject": legacy}));
        assert_eq!(negated.is_satisfied(&mona()), Err(Fault::LegacySubject));
    }

    #[test]
    fn a_query_by_identity_finds_what_is_listed_and_not_negated() {
        let identity = json!({"type": "Identity", "subjectValues": ["id=Mona, ou=user,ou=am-config"]});
        let mona = UniversalId::new("id=mona,ou=user,ou=am-config");
        let negated = json!({"type": "NOT", "subject": identity});
        let nested = json!({"type": "OR", "subjects": [{"type": "NONE"}, {"type": "AND", "subjects": [identity]}]});
        assert!(tree(identity).lists(&mona) && tree(nested).lists(&mona) && !tree(negated).lists(&mona));
        assert!(!tree(json!({"type": "AuthenticatedUsers"})).lists(&mona));
    }

    #[test]
    fn everyone_is_not_none() {
        let everyone = tree(json!({"type": "NOT", "subject": {"type": "NONE"}}));
        assert_eq!(everyone.is_satisfied(&Subject::default()), Ok(true));
        assert_eq!(SubjectTree::default().is_satisfied(&mona()), Ok(false));
    }

    #[test]
    fn subjects_read_back_as_written() {
        for json in [
            json!({"type": "NONE"}),
            json!({"type": "AuthenticatedUsers"}),
            json!({"type": "Identity", "subjectValues": ["id=Mona, ou=user,ou=am-config"]}),
            json!({"type": "Policy", "name": "old", "className": "com.example.Old", "values": ["x"]}),
            json!({"type": "AND", "subjects": [{"type": "AuthenticatedUsers"},
                {"type": "OR", "subjects": [{"type": "NOT", "subject": {"type": "NONE"}},
                    {"type": "JwtClaim", "claimName": "iss", "claimValue": "x"}]}]}),
        ] {
            assert_eq!(tree(json.clone()).to_json(), json);
        }
        // Older spellings are understood and written anew.
        let old = json!({"type": "NOT", "subjectName": "x", "subjects": [{"type": "NONE"}]});
        assert_eq!(tree(old).to_json(), json!({"type": "NOT", "subject": {"type": "NONE"}}));
    }

    #[test]
    fn what_is_not_a_subject_is_refused() {
        assert_eq!(refused(json!({"type": "Foo"})), "JSON string is invalid. Unknown subject type 'Foo'.");
        assert!(refused(json!({})).contains("type"));
        assert!(refused(json!({"type": 1})).contains("type"));
        assert!(refused(json!("NONE")).starts_with("JSON string is invalid. "));
        assert!(refused(json!({"type": "NONE", "colour": 1})).contains("'colour'"));
        assert!(refused(json!({"type": "Identity", "subjectValues": "x"})).contains("'subjectValues'"));
        assert!(refused(json!({"type": "JwtClaim", "claimName": "a", "claimValue": 1})).contains("'claimValue'"));
        assert_eq!(
            refused(json!({"type": "JwtClaim", "claimName": "a"})),
            "Property value 'claimValue' should be defined."
        );
        let empty = "Invalid Entitlement Subject classes in Application Privilege.";
        for json in [
            json!({"type": "AND"}),
            json!({"type": "OR", "subjects": []}),
            json!({"type": "NOT"}),
            json!({"type": "NOT", "subject": null}),
            json!({"type": "AND", "subjects": [{"type": "OR", "subjects": []}]}),
        ] {
            assert_eq!(refused(json), empty);
        }
        let two = json!({"type": "NOT", "subjects": [{"type": "NONE"}, {"type": "NONE"}]});
        assert!(refused(two).contains("one subject"));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested =
            |depth| (1..depth).fold(json!({"type": "NONE"}), |child, _| json!({"type": "NOT", "subject": child}));
        assert!(SubjectTree::parse(&nested(MAX_DEPTH)).is_ok());
        assert!(refused(nested(MAX_DEPTH + 1)).contains("nested"));
    }
}
