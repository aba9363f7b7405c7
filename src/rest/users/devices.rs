//! `users/{user}/devices/…` (authn-sessions-realms.md d.6): what a user has registered to sign in with.
//!
//! | path                                                          | what is there                                       |
//! |---------------------------------------------------------------|-----------------------------------------------------|
//! | `2fa/oath`                                                    | devices for one-time passwords, as journeys register them |
//! | `2fa/push`, `2fa/webauthn`, `2fa/binding`, `trusted`, `profile` | nothing: no journey here registers such             |
//!
//! The owner and administrators look and delete; `reset` takes them all. Of a device its name and id are shown, never what it
//! makes passwords of (G5).

use super::{Stored, change, find, not_found, owner_or_administrator};
use crate::{
    authn::profile::OATH_DEVICES,
    crest::{
        ActionDescription, Call, Description, Error, Item, Listing, Match, Object, Operation, Query, Resource,
        Returned, Shape, Totals, Verb, Version, pointer::Names, unchanged,
    },
    privileges::Endpoint,
};
use quorate_raft::Seq;
use serde_json::{Value, json};

/// Places of devices below a user, and the member of the user's document that holds them, where there can be any.
pub const PLACES: [(&str, Option<&str>); 6] = [
    ("2fa/oath", Some(OATH_DEVICES)),
    ("2fa/push", None),
    ("2fa/webauthn", None),
    ("2fa/binding", None),
    ("trusted", None),
    ("profile", None),
];

/// The devices of one kind of one user.
pub struct Devices {
    /// The user's name, as it stands in the path.
    pub user: String,
    /// The member of the user's document that holds them.
    pub member: Option<&'static str>,
}

fn id_of(device: &Value) -> Option<&str> {
    device.get("id").and_then(Value::as_str)
}

/// A device as it is shown.
fn shown(device: &Value, revision: Seq) -> Option<Item> {
    let id = id_of(device)?;
    let content = json!({"uuid": id, "deviceName": "OATH Device"}).as_object().cloned()?;
    Some(Item::new(id, Some(revision), content))
}

impl Devices {
    fn of<'b>(&self, body: &'b Object) -> &'b [Value] {
        let stored = self.member.and_then(|member| body.get(member)?.as_array());
        stored.map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes the devices that `is_meant` from the user.
    fn take(&self, body: &mut Object, is_meant: impl Fn(&Value) -> bool) {
        let Some(member) = self.member else { return };
        if let Some(Value::Array(devices)) = body.get_mut(member) {
            devices.retain(|device| !is_meant(device));
            if devices.is_empty() {
                body.remove(member);
            }
        }
    }
}

impl Resource for Devices {
    fn shape(&self) -> Shape {
        Shape::Collection
    }

    fn versions(&self) -> &[Version] {
        &[Version(1, 0)]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Users
    }

    fn describe(&self) -> Description {
        Description::of(Shape::Collection)
            .titled("Devices of a user", "What a user has registered to sign in with")
            .can([Operation::Read, Operation::Delete, Operation::Query])
            .action(ActionDescription::new("reset", "Takes all of them from the user"))
    }

    fn permit(&self, call: &Call<'_>, _: Option<&str>, _: &Verb) -> Result<(), Error> {
        owner_or_administrator(call, &self.user)
    }

    async fn read(&self, call: &Call<'_>, id: &str) -> Result<Item, Error> {
        let Stored { body, revision, .. } = find(call, &self.user).ok_or_else(not_found)?;
        let device = self.of(&body).iter().find(|device| id_of(device) == Some(id));
        device.and_then(|device| shown(device, revision)).ok_or_else(Error::not_found)
    }

    async fn delete(&self, call: &Call<'_>, id: &str, when: &Match) -> Result<Item, Error> {
        let (gone, _) = change(call, &self.user, |stored| {
            let device = self.of(&stored.body).iter().find(|device| id_of(device) == Some(id));
            let gone = device.and_then(|device| shown(device, stored.revision)).ok_or_else(Error::not_found)?;
            unchanged(when, id, stored.revision)?;
            self.take(&mut stored.body, |device| id_of(device) == Some(id));
            Ok(gone)
        })
        .await?;
        Ok(gone)
    }

    async fn query(&self, call: &Call<'_>, query: &Query) -> Result<Listing, Error> {
        let Stored { body, revision, .. } = find(call, &self.user).ok_or_else(not_found)?;
        let items = self.of(&body).iter().filter_map(|device| shown(device, revision));
        query.answer(items, Names::Exact, Totals::Unpaged)
    }

    async fn action(&self, call: &Call<'_>, id: Option<&str>, name: &str, _: &Object) -> Result<Returned, Error> {
        match (id, name) {
            (None, "reset") => {
                let Stored { body, .. } = find(call, &self.user).ok_or_else(not_found)?;
                if !self.of(&body).is_empty() {
                    change(call, &self.user, |stored| {
                        self.take(&mut stored.body, |_| true);
                        Ok(())
                    })
                    .await?;
                }
                Ok(json!({"result": true}).into())
            }
            _ => Err(Error::unsupported_action(name)),
        }
    }
}

#[cfg(test)]
mod tests;
