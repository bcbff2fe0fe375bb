//! How often something happened lately: what makes a loop, and what makes guessing.
//!
//! A loop is one writer, one X and one body more than three times in 60 s: two machines that talk to each other. A
//! repetition counts once it was carried, so that a carrier that has to try again is not taken for one. Guessing is five
//! extensions in an hour that nobody has. What happened is known here by HMAC only. Held in the process and bounded;
//! forgetting makes a loop last a minute longer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

/// HMAC of what happened.
pub(super) type Print = [u8; 32];

/// When each thing happened lately: the last `LIMIT` times.
pub(super) struct Lately<const LIMIT: usize> {
    window: Duration,
    seen: Mutex<HashMap<Print, [Option<Timestamp>; LIMIT]>>,
}

/// Bodies that were carried.
pub(super) type Echoes = Lately<3>;
/// Extensions that nobody has.
pub(super) type Misses = Lately<5>;
/// Texts of the house to one writer.
pub(super) type Replies = Lately<20>;

impl Echoes {
    /// A fourth time within a minute is a loop.
    pub(super) fn new() -> Self {
        Self::within(Duration::from_secs(60))
    }
}

impl Misses {
    /// After the fifth within an hour a writer is not listened to.
    pub(super) fn new() -> Self {
        Self::within(Duration::from_secs(3_600))
    }
}

impl Replies {
    /// More than so many texts in a day are of no use to a person, and to a forged sender a nuisance.
    pub(super) fn new() -> Self {
        Self::within(Duration::from_secs(24 * 3_600))
    }
}

impl<const LIMIT: usize> Lately<LIMIT> {
    fn within(window: Duration) -> Self {
        Self { window, seen: Mutex::default() }
    }

    /// Whether it happened as often as it may.
    pub(super) fn is_full(&self, print: &Print, now: Timestamp) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(print)
            .is_some_and(|times| times.iter().flatten().filter(|at| self.is_recent(**at, now)).count() >= LIMIT)
    }

    /// Remembers that it happened at `now`.
    pub(super) fn happened(&self, print: Print, now: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_PRINTS {
            seen.retain(|_, times| times.iter().flatten().any(|at| self.is_recent(*at, now)));
        }
        if seen.len() >= MAX_PRINTS {
            seen.clear();
        }
        let times = seen.entry(print).or_insert([None; LIMIT]);
        times.rotate_right(1);
        if let Some(newest) = times.first_mut() {
            *newest = Some(now);
        }
    }

    fn is_recent(&self, at: Timestamp, now: Timestamp) -> bool {
        at.until(now) < self.window
    }
}

/// About 5 MB.
const MAX_PRINTS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + secs * 1_000)
    }

    #[test]
    fn the_fourth_of_one_body_within_a_minute_is_a_loop() {
        let echoes = Echoes::new();
        for secs in 0..3 {
            assert!(!echoes.is_full(&[1; 32], at(secs)));
            echoes.happened([1; 32], at(secs));
        }
        assert!(echoes.is_full(&[1; 32], at(3)));
        assert!(!echoes.is_full(&[2; 32], at(3)), "another body is no echo");
    }

    #[test]
    fn a_minute_later_the_first_is_forgotten() {
        let echoes = Echoes::new();
        for secs in 0..3 {
            echoes.happened([1; 32], at(secs));
        }
        assert!(echoes.is_full(&[1; 32], at(59)));
        assert!(!echoes.is_full(&[1; 32], at(60)));
    }

    #[test]
    fn memory_is_bounded() {
        let echoes = Echoes::new();
        for n in 0..=MAX_PRINTS as u64 {
            let mut print = [0; 32];
            print[..8].copy_from_slice(&n.to_be_bytes());
            echoes.happened(print, at(0));
        }
        assert!(echoes.seen.lock().map(|seen| seen.len()).unwrap_or(usize::MAX) <= MAX_PRINTS);
    }
}
