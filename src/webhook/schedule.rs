//! When a call that failed is made again, and when an endpoint is given up.

use std::time::Duration;

/// The waits after the first, second, … failure.
const WAITS: [Duration; 9] = {
    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }
    [
        Duration::from_secs(5),
        minutes(5),
        minutes(30),
        minutes(2 * 60),
        minutes(5 * 60),
        minutes(10 * 60),
        minutes(14 * 60),
        minutes(20 * 60),
        minutes(24 * 60),
    ]
};

/// How long an endpoint may fail without one success, whatever it is asked again meanwhile: a day more than one event
/// is tried for.
pub(super) const LONGEST: Duration = Duration::from_secs(5 * 24 * 3_600);

/// How long to wait once `failures` calls for one event have failed; none when that was the last.
pub(super) fn wait(failures: u32) -> Option<Duration> {
    WAITS.get(usize::try_from(failures.checked_sub(1)?).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_calls_over_three_days_and_no_more() {
        let waits: Vec<u64> = (1..).map_while(wait).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!((wait(0), wait(10)), (None, None));
        assert!(waits.iter().sum::<u64>() < LONGEST.as_secs());
    }
}
