//! The objects every realm starts with (§1.3).

use super::{Actions, Audit, PolicySet, ResourceType};

/// `uuid` of the resource type `URL`.
pub const URL: &str = "76656a38-5f8e-401b-83aa-4ccb74ce88d2";
/// `uuid` of the resource type `OAuth2 Scope`.
pub const OAUTH2_SCOPE: &str = "d60b7a71-1dc6-44a5-8e48-e4b9d92dee8b";
/// `uuid` of the internal resource type `Delegation Service`.
pub const DELEGATION: &str = "20a13582-1f32-4f83-905f-f71ff4e2e00d";

/// The built-in resource types and policy sets; `audit` names the internal administrator
/// (`id=dsameuser,ou=user,<root suffix>`).
pub fn objects(audit: Audit) -> (Vec<ResourceType>, Vec<PolicySet>) {
    let of_type = |uuid: &str, name: &str, description: &str, patterns: &[&str], actions: &str| {
        let actions: Actions = actions.split(' ').map(|name| (name.to_owned(), true)).collect();
        ResourceType {
            uuid: uuid.to_owned(),
            name: name.to_owned(),
            description: Some(description.to_owned()),
            patterns: patterns.iter().map(|pattern| pattern.to_string()).collect(),
            actions,
            audit: audit.clone(),
        }
    };
    let set = |name: &str, display_name: &str, application_type: &str, resource_type: &str| PolicySet {
        name: name.to_owned(),
        display_name: Some(display_name.to_owned()),
        description: None,
        application_type: application_type.to_owned(),
        resource_type_uuids: vec![resource_type.to_owned()],
        conditions: Vec::new(),
        subjects: Vec::new(),
        attribute_names: Vec::new(),
        resource_comparator: None,
        save_index: None,
        search_index: None,
        audit: audit.clone(),
    };
    let [default, delegation, _] = PolicySet::APPLICATION_TYPES;
    let methods = "GET POST PUT DELETE HEAD OPTIONS PATCH";
    (
        vec![
            of_type(URL, "URL", "Web addresses", &["*://*:*/*", "*://*:*/*?*"], methods),
            of_type(OAUTH2_SCOPE, "OAuth2 Scope", "OAuth 2.0 scopes", &["*://*:*/*", "*://*:*/*?*", "*"], "GRANT"),
            of_type(
                DELEGATION,
                "Delegation Service",
                "Administrative delegation",
                &["sms://*:*/*", "sms://*:*/*?*"],
                "READ MODIFY DELEGATE",
            ),
        ],
        vec![
            set(PolicySet::DEFAULT, "Default Policy Set", default, URL),
            set("oauth2Scopes", "Default OAuth2 Scopes Policy Set", default, OAUTH2_SCOPE),
            set("sunAMDelegationService", "Delegation Policy Set", delegation, DELEGATION),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_objects_are_ones_an_administrator_could_have_written() {
        let audit = Audit::created("id=dsameuser,ou=user,ou=am-config", 0);
        let (types, sets) = objects(audit);
        for of_type in &types {
            assert_eq!(ResourceType::from_stored(&of_type.to_json()).as_ref(), Ok(of_type));
        }
        for set in &sets {
            assert_eq!(PolicySet::from_stored(&set.to_json()).as_ref(), Ok(set));
            let exists = |uuid: &String| types.iter().any(|of_type| of_type.uuid == *uuid);
            assert!(set.resource_type_uuids.iter().all(exists));
        }
    }
}
