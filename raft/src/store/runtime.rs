//! The runtime that openraft runs on: tokio's, with dice that a simulation can load.
//!
//! openraft rolls dice for election timeouts only. Here each thread has a seed of its own: from the operating system, unless
//! [`Runtime::seed`] was called on that thread. A simulation runs all its nodes on one thread, so one seed decides
//! everything; production code need not know, and there is no scope that a task could be outside of.

use futures_util::FutureExt;
use openraft_rt::{AsyncRuntime, OptionalSend, deterministic_rng::DeterministicRng};
use openraft_rt_tokio::TokioRuntime;
use std::{
    cell::Cell,
    future::Future,
    hash::{BuildHasher, RandomState},
    io,
    time::Duration,
};

type Seeded = DeterministicRng<TokioRuntime>;

thread_local! {
    static SEED: Cell<u64> = Cell::new(RandomState::new().hash_one("seed"));
}

/// See the module.
#[derive(Debug)]
pub struct Runtime(TokioRuntime);

impl Runtime {
    /// From now on the dice of this thread follow `seed`.
    pub fn seed(seed: u64) {
        SEED.set(seed);
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = <Seeded as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        TokioRuntime::spawn(future)
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(deadline: Self::Instant, future: F) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        let seed = SEED.get();
        SEED.set(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)); // a Weyl sequence; the generator mixes it
        match Seeded::scope(seed, async { Seeded::thread_rng() }).now_or_never() {
            Some(rng) => rng,
            None => unreachable!("a block without an await is ready at once"),
        }
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F: Future<Output = T>, T>(&mut self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn_blocking<F, T>(f: F) -> impl Future<Output = Result<T, io::Error>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        TokioRuntime::spawn_blocking(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        // `Debug` of the generator shows nothing; its timeouts show what it rolls.
        let roll = |seed| {
            Runtime::seed(seed);
            let config =
                openraft::Config { election_timeout_min: 1, election_timeout_max: 1 << 40, ..Default::default() };
            (0..4).map(|_| config.new_rand_election_timeout::<Runtime>()).collect::<Vec<_>>()
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
        let rolled = roll(7);
        assert_ne!(rolled.first(), rolled.last());
    }
}
