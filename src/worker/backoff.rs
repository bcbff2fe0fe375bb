//! How long to wait before the next try: doubling from 0.2 s to 30 s, each a little different.

use std::time::Duration;

/// The wait after `attempts` tries failed, shorter or longer by up to a quarter as `spread` says.
pub(super) fn wait(attempts: u32, spread: u8) -> Duration {
    let full = FIRST.saturating_mul(1 << attempts.min(16)).min(LAST);
    full * (192 + u32::from(spread) / 2) / 256
}

const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_are_spread() {
        assert_eq!(wait(0, 128), Duration::from_millis(200));
        assert_eq!(wait(3, 128), Duration::from_millis(1_600));
        assert_eq!(wait(u32::MAX, 128), Duration::from_secs(30));
        assert!(wait(5, 0) < wait(5, 128) && wait(5, 128) < wait(5, 255));
        assert!(wait(5, 0) >= wait(5, 128) * 3 / 4 && wait(5, 255) <= wait(5, 128) * 5 / 4);
    }
}
