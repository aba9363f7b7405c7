use serde_json::{Value, json};

use super::{Actions, Audit, MAX_ENTRIES, MAX_NAME, Members, actions, stored_audit};
use crate::policy::{
    Error,
    error::excerpt,
    members::Wrong,
    resource::{Comparator, MAX_LENGTH, Pattern},
};

/// Which resources and actions the policies that refer to it may have (§2.2).
///
/// The action values are defaults for user interfaces; decisions never look at them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    pub uuid: String,
    pub name: String,
    pub description: Option<String>,
    /// As sent; canonicalised on use.
    pub patterns: Vec<String>,
    pub actions: Actions,
    pub audit: Audit,
}

const MEMBERS: [&str; 11] = [
    "_id",
    "_rev",
    "uuid",
    "name",
    "description",
    "patterns",
    "actions",
    "createdBy",
    "creationDate",
    "lastModifiedBy",
    "lastModifiedDate",
];

impl ResourceType {
    /// Reads the body of a create by `POST`. Its `uuid` is kept verbatim, if it has one.
    pub fn create(body: &Value, fresh_uuid: &str, audit: Audit) -> Result<Self, Error> {
        Self::parse(body, None, fresh_uuid, audit)
    }

    /// Reads the body of a `PUT` to `uuid`, be it a create or an update.
    pub fn put(body: &Value, uuid: &str, audit: Audit) -> Result<Self, Error> {
        Self::parse(body, Some(uuid), uuid, audit)
    }

    /// Reads back what [`ResourceType::to_json`] wrote.
    pub fn from_stored(stored: &Value) -> Result<Self, Error> {
        let audit = stored_audit(&Members::of(stored, "resource type")?)?;
        Self::parse(stored, None, "", audit)
    }

    fn parse(body: &Value, url: Option<&str>, fresh: &str, audit: Audit) -> Result<Self, Error> {
        let binder = |wrong: Wrong| Error::Binder(wrong.to_string());
        let members = Members::of(body, "body").map_err(binder)?;
        if let Some(stranger) = members.stranger(&[&MEMBERS]) {
            return Err(Error::Binder(format!("Unrecognized member '{}'", excerpt(stranger))));
        }
        let uuid = members.text("uuid").map_err(binder)?;
        let name = members.text("name").map_err(binder)?.unwrap_or_default();
        let description = members.text("description").map_err(binder)?.map(str::to_owned);
        if url.is_some_and(|url| uuid.is_some_and(|uuid| uuid != url)) {
            return Err(Error::ResourceTypeUuidMismatch);
        }
        let uuid = uuid.unwrap_or(fresh);
        if uuid.len() > MAX_NAME || uuid.contains(['/', '\0']) {
            return Err(Error::invalid_value("uuid"));
        }
        if name.trim().is_empty() {
            return Err(Error::ResourceTypeNameMissing);
        }
        if name.len() > MAX_NAME || name.contains(|c: char| "\"+,<=>\\/;\0".contains(c)) {
            return Err(Error::invalid_value("name"));
        }
        let patterns = members.texts("patterns").ok().flatten().filter(|patterns| {
            patterns.len() <= MAX_ENTRIES && patterns.iter().all(|pattern| pattern.len() <= MAX_LENGTH)
        });
        Ok(Self {
            uuid: uuid.to_owned(),
            name: name.to_owned(),
            description,
            patterns: patterns.ok_or_else(|| Error::invalid_value("patterns"))?,
            actions: members.value("actions").and_then(actions).ok_or_else(|| Error::invalid_value("actions"))?,
            audit,
        })
    }

    /// What a read answers: nulls are printed, dates are integers.
    pub fn to_json(&self) -> Value {
        json!({
            "uuid": self.uuid,
            "name": self.name,
            "description": self.description,
            "patterns": self.patterns,
            "actions": self.actions,
            "createdBy": self.audit.created_by,
            "creationDate": self.audit.creation_date,
            "lastModifiedBy": self.audit.last_modified_by,
            "lastModifiedDate": self.audit.last_modified_date,
        })
    }

    /// Whether a policy of this type may have `resource` (§5.5). A pattern that has no canonical form
    /// accepts nothing.
    ///
    /// A type belongs to no set, so its patterns may be globs where the set's policies are regular expressions, as those of
    /// the built-in delegation set are (§1.3, §2.7.1). Such a pattern accepts an expression by its text.
    pub fn accepts(&self, resource: &Pattern) -> bool {
        let covers = |pattern: Pattern| pattern.accepts(resource);
        let accepts = |pattern: &str| Pattern::parse_for(resource.comparator(), pattern).is_ok_and(covers);
        let text = match resource.comparator() {
            Comparator::Regex => Pattern::parse(resource.canonical()).ok(),
            _ => None,
        };
        let accepts_text = |pattern: &str| {
            let text = text.as_ref()?;
            Some(Pattern::parse(pattern).ok()?.accepts(text))
        };
        self.patterns.iter().any(|pattern| accepts(pattern) || accepts_text(pattern) == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit() -> Audit {
        Audit::created("id=amadmin,ou=user,ou=am-config", 1_716_302_211_093)
    }

    fn warehouse() -> Value {
        json!({
            "uuid": "6f1d", "name": "Warehouse API", "description": "Scopes of the warehouse API",
            "patterns": ["api://warehouse/*"], "actions": {"GRANT": true, "AUDIT": false},
        })
    }

    fn with(member: &str, value: Value) -> Value {
        let mut body = warehouse();
        body[member] = value;
        body
    }

    fn told(body: Value) -> (u16, String) {
        let error = ResourceType::create(&body, "fresh", audit()).unwrap_err();
        (error.status(), error.message())
    }

    #[test]
    fn a_resource_type_reads_back_with_its_audit() {
        let created = ResourceType::create(&warehouse(), "fresh", audit()).unwrap();
        assert_eq!(
            created.to_json(),
            json!({
                "uuid": "6f1d", "name": "Warehouse API", "description": "Scopes of the warehouse API",
                "patterns": ["api://warehouse/*"], "actions": {"GRANT": true, "AUDIT": false},
                "createdBy": "id=amadmin,ou=user,ou=am-config", "creationDate": 1_716_302_211_093_i64,
                "lastModifiedBy": "id=amadmin,ou=user,ou=am-config",
                "lastModifiedDate": 1_716_302_211_093_i64,
            })
        );
        assert_eq!(ResourceType::from_stored(&created.to_json()).unwrap(), created);
    }

    #[test]
    fn what_the_server_assigns_is_not_taken_from_the_body() {
        let mut body = with("createdBy", json!("me"));
        body["creationDate"] = json!(1);
        body["_rev"] = json!("1");
        body["description"] = json!(null);
        body.as_object_mut().unwrap().remove("uuid");
        let created = ResourceType::create(&body, "fresh", audit()).unwrap();
        assert_eq!((created.uuid.as_str(), &created.audit), ("fresh", &audit()));
        assert_eq!(created.to_json()["description"], Value::Null);
    }

    #[test]
    fn bad_resource_types_are_refused_in_the_words_of_the_reference() {
        let refused = |message: &str| (400, message.to_owned());
        let no_name = refused("Resource Type name must be specified.");
        assert_eq!(told(with("name", json!("  "))), no_name);
        assert_eq!(told(with("name", json!(null))), no_name);
        assert_eq!(told(with("name", json!("a/b"))), refused("Invalid value name"));
        assert_eq!(told(with("patterns", json!(null))), refused("Invalid value patterns"));
        assert_eq!(told(with("patterns", json!(["a", 1]))), refused("Invalid value patterns"));
        assert_eq!(told(with("actions", json!([]))), refused("Invalid value actions"));
        assert_eq!(told(with("actions", json!({"GRANT": "true"}))), refused("Invalid value actions"));
        assert!(told(with("colour", json!(1))).1.starts_with("Unable to instantiate class "));
        assert!(told(with("name", json!(1))).1.starts_with("Unable to instantiate class "));
        assert!(told(json!([])).1.starts_with("Unable to instantiate class "));
        let put = ResourceType::put(&warehouse(), "other", audit()).unwrap_err();
        assert_eq!(put.message(), "Resource Type UUID specified in URL does not match UUID specified in JSON.");
        assert!(ResourceType::put(&warehouse(), "6f1d", audit()).is_ok());
    }

    /// §1.3, §2.7.1: the built-in delegation set compares by regular expressions, and its type has globs.
    #[test]
    fn globs_of_a_type_accept_regular_expressions_by_their_text() {
        let (types, sets) = crate::policy::model::built_in::objects(audit());
        let set = sets.iter().find(|set| set.name == "sunAMDelegationService").unwrap();
        let of_type = types.iter().find(|of_type| set.resource_type_uuids.contains(&of_type.uuid)).unwrap();
        assert_eq!(set.comparator(), Comparator::Regex);
        let accepts = |resource: &str| of_type.accepts(&Pattern::parse_for(Comparator::Regex, resource).unwrap());
        for (resource, expected) in [
            ("sms://o=alpha:1/service/.*", true),
            ("sms://.*:.*/[a-z]+", true),
            ("sms://x:1/a?b", true),
            ("sms://x/a", false),
            ("smss://x:1/a", false),
            ("api://w/.*", false),
            (".*", false),
        ] {
            assert_eq!(accepts(resource), expected, "{resource}");
        }
        // Of the URL comparator nothing changes: an expression is a text like any other.
        assert!(!of_type.accepts(&Pattern::parse("sms://x/a").unwrap()));
    }
}
