//! Counts over the time that just passed: a ring of spans, old ones forgotten as time goes on. Pure.

use crate::clock::Timestamp;

/// `N` spans of so many milliseconds, each with `K` counts.
#[derive(Clone, Debug)]
pub(super) struct Window<const N: usize, const K: usize> {
    span_ms: i64,
    spans: [(i64, [u64; K]); N],
}

impl<const N: usize, const K: usize> Window<N, K> {
    pub(super) const fn new(span_ms: i64) -> Self {
        Self { span_ms, spans: [(i64::MIN, [0; K]); N] }
    }

    /// Adds to each count.
    pub(super) fn add(&mut self, now: Timestamp, counts: [u64; K]) {
        let span = now.as_millis().div_euclid(self.span_ms);
        let place = usize::try_from(span.rem_euclid(i64::try_from(N).unwrap_or(1))).unwrap_or_default();
        let Some((of, held)) = self.spans.get_mut(place) else { return };
        if *of != span {
            (*of, *held) = (span, [0; K]);
        }
        for (held, count) in held.iter_mut().zip(counts) {
            *held = held.saturating_add(count);
        }
    }

    /// The sums over the window that ends now.
    pub(super) fn sums(&self, now: Timestamp) -> [u64; K] {
        let newest = now.as_millis().div_euclid(self.span_ms);
        let oldest = newest.saturating_sub(i64::try_from(N).unwrap_or(1)).saturating_add(1);
        let mut sums = [0_u64; K];
        for (_, counts) in self.spans.iter().filter(|(of, _)| (oldest..=newest).contains(of)) {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(*count);
            }
        }
        sums
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.span_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten_and_nothing_younger() {
        let at = Timestamp::from_millis;
        let mut window = Window::<3, 2>::new(1_000);
        window.add(at(500), [1, 10]);
        window.add(at(1_500), [2, 20]);
        assert_eq!(window.sums(at(1_999)), [3, 30]);
        assert_eq!(window.sums(at(2_999)), [3, 30]);
        assert_eq!(window.sums(at(3_000)), [2, 20]);
        window.add(at(3_100), [4, 40]);
        assert_eq!(window.sums(at(3_100)), [6, 60], "the first span's place is used again");
        assert_eq!(window.sums(at(60_000)), [0, 0]);
        window.clear();
        assert_eq!(window.sums(at(3_100)), [0, 0]);
    }
}
