//! Token buckets, as the generic cell rate algorithm has them (ITU-T I.371): one number each, the moment at which the
//! bucket is full again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::{Rate, ScratchError, Verdict};

/// All buckets, spread over shards so that callers seldom meet. A full bucket is not kept.
pub(super) struct Buckets {
    shards: [Mutex<Shard>; 16],
    hasher: RandomState,
}

struct Shard {
    /// Nanoseconds since the epoch at which each is full again.
    full_at: HashMap<Box<[u8]>, i64>,
    /// The size at which full ones are looked for next.
    look_at: usize,
}

/// The most buckets in one shard: about a quarter of a million in all, some 25 MB.
const MOST: usize = 16_384;
const FEW: usize = 256;

impl Default for Buckets {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(Shard { full_at: HashMap::new(), look_at: FEW }));
        Self { shards, hasher: RandomState::new() }
    }
}

impl Buckets {
    pub(super) fn take(&self, key: &[u8], rate: Rate, cost: u32, now: Timestamp) -> Result<Verdict, ScratchError> {
        let place = usize::try_from(self.hasher.hash_one(key) % 16).unwrap_or(0);
        let shard = self.shards.get(place).ok_or_else(|| ScratchError("no shard".into()))?;
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_millis().saturating_mul(1_000_000);
        let full_at = shard.full_at.get(key).copied().unwrap_or(now);
        let (verdict, next) = decide(full_at, rate, cost, now);
        if let Some(next) = next {
            shard.make_room(now);
            shard.full_at.insert(key.into(), next);
        }
        Ok(verdict)
    }
}

/// The verdict, and when the bucket will be full again if something was taken.
fn decide(full_at: i64, rate: Rate, cost: u32, now: i64) -> (Verdict, Option<i64>) {
    let per = i64::try_from(rate.per.as_nanos()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let one = (per / i64::from(rate.burst.max(1))).max(1);
    let whole = one.saturating_mul(rate.burst.into());
    let next = full_at.max(now).saturating_add(one.saturating_mul(cost.into()));
    let missing = next.saturating_sub(now);
    if cost > rate.burst {
        return (Verdict::Over { retry_after: rate.per }, None);
    }
    match missing.checked_sub(whole) {
        Some(over) if over > 0 => (Verdict::Over { retry_after: Duration::from_nanos(over.unsigned_abs()) }, None),
        _ => {
            let left = u32::try_from((whole - missing) / one).unwrap_or(u32::MAX);
            (Verdict::Within { left }, (cost > 0).then_some(next))
        }
    }
}

impl Shard {
    /// Forgets full buckets; if there are too many others, the half that is nearest to full. Those lose least by it, and
    /// strangers who fill the shard push out one another and no slow limit.
    fn make_room(&mut self, now: i64) {
        if self.full_at.len() < self.look_at {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= MOST {
            let mut moments: Vec<_> = self.full_at.values().copied().collect();
            let (_, middle, _) = moments.select_nth_unstable(MOST / 2);
            let middle = *middle;
            self.full_at.retain(|_, full_at| *full_at > middle);
        }
        self.look_at = (self.full_at.len() * 2).clamp(FEW, MOST);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RATE: Rate = Rate { burst: 5, per: Duration::from_secs(600) };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + secs * 1_000)
    }

    #[test]
    fn five_go_at_once_and_one_more_each_two_minutes() {
        let buckets = Buckets::default();
        for left in (0..5).rev() {
            assert_eq!(buckets.take(b"k", RATE, 1, at(0)).unwrap(), Verdict::Within { left });
        }
        let wait = Verdict::Over { retry_after: Duration::from_secs(120) };
        assert_eq!(buckets.take(b"k", RATE, 1, at(0)).unwrap(), wait);
        assert_eq!(buckets.take(b"other", RATE, 1, at(0)).unwrap(), Verdict::Within { left: 4 });
        assert_eq!(buckets.take(b"k", RATE, 1, at(120)).unwrap(), Verdict::Within { left: 0 });
        assert_eq!(
            buckets.take(b"k", RATE, 1, at(121)).unwrap(),
            Verdict::Over { retry_after: Duration::from_secs(119) }
        );
    }

    #[test]
    fn more_than_the_burst_never_fits_and_takes_nothing() {
        let buckets = Buckets::default();
        assert_eq!(buckets.take(b"k", RATE, 6, at(0)).unwrap(), Verdict::Over { retry_after: RATE.per });
        assert_eq!(buckets.take(b"k", RATE, 5, at(0)).unwrap(), Verdict::Within { left: 0 });
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_no_slow_limit_and_the_map_stays_bounded() {
        let buckets = Buckets::default();
        for _ in 0..5 {
            buckets.take(b"victim", RATE, 1, at(0)).unwrap();
        }
        let quick = Rate { burst: 10, per: Duration::from_secs(10) };
        for stranger in 0..600_000u32 {
            buckets.take(&stranger.to_be_bytes(), quick, 1, at(0)).unwrap();
        }
        assert!(matches!(buckets.take(b"victim", RATE, 1, at(1)).unwrap(), Verdict::Over { .. }));
        let kept: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum();
        assert!(kept <= 16 * MOST, "{kept} buckets kept");
    }
}
