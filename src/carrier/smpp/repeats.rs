//! Telling a message that comes twice from one that was written twice.
//!
//! An SMSC that did not get our answer sends the message again. [`Unconfirmed`] knows, per link, which answers the peer
//! has certainly read: those written before a request of ours that it answered. What was still open when the link broke
//! goes to [`Repeats`], which drops each such message once if it comes again within [`REPEAT_LIFE`]. A message sent
//! twice over a sound link is never dropped. Bounded; called by `lanes` and `session`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pdu::DeliverSm;
use crate::carrier::Part;
use crate::carrier::digest::{Digest, DigestKey};

/// How long an SMSC may take to send again what it got no answer for.
const REPEAT_LIFE: Duration = Duration::from_secs(300);
/// Beyond this many the oldest is forgotten: it is the likeliest to have been read.
const REMEMBERED: usize = 4_096;

/// Answers of one link that the peer may not have read.
#[derive(Default)]
pub(super) struct Unconfirmed(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    /// How many were ever written to this link.
    written: u64,
    open: VecDeque<Digest>,
}

impl Unconfirmed {
    /// Notes an answer that was just handed to the link.
    pub(super) fn push(&self, message: Digest) {
        let mut answers = self.answers();
        answers.written += 1;
        answers.open.push_back(message);
        if answers.open.len() > REMEMBERED {
            answers.open.pop_front();
        }
    }

    /// The answers that precede whatever is handed to the link from now on.
    pub(super) fn mark(&self) -> u64 {
        self.answers().written
    }

    /// The peer answered a request handed over after `mark`: it has read what came before.
    pub(super) fn confirm(&self, mark: u64) {
        let mut answers = self.answers();
        let later = usize::try_from(answers.written.saturating_sub(mark)).unwrap_or(usize::MAX);
        let confirmed = answers.open.len().saturating_sub(later);
        answers.open.drain(..confirmed);
    }

    /// Whether the peer may not have read some answer.
    pub(super) fn any(&self) -> bool {
        !self.answers().open.is_empty()
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages of broken links that may come again.
#[derive(Default)]
pub(super) struct Repeats {
    key: DigestKey,
    awaited: Mutex<VecDeque<(Instant, Digest)>>,
}

impl Repeats {
    /// What makes two messages the same: source, destination, header and body.
    pub(super) fn digest(&self, pdu: &DeliverSm<'_>, part: Option<Part>) -> Digest {
        let place = part.map_or([0; 4], |Part { reference, total, number }| {
            let [high, low] = reference.to_be_bytes();
            [high, low, total, number]
        });
        let coding = [pdu.esm_class, pdu.data_coding];
        self.key.digest(&[pdu.source.bytes(), pdu.destination.bytes(), &coding, &place, pdu.payload])
    }

    /// A link broke with these answers open.
    pub(super) fn await_again(&self, unconfirmed: &Unconfirmed, now: Instant) {
        let open = std::mem::take(&mut unconfirmed.answers().open);
        let mut awaited = self.awaited();
        awaited.extend(open.into_iter().map(|message| (now, message)));
        let surplus = awaited.len().saturating_sub(REMEMBERED);
        awaited.drain(..surplus);
    }

    /// Whether this message came again. True once for each time it was left open.
    pub(super) fn take(&self, message: &Digest, now: Instant) -> bool {
        let mut awaited = self.awaited();
        awaited.retain(|(since, _)| now.saturating_duration_since(*since) < REPEAT_LIFE);
        let found = awaited.iter().position(|(_, known)| known == message);
        found.and_then(|at| awaited.remove(at)).is_some()
    }

    fn awaited(&self) -> MutexGuard<'_, VecDeque<(Instant, Digest)>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = [1, 1];
    const TWO: Digest = [2, 2];

    #[test]
    fn an_answer_that_the_peer_has_read_is_not_awaited_again() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        link.push(ONE);
        let mark = link.mark();
        link.push(TWO);
        link.confirm(mark);
        repeats.await_again(&link, now);
        assert!(!repeats.take(&ONE, now));
        assert!(repeats.take(&TWO, now));
        assert!(!repeats.take(&TWO, now), "the same text written again has to arrive");
    }

    #[test]
    fn two_equal_messages_left_open_are_both_awaited() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        link.push(ONE);
        link.push(ONE);
        repeats.await_again(&link, now);
        assert_eq!([repeats.take(&ONE, now), repeats.take(&ONE, now), repeats.take(&ONE, now)], [true, true, false]);
    }

    #[test]
    fn nothing_is_dropped_after_five_minutes() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        link.push(ONE);
        repeats.await_again(&link, now);
        assert!(!repeats.take(&ONE, now + REPEAT_LIFE));
    }

    #[test]
    fn memory_is_bounded_by_forgetting_the_oldest() {
        let link = Unconfirmed::default();
        for n in 0..=REMEMBERED as u64 {
            link.push([n, n]);
        }
        let (repeats, now) = (Repeats::default(), Instant::now());
        repeats.await_again(&link, now);
        assert!(!repeats.take(&[0, 0], now) && repeats.take(&[1, 1], now));
    }
}
