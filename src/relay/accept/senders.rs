//! The people who wrote to an `ax` alias and can be answered: who is live, and which tag is whose.
//!
//! A sender lives for 24 hours after the last message either way. An alias has at most 50; the one that was silent
//! longest makes room. The tag of one who left stays kept for another 24 hours: A reads it on the phone still, and an
//! answer under it must reach nobody rather than somebody new.

use std::time::Duration;

use super::passage::Passage;
use super::writer::Writer;
use crate::clock::Timestamp;
use crate::keyring::TenantKeys;
use crate::phone::PhoneNumber;
use crate::relay::answer;
use crate::store::{SenderRow, Write};

/// A sender who just wrote, among the live ones.
pub(super) struct Seat {
    /// By which A names the sender.
    pub(super) tag: u32,
    /// How many are live, this one included.
    pub(super) live: usize,
    /// What seats the sender, and sends away who had to make room.
    pub(super) writes: Vec<Write>,
}

/// Whether a sender whose tag is kept can be answered.
pub(super) fn is_live(sender: &SenderRow, now: Timestamp) -> bool {
    sender.until > now.plus(KEPT)
}

/// Whether this writer is one of the live senders.
pub(super) fn is_seated(known: &[SenderRow], writer: &Writer, now: Timestamp) -> bool {
    known.iter().any(|sender| sender.index == writer.index && is_live(sender, now))
}

/// Seats a writer among those `known`, live or gone with their tags kept: with the tag it has, or with a new one.
pub(super) fn seat(
    passage: &Passage,
    known: &[SenderRow],
    writer: &Writer,
    number: &PhoneNumber,
    keys: &TenantKeys,
    now: Timestamp,
) -> Seat {
    let own = known.iter().find(|sender| sender.index == writer.index);
    let (mut staying, gone): (Vec<_>, Vec<_>) = known.iter().partition(|sender| is_live(sender, now));
    if let Some(own) = own.filter(|own| is_live(own, now)) {
        return Seat { tag: own.tag, live: staying.len(), writes: vec![renewed(own, now)] };
    }
    let mut writes = Vec::new();
    staying.sort_by_key(|sender| std::cmp::Reverse(sender.until));
    for oldest in staying.split_off(staying.len().min(MAX_LIVE - 1)) {
        writes.push(ending(oldest, now.plus(KEPT)));
    }
    let live = staying.len() + 1;
    if let Some(back) = own {
        writes.push(renewed(back, now));
        return Seat { tag: back.tag, live, writes };
    }
    let tags: Vec<u32> = known.iter().map(|sender| sender.tag).collect();
    let tag = answer::next_tag(&tags).unwrap_or_else(|| {
        // All are kept: the one whose person left first is given again.
        let first = gone.into_iter().min_by_key(|sender| sender.until);
        writes.extend(first.map(|sender| ending(sender, now)));
        first.map_or(1, |sender| sender.tag)
    });
    let alias = passage.alias.id;
    let sealed = keys.seal_stranger(&crate::ids::bytes(&alias), number);
    let until = now.plus(LIFE).plus(KEPT);
    writes.push(Write::Sender(SenderRow { alias, tag, index: writer.index, number: sealed, until }));
    Seat { tag, live, writes }
}

fn ending(sender: &SenderRow, until: Timestamp) -> Write {
    Write::Sender(SenderRow { until, ..sender.clone() })
}

/// Gives a sender another 24 hours.
pub(super) fn renewed(sender: &SenderRow, now: Timestamp) -> Write {
    ending(sender, now.plus(LIFE).plus(KEPT))
}

const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a tag stays unused after its sender left.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Live senders of one alias; fewer than there are tags.
const MAX_LIVE: usize = 50;
