use super::PLACES;
use crate::{
    authn::profile::{Amended, OATH_DEVICES, amend},
    rest::testing::Rig,
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use serde_json::{Value, json};

const OATH: &str = "/realms/root/users/demo/devices/2fa/oath";

async fn rig() -> (Rig, String) {
    let rig = Rig::new().await;
    rig.user("/realms/root", "demo").await;
    let key = DocumentKey::new(&RealmPath::root(), Kind::User, "demo");
    let device = |id: &str| json!({"id": id, "sealed": "never shown", "recovery": ["neither"], "next": 1});
    let registered = amend(&rig.desk, &key, |body| {
        body.insert(OATH_DEVICES.into(), json!([device("one"), device("two"), device("three")]));
        Amended::Changed { value: (), ends: false }
    });
    registered.await.expect("stored").expect("a user");
    let demo = rig.session(&RealmPath::root(), Kind::User, "demo").await;
    (rig, demo)
}

fn stored(rig: &Rig) -> Value {
    let entry = rig.desk.document(&RealmPath::root(), Kind::User, "demo").expect("a user");
    entry.json().get(OATH_DEVICES).cloned().unwrap_or_default()
}

#[actix_web::test]
async fn devices_are_listed_deleted_and_reset() {
    let (rig, demo) = rig().await;
    let ask = async |method: &str, path: &str| rig.ask(method, path).session(&demo).go().await;
    let listed = ask("GET", &format!("{OATH}?_queryFilter=true")).await;
    assert_eq!((&listed.json["resultCount"], &listed.json["result"][0]["_id"]), (&json!(3), &json!("one")));
    assert!(!listed.text.contains("never shown") && !listed.text.contains("neither"), "{}", listed.text);
    let one = ask("GET", &format!("{OATH}/two")).await.json;
    assert_eq!((&one["uuid"], &one["deviceName"]), (&json!("two"), &json!("OATH Device")));
    let gone = ask("DELETE", &format!("{OATH}/two")).await;
    assert_eq!((gone.status, &gone.json["_id"]), (200, &json!("two")), "{}", gone.text);
    assert_eq!(ask("DELETE", &format!("{OATH}/two")).await.error(), (404, "Not Found"));
    assert_eq!(stored(&rig).as_array().map(Vec::len), Some(2));
    let stale = rig.admin("DELETE", &format!("{OATH}/one")).header("If-Match", "\"1\"").go().await;
    assert_eq!(stale.status, 412, "{}", stale.text);
    for _ in 0..2 {
        let reset = rig.send("POST", &format!("{OATH}?_action=reset"), json!({})).await;
        assert_eq!((reset.status, reset.text.as_str()), (200, r#"{"result":true}"#));
        assert_eq!(stored(&rig), Value::Null);
    }
    let places = ["2fa/oath", "2fa/push", "2fa/webauthn", "2fa/binding", "trusted", "profile"];
    assert_eq!(PLACES.map(|(place, _)| place), places);
    for place in places {
        let path = format!("/realms/root/users/demo/devices/{place}");
        let listed = ask("GET", &format!("{path}?_queryFilter=true")).await;
        assert_eq!((listed.status, &listed.json["result"]), (200, &json!([])), "{place}");
        assert_eq!(ask("DELETE", &format!("{path}/x")).await.status, 404, "{place}");
        assert_eq!(ask("PUT", &format!("{path}/x")).await.status, 400, "{place}: nothing is registered by REST");
    }
    let nobody = rig.get("/realms/root/users/nobody/devices/trusted?_queryFilter=true").await;
    assert_eq!(nobody.error(), (404, "Resource cannot be found."));
    let unknown = rig.send("POST", "/realms/root/users/demo/devices/profile?_action=nosuch", json!({})).await;
    assert_eq!(unknown.status, 501, "{}", unknown.text);
}

/// AD-02: nobody takes the second factor of somebody else, unless they administer and outrank.
#[actix_web::test]
async fn devices_are_their_owners() {
    let (rig, _) = rig().await;
    rig.user("/realms/root", "other").await;
    rig.user("/realms/root", "boss").await;
    rig.group("/realms/root", "bosses", &["boss"], &["RealmAdmin"]).await;
    let session = async |name: &str| rig.session(&RealmPath::root(), Kind::User, name).await;
    let (other, boss) = (session("other").await, session("boss").await);
    for (method, tail) in
        [("GET", "?_queryFilter=true"), ("GET", "/one"), ("DELETE", "/one"), ("POST", "?_action=reset")]
    {
        let path = format!("{OATH}{tail}");
        let refused = rig.ask(method, &path).session(&other).json(&json!({})).await;
        assert_eq!(refused.error(), (403, "User, other, not authorized."), "{method} {tail}");
        assert_eq!(rig.ask(method, &path).json(&json!({})).await.status, 401, "{method} {tail}");
    }
    assert_eq!(rig.ask("DELETE", &format!("{OATH}/one")).session(&boss).go().await.status, 200);
    rig.group("/realms/root", "above", &["demo"], &["RealmAdmin"]).await;
    let key = DocumentKey::new(&RealmPath::root(), Kind::User, "amadmin");
    let registered = amend(&rig.desk, &key, |body| {
        body.insert(OATH_DEVICES.into(), json!([{"id": "top"}]));
        Amended::Changed { value: (), ends: false }
    });
    registered.await.expect("stored").expect("the administrator");
    let path = "/realms/root/users/amAdmin/devices/2fa/oath";
    for (method, tail) in [("DELETE", "/top"), ("POST", "?_action=reset")] {
        let refused = rig.ask(method, &format!("{path}{tail}")).session(&boss).json(&json!({})).await;
        assert_eq!(refused.error(), (403, "User does not have enough privileges."), "{method}");
    }
}
