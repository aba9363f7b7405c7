use serde_json::{Value, json};

use super::{Audit, MAX_ENTRIES, MAX_NAME, Members, has_forbidden_character, stored_audit};
use crate::policy::{Error, error::excerpt, members::Wrong, resource::Comparator};

/// The only combiner there is (§2.7.5); other names fall back to it.
const COMBINER: &str = "DenyOverride";
/// Class names of comparators (§2.3.1).
const COMPARATORS: [(&str, Comparator); 4] = [
    ("com.sun.identity.entitlement.URLResourceName", Comparator::Url),
    ("com.sun.identity.entitlement.PrefixResourceName", Comparator::Prefix),
    ("com.sun.identity.entitlement.RegExResourceName", Comparator::Regex),
    ("com.sun.identity.entitlement.ExactMatchResourceName", Comparator::Exact),
];
const SAVE_INDEX: &str = "org.forgerock.openam.entitlement.indextree.TreeSaveIndex";
const SEARCH_INDEX: &str = "org.forgerock.openam.entitlement.indextree.TreeSearchIndex";

/// A policy set, in REST an *application*: a group of policies that are evaluated together (§2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySet {
    pub name: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub application_type: String,
    pub resource_type_uuids: Vec<String>,
    /// Names of condition types; advisory.
    pub conditions: Vec<String>,
    /// Names of subject types; advisory.
    pub subjects: Vec<String>,
    /// Names offered as response attributes; advisory.
    pub attribute_names: Vec<String>,
    pub resource_comparator: Option<String>,
    pub save_index: Option<String>,
    pub search_index: Option<String>,
    pub audit: Audit,
}

impl PolicySet {
    /// The set that evaluations ask and policies belong to when they name none.
    pub const DEFAULT: &str = "iPlanetAMWebAgentService";
    /// Application types of §2.7.1.
    pub const APPLICATION_TYPES: [&str; 3] = [Self::DEFAULT, "sunAMDelegationService", "umaApplicationType"];

    /// Reads the body of a create by `POST`. `type_exists` knows the uuids of the realm's resource types.
    pub fn create(body: &Value, type_exists: impl Fn(&str) -> bool, audit: Audit) -> Result<Self, Error> {
        Self::parse(body, None, type_exists, audit)
    }

    /// Reads the body of a `PUT` to `name`, be it a create or an update. There is no rename.
    pub fn put(body: &Value, name: &str, type_exists: impl Fn(&str) -> bool, audit: Audit) -> Result<Self, Error> {
        Self::parse(body, Some(name), type_exists, audit)
    }

    /// Reads back what [`PolicySet::to_json`] wrote.
    pub fn from_stored(stored: &Value) -> Result<Self, Error> {
        let audit = stored_audit(&Members::of(stored, "policy set")?)?;
        Self::parse(stored, None, |_| true, audit)
    }

    fn parse(body: &Value, url: Option<&str>, type_exists: impl Fn(&str) -> bool, audit: Audit) -> Result<Self, Error> {
        let invalid = |wrong: Wrong| Error::invalid_value(wrong.member);
        let members = Members::of(body, "body").map_err(invalid)?;
        let text = |member| members.text(member).map(|text| text.map(str::to_owned)).map_err(invalid);
        let texts = |member| {
            let texts = members.texts(member).map_err(invalid)?.unwrap_or_default();
            if texts.len() <= MAX_ENTRIES { Ok(texts) } else { Err(Error::invalid_value(member)) }
        };

        let application_type = members
            .text("applicationType")
            .ok()
            .flatten()
            .filter(|name| Self::APPLICATION_TYPES.contains(name))
            .ok_or(Error::ApplicationType)?
            .to_owned();
        let in_body = members.text("name").map_err(invalid)?.filter(|name| !name.is_empty());
        let name = in_body.or(url).ok_or(Error::PolicySetNameMissing)?.to_owned();
        if url.is_some_and(|url| url != name) {
            return Err(Error::PolicySetNameMismatch);
        }
        if name.len() > MAX_NAME || has_forbidden_character(&name) {
            return Err(Error::PolicySetNameInvalid);
        }
        let resource_type_uuids: Vec<String> = texts("resourceTypeUuids")?;
        if let Some(unknown) = resource_type_uuids.iter().find(|uuid| !type_exists(uuid)) {
            return Err(Error::PolicySetResourceType(excerpt(unknown)));
        }
        // A comparator that is accepted and then not used would decide differently than was asked for.
        let class = |member, known: &[&str]| match text(member)? {
            Some(class) if !known.contains(&class.as_str()) => Err(Error::Binder(excerpt(&class))),
            class => Ok(class),
        };
        Ok(Self {
            name,
            display_name: text("displayName")?,
            description: text("description")?,
            application_type,
            resource_type_uuids,
            conditions: texts("conditions")?,
            subjects: texts("subjects")?,
            attribute_names: texts("attributeNames")?,
            resource_comparator: class("resourceComparator", &COMPARATORS.map(|(class, _)| class))?,
            save_index: class("saveIndex", &[SAVE_INDEX])?,
            search_index: class("searchIndex", &[SEARCH_INDEX])?,
            audit,
        })
    }

    /// What a read answers (resource versions 2.0 and 2.1): nulls are printed, dates are integers.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "displayName": self.display_name,
            "description": self.description,
            "attributeNames": self.attribute_names,
            "createdBy": self.audit.created_by,
            "conditions": self.conditions,
            "resourceTypeUuids": self.resource_type_uuids,
            "lastModifiedBy": self.audit.last_modified_by,
            "creationDate": self.audit.creation_date,
            "lastModifiedDate": self.audit.last_modified_date,
            "saveIndex": self.save_index,
            "searchIndex": self.search_index,
            "resourceComparator": self.resource_comparator,
            "applicationType": self.application_type,
            "entitlementCombiner": COMBINER,
            "subjects": self.subjects,
            "editable": true,
        })
    }

    /// How the resources of its policies are compared: as it says itself, or else its application type.
    pub fn comparator(&self) -> Comparator {
        let own = self.resource_comparator.as_deref();
        match COMPARATORS.into_iter().find(|(class, _)| Some(*class) == own) {
            Some((_, comparator)) => comparator,
            None => match self.application_type.as_str() {
                "sunAMDelegationService" => Comparator::Regex,
                "umaApplicationType" => Comparator::None,
                _ => Comparator::Url,
            },
        }
    }

    /// Whether an evaluation or policy that says `name` means this set (§1.2: letter case does not count).
    pub fn is_called(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit() -> Audit {
        Audit::created("id=amadmin,ou=user,ou=am-config", 1_716_302_460_118)
    }

    fn warehouse() -> Value {
        json!({
            "name": "warehouse",
            "displayName": "Warehouse scopes",
            "applicationType": "iPlanetAMWebAgentService",
            "entitlementCombiner": "DenyOverride",
            "resourceTypeUuids": ["6f1d"],
            "conditions": ["AND", "Script"],
            "subjects": ["JwtClaim", "NONE"],
            "attributeNames": [],
        })
    }

    fn with(member: &str, value: Value) -> Value {
        let mut body = warehouse();
        body[member] = value;
        body
    }

    fn told(body: Value) -> String {
        let error = PolicySet::create(&body, |uuid| uuid == "6f1d", audit()).unwrap_err();
        assert_eq!(error.status(), 400);
        error.message()
    }

    #[test]
    fn a_policy_set_reads_back_with_its_nulls() {
        let body = with("_rev", json!("echoed by clients, and ignored"));
        let created = PolicySet::create(&body, |uuid| uuid == "6f1d", audit()).unwrap();
        assert_eq!(
            created.to_json(),
            json!({
                "name": "warehouse", "displayName": "Warehouse scopes", "description": null,
                "attributeNames": [], "createdBy": "id=amadmin,ou=user,ou=am-config",
                "conditions": ["AND", "Script"], "resourceTypeUuids": ["6f1d"],
                "lastModifiedBy": "id=amadmin,ou=user,ou=am-config",
                "creationDate": 1_716_302_460_118_i64, "lastModifiedDate": 1_716_302_460_118_i64,
                "saveIndex": null, "searchIndex": null, "resourceComparator": null,
                "applicationType": "iPlanetAMWebAgentService", "entitlementCombiner": "DenyOverride",
                "subjects": ["JwtClaim", "NONE"], "editable": true,
            })
        );
        assert_eq!(created.audit.revision(), "1716302460118");
        assert_eq!(PolicySet::from_stored(&created.to_json()).unwrap(), created);
        assert!(created.is_called("WareHouse") && !created.is_called("warehouse2"));
    }

    #[test]
    fn bad_policy_sets_are_refused_in_the_words_of_the_reference() {
        for application_type in [json!(null), json!("nope"), json!(1)] {
            let body = with("applicationType", application_type);
            assert_eq!(told(body), "Invalid application type defined in request.");
        }
        assert_eq!(told(with("name", json!(null))), "Application name must be specified.");
        assert_eq!(told(with("name", json!(""))), "Application name must be specified.");
        for name in ["a+b", "a,b", "a=b", "a/b", "a\\b", "a;b", "a\"b", "<", ">", " a", "a ", "#a", "a\0"] {
            assert_eq!(told(with("name", json!(name))), "Invalid Policy Set Id", "{name:?}");
        }
        assert_eq!(told(with("resourceTypeUuids", json!(["6f1d", "9"]))), "Invalid resource type 9.");
        assert_eq!(told(with("subjects", json!("x"))), "Invalid value subjects");
        assert_eq!(
            told(with("resourceComparator", json!("com.example.MyResourceName"))),
            "Unable to instantiate class com.example.MyResourceName."
        );
        let put = |name| PolicySet::put(&warehouse(), name, |_| true, audit());
        assert_eq!(put("other").unwrap_err(), Error::PolicySetNameMismatch);
        assert_eq!(put("warehouse").unwrap().name, "warehouse");
        let unnamed = with("name", json!(null));
        assert_eq!(PolicySet::put(&unnamed, "w", |_| true, audit()).unwrap().name, "w");
    }
}
