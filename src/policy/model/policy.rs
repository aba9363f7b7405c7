use jiff::{Timestamp, civil::DateTime, tz::Offset};
use serde_json::{Map, Value, json};

use super::{
    Actions, Audit, MAX_ENTRIES, MAX_NAME, Members, PolicySet, ResourceType, actions, has_forbidden_character,
};
use crate::policy::{
    Error,
    condition::Condition,
    error::excerpt,
    members::Wrong,
    resource::{Comparator, MAX_LENGTH, Pattern},
    subject::SubjectTree,
};

/// A policy (§2.4.1). Comes from [`PolicyDraft::check`] or from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    pub active: bool,
    pub description: Option<String>,
    /// Name of its policy set, as sent.
    pub application_name: String,
    pub resource_type_uuid: Option<String>,
    /// Canonical as its set's comparator has it, without repetitions; never empty.
    pub resources: Vec<String>,
    pub action_values: Actions,
    pub subject: SubjectTree,
    pub condition: Option<Condition>,
    pub resource_attributes: Option<Vec<ResourceAttribute>>,
    pub audit: Audit,
}

/// What a policy puts into the `attributes` of a decision when it applies (§1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceAttribute {
    pub source: AttributeSource,
    pub property_name: String,
    pub property_values: Vec<String>,
}

/// The `type` of a [`ResourceAttribute`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeSource {
    /// The values listed.
    Static,
    /// The user's profile attribute of that name, or those whose names are listed.
    User,
}

/// Where a policy's name comes from (§2.4.4 steps 2 and 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyName<'a> {
    /// `POST`: the body's, which the URL's must equal if there is one.
    Post { url: Option<&'a str> },
    /// `PUT`: the body's, which is a rename if it differs from the URL's.
    Put { url: &'a str },
}

/// A policy as sent: well-formed, and not yet checked against its set and resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDraft {
    name: String,
    active: bool,
    description: Option<String>,
    application_name: String,
    resource_type_uuid: Option<String>,
    resources: Vec<String>,
    action_values: Actions,
    subject: SubjectTree,
    condition: Option<Condition>,
    resource_attributes: Option<Vec<ResourceAttribute>>,
}

/// What a policy is checked against.
#[derive(Debug, Clone, Copy)]
pub struct PolicyContext<'a> {
    /// As in messages: `/alpha`.
    pub realm: &'a str,
    /// Whether the policy is being created; what is missing is then the request's fault (§2.4.8).
    pub creating: bool,
    /// The set named [`PolicyDraft::application_name`], if the realm has it.
    pub policy_set: Option<&'a PolicySet>,
    /// The type with the [`PolicyDraft::resource_type_uuid`], if the realm has it.
    pub resource_type: Option<&'a ResourceType>,
}

const READ: [&str; 10] = [
    "name",
    "active",
    "description",
    "applicationName",
    "resourceTypeUuid",
    "resources",
    "actionValues",
    "subject",
    "condition",
    "resourceAttributes",
];
/// Assigned by the server, or leftovers: accepted in bodies and not looked at (§2.4.1).
const IGNORED: [&str; 9] =
    ["_id", "_rev", "createdBy", "creationDate", "lastModifiedBy", "lastModifiedDate", "ttl", "advice", "attributes"];

impl PolicyDraft {
    /// Reads a body: steps 1 to 5 of the validation (§2.4.4). `None` is a request without body.
    pub fn parse(body: Option<&Value>, name: PolicyName<'_>) -> Result<Self, Error> {
        Self::read(body, name, Condition::check)
    }

    fn read(
        body: Option<&Value>,
        name: PolicyName<'_>,
        check: impl Fn(&Condition) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let body = body.ok_or_else(|| Error::json("No JSON body provided."))?;
        let members = Members::of(body, "body")?;
        if let Some(stranger) = members.stranger(&[&READ, &IGNORED]) {
            return Err(Error::invalid_value(stranger));
        }
        let in_body = members.text("name")?;
        let active = members.boolean("active")?.unwrap_or(true);
        let description = members.text("description")?.map(str::to_owned);
        let application_name = members.text("applicationName")?.unwrap_or(PolicySet::DEFAULT).to_owned();
        let resource_type_uuid = members.text("resourceTypeUuid")?.map(str::to_owned);
        let resources = members.texts("resources")?.unwrap_or_default();
        if resources.is_empty() {
            return Err(Error::json("Resource list is empty, must contain at least one entry."));
        }
        if resources.len() > MAX_ENTRIES {
            return Err(Error::json(format!("Resource list has more than {MAX_ENTRIES} entries")));
        }
        let action_values = match members.value("actionValues") {
            None => Actions::new(),
            Some(value) => actions(value).ok_or(Wrong { member: "actionValues", expected: "an object of booleans" })?,
        };
        let subject = members.value("subject").map(SubjectTree::parse).transpose()?.unwrap_or_default();
        let resource_attributes = members
            .values("resourceAttributes")?
            .map(|attributes| attributes.iter().map(ResourceAttribute::parse).collect())
            .transpose()?;
        if resource_attributes.as_ref().is_some_and(|attributes: &Vec<_>| attributes.len() > MAX_ENTRIES) {
            return Err(Error::json(format!("More than {MAX_ENTRIES} response attributes")));
        }
        let condition = match members.value("condition").map(Condition::parse).transpose() {
            Err(malformed @ Error::Json(_)) => return Err(malformed),
            incomplete_or_fine => incomplete_or_fine, // step 3, behind the name
        };

        let (url, may_differ) = match name {
            PolicyName::Post { url } => (url, false),
            PolicyName::Put { url } => (Some(url), true),
        };
        let name = in_body.or(url).ok_or(Error::PolicyNameMissing)?;
        if name.is_empty() {
            return Err(Error::PolicyNameEmpty);
        }
        let condition = condition?;
        condition.as_ref().map_or(Ok(()), check)?;
        if !may_differ && url.is_some_and(|url| url != name) {
            return Err(Error::PolicyNameMismatch);
        }
        if name.len() > MAX_NAME || has_forbidden_character(name) {
            return Err(Error::PolicyNameInvalid);
        }
        Ok(Self {
            name: name.to_owned(),
            active,
            description,
            application_name,
            resource_type_uuid,
            resources,
            action_values,
            subject,
            condition,
            resource_attributes,
        })
    }

    /// The policy's name: after a `PUT` that differs from the URL, the new one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The set to look up for [`PolicyContext::policy_set`].
    pub fn application_name(&self) -> &str {
        &self.application_name
    }

    /// The type to look up for [`PolicyContext::resource_type`].
    pub fn resource_type_uuid(&self) -> Option<&str> {
        self.resource_type_uuid.as_deref()
    }

    /// Steps 6 to 9 of the validation (§2.4.4). Step 10, whether the name is free, is the store's.
    pub fn check(self, context: PolicyContext<'_>, audit: Audit) -> Result<Policy, Error> {
        let checked = self.checked(context, audit);
        if context.creating { checked.map_err(Error::while_creating) } else { checked }
    }

    fn checked(self, context: PolicyContext<'_>, audit: Audit) -> Result<Policy, Error> {
        let realm = || context.realm.to_owned();
        let set = context.policy_set.ok_or_else(|| Error::PolicySetUnknown { realm: realm() })?;
        let of_type = match &self.resource_type_uuid {
            None if set.resource_type_uuids.is_empty() => None,
            Some(_) if set.resource_type_uuids.is_empty() => {
                return Err(Error::PolicyResourceTypeUnexpected);
            }
            Some(uuid) if set.resource_type_uuids.contains(uuid) => {
                let unknown = || Error::ResourceTypeUnknown { uuid: excerpt(uuid), realm: realm() };
                Some(context.resource_type.ok_or_else(unknown)?)
            }
            foreign => {
                let uuid = foreign.as_deref().map_or_else(|| "null".to_owned(), excerpt);
                return Err(Error::PolicyResourceTypeForeign(uuid));
            }
        };
        if let Some(of_type) = of_type {
            let mut names = self.action_values.keys();
            if let Some(unknown) = names.find(|name| !of_type.actions.contains_key(*name)) {
                return Err(Error::invalid_property(unknown, "actionValues"));
            }
        }
        let accepted = |pattern: &Pattern| of_type.is_none_or(|of_type| of_type.accepts(pattern));
        let resources = canonical(&self.resources, set.comparator(), accepted)?;
        Ok(Policy { resources, ..self.into_policy(audit) })
    }

    /// Everything but the resources, which only a check or the store can vouch for.
    fn into_policy(self, audit: Audit) -> Policy {
        Policy {
            name: self.name,
            active: self.active,
            description: self.description,
            application_name: self.application_name,
            resource_type_uuid: self.resource_type_uuid,
            resources: Vec::new(),
            action_values: self.action_values,
            subject: self.subject,
            condition: self.condition,
            resource_attributes: self.resource_attributes,
            audit,
        }
    }
}

/// Canonicalises resources; the same one twice is one.
fn canonical(
    sent: &[String],
    comparator: Comparator,
    accepted: impl Fn(&Pattern) -> bool,
) -> Result<Vec<String>, Error> {
    let mut seen = std::collections::HashSet::new();
    let mut canonical = Vec::with_capacity(sent.len());
    for sent in sent {
        match Pattern::parse_for(comparator, sent) {
            Ok(pattern) if accepted(&pattern) => {
                if seen.insert(pattern.canonical().to_owned()) {
                    canonical.push(pattern.canonical().to_owned());
                }
            }
            _ => return Err(Error::invalid_property(sent, "resources")),
        }
    }
    Ok(canonical)
}

impl Policy {
    /// Reads back what [`Policy::to_json`] wrote.
    pub fn from_stored(stored: &Value) -> Result<Self, Error> {
        let draft = PolicyDraft::read(Some(stored), PolicyName::Post { url: None }, |_| Ok(()))?;
        let members = Members::of(stored, "policy")?;
        let text = |member| Ok::<_, Error>(members.text(member)?.unwrap_or_default().to_owned());
        let date = |member| {
            let wrong = Wrong { member, expected: "a date" };
            members.text(member)?.map(|text| parse_date(text).ok_or(wrong)).transpose()
        };
        let audit = Audit {
            created_by: text("createdBy")?,
            creation_date: date("creationDate")?.unwrap_or_default(),
            last_modified_by: text("lastModifiedBy")?,
            last_modified_date: date("lastModifiedDate")?.unwrap_or_default(),
        };
        let resources = draft.resources.clone();
        Ok(Self { resources, ..draft.into_policy(audit) })
    }

    /// What a read answers: nulls are omitted, dates are strings.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                json.insert(name.to_owned(), value);
            }
        };
        put("name", json!(self.name));
        put("active", json!(self.active));
        put("description", json!(self.description));
        put("resources", json!(self.resources));
        put("applicationName", json!(self.application_name));
        put("actionValues", json!(self.action_values));
        put("subject", self.subject.to_json());
        put("condition", self.condition.as_ref().map_or(Value::Null, Condition::to_json));
        put("resourceTypeUuid", json!(self.resource_type_uuid));
        let attributes = self.resource_attributes.as_ref();
        put(
            "resourceAttributes",
            attributes.map_or(Value::Null, |all| all.iter().map(ResourceAttribute::to_json).collect()),
        );
        put("lastModifiedBy", json!(self.audit.last_modified_by));
        put("lastModifiedDate", json!(date(self.audit.last_modified_date)));
        put("createdBy", json!(self.audit.created_by));
        put("creationDate", json!(date(self.audit.creation_date)));
        Value::Object(json)
    }
}

impl ResourceAttribute {
    fn parse(value: &Value) -> Result<Self, Error> {
        let members = Members::of(value, "resourceAttributes")?;
        members.only(&[&["type", "propertyName", "propertyValues"]])?;
        let source = match members.kind("response attribute")? {
            "Static" => AttributeSource::Static,
            "User" => AttributeSource::User,
            unknown => return Err(members.unknown_kind("response attribute", unknown)),
        };
        let property_name = members.text("propertyName")?.filter(|name| name.len() <= MAX_LENGTH);
        Ok(Self {
            source,
            property_name: property_name.ok_or(Error::PropertyMissing("propertyName"))?.to_owned(),
            property_values: members.texts("propertyValues")?.unwrap_or_default(),
        })
    }

    fn to_json(&self) -> Value {
        let source = match self.source {
            AttributeSource::Static => "Static",
            AttributeSource::User => "User",
        };
        json!({
            "type": source,
            "propertyName": self.property_name,
            "propertyValues": self.property_values,
        })
    }
}

/// A policy's date (§2.4.2): what follows the last dot is a count of milliseconds, not a fraction.
fn date(millis: i64) -> String {
    let nearest = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let time = Timestamp::from_millisecond(millis).unwrap_or(nearest);
    let utc = Offset::UTC.to_datetime(time);
    format!("{}.{}Z", utc.strftime("%Y-%m-%dT%H:%M:%S"), utc.millisecond())
}

fn parse_date(text: &str) -> Option<i64> {
    let (seconds, millis) = text.strip_suffix('Z')?.split_once('.')?;
    let seconds = Offset::UTC.to_timestamp(seconds.parse::<DateTime>().ok()?).ok()?;
    let millis = millis.parse::<u16>().ok().filter(|millis| *millis < 1000)?;
    Some(seconds.as_millisecond() + i64::from(millis))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::model::built_in;

    const ADMIN: &str = "id=5b1c,ou=user,ou=am-config";

    fn audit() -> Audit {
        Audit::created(ADMIN, 1_716_302_611_045)
    }

    fn of_type() -> ResourceType {
        let body = json!({"uuid": "6f1d", "name": "Warehouse API", "patterns": ["api://warehouse/*"],
            "actions": {"GRANT": true, "AUDIT": false}});
        ResourceType::create(&body, "", audit()).unwrap()
    }

    fn set(uuids: &[&str]) -> PolicySet {
        let body = json!({"name": "warehouse", "applicationType": "iPlanetAMWebAgentService",
            "resourceTypeUuids": uuids});
        PolicySet::create(&body, |_| true, audit()).unwrap()
    }

    fn read_stock() -> Value {
        json!({
            "name": "warehouse-read", "active": true, "description": "storefront may read stock",
            "applicationName": "warehouse", "resourceTypeUuid": "6f1d",
            "resources": ["api://warehouse/stock.read"], "actionValues": {"GRANT": true},
            "subject": {"type": "JwtClaim", "claimName": "subject", "claimValue": "storefront"},
            "resourceAttributes": [
                {"type": "Static", "propertyName": "tier", "propertyValues": ["gold"]},
                {"type": "User", "propertyName": "mail", "propertyValues": []},
            ],
        })
    }

    fn with(member: &str, value: Value) -> Value {
        let mut body = read_stock();
        body[member] = value;
        body
    }

    const POST: PolicyName<'_> = PolicyName::Post { url: None };

    fn write(body: &Value, creating: bool) -> Result<Policy, Error> {
        let (of_type, set) = (of_type(), set(&["6f1d"]));
        let context =
            PolicyContext { realm: "/alpha", creating, policy_set: Some(&set), resource_type: Some(&of_type) };
        PolicyDraft::parse(Some(body), POST)?.check(context, audit())
    }

    fn told(body: Value) -> String {
        let error = write(&body, true).unwrap_err();
        assert_eq!(error.status(), 400, "{error}");
        error.message()
    }

    #[test]
    fn a_policy_reads_back_as_stored() {
        let policy = write(&read_stock(), true).unwrap();
        let mut expected = read_stock();
        for (member, value) in [
            ("lastModifiedBy", ADMIN),
            ("lastModifiedDate", "2024-05-21T14:43:31.45Z"),
            ("createdBy", ADMIN),
            ("creationDate", "2024-05-21T14:43:31.45Z"),
        ] {
            expected[member] = json!(value);
        }
        assert_eq!(policy.to_json(), expected);
        assert_eq!(policy.audit.revision(), "1716302611045");
        assert_eq!(Policy::from_stored(&policy.to_json()).unwrap(), policy);
    }

    #[test]
    fn what_is_left_out_has_the_defaults_of_the_reference() {
        let body = json!({"name": "p", "resources": ["https://a.acme.test/*", "https://a.acme.test:443//*"],
            "resourceTypeUuid": built_in::URL, "description": null, "condition": null});
        let draft = PolicyDraft::parse(Some(&body), POST).unwrap();
        assert_eq!(draft.application_name(), "iPlanetAMWebAgentService");
        let (types, sets) = built_in::objects(audit());
        let set = sets.iter().find(|set| set.is_called(draft.application_name()));
        let of_type = types.iter().find(|of_type| Some(of_type.uuid.as_str()) == draft.resource_type_uuid());
        let context = PolicyContext { realm: "/", creating: true, policy_set: set, resource_type: of_type };
        let json = draft.check(context, audit()).unwrap().to_json();
        assert_eq!(json["resources"], json!(["https://a.acme.test:443/*"]));
        assert_eq!(json["active"], json!(true));
        assert_eq!(json["subject"], json!({"type": "NONE"}));
        assert_eq!(json["actionValues"], json!({}));
        for absent in ["description", "condition", "resourceAttributes"] {
            assert!(json.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn bad_bodies_are_refused_in_the_words_of_the_reference() {
        let none = PolicyDraft::parse(None, POST).unwrap_err();
        assert_eq!(none.message(), "JSON string is invalid. No JSON body provided..");
        assert!(told(json!([])).starts_with("JSON string is invalid. "));
        assert_eq!(told(with("colour", json!(1))), "Invalid value colour");
        assert!(told(with("active", json!("yes"))).contains("'active'"));
        assert!(told(with("actionValues", json!({"GRANT": "x"}))).contains("'actionValues'"));
        assert!(told(with("resources", json!("api://warehouse/x"))).contains("'resources'"));
        for empty in [json!([]), json!(null)] {
            let message = told(with("resources", empty));
            assert!(message.starts_with("JSON string is invalid. "));
            assert!(message.contains("Resource list is empty, must contain at least one entry."));
        }
        assert!(told(with("subject", json!({"type": "Foo"}))).contains("'Foo'"));
        assert!(told(with("condition", json!({"type": "Foo"}))).contains("'Foo'"));
        let odd = json!([{"type": "Magic", "propertyName": "x"}]);
        assert!(told(with("resourceAttributes", odd)).contains("'Magic'"));
        let nameless = json!([{"type": "Static"}]);
        assert_eq!(told(with("resourceAttributes", nameless)), "Property value 'propertyName' should be defined.");
        // Accepted and ignored.
        for ignored in ["_id", "_rev", "createdBy", "creationDate", "ttl", "advice", "attributes"] {
            assert!(write(&with(ignored, json!({"x": 1})), true).is_ok(), "{ignored}");
        }
    }

    #[test]
    fn the_name_comes_from_url_and_body() {
        let named = |name: Value, from: PolicyName<'_>| {
            PolicyDraft::parse(Some(&with("name", name)), from).map(|draft| draft.name().to_owned())
        };
        let (post, put) = (PolicyName::Post { url: Some("a") }, PolicyName::Put { url: "a" });
        assert_eq!(named(json!(null), POST), Err(Error::PolicyNameMissing));
        assert_eq!(named(json!(""), put), Err(Error::PolicyNameEmpty));
        assert_eq!(named(json!(null), post), Ok("a".into()));
        assert_eq!(named(json!("b"), post), Err(Error::PolicyNameMismatch));
        assert_eq!(named(json!(null), put), Ok("a".into()));
        assert_eq!(named(json!("b"), put), Ok("b".into()), "a rename");
        for name in ["a/b", "a+b", " a", "#a", "a\n"] {
            assert_eq!(named(json!(name), POST), Err(Error::PolicyNameInvalid), "{name:?}");
        }
        assert_eq!(named(json!("night shift (2)"), POST), Ok("night shift (2)".into()));
    }

    #[test]
    fn a_policy_fits_its_set_and_resource_type() {
        let draft = |body: &Value| PolicyDraft::parse(Some(body), POST).unwrap();
        let (of_type, full, empty) = (of_type(), set(&["6f1d"]), set(&[]));
        let told = |body: &Value, policy_set, resource_type, creating| {
            let context = PolicyContext { realm: "/alpha", creating, policy_set, resource_type };
            let error = draft(body).check(context, audit()).unwrap_err();
            (error.status(), error.message())
        };
        let message = "Unable to retrieve application under realm /alpha.".to_owned();
        assert_eq!(told(&read_stock(), None, Some(&of_type), true), (400, message.clone()));
        assert_eq!(told(&read_stock(), None, Some(&of_type), false), (404, message));
        let message = "No resource type expected as the application has none associated.".to_owned();
        assert_eq!(told(&read_stock(), Some(&empty), Some(&of_type), true), (400, message));
        let foreign = |uuid: &str| {
            let rest = "must be one from the set defined against the containing application.";
            (400, format!("Invalid resource type {uuid}, {rest}"))
        };
        let body = with("resourceTypeUuid", json!("9"));
        assert_eq!(told(&body, Some(&full), None, true), foreign("9"));
        let body = with("resourceTypeUuid", json!(null));
        assert_eq!(told(&body, Some(&full), None, true), foreign("null"));
        let message = "Resource Type 6f1d does not exist in realm /alpha".to_owned();
        assert_eq!(told(&read_stock(), Some(&full), None, true), (400, message.clone()));
        assert_eq!(told(&read_stock(), Some(&full), None, false), (404, message));

        let untyped = with("resourceTypeUuid", json!(null));
        let context = PolicyContext { realm: "/alpha", creating: true, policy_set: Some(&empty), resource_type: None };
        assert!(draft(&untyped).check(context, audit()).is_ok());
    }

    #[test]
    fn actions_and_resources_are_those_of_the_resource_type() {
        assert_eq!(told(with("actionValues", json!({"SHRED": true}))), "Invalid value SHRED for property actionValues");
        for resource in
            ["api://depot/x", "api://warehouse/*/-*-", "http://warehouse:80x/", "https://warehouse/stock.read"]
        {
            let body = with("resources", json!(["api://warehouse/a", resource]));
            assert_eq!(told(body), format!("Invalid value {resource} for property resources"));
        }
        let numbers = with("actionValues", json!({"GRANT": 2, "AUDIT": 0}));
        let policy = write(&numbers, true).unwrap();
        assert_eq!(policy.to_json()["actionValues"], json!({"GRANT": true, "AUDIT": false}));
    }

    /// Two mistakes at once: the earlier step of §2.4.4 answers.
    #[test]
    fn checks_run_in_the_order_of_the_reference() {
        let mut body = read_stock();
        let mut then = |member: &str, value: Value| {
            body[member] = value;
            write(&body, true).unwrap_err()
        };
        assert_eq!(then("resources", json!(["x"])), Error::invalid_property("x", "resources"));
        assert_eq!(then("actionValues", json!({"A": true})), Error::invalid_property("A", "actionValues"));
        assert_eq!(then("resourceTypeUuid", json!("9")), Error::PolicyResourceTypeForeign("9".into()));
        assert_eq!(then("name", json!("a/b")), Error::PolicyNameInvalid);
        let unmet = Error::PropertyMissing("conditions");
        assert_eq!(then("condition", json!({"type": "AND"})), unmet);
        assert_eq!(then("name", json!(null)), Error::PolicyNameMissing);
        assert_eq!(then("colour", json!(1)), Error::invalid_value("colour"));
    }

    #[test]
    fn dates_end_in_a_count_of_milliseconds() {
        for (millis, text) in [
            (1_716_302_211_093, "2024-05-21T14:36:51.93Z"),
            (1_716_302_211_930, "2024-05-21T14:36:51.930Z"),
            (1_716_302_211_007, "2024-05-21T14:36:51.7Z"),
            (1_716_302_211_000, "2024-05-21T14:36:51.0Z"),
            (0, "1970-01-01T00:00:00.0Z"),
            (2_147_483_648_000, "2038-01-19T03:14:08.0Z"),
        ] {
            assert_eq!(date(millis), text);
            assert_eq!(parse_date(text), Some(millis));
        }
        assert!(date(i64::MAX).starts_with("9999-12-30"));
        for text in ["", "2024-05-21T14:36:51Z", "2024-05-21T14:36:51.1000Z", "2024-05-21T14:36:51.7"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_round_trip(millis in 0..253_000_000_000_000_i64) {
            prop_assert_eq!(parse_date(&date(millis)), Some(millis));
        }
    }
}
