//! How fast a carrier may submit: the configured rate, the pauses that the SMSC asks for, and the rate that it was found
//! to take.
//!
//! An SMSC that asks to slow down is given a pause, and then half of what it took in the second before; each second
//! without such an answer allows a quarter more, until nothing of it is felt. An SMSC that says that it is nearly
//! congested is given a tenth less at once. Codes may wait longer for their turn than other messages, which are sent
//! away sooner, so that no code stands behind many of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::store::Lane;

/// The first pause after the SMSC asked to slow down; each further one doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// A code whose turn is further away than this is sent away.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The same of any other message.
const SHORTER_WAIT: Duration = Duration::from_millis(750);
/// What is taken is counted over this time, and the rate that was found is raised once in it.
const SECOND: Duration = Duration::from_secs(1);
/// No SMSC is believed to take less than this many a second: where little is sent, an answer that asks to slow down says
/// little about how much would be taken. For a slower one there is the configured rate.
const SLOWEST: f64 = 5.0;
/// A rate found is forgotten once it is this many times what the SMSC really is given.
const UNFELT: f64 = 4.0;

/// Turns to submit, given in order.
pub(super) struct Pace {
    /// Submits a second at most; 0 without a limit.
    rate: f64,
    state: Mutex<State>,
}

struct State {
    turn: Instant,
    paused_until: Instant,
    pause: Duration,
    /// What the SMSC was found to take a second, while that is felt.
    found: Option<f64>,
    /// When the count below began.
    counted_from: Instant,
    taken: u32,
    /// What was taken in the second before.
    lately: u32,
}

impl Pace {
    /// At most `rate` submits a second; any number if it is 0.
    pub(in crate::carrier) fn new(rate: u32) -> Self {
        let now = Instant::now();
        let state = State {
            turn: now,
            paused_until: now,
            pause: FIRST_PAUSE,
            found: None,
            counted_from: now,
            taken: 0,
            lately: 0,
        };
        Self { rate: f64::from(rate), state: Mutex::new(state) }
    }

    /// Waits for a turn, or tells how long to stay away.
    pub(super) async fn turn(&self, lane: Lane) -> Result<(), Duration> {
        let now = Instant::now();
        let turn = self.reserve(lane, now)?;
        if turn > now {
            sleep_until(turn).await;
        }
        Ok(())
    }

    fn reserve(&self, lane: Lane, now: Instant) -> Result<Instant, Duration> {
        let mut state = self.state();
        let paused = state.paused_until.saturating_duration_since(now);
        if !paused.is_zero() {
            return Err(paused);
        }
        state.count(now);
        let turn = state.turn.max(now);
        let wait = turn.saturating_duration_since(now);
        if wait > if lane == Lane::Code { LONGEST_WAIT } else { SHORTER_WAIT } {
            return Err(wait);
        }
        state.turn = turn + self.gap(&state);
        Ok(turn)
    }

    /// Between two submits; zero without any limit.
    fn gap(&self, state: &State) -> Duration {
        let configured = (self.rate > 0.0).then_some(self.rate);
        let rate = match (configured, state.found) {
            (Some(rate), Some(found)) => Some(rate.min(found)),
            (one, other) => one.or(other),
        };
        rate.map(|rate| Duration::from_secs_f64(1.0 / rate)).unwrap_or_default()
    }

    /// The SMSC asked to slow down; returns the pause. Those who were already under way count as one.
    pub(in crate::carrier) fn slow_down(&self, now: Instant) -> Duration {
        let mut state = self.state();
        let paused = state.paused_until.saturating_duration_since(now);
        if !paused.is_zero() {
            return paused;
        }
        state.count(now);
        let lately = f64::from(state.lately.max(state.taken));
        state.found = Some((state.found.unwrap_or(lately).min(lately) / 2.0).max(SLOWEST));
        let pause = state.pause;
        state.paused_until = now + pause;
        state.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// The SMSC took a message.
    pub(super) fn taken(&self, now: Instant) {
        let mut state = self.state();
        state.count(now);
        state.taken += 1;
        state.pause = FIRST_PAUSE;
    }

    /// The SMSC says how busy it is, in hundredths (SMPP 5.0 §4.8.4.18: from 90 on it nears congestion).
    pub(super) fn busy(&self, hundredths: u8, now: Instant) {
        if !(90..=100).contains(&hundredths) {
            return;
        }
        let mut state = self.state();
        state.count(now);
        let lately = f64::from(state.lately.max(state.taken));
        // Once in a second, however many answers say so.
        if state.found.is_none_or(|found| found > lately * 0.9) {
            state.found = Some((lately * if hundredths == 100 { 0.5 } else { 0.9 }).max(SLOWEST));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins a new second if the last is over, and lets the rate that was found recover.
    fn count(&mut self, now: Instant) {
        if now.saturating_duration_since(self.counted_from) < SECOND {
            return;
        }
        self.lately = self.taken;
        self.taken = 0;
        self.counted_from = now;
        if let Some(found) = self.found {
            let raised = found * 1.25 + 1.0;
            self.found = Some(raised).filter(|rate| *rate < (f64::from(self.lately) + 1.0) * UNFELT);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[test]
    fn a_rate_spaces_turns_and_sends_a_crowd_away() {
        let now = later();
        let pace = Pace::new(10);
        let turns: Vec<_> = (0..60).map(|_| pace.reserve(Lane::Code, now)).collect();
        let waits = turns.iter().flatten().map(|turn| (*turn - now).as_millis());
        assert!(waits.eq((0..=50).map(|turn| turn * 100)));
        assert_eq!(turns.last(), Some(&Err(LONGEST_WAIT + Duration::from_millis(100))));
    }

    #[test]
    fn a_code_never_stands_behind_many_others() {
        let (now, pace) = (later(), Pace::new(100));
        let taken = (0..1_000).filter(|_| pace.reserve(Lane::Marketing, now).is_ok()).count();
        assert_eq!(taken, 76);
        assert!(pace.reserve(Lane::Code, now).is_ok_and(|turn| turn - now < SECOND));
    }

    #[test]
    fn pauses_double_until_something_is_taken() {
        let (pace, mut now) = (Pace::new(0), later());
        assert_eq!(pace.slow_down(now), FIRST_PAUSE);
        assert_eq!(pace.slow_down(now), FIRST_PAUSE, "those under way count as one");
        assert_eq!(pace.reserve(Lane::Code, now), Err(FIRST_PAUSE));
        now += FIRST_PAUSE;
        assert_eq!(pace.reserve(Lane::Code, now), Ok(now));
        assert_eq!(pace.slow_down(now), FIRST_PAUSE * 2);
        now += FIRST_PAUSE * 2;
        pace.taken(now);
        assert_eq!(pace.slow_down(now), FIRST_PAUSE);
    }

    /// How many of an endless crowd get their turn within the next second.
    fn taken_in_a_second(pace: &Pace, now: &mut Instant) -> u32 {
        let (end, mut taken) = (*now + SECOND, 0);
        while *now < end {
            match pace.reserve(Lane::Notice, *now) {
                Ok(turn) => {
                    *now = turn.max(*now) + Duration::from_millis(1);
                    pace.taken(*now);
                    taken += 1;
                }
                Err(wait) => *now += wait,
            }
        }
        taken
    }

    #[test]
    fn an_smsc_that_asks_to_slow_down_is_given_half_and_then_slowly_more() {
        let (pace, mut now) = (Pace::new(0), later());
        let free = taken_in_a_second(&pace, &mut now);
        assert!(free > 500, "{free}");
        now += pace.slow_down(now);
        let after = taken_in_a_second(&pace, &mut now);
        assert!(after < free * 2 / 3, "{after} of {free}");
        let seconds: Vec<u32> = (0..20).map(|_| taken_in_a_second(&pace, &mut now)).collect();
        assert!(seconds.windows(2).all(|pair| pair[1] + 30 >= pair[0]), "{seconds:?}");
        assert!(seconds.last() >= Some(&(free * 9 / 10)), "{seconds:?}");
    }

    #[test]
    fn an_smsc_near_congestion_is_given_less_without_a_pause() {
        let (pace, mut now) = (Pace::new(0), later());
        let free = taken_in_a_second(&pace, &mut now);
        pace.busy(89, now);
        assert_eq!(pace.state().found, None);
        pace.busy(95, now);
        let found = pace.state().found;
        assert!(found.is_some_and(|rate| rate <= f64::from(free)), "{found:?}");
        pace.busy(95, now);
        assert_eq!(pace.state().found, found, "told again in the same second");
        assert!(pace.reserve(Lane::Code, now).is_ok());
    }
}
