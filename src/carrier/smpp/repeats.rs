//! Telling a message that comes twice from one that was written twice.
//!
//! An SMSC that did not get our answer sends the message again, over the next link or over another that is up.
//! [`Unconfirmed`] knows, per link, what is under way and which answers the peer has certainly read: those written
//! before a request of ours that it answered. What was still open when the link broke goes to [`Repeats`], which drops
//! each such message once if it comes again within [`REPEAT_LIFE`]; what was still under way has to wait until that is
//! decided. A message sent twice over a sound link is never dropped. Bounded; called by `lanes` and `session`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pdu::Delivery;
use crate::carrier::Part;
use crate::carrier::digest::{Digest, DigestKey};

/// How long an SMSC may take to send again what it got no answer for.
const REPEAT_LIFE: Duration = Duration::from_secs(300);
/// Beyond this many the oldest is forgotten: it is the likeliest to have been read.
const REMEMBERED: usize = 4_096;

/// What one link's peer may send again.
#[derive(Default)]
pub(super) struct Unconfirmed(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    /// How many were ever written to this link.
    written: u64,
    /// Answers that the peer may not have read.
    open: VecDeque<Digest>,
    /// Messages that are not answered yet.
    under_way: Vec<Digest>,
    is_over: bool,
}

impl Unconfirmed {
    /// Notes a message that is about to be brought to the inbox; false if the link is gone, which leaves it to the SMSC.
    pub(super) fn begin(&self, message: Digest) -> bool {
        let mut answers = self.answers();
        if !answers.is_over {
            answers.under_way.push(message);
        }
        !answers.is_over
    }

    /// Notes what became of it, after its answer was handed to the link.
    pub(super) fn end(&self, message: Digest, is_taken: bool, repeats: &Repeats) {
        let mut answers = self.answers();
        if let Some(at) = answers.under_way.iter().position(|known| *known == message) {
            answers.under_way.swap_remove(at);
        }
        if answers.is_over {
            return repeats.decided(message, is_taken, Instant::now());
        }
        if is_taken {
            answers.written += 1;
            answers.open.push_back(message);
            if answers.open.len() > REMEMBERED {
                answers.open.pop_front();
            }
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

/// Whether a message was here before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// No, as far as it matters.
    First,
    /// It is being decided about; it has to come once more.
    Undecided,
    /// It was taken, and the answer was lost.
    Again,
}

/// Messages of broken links that may come again.
#[derive(Default)]
pub(super) struct Repeats {
    key: DigestKey,
    awaited: Mutex<Awaited>,
}

#[derive(Default)]
struct Awaited {
    taken: VecDeque<(Instant, Digest)>,
    undecided: Vec<Digest>,
}

impl Repeats {
    /// What makes two messages the same: source, destination, header and body.
    pub(super) fn digest(&self, pdu: &Delivery<'_>, part: Option<Part>) -> Digest {
        let place = part.map_or([0; 4], |Part { reference, total, number }| {
            let [high, low] = reference.to_be_bytes();
            [high, low, total, number]
        });
        let coding = [pdu.esm_class, pdu.data_coding];
        self.key.digest(&[pdu.source.as_bytes(), pdu.destination.as_bytes(), &coding, &place, pdu.payload])
    }

    /// A link broke: whatever its peer may send again is awaited.
    pub(super) fn await_again(&self, unconfirmed: &Unconfirmed, now: Instant) {
        let mut answers = unconfirmed.answers();
        answers.is_over = true;
        let mut awaited = self.awaited();
        awaited.taken.extend(answers.open.drain(..).map(|message| (now, message)));
        awaited.undecided.extend(answers.under_way.iter().copied());
        awaited.bound();
    }

    /// What was under way when its link broke is decided.
    fn decided(&self, message: Digest, is_taken: bool, now: Instant) {
        let mut awaited = self.awaited();
        if let Some(at) = awaited.undecided.iter().position(|known| *known == message) {
            awaited.undecided.swap_remove(at);
        }
        if is_taken {
            awaited.taken.push_back((now, message));
            awaited.bound();
        }
    }

    /// Whether this message came before. [`Coming::Again`] once for each time it was left open.
    pub(super) fn take(&self, message: &Digest, now: Instant) -> Coming {
        let mut awaited = self.awaited();
        while awaited.taken.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= REPEAT_LIFE) {
            awaited.taken.pop_front();
        }
        if awaited.undecided.contains(message) {
            return Coming::Undecided;
        }
        let found = awaited.taken.iter().position(|(_, known)| known == message);
        if found.and_then(|at| awaited.taken.remove(at)).is_some() { Coming::Again } else { Coming::First }
    }

    /// What [`Self::take`] took is left to the SMSC after all.
    pub(super) fn put_back(&self, message: Digest, coming: Coming, now: Instant) {
        if coming == Coming::Again {
            self.awaited().taken.push_back((now, message));
        }
    }

    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaited {
    fn bound(&mut self) {
        let surplus = self.taken.len().saturating_sub(REMEMBERED);
        self.taken.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Digest = [1, 1];
    const TWO: Digest = [2, 2];

    fn answered(link: &Unconfirmed, repeats: &Repeats, message: Digest) {
        assert!(link.begin(message));
        link.end(message, true, repeats);
    }

    #[test]
    fn an_answer_that_the_peer_has_read_is_not_awaited_again() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        answered(&link, &repeats, ONE);
        let mark = link.mark();
        answered(&link, &repeats, TWO);
        link.confirm(mark);
        repeats.await_again(&link, now);
        assert_eq!(repeats.take(&ONE, now), Coming::First);
        assert_eq!(repeats.take(&TWO, now), Coming::Again);
        assert_eq!(repeats.take(&TWO, now), Coming::First, "the same text written again has to arrive");
    }

    #[test]
    fn two_equal_messages_left_open_are_both_awaited() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        answered(&link, &repeats, ONE);
        answered(&link, &repeats, ONE);
        repeats.await_again(&link, now);
        let came = [repeats.take(&ONE, now), repeats.take(&ONE, now), repeats.take(&ONE, now)];
        assert_eq!(came, [Coming::Again, Coming::Again, Coming::First]);
    }

    #[test]
    fn what_is_under_way_when_the_link_breaks_waits_until_it_is_decided() {
        for (is_taken, then) in [(true, Coming::Again), (false, Coming::First)] {
            let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
            assert!(link.begin(ONE));
            repeats.await_again(&link, now);
            assert_eq!(repeats.take(&ONE, now), Coming::Undecided);
            assert!(!link.begin(TWO), "begun after the link was gone");
            link.end(ONE, is_taken, &repeats);
            assert_eq!(repeats.take(&ONE, now), then, "taken: {is_taken}");
        }
    }

    #[test]
    fn nothing_is_dropped_after_five_minutes() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        answered(&link, &repeats, ONE);
        repeats.await_again(&link, now);
        assert_eq!(repeats.take(&ONE, now + REPEAT_LIFE), Coming::First);
    }

    #[test]
    fn memory_is_bounded_by_forgetting_the_oldest() {
        let (link, repeats, now) = (Unconfirmed::default(), Repeats::default(), Instant::now());
        for n in 0..=REMEMBERED as u64 {
            answered(&link, &repeats, [n, n]);
        }
        repeats.await_again(&link, now);
        assert_eq!(repeats.take(&[0, 0], now), Coming::First);
        assert_eq!(repeats.take(&[1, 1], now), Coming::Again);
    }
}
