use crate::{
    crest::Object,
    rest::testing::Rig,
    sessions::{self, New},
};
use quorate_raft::{DocumentKey, Kind, RealmPath, Span};
use serde_json::{Value, json};

const OF_DEMO: &str = "/realms/root/users/demo/services";
const SESSION: &str = "/realms/root/users/demo/services/session";
const DASHBOARD: &str = "/realms/root/users/demo/services/dashboard";

async fn rig() -> (Rig, String) {
    let rig = Rig::new().await;
    rig.user("/realms/root", "demo").await;
    let demo = rig.session(&RealmPath::root(), Kind::User, "demo").await;
    (rig, demo)
}

fn new(rig: &Rig, max_life: Option<Span>) -> New {
    let root = RealmPath::root();
    let entry = rig.desk.document(&root, Kind::User, "demo").expect("a user");
    New {
        realm: root.clone(),
        subject: DocumentKey::new(&root, Kind::User, "demo"),
        entry,
        service: "Example".into(),
        auth_level: 0,
        properties: Default::default(),
        from: None,
        max_life,
        max_idle: None,
        upgraded: None,
    }
}

/// Longest life and pause of a session that starts now, minutes, when a node asks for a life of 45.
async fn limits(rig: &Rig) -> (u64, u64) {
    let token = sessions::start(&rig.desk, new(rig, Some(Span::from_secs(45 * 60)))).await.expect("starts").reveal();
    let caller = crate::caller::session(&rig.desk, &token).expect("lives");
    let data = &caller.session.data;
    (data.max_life.0 / 60_000, data.max_idle.0 / 60_000)
}

/// b.6: the user's service before the node, the node before the realm.
#[actix_web::test]
async fn a_users_own_limits_win() {
    let (rig, _) = rig().await;
    assert_eq!(limits(&rig).await, (45, 30));
    let global = json!({"dynamic": {"maxIdleTime": 20}, "quotas": {"iplanet-am-session-enable-session-constraint": "ON",
        "behaviourWhenQuotaExhausted": "org.forgerock.openam.session.service.DenyAccessAction"}});
    assert_eq!(rig.send("PUT", "/global-config/services/session", global).await.status, 200);
    let template = rig.send("POST", &format!("{SESSION}?_action=template"), json!({})).await;
    assert_eq!(template.json["dynamic"]["maxIdleTime"], 20, "{}", template.text);
    let created = rig.send("PUT", SESSION, json!({"dynamic": {"maxSessionTime": 7, "quotaLimit": 3}})).await;
    assert_eq!((created.status, &created.json["dynamic"]["maxIdleTime"]), (201, &json!(20)), "{}", created.text);
    assert_eq!(created.json["_type"], json!({"_id": "session", "name": "Session", "collection": false}));
    assert_eq!(limits(&rig).await, (7, 20));
    // The realm allows five, the user three: the one of the set-up, and the two of this test.
    assert!(sessions::start(&rig.desk, new(&rig, None)).await.is_err(), "the user's quota");
    let updated = rig.send("PUT", SESSION, json!({"dynamic": {"maxIdleTime": 3, "quotaLimit": 100}})).await;
    assert_eq!((updated.status, &updated.json["dynamic"]["maxSessionTime"]), (200, &json!(7)), "{}", updated.text);
    assert_eq!(limits(&rig).await, (7, 3));
    let gone = rig.admin("DELETE", SESSION).go().await;
    assert_eq!((gone.status, &gone.json["dynamic"]["quotaLimit"]), (200, &json!(100)));
    assert_eq!(rig.get(SESSION).await.error(), (404, "Not Found"));
    assert_eq!(rig.admin("DELETE", SESSION).go().await.status, 404);
    let entry = rig.desk.document(&RealmPath::root(), Kind::User, "demo").expect("a user");
    assert_eq!(entry.json().get("_services"), None);
}

#[actix_web::test]
async fn services_of_a_user_are_listed_and_taken_away() {
    let (rig, _) = rig().await;
    let act = async |action: &str, body: Value| {
        rig.send("POST", &format!("{OF_DEMO}?_action={action}"), body).await.json["result"].clone()
    };
    let ids = |result: &Value| -> Vec<String> {
        let all = result.as_array().into_iter().flatten();
        all.filter_map(|one| Some(one["_id"].as_str()?.to_owned())).collect()
    };
    assert_eq!(ids(&act("getAllTypes", json!({})).await), ["session", "dashboard"]);
    assert_eq!(act("nextdescendents", json!({})).await, json!([]));
    let created =
        rig.send("POST", &format!("{DASHBOARD}?_action=create"), json!({"assignedDashboard": ["Mail"]})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let again = rig.send("POST", &format!("{DASHBOARD}?_action=create"), json!({})).await;
    assert_eq!(again.error(), (409, "Unable to save config: Service already exists"));
    // It is the attribute of the profile.
    let profile = rig.get("/realms/root/users/demo").await.json;
    assert_eq!(profile["assignedDashboard"], json!(["Mail"]));
    assert_eq!(ids(&act("getCreatableTypes", json!({})).await), ["session"]);
    let below = act("nextdescendents", json!({})).await;
    assert_eq!((&below[0]["_id"], &below[0]["assignedDashboard"]), (&json!("dashboard"), &json!(["Mail"])));
    let listed = rig.get(&format!("{OF_DEMO}?_queryFilter=true")).await.json;
    assert_eq!((&listed["resultCount"], &listed["result"][0]["name"]), (&json!(1), &json!("Dashboard")));
    rig.send("PUT", SESSION, json!({})).await;
    for wrong in [json!({}), json!({"serviceNames": ["platform"]}), json!({"serviceNames": [7]})] {
        let refused = rig.send("POST", &format!("{OF_DEMO}?_action=unassignServices"), wrong).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    let both = json!({"serviceNames": ["dashboard", "session"]});
    let taken = rig.send("POST", &format!("{OF_DEMO}?_action=unassignServices"), both).await;
    assert_eq!((taken.status, taken.text.as_str()), (200, "{}"));
    assert_eq!(act("nextdescendents", json!({})).await, json!([]));
    assert_eq!(rig.get("/realms/root/users/demo").await.json.get("assignedDashboard"), None);
    assert_eq!(rig.get("/realms/root/users/nobody/services/session").await.status, 404);
    let nobody = rig.send("PUT", "/realms/root/users/nobody/services/session", json!({})).await;
    assert_eq!(nobody.error(), (404, "Resource cannot be found."));
    for (body, label) in [
        (json!({"dynamic": {"maxIdleTime": 0}}), "Maximum Idle Time"),
        (json!({"dynamic": {"quotaLimit": "many"}}), "Active User Sessions"),
    ] {
        let refused = rig.send("PUT", SESSION, body).await;
        assert_eq!(refused.error(), (400, format!("Data validation failed for the attribute, {label}").as_str()));
    }
}

/// AD-02, AD-03: owners look; nobody writes who is limited by it, or may do less.
#[actix_web::test]
async fn owners_look_and_administrators_write() {
    let (rig, demo) = rig().await;
    rig.user("/realms/root", "other").await;
    rig.user("/realms/root", "boss").await;
    rig.group("/realms/root", "bosses", &["boss"], &["RealmAdmin"]).await;
    rig.user("/realms/root", "policies").await;
    rig.group("/realms/root", "editors", &["policies"], &["PolicyAdmin"]).await;
    let session = async |name: &str| rig.session(&RealmPath::root(), Kind::User, name).await;
    let (other, boss, policies) = (session("other").await, session("boss").await, session("policies").await);
    let send = async |token: &str, method: &str, path: &str, body: Value| {
        let path = format!("/realms/root/users/{path}");
        rig.ask(method, &path).session(token).json(&body).await
    };
    assert_eq!(send(&demo, "PUT", "demo/services/session", json!({})).await.status, 403, "nobody lengthens their own");
    assert_eq!(send(&boss, "PUT", "demo/services/session", json!({})).await.status, 201);
    for path in ["demo/services/session", "demo/services?_queryFilter=true"] {
        assert_eq!(send(&demo, "GET", path, Value::Null).await.status, 200, "{path}");
        let foreign = send(&other, "GET", path, Value::Null).await;
        assert_eq!(foreign.error(), (403, "User, other, not authorized."), "{path}");
        assert_eq!(send(&policies, "GET", path, Value::Null).await.status, 403, "{path}");
        assert_eq!(rig.ask("GET", &format!("/realms/root/users/{path}")).go().await.status, 401, "{path}");
    }
    let names = json!({"serviceNames": ["session"]});
    for (method, path, body) in [
        ("PUT", "demo/services/session", json!({"dynamic": {"maxIdleTime": 10_000}})),
        ("DELETE", "demo/services/session", Value::Null),
        ("POST", "demo/services?_action=unassignServices", names),
        ("PUT", "demo/services/dashboard", json!({})),
    ] {
        for token in [&demo, &other, &policies] {
            let refused = send(token, method, path, body.clone()).await;
            assert_eq!(refused.error(), (403, "The user has insufficient privileges"), "{method} {path}");
        }
    }
    // Of one who may do more, not even an administrator of the realm writes.
    rig.realm("alpha").await;
    let above = send(&boss, "PUT", "amAdmin/services/session", json!({"dynamic": {"maxIdleTime": 1}})).await;
    assert_eq!(above.error(), (403, "User does not have enough privileges."));
    let kept = rig.get("/realms/root/users/demo/services/session").await.json;
    assert_eq!(kept["dynamic"]["maxIdleTime"], 30);
}

/// Two at once: both are in the profile, and whoever demanded a revision is told.
#[actix_web::test]
async fn writes_at_once_lose_nothing() {
    let (rig, _) = rig().await;
    let (a, b) = futures_util::join!(
        rig.send("PUT", SESSION, json!({"dynamic": {"maxIdleTime": 4}})),
        rig.send("PUT", DASHBOARD, json!({"assignedDashboard": ["Mail"]}))
    );
    assert_eq!((a.status, b.status), (201, 201), "{} {}", a.text, b.text);
    let entry = rig.desk.document(&RealmPath::root(), Kind::User, "demo").expect("a user");
    let body: &Object = entry.json().as_object().expect("a body");
    assert_eq!(body["_services"]["session"]["dynamic"]["maxIdleTime"], 4);
    assert_eq!(body["assignedDashboard"], json!(["Mail"]));
    let stale =
        rig.admin("PUT", SESSION).header("If-Match", "\"1\"").json(&json!({"dynamic": {"maxIdleTime": 5}})).await;
    assert_eq!(stale.status, 412, "{}", stale.text);
    let tag = rig.get(SESSION).await.header("ETag").expect("a tag").to_owned();
    let fits = rig.admin("PUT", SESSION).header("If-Match", &tag).json(&json!({"dynamic": {"maxIdleTime": 5}})).await;
    assert_eq!(fits.status, 200, "{}", fits.text);
}
