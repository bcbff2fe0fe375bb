//! Time as a value that is handed in.
//!
//! Owns [`Timestamp`] and the [`Clock`] port. Services never ask the operating system for the time: they ask the
//! durable store (`Store::now`), whose adapter was given a clock by the wiring, so that one deployment has one clock.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A moment, in milliseconds since the Unix epoch, UTC. Shown as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down (JWT NumericDate, RFC 7519 §2).
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This moment moved later by `by`; saturates at the far end of time.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment moved earlier by `by`; saturates.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long until `later`, or zero if it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Reads an RFC 3339 date-time.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        if !(0..=9_999).contains(&year) {
            return f.write_str("out of range");
        }
        // Every entry and most answers show one: digits are put into their places, not formatted.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let fields = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, millis / 3_600_000),
            (14..16, millis / 60_000 % 60),
            (17..19, millis / 1_000 % 60),
            (20..23, millis % 1_000),
        ];
        for (place, mut number) in fields {
            for digit in text.get_mut(place).into_iter().flatten().rev() {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The date of a day, so many after the Unix epoch: `2026-01-31`.
pub fn date(day: i64) -> String {
    let text = Timestamp(day.saturating_mul(DAY)).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// The day, so many after the Unix epoch, of a date or of an RFC 3339 date-time.
pub fn day(text: &str) -> Option<i64> {
    let moment = match text.len() {
        10 => Timestamp::parse(&format!("{text}T00:00:00Z")),
        _ => Timestamp::parse(text),
    };
    Some(moment?.0.div_euclid(DAY))
}

/// Milliseconds.
const DAY: i64 = 86_400_000;

/// Year, month and day of the proleptic Gregorian calendar, so many days after the Unix epoch. Counts years from March,
/// so that a leap day is the last of its year, in eras of 400 years.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that moves only when told to: for tests of expiry, limits and retention.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_and_reads_rfc_3339() {
        let moment = Timestamp::from_millis(1_795_000_000_123);
        assert_eq!(moment.to_string(), "2026-11-18T11:06:40.123Z");
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_shown_as_the_calendar_has_it() {
        let first = time::Date::from_calendar_date(0, time::Month::January, 1).unwrap_or(time::Date::MIN);
        for day in (0..3_652_425).step_by(13).chain([3_652_424]) {
            let date = first + time::Duration::days(day);
            let millis = date.midnight().assume_utc().unix_timestamp() * 1_000 + day % DAY;
            let expected = format!("{:04}-{:02}-{:02}T", date.year(), u8::from(date.month()), date.day());
            let shown = Timestamp::from_millis(millis).to_string();
            assert!(shown.starts_with(&expected), "{shown} is not {expected}");
            assert_eq!(Timestamp::parse(&shown), Some(Timestamp::from_millis(millis)));
        }
        for far in [i64::MIN, i64::MAX, -62_167_219_200_001, 253_402_300_800_000] {
            assert_eq!(Timestamp::from_millis(far).to_string(), "out of range");
        }
    }
}
