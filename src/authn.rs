//! Authentication: credentials become a session (authn-sessions-realms.md part a).
//!
//! | what                                             | where        |
//! |--------------------------------------------------|--------------|
//! | journeys: trees, chains, callbacks, `authId`     | [`journey`]  |
//! | name and password, verified in one place         | [`prove`]    |
//! | credentials in headers                           | [`zero_page`]|
//! | how a realm authenticates                        | [`settings`] |
//! | who fails too often                              | [`lockout`]  |
//! | what is written into a user's document           | [`profile`]  |
//! | what is told about it all                        | [`events`]   |

pub mod events;
pub mod journey;
pub mod lockout;
pub mod profile;
pub mod settings;
pub mod zero_page;

use crate::{
    attempts::{self, Attempt, Stopped},
    desk::Desk,
    host,
    rest::agents,
    views::Entry,
};
use quorate_raft::{DocumentKey, Kind, RealmPath};
use std::{net::IpAddr, sync::Arc};

/// Who may prove to be somebody with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identities {
    /// Users; their names ignore case.
    Users,
    /// Agents; their names do not.
    Agents,
}

/// Somebody whose password was verified. Holding one is the proof.
#[derive(Clone, Debug)]
pub struct Proved {
    /// Where the document is.
    pub key: DocumentKey,
    /// The document, as it was then.
    pub entry: Arc<Entry>,
}

/// What came of a name and a password.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// They belong together. Whether the account is active is for its later use to ask.
    Right(Proved),
    /// They do not, or there is no such account: one answer, that takes one time.
    Wrong,
    /// The account is locked for a time, whether or not the password is right.
    Locked,
}

impl Identities {
    /// The document of whoever has this name.
    fn find(self, desk: &Desk, realm: &RealmPath, name: &str) -> (DocumentKey, Option<Arc<Entry>>) {
        match self {
            Self::Users => {
                let key = DocumentKey::new(realm, Kind::User, &name.to_lowercase());
                let entry = desk.views().entry(&key);
                (key, entry)
            }
            Self::Agents => match agents::identity(desk.views(), realm, name) {
                Some((key, entry)) => (key, Some(entry)),
                None => (DocumentKey::new(realm, Kind::IdentityGateway, name), None),
            },
        }
    }

    /// The member of the document that holds the verifier.
    const fn verifier(self) -> &'static str {
        match self {
            Self::Users => "userpassword",
            Self::Agents => "_verifier",
        }
    }
}

/// Verifies `password`, unless too many have failed before. `from` is where the attempt comes from.
///
/// # Errors
/// During a pause, and when nothing was decided.
pub async fn prove(
    desk: &Desk,
    realm: &RealmPath,
    identities: Identities,
    name: &str,
    password: &str,
    from: Option<IpAddr>,
) -> Result<Verdict, Stopped> {
    desk.barrier().await.map_err(Stopped::from)?;
    let (key, entry) = identities.find(desk, realm, name);
    let verifier =
        entry.as_ref().and_then(|entry| entry.json().get(identities.verifier())?.as_str().map(str::to_owned));
    let locked = entry.as_deref().is_some_and(|entry| lockout::is_locked(entry, host::now()));
    let verify = async {
        let fits = desk.passwords().verify(verifier.as_deref(), password).await?;
        Ok(fits && !locked)
    };
    let proved = attempts::guarded(desk, &Attempt::new(key.clone(), from), verify).await?;
    Ok(match entry {
        Some(entry) if proved => Verdict::Right(Proved { key, entry }),
        Some(_) if locked => Verdict::Locked,
        _ => Verdict::Wrong,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{consensus::Unavailable, desk::put, testing};
    use quorate_raft::Precondition;
    use serde_json::json;

    async fn verdict(desk: &Desk, who: Identities, name: &str, password: &str) -> Result<bool, Stopped> {
        let verdict = prove(desk, &RealmPath::root(), who, name, password, None).await?;
        Ok(matches!(verdict, Verdict::Right(_)))
    }

    #[actix_web::test]
    async fn a_password_proves_its_owner_and_nobody_else() {
        let (desk, alone) = testing::desk().await;
        let verifier = desk.passwords().hash("secret of the agent").await.expect("hashes");
        let key = DocumentKey::new(&RealmPath::root(), Kind::IdentityGateway, "gate");
        let write = put(key, Precondition::Any, &json!({ "_verifier": verifier }), Vec::new(), false);
        desk.write(vec![write]).await.expect("writes");
        for (who, name, password, right) in [
            (Identities::Users, "AMADMIN", testing::PASSWORD, true),
            (Identities::Users, "amadmin", "wrong", false),
            (Identities::Users, "nobody", testing::PASSWORD, false),
            (Identities::Users, "", "", false),
            (Identities::Users, "gate", "secret of the agent", false),
            (Identities::Agents, "gate", "secret of the agent", true),
            (Identities::Agents, "GATE", "secret of the agent", false),
            (Identities::Agents, "amadmin", testing::PASSWORD, false),
        ] {
            assert_eq!(verdict(&desk, who, name, password).await, Ok(right), "{who:?} {name}");
        }
        alone.cut_off.store(true, std::sync::atomic::Ordering::Relaxed);
        let cut_off = verdict(&desk, Identities::Users, "amadmin", testing::PASSWORD).await;
        assert_eq!(cut_off, Err(Stopped::Unavailable(Unavailable::NoQuorum)));
    }
}
