//! Notices credentials that walk through numbers: runs of neighbours among what they tokenize or ask about, and many
//! questions of which hardly any meets a known number.
//!
//! Pure but for the state it keeps: per credential the last [`STEPS`] steps and [`QUESTIONS`] questions as bits, and
//! keyed fingerprints of one number's neighbours. Nothing is refused here; budgets do that. Called by `vault`.

use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::CredentialId;
use crate::phone::Footprint;

/// Every credential's trail.
#[derive(Default)]
pub struct Enumeration {
    /// Keys the footprints; this process's alone.
    keyed: RandomState,
    /// Grows with the number of credentials, and no further.
    trails: RwLock<HashMap<CredentialId, Arc<Mutex<Trail>>>>,
}

/// What looks like a walk through numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// `sequential` or `few_hits`.
    pub pattern: &'static str,
    /// Of the last so many.
    pub of: u64,
    /// So many were neighbours, or known.
    pub matching: u64,
}

/// What one credential did lately.
#[derive(Default)]
struct Trail {
    /// The number before, by its footprint.
    before: Option<Footprint>,
    steps: Window,
    hits: Window,
    /// When each sort was last told of.
    told: [Option<Timestamp>; 2],
}

/// The last so many yes and no.
#[derive(Default)]
struct Window {
    seen: VecDeque<bool>,
    yes: usize,
}

impl Enumeration {
    /// Under which [`Footprint`]s are to be taken.
    pub fn keyed(&self) -> &RandomState {
        &self.keyed
    }

    /// Takes note of numbers that a credential tokenized, in order.
    pub fn tokenized(
        &self,
        credential: CredentialId,
        numbers: impl Iterator<Item = Footprint>,
        now: Timestamp,
    ) -> Option<Suspicion> {
        let trail = self.trail(credential);
        let mut trail = trail.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.for_each(|number| trail.step(number));
        trail.sequential(now)
    }

    /// Takes note of a number that a credential asked about, and whether it was known.
    pub fn asked(&self, credential: CredentialId, number: Footprint, found: bool, now: Timestamp) -> Option<Suspicion> {
        let trail = self.trail(credential);
        let mut trail = trail.lock().unwrap_or_else(PoisonError::into_inner);
        trail.step(number);
        trail.hits.push(found, QUESTIONS);
        let few = trail.few_hits(now);
        trail.sequential(now).or(few)
    }

    fn trail(&self, credential: CredentialId) -> Arc<Mutex<Trail>> {
        if let Some(trail) = self.trails.read().unwrap_or_else(PoisonError::into_inner).get(&credential) {
            return Arc::clone(trail);
        }
        let mut trails = self.trails.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(trails.entry(credential).or_default())
    }
}

impl Trail {
    fn step(&mut self, number: Footprint) {
        if let Some(before) = self.before.replace(number) {
            self.steps.push(before.is_beside(&number), STEPS);
        }
    }

    /// At least half of the last [`STEPS`] steps went to a neighbour.
    fn sequential(&mut self, now: Timestamp) -> Option<Suspicion> {
        let matching = self.steps.full(STEPS).filter(|yes| *yes * 2 >= STEPS)?;
        let [told, _] = &mut self.told;
        first(told, now).then_some(Suspicion { pattern: "sequential", of: STEPS as u64, matching: matching as u64 })
    }

    /// Under 2 % of the last [`QUESTIONS`] questions met a known number.
    fn few_hits(&mut self, now: Timestamp) -> Option<Suspicion> {
        let matching = self.hits.full(QUESTIONS).filter(|yes| *yes * 50 < QUESTIONS)?;
        let [_, told] = &mut self.told;
        first(told, now).then_some(Suspicion { pattern: "few_hits", of: QUESTIONS as u64, matching: matching as u64 })
    }
}

/// Whether this is the first of its sort within [`QUIET`]; remembers it if so.
fn first(told: &mut Option<Timestamp>, now: Timestamp) -> bool {
    let due = told.is_none_or(|at| now >= at.plus(QUIET));
    if due {
        *told = Some(now);
    }
    due
}

impl Window {
    fn push(&mut self, yes: bool, size: usize) {
        self.seen.push_back(yes);
        self.yes += usize::from(yes);
        if self.seen.len() > size {
            self.yes -= usize::from(self.seen.pop_front() == Some(true));
        }
    }

    /// How many said yes, once there are `size`.
    fn full(&self, size: usize) -> Option<usize> {
        (self.seen.len() >= size).then_some(self.yes)
    }
}

/// Steps from one number to the next that are looked back on.
const STEPS: usize = 200;

/// Questions that are looked back on.
const QUESTIONS: usize = 500;

/// A walk that goes on is told of once in this time.
const QUIET: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ids;
    use crate::phone::PhoneNumber;

    struct Walker {
        enumeration: Enumeration,
        who: CredentialId,
        now: Timestamp,
    }

    impl Walker {
        fn new() -> Self {
            Self {
                enumeration: Enumeration::default(),
                who: ids::fresh(),
                now: Timestamp::from_millis(1_795_000_000_000),
            }
        }

        fn at(&self, number: u64) -> Footprint {
            PhoneNumber::from_digits(447_700_900_000 + number).unwrap().footprint(self.enumeration.keyed())
        }

        fn tokenizes(&self, numbers: impl IntoIterator<Item = u64>) -> Option<Suspicion> {
            self.enumeration.tokenized(self.who, numbers.into_iter().map(|number| self.at(number)), self.now)
        }

        fn asks(&self, number: u64, found: bool) -> Option<Suspicion> {
            self.enumeration.asked(self.who, self.at(number), found, self.now)
        }
    }

    /// As far apart as honest numbers.
    fn scattered(n: u64) -> u64 {
        n * 7_919 % 1_000_003
    }

    #[test]
    fn a_run_of_neighbours_is_noticed_up_or_down_and_over_many_requests() {
        let up = Walker::new();
        assert_eq!(up.tokenizes(0..200), None, "199 steps");
        let suspicion = up.tokenizes([200]).unwrap();
        assert_eq!((suspicion.pattern, suspicion.of, suspicion.matching), ("sequential", 200, 200));
        let down = Walker::new();
        let alerts = (0..300).rev().filter_map(|number| down.tokenizes([number])).count();
        assert_eq!(alerts, 1, "told once");
    }

    #[test]
    fn a_run_half_hidden_among_others_is_noticed_and_scattered_numbers_are_not() {
        let honest = Walker::new();
        assert_eq!(honest.tokenizes((0..10_000).map(scattered)), None);
        assert_eq!(honest.tokenizes([5; 1_000]), None, "one number over and over is no walk");
        let sly = Walker::new();
        let hidden = (0..300).flat_map(|n| [n * 3, n * 3 + 1, n * 3 + 2]);
        assert_eq!(sly.tokenizes(hidden).unwrap().pattern, "sequential");
    }

    #[test]
    fn a_walk_that_goes_on_is_told_of_again_after_an_hour() {
        let mut walker = Walker::new();
        assert!(walker.tokenizes(0..201).is_some());
        assert!(walker.tokenizes(201..400).is_none());
        walker.now = walker.now.plus(QUIET);
        assert!(walker.tokenizes(400..401).is_some());
    }

    #[test]
    fn questions_that_hardly_ever_meet_a_known_number_are_noticed() {
        let walker = Walker::new();
        let mut alerts = Vec::new();
        for n in 0..600 {
            alerts.extend(walker.asks(scattered(n), n % 100 == 0));
        }
        assert_eq!(alerts, [Suspicion { pattern: "few_hits", of: 500, matching: 5 }]);
        let honest = Walker::new();
        assert!((0..2_000).all(|n| honest.asks(scattered(n), n % 10 == 0).is_none()));
    }

    #[test]
    fn each_credential_has_a_trail_of_its_own() {
        let mut walker = Walker::new();
        for number in 0..300 {
            walker.who = ids::fresh();
            assert_eq!(walker.tokenizes([number]), None);
        }
    }
}
