//! How fast a carrier may submit: the configured rate, and the pauses that the SMSC asks for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The first pause after the SMSC asked to slow down; each further one doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// A caller whose turn is further away than this is sent away.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Turns to submit, given in order.
pub(in crate::carrier) struct Pace {
    /// Between two submits; zero without a rate.
    gap: Duration,
    state: Mutex<State>,
}

struct State {
    turn: Instant,
    paused_until: Instant,
    pause: Duration,
}

impl Pace {
    /// At most `rate` submits a second; any number if it is 0.
    pub(in crate::carrier) fn new(rate: u32) -> Self {
        let now = Instant::now();
        let gap = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        Self { gap, state: Mutex::new(State { turn: now, paused_until: now, pause: FIRST_PAUSE }) }
    }

    /// Waits for a turn, or tells how long to stay away.
    pub(in crate::carrier) async fn turn(&self) -> Result<(), Duration> {
        let turn = self.reserve(Instant::now())?;
        sleep_until(turn).await;
        Ok(())
    }

    fn reserve(&self, now: Instant) -> Result<Instant, Duration> {
        let mut state = self.state();
        let paused = state.paused_until.saturating_duration_since(now);
        if !paused.is_zero() {
            return Err(paused);
        }
        let turn = state.turn.max(now);
        let wait = turn.saturating_duration_since(now);
        if wait > LONGEST_WAIT {
            return Err(wait);
        }
        state.turn = turn + self.gap;
        Ok(turn)
    }

    /// The SMSC asked to slow down; returns the pause. Those who were already under way count as one.
    pub(in crate::carrier) fn slow_down(&self, now: Instant) -> Duration {
        let mut state = self.state();
        let paused = state.paused_until.saturating_duration_since(now);
        if !paused.is_zero() {
            return paused;
        }
        let pause = state.pause;
        state.paused_until = now + pause;
        state.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// The SMSC took a message.
    pub(in crate::carrier) fn taken(&self) {
        self.state().pause = FIRST_PAUSE;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spaces_turns_and_sends_a_crowd_away() {
        let now = Instant::now() + Duration::from_secs(1);
        let pace = Pace::new(10);
        let turns: Vec<_> = (0..60).map(|_| pace.reserve(now)).collect();
        let waits = turns.iter().flatten().map(|turn| (*turn - now).as_millis());
        assert!(waits.eq((0..=50).map(|turn| turn * 100)));
        assert_eq!(turns.last(), Some(&Err(LONGEST_WAIT + Duration::from_millis(100))));
    }

    #[test]
    fn pauses_double_until_something_is_taken() {
        let (pace, mut now) = (Pace::new(0), Instant::now() + Duration::from_secs(1));
        assert_eq!(pace.slow_down(now), FIRST_PAUSE);
        assert_eq!(pace.slow_down(now), FIRST_PAUSE, "those under way count as one");
        assert_eq!(pace.reserve(now), Err(FIRST_PAUSE));
        now += FIRST_PAUSE;
        assert_eq!(pace.reserve(now), Ok(now));
        assert_eq!(pace.slow_down(now), FIRST_PAUSE * 2);
        now += FIRST_PAUSE * 2;
        pace.taken();
        assert_eq!(pace.slow_down(now), FIRST_PAUSE);
    }
}
