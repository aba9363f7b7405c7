//! `_queryFilter`: what is read prints as what reads the same, and selects without a panic; its operand as the regular
//! expression that policy sets and resource types make of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate::{crest::filter::Filter, rest::authorization::regex::Regex};

fuzz_target!(|input: &str| {
    let mut budget = 100_000;
    if let Ok(regex) = Regex::of_operand(input) {
        for text in ["", "warehouse api", "sunAMDelegationService", input] {
            let first = regex.matches(text, &mut budget);
            assert_eq!(first, regex.matches(text, &mut budget), "the same text, another answer");
        }
    }
    let Ok(filter) = Filter::parse(input) else {
        return;
    };
    let printed = filter.to_string();
    let again = Filter::parse(&printed).expect("what was printed is read");
    assert_eq!(again.to_string(), printed, "printing is stable");
});
