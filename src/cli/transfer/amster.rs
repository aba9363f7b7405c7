//! Amster's files: one object each, with its realm and what it is.
//!
//! Nodes of journeys have an entity of their own for each type; the object says of what type it is, and that is enough.

use super::{Contents, Item, Kind, Left, Shape, Subtype, Unreadable, frodo::prepared};
use crate::crest::Object;
use serde_json::Value;

/// Services by what Amster calls them.
const SERVICES: &[(&str, &str)] = &[
    ("OAuth2Provider", "oauth-oidc"),
    ("BaseUrlSource", "baseurl"),
    ("Validation", "validation"),
    ("SocialIdentityProviders", "SocialIdentityProviders"),
    ("Session", "session"),
    ("PolicyConfiguration", "policyconfiguration"),
    ("SelfServiceTrees", "selfServiceTrees"),
];

/// Whether a file's object is of this form.
pub fn is_one(object: &Object) -> bool {
    object.get("metadata").is_some_and(Value::is_object) && object.contains_key("data")
}

/// What is in a file; `realm` is for what names none.
///
/// # Errors
/// [`Unreadable::Broken`].
pub fn read(object: &Object, realm: &str) -> Result<Contents, Unreadable> {
    let broken = |what: &str| Unreadable::Broken(format!("an Amster file without {what}"));
    let metadata = object.get("metadata").and_then(Value::as_object).ok_or_else(|| broken("metadata"))?;
    let data = object.get("data").and_then(Value::as_object).ok_or_else(|| broken("data"))?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let entity = text("entityType").ok_or_else(|| broken("metadata.entityType"))?;
    let id = text("entityId").map(str::to_owned);
    let id = id.or_else(|| data.get("_id")?.as_str().map(str::to_owned)).unwrap_or_default();
    let realm = text("realm").unwrap_or(realm).to_owned();
    let of_type = data.get("_type").and_then(|of| of.get("_id")).and_then(Value::as_str);
    let mut contents = Contents::default();
    let service = SERVICES.iter().find(|(name, _)| *name == entity).map(|(_, id)| *id);
    let (kind, subtype, id) = match (Kind::of_entity(entity), service, of_type) {
        (Some(kind), ..) => (Some(kind), of_type, id),
        (None, Some(service), _) => (Kind::of_member("service"), None, service.to_owned()),
        (None, None, Some(node)) if node.ends_with("Node") => (Kind::of_member("nodes"), Some(node), id),
        _ => (None, None, id),
    };
    let global = metadata.get("realm").is_some_and(Value::is_null);
    match kind {
        Some(kind) if !global || kind.shape == Shape::Realm => {
            let subtype = match kind.subtype {
                Subtype::None => None,
                Subtype::Fixed(subtype) => Some(subtype.to_owned()),
                Subtype::OfBody => Some(subtype.ok_or_else(|| broken("data._type._id"))?.to_owned()),
            };
            let realm = if kind.shape == Shape::Realm { "/".to_owned() } else { realm };
            let item = Item { kind, realm, subtype, id, body: data.clone(), notes: Vec::new() };
            match prepared(item) {
                Ok(item) => contents.items.push(item),
                Err(left) => contents.left.push(left),
            }
        }
        Some(_) => {
            let why = "global configuration is not imported".to_owned();
            contents.left.push(Left { realm: "/".into(), what: entity.to_owned(), id, why });
        }
        None => {
            let why = "there is nothing like it here".to_owned();
            contents.left.push(Left { realm, what: entity.to_owned(), id, why });
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(realm: Value, entity: &str, id: &str, data: Value) -> Contents {
        let file = json!({
            "metadata": {"realm": realm, "amsterVersion": "7.5.0", "entityType": entity, "entityId": id, "pathParams": {}},
            "data": data,
        });
        read(file.as_object().expect("an object"), "/").expect("a file")
    }

    #[test]
    fn entities_become_objects() {
        for (entity, id, of_type, path) in [
            ("OAuth2Clients", "web", "OAuth2Client", "realm-config/agents/OAuth2Client/web"),
            ("OAuth2Provider", "OAuth2Provider", "oauth-oidc", "realm-config/services/oauth-oidc"),
            ("Policies", "p", "", "policies/p"),
            ("Applications", "s", "", "applications/s"),
            ("ResourceTypes", "t", "", "resourcetypes/t"),
            ("IdentityGatewayAgents", "ig", "IdentityGatewayAgent", "realm-config/agents/IdentityGatewayAgent/ig"),
            ("AuthTree", "Login", "AuthTree", "realm-config/authentication/authenticationtrees/trees/Login"),
            (
                "DataStoreDecision",
                "n1",
                "DataStoreDecisionNode",
                "realm-config/authentication/authenticationtrees/nodes/DataStoreDecisionNode/n1",
            ),
        ] {
            let contents = file(json!("/alpha"), entity, id, json!({"_id": id, "_type": {"_id": of_type}, "x": 1}));
            let [item] = &contents.items[..] else { panic!("{entity}: {contents:?}") };
            assert_eq!(item.path(), format!("/realms/root/realms/alpha/{path}"));
        }
        let realm =
            file(json!(null), "Realms", "L2FscGhh", json!({"name": "alpha", "parentPath": "/", "active": true}));
        assert_eq!(realm.items[0].path(), "/global-config/realms/L2FscGhh");
        for (realm, entity) in [(json!("/"), "Kitchen"), (json!(null), "OAuth2Provider")] {
            let contents = file(realm, entity, "x", json!({}));
            assert_eq!((contents.items.len(), contents.left.len()), (0, 1), "{entity}");
        }
        for broken in [json!({"metadata": {}, "data": {}}), json!({"metadata": {"entityType": "Policies"}, "data": 1})]
        {
            assert!(read(broken.as_object().expect("an object"), "/").is_err(), "{broken}");
        }
    }
}
