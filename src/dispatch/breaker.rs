//! The breaker of one way: closed while it carries, open once it fails, tried again by single messages. Pure.
//!
//! It opens where half of at least [`LEAST`] hand-overs of the last ten seconds failed. After a pause that doubles, one
//! message at a time goes through as a probe; [`NEEDED`] that succeed close it, one that fails opens it again.

use std::time::Duration;

use super::window::Window;
use crate::clock::Timestamp;

/// Fewer hand-overs than this say nothing.
const LEAST: u64 = 20;
/// Probes in a row that have to succeed.
const NEEDED: u8 = 3;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A probe that did not come back for so long is given up: whoever sent it may be gone.
const PROBE_LOST: Duration = Duration::from_secs(60);
/// Milliseconds of one of the ten spans that are looked at.
const SPAN_MS: i64 = 1_000;

/// What a breaker says about the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Go.
    Open,
    /// Go, as a probe.
    Probe,
    /// Not before.
    Not(Timestamp),
}

/// What a hand-over changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It opened: the way is cut.
    Opened,
    /// It closed: the way is whole again.
    Closed,
}

/// How a breaker stands, in its usual words: closed lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Messages pass.
    Closed,
    /// None does.
    Open,
    /// Single ones do, as probes.
    HalfOpen,
}

impl BreakerState {
    /// Its name in answers and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Timestamp, pause: Duration },
    Trying { pause: Duration, left: u8, probe: Option<Timestamp> },
}

/// One breaker.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    recent: Window<10, 2>,
    state: State,
}

impl Breaker {
    pub(super) const fn new() -> Self {
        Self { recent: Window::new(SPAN_MS), state: State::Closed }
    }

    /// Whether the next message may go, changing nothing.
    pub(super) fn admits(&self, now: Timestamp) -> Admission {
        match self.state {
            State::Closed => Admission::Open,
            State::Open { until, .. } if now < until => Admission::Not(until),
            State::Open { .. } => Admission::Probe,
            State::Trying { probe: Some(since), .. } if now < since.plus(PROBE_LOST) => {
                Admission::Not(now.plus(FIRST_PAUSE))
            }
            State::Trying { .. } => Admission::Probe,
        }
    }

    /// A message is about to go. Returns whether it is a probe; none may go where this is an error.
    pub(super) fn begin(&mut self, now: Timestamp) -> Result<bool, Timestamp> {
        match (self.admits(now), self.state) {
            (Admission::Open, _) => Ok(false),
            (Admission::Not(until), _) => Err(until),
            (Admission::Probe, State::Trying { pause, left, .. }) => {
                self.state = State::Trying { pause, left, probe: Some(now) };
                Ok(true)
            }
            (Admission::Probe, State::Open { pause, .. }) => {
                self.state = State::Trying { pause, left: NEEDED, probe: Some(now) };
                Ok(true)
            }
            (Admission::Probe, State::Closed) => Ok(false),
        }
    }

    /// What became of a message; none if that says nothing about the way.
    pub(super) fn end(&mut self, now: Timestamp, was_probe: bool, went: Option<bool>) -> Option<Turn> {
        if let (true, State::Trying { pause, left, .. }) = (was_probe, self.state) {
            return self.probed(now, pause, left, went);
        }
        let went = went?;
        self.recent.add(now, [u64::from(went), u64::from(!went)]);
        let [taken, failed] = self.recent.sums(now);
        let is_cut = taken + failed >= LEAST && failed >= taken;
        (matches!(self.state, State::Closed) && is_cut).then(|| {
            self.state = State::Open { until: now.plus(FIRST_PAUSE), pause: FIRST_PAUSE };
            Turn::Opened
        })
    }

    fn probed(&mut self, now: Timestamp, pause: Duration, left: u8, went: Option<bool>) -> Option<Turn> {
        match (went, left.saturating_sub(1)) {
            (None, _) => {
                self.state = State::Trying { pause, left, probe: None };
                None
            }
            (Some(true), 0) => {
                self.recent.clear();
                self.state = State::Closed;
                Some(Turn::Closed)
            }
            (Some(true), left) => {
                self.state = State::Trying { pause, left, probe: None };
                None
            }
            (Some(false), _) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.state = State::Open { until: now.plus(pause), pause };
                None
            }
        }
    }

    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { until, .. } if now < until => BreakerState::Open,
            State::Open { .. } | State::Trying { .. } => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn failed(count: u64) -> Breaker {
        let mut breaker = Breaker::new();
        for turn in 0..count {
            let told = breaker.end(at(0), false, Some(false));
            assert_eq!(told, (turn + 1 == LEAST).then_some(Turn::Opened));
        }
        breaker
    }

    #[test]
    fn a_few_failures_and_failures_among_many_successes_cut_nothing() {
        assert_eq!(failed(LEAST - 1).admits(at(0)), Admission::Open);
        let mut breaker = Breaker::new();
        for _ in 0..1_000 {
            assert_eq!(breaker.end(at(0), false, Some(true)), None);
        }
        for _ in 0..64 {
            assert_eq!(breaker.end(at(0), false, Some(false)), None, "one cut of a link with a window of 64");
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    }

    #[test]
    fn one_probe_at_a_time_and_three_that_succeed_close_it() {
        let mut breaker = failed(LEAST);
        assert_eq!(breaker.begin(at(10)), Err(at(1_000)));
        assert_eq!(breaker.state(at(999)), BreakerState::Open);
        assert_eq!(breaker.begin(at(1_000)), Ok(true));
        assert!(matches!(breaker.admits(at(1_001)), Admission::Not(_)), "a second one waits for the first");
        assert_eq!(breaker.end(at(1_002), true, Some(true)), None);
        assert_eq!(breaker.begin(at(1_003)), Ok(true));
        assert_eq!(breaker.end(at(1_004), true, None), None, "says nothing, counts for nothing");
        for turn in 0..2 {
            assert_eq!(breaker.begin(at(1_005)), Ok(true));
            assert_eq!(breaker.end(at(1_006), true, Some(true)), (turn == 1).then_some(Turn::Closed));
        }
        assert_eq!(breaker.begin(at(1_007)), Ok(false));
    }

    #[test]
    fn a_probe_that_fails_doubles_the_pause_up_to_a_minute() {
        let mut breaker = failed(LEAST);
        let mut now = 1_000;
        for pause in [2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(breaker.begin(at(now)), Ok(true));
            assert_eq!(breaker.end(at(now), true, Some(false)), None);
            assert_eq!(breaker.begin(at(now)), Err(at(now + pause * 1_000)));
            now += pause * 1_000;
        }
    }

    #[test]
    fn a_probe_that_never_comes_back_does_not_block_the_way_for_ever() {
        let mut breaker = failed(LEAST);
        assert_eq!(breaker.begin(at(1_000)), Ok(true));
        assert!(breaker.begin(at(30_000)).is_err());
        assert_eq!(breaker.begin(at(61_000)), Ok(true));
    }

    #[test]
    fn what_comes_back_late_from_before_the_cut_is_no_probe() {
        let mut breaker = failed(LEAST);
        assert_eq!(breaker.begin(at(1_000)), Ok(true));
        assert_eq!(breaker.end(at(1_001), false, Some(false)), None);
        assert_eq!(breaker.state(at(1_001)), BreakerState::HalfOpen);
    }
}
