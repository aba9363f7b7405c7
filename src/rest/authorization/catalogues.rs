//! What kinds of things the policy engine knows (authorization.md §2.7): read-only, the same in every realm, by name.
//!
//! | reference | collection          | here                   |
//! |-----------|---------------------|------------------------|
//! | §2.7.1    | `applicationtypes`  | [`APPLICATION_TYPES`]  |
//! | §2.7.2    | `conditiontypes`    | [`CONDITION_TYPES`]    |
//! | §2.7.3    | `subjecttypes`      | [`SUBJECT_TYPES`]      |
//! | §2.7.5    | `decisioncombiners` | [`DECISION_COMBINERS`] |

use super::object;
use crate::crest::{
    Call, Error, Item, Listing, Query, Resource, Shape, Totals, Version, pointer::Names, query::Select,
};
use serde_json::{Map, Value, json};

/// One collection: its items, by name.
pub struct Catalogue(fn() -> Vec<(&'static str, Value)>);

/// What a policy set may be.
pub const APPLICATION_TYPES: Catalogue = Catalogue(application_types);
/// Under which circumstances a policy may apply.
pub const CONDITION_TYPES: Catalogue = Catalogue(condition_types);
/// To whom a policy may apply.
pub const SUBJECT_TYPES: Catalogue = Catalogue(subject_types);
/// How what policies say may be combined.
pub const DECISION_COMBINERS: Catalogue = Catalogue(decision_combiners);

fn application_types() -> Vec<(&'static str, Value)> {
    let of = |name: &'static str, comparator: &str, save: &str, search: &str, actions: &[&str]| {
        let actions: Map<String, Value> = actions.iter().map(|action| ((*action).to_owned(), json!(true))).collect();
        let item = json!({
            "applicationClassName": "com.sun.identity.entitlement.Application",
            "saveIndex": save,
            "searchIndex": search,
            "resourceComparator": comparator,
            "name": name,
            "actions": actions,
        });
        (name, item)
    };
    vec![
        of(
            "iPlanetAMWebAgentService",
            "com.sun.identity.entitlement.URLResourceName",
            "org.forgerock.openam.entitlement.indextree.TreeSaveIndex",
            "org.forgerock.openam.entitlement.indextree.TreeSearchIndex",
            &["HEAD", "DELETE", "POST", "GET", "OPTIONS", "PUT", "PATCH"],
        ),
        of(
            "sunAMDelegationService",
            "com.sun.identity.entitlement.RegExResourceName",
            "com.sun.identity.entitlement.opensso.DelegationResourceNameIndexGenerator",
            "com.sun.identity.entitlement.opensso.DelegationResourceNameSplitter",
            &["READ", "MODIFY", "DELEGATE"],
        ),
        of(
            "umaApplicationType",
            "org.forgerock.openam.uma.UmaPolicyResourceMatcher",
            "org.forgerock.openam.uma.UmaPolicySaveIndex",
            "org.forgerock.openam.uma.UmaPolicySearchIndex",
            &[],
        ),
    ]
}

/// The schema of a member, in a word.
fn schema(word: &str) -> Value {
    match word {
        "texts" => json!({"type": "array", "items": {"type": "string"}}),
        "required boolean" => json!({"type": "boolean", "required": true}),
        "one" => json!({"type": "object", "properties": {}}),
        plain => json!({"type": plain}),
    }
}

fn kind(title: &'static str, members: &[(&str, &str)]) -> (&'static str, Value) {
    let properties: Map<String, Value> =
        members.iter().map(|(name, word)| ((*name).to_owned(), schema(word))).collect();
    let logical = ["AND", "OR", "NOT"].contains(&title);
    let item = json!({
        "title": title,
        "logical": logical,
        "config": {"type": "object", "properties": properties},
    });
    (title, item)
}

fn condition_types() -> Vec<(&'static str, Value)> {
    let address = [("startIp", "string"), ("endIp", "string"), ("dnsName", "texts")];
    let time = ["startTime", "endTime", "startDay", "endDay", "startDate", "endDate", "enforcementTimeZone"];
    vec![
        kind("AMIdentityMembership", &[("amIdentityName", "texts")]),
        kind("AND", &[("conditions", "array")]),
        kind("AuthLevel", &[("authLevel", "integer")]),
        kind(
            "AuthScheme",
            &[("authScheme", "texts"), ("applicationIdleTimeout", "integer"), ("applicationName", "string")],
        ),
        kind("AuthenticateToRealm", &[("authenticateToRealm", "string")]),
        kind("AuthenticateToService", &[("authenticateToService", "string")]),
        kind("IPv4", &address),
        kind("IPv6", &address),
        kind(
            "IdmUser",
            &[
                ("identityResource", "string"),
                ("queryField", "string"),
                ("decisionField", "string"),
                ("comparator", "string"),
                ("value", "string"),
            ],
        ),
        kind("LDAPFilter", &[("ldapFilter", "string")]),
        kind("LEAuthLevel", &[("authLevel", "integer")]),
        kind("NOT", &[("condition", "one")]),
        kind("OAuth2Scope", &[("requiredScopes", "texts")]),
        kind("OR", &[("conditions", "array")]),
        kind("Policy", &[("className", "string"), ("properties", "object")]),
        kind("ResourceEnvIP", &[("resourceEnvIPConditionValue", "texts")]),
        kind("Script", &[("scriptId", "string")]),
        kind("Session", &[("maxSessionTime", "number"), ("terminateSession", "required boolean")]),
        kind("SessionProperty", &[("ignoreValueCase", "required boolean"), ("properties", "object")]),
        kind("SimpleTime", &time.map(|member| (member, "string"))),
        kind("Transaction", &[("authenticationStrategy", "string"), ("strategySpecifier", "string")]),
    ]
}

fn subject_types() -> Vec<(&'static str, Value)> {
    vec![
        kind("AND", &[("subjects", "array")]),
        kind("AuthenticatedUsers", &[]),
        kind("Identity", &[("subjectValues", "texts")]),
        kind("JwtClaim", &[("claimName", "string"), ("claimValue", "string")]),
        kind("NONE", &[]),
        kind("NOT", &[("subject", "one")]),
        kind("OR", &[("subjects", "array")]),
        kind("Policy", &[("name", "string"), ("className", "string"), ("values", "texts")]),
    ]
}

fn decision_combiners() -> Vec<(&'static str, Value)> {
    vec![("DenyOverride", json!({"title": "DenyOverride"}))]
}

impl Resource for Catalogue {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    /// §2.1.5: the current time for one.
    async fn read(&self, _: &Call<'_>, id: &str) -> Result<Item, Error> {
        let (name, content) = (self.0)().into_iter().find(|(name, _)| *name == id).ok_or_else(Error::not_found)?;
        Ok(Item { id: name.to_owned(), revision: Some(super::now().to_string()), content: object(content) })
    }

    async fn query(&self, _: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let all = (self.0)().into_iter().map(|(name, content)| Item::new(name, None, object(content)));
        match &query.select {
            Select::Filter(_) => query.answer(all, Names::Exact, Totals::Remaining),
            Select::Id(_) | Select::Expression(_) => super::filter::present(query, all.collect()),
        }
    }
}
