//! The read-only catalogues of types, as data (§2.7). Items are sorted by name.
//!
//! | reference                    | here                     |
//! |------------------------------|--------------------------|
//! | §2.7.1 `applicationtypes`    | [`application_types`]    |
//! | §2.7.2 `conditiontypes`      | [`condition_types`]      |
//! | §2.7.3 `subjecttypes`        | [`subject_types`]        |
//! | §2.7.5 `decisioncombiners`   | [`decision_combiners`]   |

use serde_json::{Map, Value, json};

/// One item: what a read answers, without `_id` and `_rev`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// `_id`.
    pub name: &'static str,
    pub content: Map<String, Value>,
}

/// A member of a type, as its schema describes it.
type Member = (&'static str, Schema);

#[derive(Debug, Clone, Copy)]
enum Schema {
    Text,
    Texts,
    Integer,
    Number,
    /// Always printed.
    Boolean,
    Array,
    Object,
    /// One child of a logical type.
    Child,
}

use Schema::{Array, Boolean, Child, Integer, Number, Object, Text, Texts};

impl Schema {
    fn to_json(self) -> Value {
        match self {
            Text => json!({"type": "string"}),
            Texts => json!({"type": "array", "items": {"type": "string"}}),
            Integer => json!({"type": "integer"}),
            Number => json!({"type": "number"}),
            Boolean => json!({"type": "boolean", "required": true}),
            Array => json!({"type": "array"}),
            Object => json!({"type": "object"}),
            Child => json!({"type": "object", "properties": {}}),
        }
    }
}

const CONDITIONS: [(&str, &[Member]); 21] = [
    ("AMIdentityMembership", &[("amIdentityName", Texts)]),
    ("AND", &[("conditions", Array)]),
    ("AuthLevel", &[("authLevel", Integer)]),
    ("AuthScheme", &[("authScheme", Texts), ("applicationIdleTimeout", Integer), ("applicationName", Text)]),
    ("AuthenticateToRealm", &[("authenticateToRealm", Text)]),
    ("AuthenticateToService", &[("authenticateToService", Text)]),
    ("IPv4", &[("startIp", Text), ("endIp", Text), ("dnsName", Texts)]),
    ("IPv6", &[("startIp", Text), ("endIp", Text), ("dnsName", Texts)]),
    (
        "IdmUser",
        &[
            ("identityResource", Text),
            ("queryField", Text),
            ("decisionField", Text),
            ("comparator", Text),
            ("value", Text),
        ],
    ),
    ("LDAPFilter", &[("ldapFilter", Text)]),
    ("LEAuthLevel", &[("authLevel", Integer)]),
    ("NOT", &[("condition", Child)]),
    ("OAuth2Scope", &[("requiredScopes", Texts)]),
    ("OR", &[("conditions", Array)]),
    ("Policy", &[("className", Text), ("properties", Object)]),
    ("ResourceEnvIP", &[("resourceEnvIPConditionValue", Texts)]),
    ("Script", &[("scriptId", Text)]),
    ("Session", &[("maxSessionTime", Number), ("terminateSession", Boolean)]),
    ("SessionProperty", &[("ignoreValueCase", Boolean), ("properties", Object)]),
    (
        "SimpleTime",
        &[
            ("startTime", Text),
            ("endTime", Text),
            ("startDay", Text),
            ("endDay", Text),
            ("startDate", Text),
            ("endDate", Text),
            ("enforcementTimeZone", Text),
        ],
    ),
    ("Transaction", &[("authenticationStrategy", Text), ("strategySpecifier", Text)]),
];

const SUBJECTS: [(&str, &[Member]); 8] = [
    ("AND", &[("subjects", Array)]),
    ("AuthenticatedUsers", &[]),
    ("Identity", &[("subjectValues", Texts)]),
    ("JwtClaim", &[("claimName", Text), ("claimValue", Text)]),
    ("NONE", &[]),
    ("NOT", &[("subject", Child)]),
    ("OR", &[("subjects", Array)]),
    ("Policy", &[("name", Text), ("className", Text), ("values", Texts)]),
];

/// Environment condition types; `IdmUser` only where there is identity management.
pub fn condition_types(with_identity_management: bool) -> Vec<Item> {
    let listed = |name: &str| with_identity_management || name != "IdmUser";
    CONDITIONS.into_iter().filter(|(name, _)| listed(name)).map(|(name, members)| logical(name, members)).collect()
}

/// Subject types.
pub fn subject_types() -> Vec<Item> {
    SUBJECTS.into_iter().map(|(name, members)| logical(name, members)).collect()
}

fn logical(name: &'static str, members: &[Member]) -> Item {
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.to_json())).collect();
    item(
        name,
        json!({
            "title": name,
            "logical": matches!(name, "AND" | "OR" | "NOT"),
            "config": {"type": "object", "properties": properties},
        }),
    )
}

/// Application types.
pub fn application_types() -> Vec<Item> {
    const TREE: [&str; 2] = [
        "org.forgerock.openam.entitlement.indextree.TreeSaveIndex",
        "org.forgerock.openam.entitlement.indextree.TreeSearchIndex",
    ];
    const DELEGATION: [&str; 2] = [
        "com.sun.identity.entitlement.opensso.DelegationResourceNameIndexGenerator",
        "com.sun.identity.entitlement.opensso.DelegationResourceNameSplitter",
    ];
    const UMA: [&str; 2] =
        ["org.forgerock.openam.uma.UmaPolicySaveIndex", "org.forgerock.openam.uma.UmaPolicySearchIndex"];
    let of_type = |name, comparator: &str, [save, search]: [&str; 2], actions: &str| {
        let actions: Map<String, Value> =
            actions.split_whitespace().map(|action| (action.to_owned(), json!(true))).collect();
        item(
            name,
            json!({
                "applicationClassName": "com.sun.identity.entitlement.Application",
                "saveIndex": save,
                "searchIndex": search,
                "resourceComparator": comparator,
                "name": name,
                "actions": actions,
            }),
        )
    };
    vec![
        of_type(
            "iPlanetAMWebAgentService",
            "com.sun.identity.entitlement.URLResourceName",
            TREE,
            "GET POST PUT DELETE HEAD OPTIONS PATCH",
        ),
        of_type(
            "sunAMDelegationService",
            "com.sun.identity.entitlement.RegExResourceName",
            DELEGATION,
            "READ MODIFY DELEGATE",
        ),
        of_type("umaApplicationType", "org.forgerock.openam.uma.UmaPolicyResourceMatcher", UMA, ""),
    ]
}

/// Decision combiners: the only one.
pub fn decision_combiners() -> Vec<Item> {
    vec![item("DenyOverride", json!({"title": "DenyOverride"}))]
}

fn item(name: &'static str, content: Value) -> Item {
    Item { name, content: content.as_object().cloned().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{condition::Condition, model::PolicySet, subject::SubjectTree};

    fn names(items: &[Item]) -> Vec<&str> {
        items.iter().map(|item| item.name).collect()
    }

    /// Types that the parsers do not know are refused as unknown; every listed one is refused, if at all,
    /// for what it lacks.
    #[test]
    fn what_is_listed_can_be_written() {
        let unknown =
            |error: Option<crate::policy::Error>| error.is_some_and(|error| error.message().contains("Unknown"));
        for Item { name, .. } in condition_types(true) {
            assert!(!unknown(Condition::parse(&json!({"type": name})).err()), "{name}");
        }
        for Item { name, .. } in subject_types() {
            assert!(!unknown(SubjectTree::parse(&json!({"type": name})).err()), "{name}");
        }
        assert!(unknown(Condition::parse(&json!({"type": "and"})).err()));
        assert_eq!(names(&application_types()), PolicySet::APPLICATION_TYPES);
    }

    #[test]
    fn items_are_those_of_the_reference() {
        assert_eq!((condition_types(false).len(), condition_types(true).len()), (20, 21));
        for items in [condition_types(true), subject_types(), application_types()] {
            assert!(names(&items).is_sorted());
        }
        let content = |items: Vec<Item>, name: &str| {
            items.into_iter().find(|item| item.name == name).map(|item| Value::Object(item.content))
        };
        for (name, expected) in [
            (
                "AND",
                json!({"title": "AND", "logical": true, "config": {"type": "object", "properties":
                    {"conditions": {"type": "array"}}}}),
            ),
            (
                "NOT",
                json!({"title": "NOT", "logical": true, "config": {"type": "object", "properties":
                    {"condition": {"type": "object", "properties": {}}}}}),
            ),
            (
                "Session",
                json!({"title": "Session", "logical": false, "config": {"type": "object", "properties":
                    {"maxSessionTime": {"type": "number"},
                    "terminateSession": {"type": "boolean", "required": true}}}}),
            ),
            (
                "OAuth2Scope",
                json!({"title": "OAuth2Scope", "logical": false, "config": {"type": "object", "properties":
                    {"requiredScopes": {"type": "array", "items": {"type": "string"}}}}}),
            ),
        ] {
            assert_eq!(content(condition_types(false), name), Some(expected));
        }
        assert_eq!(
            content(subject_types(), "NONE"),
            Some(json!({"title": "NONE", "logical": false, "config": {"type": "object", "properties": {}}}))
        );
        assert_eq!(content(decision_combiners(), "DenyOverride"), Some(json!({"title": "DenyOverride"})));
    }
}
