//! Samples of events: a share of them, not foreseeable from outside which ones, without dice.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

/// How many events are recorded, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    /// Every one.
    pub const ALL: Self = Self(10_000);
    /// None.
    pub const NONE: Self = Self(0);
}

/// The text is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be all, none or a percentage with at most two decimals, such as 2.5%")]
pub struct NoShare;

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        match text {
            "all" => return Ok(Self::ALL),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        let number = text.strip_suffix('%').ok_or(NoShare)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
            return Err(NoShare);
        }
        let whole: u16 = whole.parse().map_err(|_| NoShare)?;
        let scale = if decimals.len() == 1 { 10 } else { 1 };
        let decimals: u16 = decimals.parse().map_err(|_| NoShare)?;
        Some(whole * 100 + decimals * scale).filter(|share| *share <= Self::ALL.0).map(Self).ok_or(NoShare)
    }
}

/// Picks a share of the events that pass.
#[derive(Debug, Default)]
pub(super) struct Sampler(AtomicU64);

impl Sampler {
    /// Whether the next one is picked.
    pub fn picks(&self, Share(share): Share) -> bool {
        match share {
            0 => false,
            10_000 => true,
            share => scattered(self.0.fetch_add(1, Ordering::Relaxed)) % 10_000 < u64::from(share),
        }
    }
}

/// Spreads consecutive numbers over all of them (`SplitMix64`'s finalizer).
fn scattered(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read() {
        for (text, share) in [
            ("all", Ok(Share::ALL)),
            ("none", Ok(Share::NONE)),
            ("100%", Ok(Share::ALL)),
            ("0%", Ok(Share::NONE)),
            ("2.5%", Ok(Share(250))),
            ("0.01%", Ok(Share(1))),
            ("99.99%", Ok(Share(9999))),
            ("100.01%", Err(NoShare)),
            ("101%", Err(NoShare)),
            ("2.555%", Err(NoShare)),
            ("-1%", Err(NoShare)),
            (".5%", Err(NoShare)),
            ("5", Err(NoShare)),
            ("%", Err(NoShare)),
            ("", Err(NoShare)),
        ] {
            assert_eq!(text.parse(), share, "{text}");
        }
    }

    #[test]
    fn a_share_is_picked() {
        let sampler = Sampler::default();
        let count = |share| (0..10_000).filter(|_| sampler.picks(share)).count();
        assert_eq!((count(Share::ALL), count(Share::NONE)), (10_000, 0));
        let quarter = count(Share(2500));
        assert!((2200..2800).contains(&quarter), "{quarter}");
    }
}
