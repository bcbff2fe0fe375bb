//! Unusual volume: reveals within an hour against a set threshold and against the credential's own past.
//!
//! The rule is pure. Whoever takes the count of the hour over the threshold tells, so that it is told once an hour however
//! many reveal at the same time.

use crate::access::{AlertRule, Permit};
use crate::event::What;
use crate::store::{BudgetKind, Change, StoreError};

use super::Vault;

/// Days that the mean is taken over.
const TRAILING_DAYS: u32 = 7;

/// The highest count of an hour that is usual, by the rule and by what was revealed on each earlier day.
fn usual(rule: AlertRule, past: &[u64]) -> u64 {
    let days = past.len() as u64;
    let by_past = past.iter().sum::<u64>().saturating_mul(rule.times_daily_mean).checked_div(days);
    // Who has no past has no mean: for them the set threshold alone counts.
    by_past.map_or(rule.per_hour, |count| count.max(rule.at_least.saturating_sub(1)).min(rule.per_hour))
}

impl Vault {
    /// Tells if the last `count` of the `hour`'s reveals made it unusual. What is revealed is revealed: a store that
    /// cannot say more changes nothing.
    pub(super) async fn watch_volume<R>(&self, permit: &Permit<R>, count: u64, hour: u64) {
        if let Err(error) = self.tell_volume(permit, count, hour).await {
            tracing::warn!(%error, "whether reveals are unusual could not be found out or told");
        }
    }

    async fn tell_volume<R>(&self, permit: &Permit<R>, count: u64, hour: u64) -> Result<(), StoreError> {
        let rule = permit.allowance().alert;
        let Some(credential) = permit.credential().filter(|_| hour >= rule.at_least.min(rule.per_hour)) else {
            return Ok(());
        };
        // Beyond the set threshold nothing is left to be told, whatever the past was.
        if hour - count.min(hour) > rule.per_hour {
            return Ok(());
        }
        let now = self.store.now();
        let past = self.store.spent_before(credential, BudgetKind::Reveal, now, TRAILING_DAYS).await?;
        let expected = usual(rule, &past);
        if hour <= expected || hour - count.min(hour) > expected {
            return Ok(());
        }
        tracing::warn!(%credential, revealed = hour, expected, "an unusual number of reveals within an hour");
        let told = What::RevealVolume { credential, revealed: hour, expected };
        self.store.commit(Change::telling(permit.event(now, told))).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: AlertRule = AlertRule { per_hour: 1_000, times_daily_mean: 3, at_least: 50 };

    #[test]
    fn three_times_the_daily_mean_within_an_hour_is_unusual() {
        assert_eq!(usual(RULE, &[100, 100]), 300);
        assert_eq!(usual(RULE, &[40, 80, 30]), 150);
    }

    #[test]
    fn little_is_never_unusual_and_the_set_threshold_always_is() {
        assert_eq!(usual(RULE, &[1]), 49);
        assert_eq!(usual(RULE, &[5_000]), 1_000);
        assert_eq!(usual(RULE, &[]), 1_000, "no past, no mean");
        assert_eq!(usual(AlertRule { times_daily_mean: u64::MAX, ..RULE }, &[7]), 1_000);
    }
}
