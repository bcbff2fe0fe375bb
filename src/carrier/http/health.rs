//! Whether a carrier without a link of its own is to be tried: after failures it rests, longer each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How the last requests went.
#[derive(Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    down_until: Option<Instant>,
}

impl Health {
    /// Whether it may be tried now.
    pub(super) fn is_up(&self, now: Instant) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.down_until.is_none_or(|until| until <= now)
    }

    /// It answered.
    pub(super) fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// It could not be reached, or did not serve us. Those who fail during a rest do not make it longer.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.down_until.is_some_and(|until| until > now) {
            return;
        }
        let rest = FIRST_REST.saturating_mul(1 << state.failures.min(8)).min(LONGEST_REST);
        state.failures = state.failures.saturating_add(1);
        state.down_until = Some(now + rest);
    }
}

const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_after_a_rest_makes_the_next_longer_and_an_answer_ends_it() {
        let (health, start) = (Health::default(), Instant::now());
        assert!(health.is_up(start));
        health.failed(start);
        health.failed(start);
        assert!(!health.is_up(start));
        let later = start + FIRST_REST;
        assert!(health.is_up(later), "failures at one time are one");
        health.failed(later);
        assert!(!health.is_up(later + FIRST_REST) && health.is_up(later + 2 * FIRST_REST));
        health.answered();
        assert!(health.is_up(later));
        for n in 0..40 {
            health.failed(later + LONGEST_REST * n);
        }
        assert!(health.is_up(later + LONGEST_REST * 41), "a rest ends, however many there were");
    }
}
