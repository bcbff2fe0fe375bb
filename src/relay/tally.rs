//! Malformed traffic, told singly up to ten times a second and in sums beyond, so that noise cannot flood the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;

/// What is to be told of a carrier: one fault, or how many were left untold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// The carrier's configured name.
    pub(super) carrier: String,
    /// The fault, or `untold_N`.
    pub(super) fault: String,
}

/// Counts faults by second.
#[derive(Default)]
pub(super) struct Tally(Mutex<Second>);

#[derive(Default)]
struct Second {
    second: i64,
    told: u32,
    untold: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts one fault; returns what is to be told now.
    pub(super) fn count(&self, carrier: &str, fault: &str, now: Timestamp) -> Vec<Told> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = tally.turn(now);
        if tally.told < PER_SECOND {
            tally.told += 1;
            told.push(Told { carrier: carrier.to_owned(), fault: fault.to_owned() });
        } else {
            *tally.untold.entry(carrier.to_owned()).or_default() += 1;
        }
        told
    }

    /// The sums of a second that is over.
    pub(super) fn settle(&self, now: Timestamp) -> Vec<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turn(now)
    }
}

impl Second {
    fn turn(&mut self, now: Timestamp) -> Vec<Told> {
        if now.as_secs() == self.second {
            return Vec::new();
        }
        self.second = now.as_secs();
        self.told = 0;
        let untold = std::mem::take(&mut self.untold);
        untold.into_iter().map(|(carrier, count)| Told { carrier, fault: format!("untold_{count}") }).collect()
    }
}

const PER_SECOND: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_ten_a_second_faults_are_summed_and_the_sum_is_told_later() {
        let tally = Tally::default();
        let now = Timestamp::from_millis(5_000);
        let told: usize = (0..25).map(|_| tally.count("main", "bad_pdu", now).len()).sum();
        assert_eq!(told, 10);
        assert!(tally.settle(now).is_empty(), "the second is not over");
        let later = tally.settle(Timestamp::from_millis(6_000));
        assert_eq!(later, [Told { carrier: "main".into(), fault: "untold_15".into() }]);
        assert!(tally.settle(Timestamp::from_millis(7_000)).is_empty());
    }
}
