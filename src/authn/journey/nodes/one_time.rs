//! One-time passwords that travel by other ways than this one.

use super::{Fault, Node, Step, Visit};
use crate::{
    authn::journey::{callback::Callback, state::Inputs},
    host,
    secrets::equal,
};
use serde::Deserialize;
use serde_json::Value;

const PASSWORD: &str = "oneTimePassword";
const TIMESTAMP: &str = "oneTimePasswordTimestamp";

/// `OneTimePasswordGeneratorNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OneTimePasswordGenerator {
    length: usize,
}

impl Default for OneTimePasswordGenerator {
    fn default() -> Self {
        Self { length: 8 }
    }
}

/// `length` decimal digits, all of them equally likely.
fn digits(length: usize) -> String {
    // 250 is the largest multiple of ten in a byte.
    std::iter::repeat_with(|| host::random::<1>()[0])
        .filter(|byte| *byte < 250)
        .take(length)
        .map(|byte| char::from(b'0' + byte % 10))
        .collect()
}

impl Node for OneTimePasswordGenerator {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let state = &mut visit.journey.state;
        state.remove(PASSWORD);
        state.put_transient(PASSWORD, digits(self.length.clamp(6, 8)));
        state.put_shared(TIMESTAMP, visit.scene.now.secs());
        Step::done()
    }
}

/// `OneTimePasswordCollectorDecisionNode`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OneTimePasswordCollector {
    password_expiry_time: u64,
}

impl Default for OneTimePasswordCollector {
    fn default() -> Self {
        Self { password_expiry_time: 5 }
    }
}

impl Node for OneTimePasswordCollector {
    async fn visit(&self, visit: &mut Visit<'_, '_>) -> Result<Step, Fault> {
        let Some(answer) = visit.answers.first() else {
            return Step::ask(vec![Callback::password("One Time Password")]);
        };
        let state = &visit.journey.state;
        let (Some(expected), Some(made)) =
            (state.text(PASSWORD).map(str::to_owned), state.get(TIMESTAMP).and_then(Value::as_u64))
        else {
            return Err(Fault::of("no one-time password was made, or it was used"));
        };
        let live = visit.scene.now.secs() < made.saturating_add(self.password_expiry_time.saturating_mul(60));
        let right = equal(expected.as_bytes(), answer.text().as_bytes()) && live;
        let fits = visit.guarded(async { Ok(right) }).await?;
        let state = &mut visit.journey.state;
        if fits {
            // Once.
            state.remove(PASSWORD);
            state.remove(TIMESTAMP);
        }
        Step::decided(fits)
    }

    fn inputs(&self) -> Inputs {
        Inputs::keys([PASSWORD])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_as_many_as_asked_for_and_of_all_kinds() {
        let many = digits(4000);
        assert_eq!(many.len(), 4000);
        for digit in b'0'..=b'9' {
            let count = many.bytes().filter(|byte| *byte == digit).count();
            // 400 expected, standard deviation 19: eight of them are never seen.
            assert!((248..=552).contains(&count), "{} came {count} times", char::from(digit));
        }
    }
}
