//! Loops: one writer, one X and one body, more than three times in 60 s, is two machines talking to each other.
//!
//! A repetition counts once it was carried, so that a carrier that has to try again is not taken for a loop. Bodies
//! are known here by HMAC only. Held in the process and bounded; forgetting makes a loop last a minute longer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

/// HMAC of X, writer and body.
pub(super) type Print = [u8; 32];

/// When each body was carried lately.
#[derive(Default)]
pub(super) struct Echoes(Mutex<HashMap<Print, [Option<Timestamp>; LIMIT]>>);

impl Echoes {
    /// Whether carrying `print` now would be once too often.
    pub(super) fn is_loop(&self, print: &Print, now: Timestamp) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(print).is_some_and(|times| times.iter().flatten().filter(|at| is_recent(**at, now)).count() >= LIMIT)
    }

    /// Remembers that `print` was carried at `now`.
    pub(super) fn carried(&self, print: Print, now: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_PRINTS {
            seen.retain(|_, times| times.iter().flatten().any(|at| is_recent(*at, now)));
        }
        if seen.len() >= MAX_PRINTS {
            seen.clear();
        }
        let times = seen.entry(print).or_default();
        times.rotate_right(1);
        if let Some(newest) = times.first_mut() {
            *newest = Some(now);
        }
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    at.until(now) < WINDOW
}

/// A body may come so often within the window.
const LIMIT: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
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
        let echoes = Echoes::default();
        for secs in 0..3 {
            assert!(!echoes.is_loop(&[1; 32], at(secs)));
            echoes.carried([1; 32], at(secs));
        }
        assert!(echoes.is_loop(&[1; 32], at(3)));
        assert!(!echoes.is_loop(&[2; 32], at(3)), "another body is no echo");
    }

    #[test]
    fn a_minute_later_the_first_is_forgotten() {
        let echoes = Echoes::default();
        for secs in 0..3 {
            echoes.carried([1; 32], at(secs));
        }
        assert!(echoes.is_loop(&[1; 32], at(59)));
        assert!(!echoes.is_loop(&[1; 32], at(60)));
    }

    #[test]
    fn memory_is_bounded() {
        let echoes = Echoes::default();
        for n in 0..=MAX_PRINTS as u64 {
            let mut print = [0; 32];
            print[..8].copy_from_slice(&n.to_be_bytes());
            echoes.carried(print, at(0));
        }
        assert!(echoes.0.lock().map(|seen| seen.len()).unwrap_or(usize::MAX) <= MAX_PRINTS);
    }
}
