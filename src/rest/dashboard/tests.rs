use crate::rest::testing::Rig;
use quorate_raft::{Kind, RealmPath};
use serde_json::{Value, json};

const INSTANCES: &str = "/global-config/services/dashboard/instances";

/// f.4, from nothing to one application in each of the three lists.
#[actix_web::test]
async fn a_dashboard_shows_what_is_defined_available_and_assigned() {
    let rig = Rig::new().await;
    rig.user("/realms/root", "demo").await;
    let demo = rig.session(&RealmPath::root(), Kind::User, "demo").await;
    let shown = async |which: &str| {
        let reply = rig.ask("GET", &format!("/realms/root/dashboard/{which}")).session(&demo).go().await;
        let mut names: Vec<String> =
            reply.json.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        names.retain(|name| !name.starts_with('_'));
        (reply.status, names)
    };
    let none = || (200, Vec::<String>::new());
    for which in ["assigned", "available", "defined"] {
        assert_eq!(shown(which).await, none(), "{which}");
    }
    let mail = json!({"_id": "Mail", "name": "mail", "displayName": "Mail", "login": "https://mail.example.com/?sso",
        "icon": "images/mail.png", "icfIdentifier": "idm magic 34", "className": "SAML2ApplicationClass"});
    let created = rig.send("POST", &format!("{INSTANCES}?_action=create"), mail.clone()).await;
    assert_eq!((created.status, &created.json["_id"]), (201, &json!("Mail")), "{}", created.text);
    rig.send("PUT", &format!("{INSTANCES}/Wiki"), json!({"login": "/wiki"})).await;
    let read = rig.ask("GET", "/realms/root/dashboard/defined").session(&demo).go().await.json;
    let icons = json!({"dashboardIcon": ["images/mail.png"], "dashboardName": ["mail"],
        "dashboardLogin": ["https://mail.example.com/?sso"], "ICFIdentifier": ["idm magic 34"],
        "dashboardDisplayName": ["Mail"], "dashboardClassName": ["SAML2ApplicationClass"]});
    assert_eq!((&read["Mail"], &read["Wiki"]["dashboardIcon"]), (&icons, &json!([])));
    assert_eq!((shown("available").await, shown("assigned").await), (none(), none()));
    let named = json!({"assignedDashboard": ["Mail", "nosuch"]});
    rig.send("PUT", "/realms/root/realm-config/services/dashboard", named).await;
    assert_eq!((shown("available").await.1, shown("assigned").await), (vec!["Mail".to_owned()], none()));
    rig.send("PUT", "/realms/root/users/demo/services/dashboard", json!({"assignedDashboard": ["Wiki"]})).await;
    assert_eq!(shown("assigned").await.1, ["Wiki"]);
    assert_eq!(rig.admin("DELETE", &format!("{INSTANCES}/Wiki")).go().await.status, 200);
    assert_eq!(shown("assigned").await, none());
    assert_eq!(shown("nosuch").await.0, 404);
    assert_eq!(rig.ask("GET", "/realms/root/dashboard/defined").go().await.error(), (401, "Access Denied"));
    let write = rig.send("PUT", "/realms/root/dashboard/assigned", json!({})).await;
    assert_eq!(write.status, 501, "{}", write.text);
}

/// Instances of a service: names and links that lead nowhere else, listed and described; administrators only.
#[actix_web::test]
async fn instances_are_configuration() {
    let rig = Rig::new().await;
    rig.user("/realms/root", "demo").await;
    let demo = rig.session(&RealmPath::root(), Kind::User, "demo").await;
    for (method, tail) in [("GET", "?_queryFilter=true"), ("PUT", "/x"), ("GET", "/x"), ("DELETE", "/x")] {
        let path = format!("{INSTANCES}{tail}");
        assert_eq!(rig.ask(method, &path).json(&json!({})).await.status, 401);
        assert_eq!(rig.ask(method, &path).session(&demo).json(&json!({})).await.status, 403);
    }
    for login in ["javascript:alert(1)", "//evil.example/", "/a b", "https://u@evil.example/", "data:text/html,x"] {
        let refused = rig.send("PUT", &format!("{INSTANCES}/x"), json!({"login": login})).await;
        assert_eq!(refused.error(), (400, "Data validation failed for the attribute, Dashboard Login"), "{login}");
    }
    for name in ["_id", "a%2Fb", "%20"] {
        let refused = rig.send("PUT", &format!("{INSTANCES}/{name}"), json!({})).await;
        assert_eq!(refused.error(), (400, "Data validation failed for the attribute, Name"), "{name}");
    }
    let unknown = rig.send("PUT", &format!("{INSTANCES}/x"), json!({"isAdmin": true})).await;
    assert_eq!(unknown.error(), (400, "Invalid attribute specified."));
    let created = rig.send("PUT", &format!("{INSTANCES}/x%20y"), json!({"name": "n"})).await;
    assert_eq!((created.status, &created.json["name"]), (201, &json!("n")), "{}", created.text);
    let marker = json!({"_id": "instances", "name": "Dashboard Instance", "collection": true});
    assert_eq!(created.json["_type"], marker);
    let round = rig.send("PUT", &format!("{INSTANCES}/x%20y"), created.json.clone()).await;
    assert_eq!(round.status, 200, "{}", round.text);
    let again = rig.send("POST", &format!("{INSTANCES}?_action=create"), json!({"_id": "x y"})).await;
    assert_eq!(again.error(), (409, "Unable to save config: Sub-configuration already exists"));
    let listed = rig.get(&format!("{INSTANCES}?_queryFilter=true")).await.json;
    assert_eq!((&listed["resultCount"], &listed["result"][0]["_id"]), (&json!(1), &json!("x y")));
    let act =
        async |path: &str, action: &str| rig.send("POST", &format!("{path}?_action={action}"), json!({})).await.json;
    for path in [INSTANCES, "/global-config/services/dashboard"] {
        let below = act(path, "nextdescendents").await;
        assert_eq!((&below["result"][0]["_id"], &below["result"][0]["_type"]), (&json!("x y"), &marker), "{path}");
    }
    assert_eq!(act(INSTANCES, "getType").await, marker);
    assert_eq!(act(INSTANCES, "schema").await["properties"]["login"]["type"], "string");
    assert_eq!(act(INSTANCES, "template").await.get("login"), None::<&Value>);
    for n in 0..99 {
        assert_eq!(rig.send("PUT", &format!("{INSTANCES}/i{n}"), json!({})).await.status, 201);
    }
    let full = rig.send("PUT", &format!("{INSTANCES}/one-more"), json!({})).await;
    assert_eq!(full.error(), (400, "There cannot be more than 100 of Dashboard Instance"));
}
