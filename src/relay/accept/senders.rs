//! The people who wrote to an `ax` alias and can be answered: who is live, and which tag is whose.
//!
//! A sender lives for 24 hours after the last message either way. An alias has at most 50; the one that was silent
//! longest makes room.

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

/// Whether this writer is one of the live senders.
pub(super) fn is_seated(live: &[SenderRow], writer: &Writer) -> bool {
    live.iter().any(|sender| sender.index == writer.index)
}

/// Seats a writer: with the tag it has, or with a new one.
pub(super) fn seat(
    passage: &Passage,
    live: &[SenderRow],
    writer: &Writer,
    number: &PhoneNumber,
    keys: &TenantKeys,
    now: Timestamp,
) -> Seat {
    if let Some(known) = live.iter().find(|sender| sender.index == writer.index) {
        return Seat { tag: known.tag, live: live.len(), writes: vec![renewed(known, now)] };
    }
    let mut writes = Vec::new();
    let mut staying: Vec<&SenderRow> = live.iter().collect();
    staying.sort_by_key(|sender| std::cmp::Reverse(sender.until));
    for oldest in staying.split_off(staying.len().min(MAX_LIVE - 1)) {
        writes.push(Write::Sender(SenderRow { until: now, ..oldest.clone() }));
    }
    // The tags of those who leave stay unused for now: A may be about to answer one.
    let tags: Vec<u32> = live.iter().map(|sender| sender.tag).collect();
    let tag = answer::next_tag(&tags);
    let alias = passage.alias.id;
    let sealed = keys.seal_stranger(&crate::ids::bytes(&alias), number);
    writes.push(Write::Sender(SenderRow { alias, tag, index: writer.index, number: sealed, until: now.plus(LIFE) }));
    Seat { tag, live: staying.len() + 1, writes }
}

/// Gives a sender another 24 hours.
pub(super) fn renewed(sender: &SenderRow, now: Timestamp) -> Write {
    Write::Sender(SenderRow { until: now.plus(LIFE), ..sender.clone() })
}

const LIFE: Duration = Duration::from_secs(24 * 3600);
/// Live senders of one alias; fewer than there are tags.
const MAX_LIVE: usize = 50;
