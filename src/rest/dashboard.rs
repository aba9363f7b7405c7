//! `/json/{realm}/dashboard/{assigned|available|defined}` (authn-sessions-realms.md f.4): applications that a console offers to
//! whoever is signed in, by their names.
//!
//! | which       | it lists                                                              |
//! |-------------|-----------------------------------------------------------------------|
//! | `defined`   | all applications of the cluster (`global-config/services/dashboard/instances`) |
//! | `available` | of those, what the realm's service `dashboard` names                   |
//! | `assigned`  | of those, what the caller's own service names (see [`super::users::services`]) |

use super::{
    serverinfo,
    services::{self, instances::InstanceType},
};
use crate::{
    crest::{Call, Description, Error, Item, Object, Operation, Resource, Shape, Verb, Version},
    views::Entry,
};
use serde_json::{Value, json};

/// Id of the service, and its attribute.
const SERVICE: &str = "dashboard";
const ASSIGNED: &str = "assignedDashboard";

/// Members of an application, with the attributes that they show.
const MEMBERS: [(&str, &str); 6] = [
    ("dashboardIcon", "icon"),
    ("dashboardName", "name"),
    ("dashboardLogin", "login"),
    ("ICFIdentifier", "icfIdentifier"),
    ("dashboardDisplayName", "displayName"),
    ("dashboardClassName", "className"),
];

/// The resource.
pub struct Dashboard;

/// An application as it is shown: every member a list.
fn application(entry: &Entry) -> Value {
    let member = |(member, attribute): (&str, &str)| {
        let value = entry.json().get(attribute).and_then(Value::as_str);
        (member.to_owned(), value.into_iter().collect::<Value>())
    };
    Value::Object(MEMBERS.into_iter().map(member).collect())
}

/// What the caller's profile names.
fn own(call: &Call<'_>) -> Result<Vec<String>, Error> {
    let subject = &call.signed_in()?.session.data.subject;
    let entry = call.desk.views().entry(subject);
    let named = entry.as_ref().and_then(|entry| entry.json().get(ASSIGNED)?.as_array());
    Ok(named.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

impl Resource for Dashboard {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Dashboard", "Applications by their names: `assigned`, `available` or `defined`")
            .can([Operation::Read])
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, _: &Verb) -> Result<(), Error> {
        call.signed_in().map(drop)
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let realm = services::effective(call.desk, call.realm, SERVICE);
        let named = match id {
            "assigned" => Some(own(call)?),
            "available" => Some(realm.list("", ASSIGNED).into_iter().map(str::to_owned).collect()),
            "defined" => None,
            _ => return Err(Error::not_found()),
        };
        let all = InstanceType::all(call.desk, SERVICE, "instances").into_iter();
        let shown = all.filter(|(name, _)| named.as_ref().is_none_or(|named| named.contains(name)));
        let shown: Object = shown.map(|(name, entry)| (name, application(&entry))).collect();
        Ok(serverinfo::item(id, &json!(shown)))
    }
}

#[cfg(test)]
mod tests;
