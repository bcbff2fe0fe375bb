//! Counts of one SMPP carrier, for metrics: no number, no text.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmppStats {
    /// Links that were bound.
    pub binds: u64,
    /// Bound links that ended, for whatever reason.
    pub losses: u64,
    /// Message parts that the SMSC took.
    pub submitted: u64,
    /// Times that the SMSC asked to slow down.
    pub throttled: u64,
    /// Message parts that the SMSC refused, or did not confirm.
    pub errors: u64,
    /// Messages, or parts of them, brought to the inbox.
    pub messages: u64,
    /// Messages that came again after a link broke, and were dropped.
    pub repeats: u64,
    /// Receipts brought to the inbox.
    pub receipts: u64,
    /// Breaches of the protocol by the peer.
    pub malformed: u64,
}

/// The counts as they grow.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) binds: AtomicU64,
    pub(super) losses: AtomicU64,
    pub(super) submitted: AtomicU64,
    pub(super) throttled: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) repeats: AtomicU64,
    pub(super) receipts: AtomicU64,
    pub(super) malformed: AtomicU64,
}

impl Counters {
    /// One more.
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub(super) fn read(&self) -> SmppStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SmppStats {
            binds: of(&self.binds),
            losses: of(&self.losses),
            submitted: of(&self.submitted),
            throttled: of(&self.throttled),
            errors: of(&self.errors),
            messages: of(&self.messages),
            repeats: of(&self.repeats),
            receipts: of(&self.receipts),
            malformed: of(&self.malformed),
        }
    }
}
