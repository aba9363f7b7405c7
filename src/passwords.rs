//! Passwords and client secrets that people choose: argon2id verifiers, computed on threads of their own so that no HTTP
//! worker waits for them, behind a bounded queue.
//!
//! A client secret is verified the slow way once; after that a keyed digest of it is remembered in memory, under the
//! revision of the client's document, so that the slow hash is not paid per token. User passwords always go the slow way.

use crate::{consensus::Unavailable, host, secrets};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use aws_lc_rs::hmac;
use quorate_raft::{DocumentKey, Seq};
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
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

/// OWASP's second recommended setting for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

enum Job {
    Hash(Zeroizing<String>, oneshot::Sender<Option<String>>),
    Verify { verifier: String, password: Zeroizing<String>, answer: oneshot::Sender<bool> },
}

/// The pool, and the memory of verified client secrets.
pub struct Passwords {
    jobs: SyncSender<Job>,
    key: hmac::Key,
    verified: papaya::HashMap<DocumentKey, (Seq, [u8; 32])>,
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

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The guard is gone before the work starts: the others may fetch meanwhile.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
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
    pub fn start(threads: usize) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for n in 0..threads.max(1) {
            let queue = queue.clone();
            thread::Builder::new().name(format!("password-{n}")).spawn(move || work(&queue))?;
        }
        let decoy = hash_now("no account has this password").unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &host::random::<32>());
        Ok(Self { jobs, key, verified: papaya::HashMap::new(), decoy })
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

    /// Whether `password` fits `verifier`; without one (no such account) it takes as long and is `false`.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when the queue is full.
    pub async fn verify(&self, verifier: Option<&str>, password: &str) -> Result<bool, Unavailable> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        let (answer, verified) = oneshot::channel();
        let password = Zeroizing::new(password.to_owned());
        self.submit(Job::Verify { verifier: verifier.unwrap_or(&self.decoy).to_owned(), password, answer })?;
        let fits = verified.await.map_err(|_| Unavailable::Overloaded)?;
        Ok(fits && verifier.is_some())
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
        let fits = self.verify(verifier, secret).await?;
        if fits {
            self.verified.pin().insert(key.clone(), (revision, digest));
        }
        Ok(fits)
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
    use quorate_raft::{Kind, RealmPath};

    #[actix_web::test]
    async fn a_password_fits_its_own_verifier_only() {
        let pool = Passwords::start(1).expect("threads");
        let verifier = pool.hash("correct horse").await.expect("hashes");
        assert!(verifier.starts_with("$argon2id$"));
        assert_eq!(pool.verify(Some(&verifier), "correct horse").await, Ok(true));
        assert_eq!(pool.verify(Some(&verifier), "wrong").await, Ok(false));
        assert_eq!(pool.verify(None, "no account has this password").await, Ok(false));
        assert_eq!(pool.verify(Some("not a verifier"), "x").await, Ok(false));
        assert_eq!(pool.verify(Some(&verifier), &"x".repeat(MAX_PASSWORD_BYTES + 1)).await, Ok(false));
    }

    #[actix_web::test]
    async fn a_remembered_secret_is_forgotten_with_the_revision() {
        let pool = Passwords::start(1).expect("threads");
        let key = DocumentKey::new(&RealmPath::root(), Kind::OAuth2Client, "c");
        let (old, new) = (pool.hash("old").await.expect("hashes"), pool.hash("new").await.expect("hashes"));
        assert_eq!(pool.verify_client(&key, Seq(1), Some(&old), "old").await, Ok(true));
        assert_eq!(pool.verify_client(&key, Seq(1), Some(&old), "old").await, Ok(true));
        assert_eq!(pool.verify_client(&key, Seq(1), Some(&old), "new").await, Ok(false));
        assert_eq!(pool.verify_client(&key, Seq(2), Some(&new), "old").await, Ok(false));
        assert_eq!(pool.verify_client(&key, Seq(2), Some(&new), "new").await, Ok(true));
    }
}
