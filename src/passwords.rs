//! Passwords and client secrets that people choose: argon2id verifiers, computed on threads of their own so that no HTTP
//! worker waits for them, behind a bounded queue.
//!
//! A client secret is verified the slow way once; after that a keyed digest of it is remembered in memory, under the
//! revision of the client's document, so that the slow hash is not paid per token. User passwords always go the slow way.

use crate::{consensus::Unavailable, host, secrets};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use aws_lc_rs::hmac;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use quorate_raft::{DocumentKey, Seq};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Longest password or secret that is looked at, bytes: hashing is linear in it.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Verifications that wait before the next one is turned away.
const QUEUE: usize = 256;

/// Most that a verifier made elsewhere may cost to check: KiB of memory, passes, lanes. One that costs more would let a
/// few logins hold all password threads.
const MOST_ENCODED: (u32, u32, u32) = (64 * 1024, 8, 4);

/// OWASP's second recommended setting for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

enum Job {
    Hash(Zeroizing<String>, oneshot::Sender<Option<String>>),
    Verify { verifier: String, password: Zeroizing<String>, answer: oneshot::Sender<bool> },
}

/// A client's secret to be checked: its document, the document's revision, a keyed digest of the secret.
type Check = (DocumentKey, Seq, [u8; 32]);

/// A check that is under way, for everybody who presented the same.
type Checking = Shared<BoxFuture<'static, Result<bool, Unavailable>>>;
type WeakChecking = WeakShared<BoxFuture<'static, Result<bool, Unavailable>>>;

/// What is made of a verifier that comes where a password is expected (`compat.pre_encoded_passwords`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// It is a password like any other.
    Plain,
    /// It is stored as it is: whoever moves users here brings the hashes of their passwords, never the passwords.
    Kept,
}

/// The pool, and the memory of verified client secrets.
pub struct Passwords {
    encoded: Encoded,
    jobs: SyncSender<Job>,
    key: hmac::Key,
    verified: papaya::HashMap<DocumentKey, (Seq, [u8; 32])>,
    checking: Mutex<HashMap<Check, WeakChecking>>,
    /// Verifies when there is no such account, so that both take the same time.
    decoy: String,
}

fn argon2() -> Argon2<'static> {
    // The parameters are constants within argon2's bounds; the default (19 MiB, 2, 1) is the same setting.
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &str) -> Option<String> {
    let salt = host::random::<16>();
    argon2().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

fn verify_now(verifier: &str, password: &str) -> bool {
    PasswordHash::new(verifier).is_ok_and(|parsed| argon2().verify_password(password.as_bytes(), &parsed).is_ok())
}

/// Whether a text is a verifier that [`verify_now`] can check at a bearable cost.
fn is_verifier(text: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(text) else { return false };
    let (memory, passes, lanes) = MOST_ENCODED;
    let bearable = Params::try_from(&parsed)
        .is_ok_and(|params| params.m_cost() <= memory && params.t_cost() <= passes && params.p_cost() <= lanes);
    parsed.algorithm.as_str() == "argon2id" && parsed.salt.is_some() && parsed.hash.is_some() && bearable
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The guard is gone before the work starts: the others may fetch meanwhile.
        let job = lock(jobs).recv();
        match job {
            Ok(Job::Hash(password, answer)) => drop(answer.send(hash_now(&password))),
            Ok(Job::Verify { verifier, password, answer }) => drop(answer.send(verify_now(&verifier, &password))),
            Err(_) => return,
        }
    }
}

impl Passwords {
    /// Starts `threads` workers.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn start(threads: usize, encoded: Encoded) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..threads.max(1) {
            let queue = queue.clone();
            thread::Builder::new().name(format!("password-{n}")).spawn(move || work(&queue))?;
        }
        let decoy = hash_now("no account has this password").unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &host::random::<32>());
        Ok(Self { encoded, jobs, key, verified: papaya::HashMap::new(), checking: Mutex::default(), decoy })
    }

    /// A verifier for `password`, as a PHC string.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when the queue is full.
    pub async fn hash(&self, password: &str) -> Result<String, Unavailable> {
        let (answer, hashed) = oneshot::channel();
        self.submit(Job::Hash(Zeroizing::new(password.to_owned()), answer))?;
        hashed.await.ok().flatten().ok_or(Unavailable::Overloaded)
    }

    /// The verifier to store when an administrator sets somebody's password: of the password, or the text itself where
    /// verifiers are accepted and it is one. What people choose for themselves goes through [`hash`](Self::hash).
    ///
    /// # Errors
    /// As [`hash`](Self::hash).
    pub async fn verifier(&self, password: &str) -> Result<String, Unavailable> {
        match self.encoded {
            Encoded::Kept if is_verifier(password) => Ok(password.to_owned()),
            Encoded::Kept | Encoded::Plain => self.hash(password).await,
        }
    }

    /// Whether `password` fits `verifier`; without one (no such account) it takes as long and is `false`.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when the queue is full.
    pub async fn verify(&self, verifier: Option<&str>, password: &str) -> Result<bool, Unavailable> {
        let fits = self.start_verify(verifier, password)?.await?;
        Ok(fits && verifier.is_some())
    }

    fn start_verify(
        &self,
        verifier: Option<&str>,
        password: &str,
    ) -> Result<impl Future<Output = Result<bool, Unavailable>> + Send + use<>, Unavailable> {
        let (answer, verified) = oneshot::channel();
        if password.len() > MAX_PASSWORD_BYTES {
            let _ = answer.send(false); // read below
        } else {
            let password = Zeroizing::new(password.to_owned());
            self.submit(Job::Verify { verifier: verifier.unwrap_or(&self.decoy).to_owned(), password, answer })?;
        }
        Ok(verified.map(|fits| fits.map_err(|_| Unavailable::Overloaded)))
    }

    /// As [`verify`](Self::verify), for the secret in document `key` at `revision`, remembering success.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when the queue is full.
    pub async fn verify_client(
        &self,
        key: &DocumentKey,
        revision: Seq,
        verifier: Option<&str>,
        secret: &str,
    ) -> Result<bool, Unavailable> {
        let digest = self.digest(secret);
        if let Some((at, known)) = self.verified.pin().get(key)
            && *at == revision
            && secrets::equal(known, &digest)
        {
            return Ok(verifier.is_some());
        }
        let check = (key.clone(), revision, digest);
        let fits = self.check(&check, verifier, secret)?.await?;
        lock(&self.checking).remove(&check);
        if fits && verifier.is_some() {
            self.verified.pin().insert(check.0, (revision, digest));
        }
        Ok(fits && verifier.is_some())
    }

    /// Forgets secrets of documents that are gone or have changed: `revision` says at which one a document is. Until then
    /// they are of no use to anybody, for they are remembered under a revision, but they take room.
    pub fn forget(&self, revision: impl Fn(&DocumentKey) -> Option<Seq>) {
        self.verified.pin().retain(|key, (at, _)| revision(key) == Some(*at));
    }

    /// The slow check, or the one that is under way already: after a start, a busy client's every connection asks at once.
    fn check(&self, check: &Check, verifier: Option<&str>, secret: &str) -> Result<Checking, Unavailable> {
        let mut checking = lock(&self.checking);
        if let Some(under_way) = checking.get(check).and_then(WeakShared::upgrade) {
            return Ok(under_way);
        }
        // Those that everybody has stopped waiting for; as many as the queue holds at most.
        checking.retain(|_, other| other.upgrade().is_some());
        let answer = self.start_verify(verifier, secret)?;
        let under_way = answer.boxed().shared();
        checking.extend(under_way.downgrade().map(|weak| (check.clone(), weak)));
        Ok(under_way)
    }

    fn digest(&self, secret: &str) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(hmac::sign(&self.key, secret.as_bytes()).as_ref());
        digest
    }

    fn submit(&self, job: Job) -> Result<(), Unavailable> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Unavailable::Overloaded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use quorate_raft::{Kind, RealmPath};

    #[actix_web::test]
    async fn a_password_fits_its_own_verifier_only() {
        let pool = Passwords::start(1, Encoded::Plain).expect("threads");
        let verifier = pool.hash("correct horse").await.expect("hashes");
        assert!(verifier.starts_with("$argon2id$"));
        assert_eq!(pool.verify(Some(&verifier), "correct horse").await, Ok(true));
        assert_eq!(pool.verify(Some(&verifier), "wrong").await, Ok(false));
        assert_eq!(pool.verify(None, "no account has this password").await, Ok(false));
        assert_eq!(pool.verify(Some("not a verifier"), "x").await, Ok(false));
        assert_eq!(pool.verify(Some(&verifier), &"x".repeat(MAX_PASSWORD_BYTES + 1)).await, Ok(false));
    }

    #[actix_web::test]
    async fn a_verifier_is_kept_where_that_is_allowed_and_is_a_password_elsewhere() {
        let (plain, kept) = (Passwords::start(1, Encoded::Plain), Passwords::start(1, Encoded::Kept));
        let (plain, kept) = (plain.expect("threads"), kept.expect("threads"));
        let brought = plain.hash("correct horse").await.expect("hashes");
        assert_eq!(kept.verifier(&brought).await.as_deref(), Ok(brought.as_str()));
        assert_eq!(kept.verify(Some(&brought), "correct horse").await, Ok(true));
        let hashed = plain.verifier(&brought).await.expect("hashes");
        assert_eq!(plain.verify(Some(&hashed), &brought).await, Ok(true), "it is the password");
        assert_eq!(plain.verify(Some(&hashed), "correct horse").await, Ok(false));
        // Costs too much to check, is of another kind, or has nothing to check against: a password like any other.
        for odd in [
            brought.replace("m=19456", "m=1048576"),
            brought.replace("t=2", "t=1000"),
            brought.replace("argon2id", "argon2i"),
            "$argon2id$v=19$m=19456,t=2,p=1$cXVvcmF0ZQ".to_owned(),
            "{SSHA}x".to_owned(),
        ] {
            let made = kept.verifier(&odd).await.expect("hashes");
            assert_ne!(made, odd);
            assert_eq!(kept.verify(Some(&made), &odd).await, Ok(true), "{odd}");
        }
    }

    #[actix_web::test]
    async fn a_remembered_secret_is_forgotten_with_the_revision() {
        let pool = Passwords::start(1, Encoded::Plain).expect("threads");
        let key = DocumentKey::new(&RealmPath::root(), Kind::OAuth2Client, "c");
        let (old, new) = (pool.hash("old").await.expect("hashes"), pool.hash("new").await.expect("hashes"));
        assert_eq!(pool.verify_client(&key, Seq(1), Some(&old), "old").await, Ok(true));
        assert_eq!(pool.verify_client(&key, Seq(1), Some(&old), "old").await, Ok(true));
        assert_eq!(pool.verify_client(&key, Seq(1), Some(&old), "new").await, Ok(false));
        assert_eq!(pool.verify_client(&key, Seq(2), Some(&new), "old").await, Ok(false));
        assert_eq!(pool.verify_client(&key, Seq(2), Some(&new), "new").await, Ok(true));
    }

    #[actix_web::test]
    async fn a_crowd_with_the_same_secret_is_hashed_once() {
        let pool = Passwords::start(1, Encoded::Plain).expect("threads");
        let key = DocumentKey::new(&RealmPath::root(), Kind::OAuth2Client, "c");
        let verifier = pool.hash("secret").await.expect("hashes");
        // More than the queue would hold, if each of them were a job.
        let crowd = |secret: &'static str| {
            let (pool, key, verifier) = (&pool, &key, &verifier);
            join_all((0..2 * QUEUE).map(move |_| pool.verify_client(key, Seq(1), Some(verifier), secret)))
        };
        assert_eq!(crowd("wrong").await, vec![Ok(false); 2 * QUEUE]);
        assert_eq!(crowd("secret").await, vec![Ok(true); 2 * QUEUE]);
        assert!(lock(&pool.checking).is_empty(), "nothing is left behind");
        let abandoned = pool.check(&(key, Seq(1), [0; 32]), Some(&verifier), "secret").map(drop);
        assert_eq!(abandoned, Ok(()));
        let nobody = DocumentKey::new(&RealmPath::root(), Kind::OAuth2Client, "nobody");
        assert_eq!(pool.verify_client(&nobody, Seq(0), None, "secret").await, Ok(false));
        assert!(lock(&pool.checking).is_empty(), "nor what everybody gave up");
    }

    /// G8: what is remembered is bounded by what exists.
    #[actix_web::test]
    async fn secrets_of_what_is_gone_are_forgotten() {
        let pool = Passwords::start(1, Encoded::Plain).expect("threads");
        let verifier = pool.hash("s3cret").await.expect("hashes");
        let key = |id: &str| DocumentKey::new(&RealmPath::root(), Kind::OAuth2Client, id);
        for id in ["kept", "changed", "gone"] {
            assert_eq!(pool.verify_client(&key(id), Seq(1), Some(&verifier), "s3cret").await, Ok(true));
        }
        assert_eq!(pool.verified.pin().len(), 3);
        pool.forget(|key| match &*key.id {
            "kept" => Some(Seq(1)),
            "changed" => Some(Seq(2)),
            _ => None,
        });
        let left: Vec<DocumentKey> = pool.verified.pin().keys().cloned().collect();
        assert_eq!(left, [key("kept")]);
    }
}
