//! The strings that packed entries name by their place. **Append only**: a place is in every stored entry.

use std::sync::LazyLock;

/// Prefixes of TypeIDs; there is room for 32.
pub(super) const PREFIXES: &[&str] = &[
    "ten", "crd", "ver", "msg", "pol", "als", "sub", "rec", "req", "out", "nod", "apr", "whk", "sup", "tpl", "cmp",
    "cal",
];

/// Strings that entries often hold: keys, actions, roles, states. One that is not here is written out.
#[rustfmt::skip]
pub(super) const WORDS: &[&str] = &[
    "action", "actor", "alias", "allowed", "at", "attempted", "attempts", "audience", "carrier", "channel", "count",
    "created", "credential", "denied", "entries", "expires_at", "fault", "fresh", "id", "kind", "known", "message",
    "mode", "name", "number", "of", "outcome", "owner", "part", "parts", "person", "policy", "pool", "prefix",
    "purpose", "reason", "record", "reference", "refused", "region", "role", "sealed", "sender", "shared", "status",
    "subject", "subjects", "successor", "superseded", "target", "tenant", "up_to", "user", "verification", "version",
    "admin", "business", "partner", "operator", "auditor", "custodian", "approver", "terminal", "worker", "stranger",
    "live", "test", "sms", "ax", "axb", "sandbox", "code", "index", "seal", "siv", "token", "proof", "login",
    "support", "queued", "submitted", "delivered", "undelivered", "expired", "rejected", "unknown", "pending",
    "approved", "canceled", "exhausted", "failed", "system", "not_permitted", "frozen", "unreachable", "unroutable",
    "tenant.created", "credential.created", "credential.rotated", "credential.revoked", "thawed", "key.created",
    "policy.activated", "denied.strangers", "token.created", "token.batch_created", "token.seal_reserved",
    "token.seal_settled", "token.revealed", "verification.started", "verification.resent", "verification.sent",
    "verification.delivered", "verification.attempted", "verification.mismatched", "verification.approved",
    "verification.canceled", "verification.expired", "verification.exhausted", "verification.failed", "pool.created",
    "pool.numbers_imported", "pool.number_draining", "alias.bound", "alias.extended", "alias.released",
    "alias.expired", "message.received", "message.part_received", "message.dropped", "message.sent",
    "message.delivered", "message.undelivered", "receipt.unmatched", "receipt.noted", "delivery.put_off", "swept",
    "carrier.malformed", "audit.read", "audit.exported",
    "key.rotated", "key.rewrapped", "key.resealed", "key.retired", "key.destruction_ordered", "key.destroyed",
    "key.root_rotated", "key.backed_up", "policy.proposed", "policy.approved", "policy.withdrawn", "tls.reloaded",
    "tls.refused", "credential.token_issued", "approval.requested", "approval.approved", "approval.denied",
    "approval.expired", "approval.used", "token.fpe_created", "token.exchanged", "token.looked_up",
    "alert.enumeration", "token.batch_revealed", "budget.exhausted", "alert.reveal_volume", "token.erased",
    "subject.erased", "delivery.dropped", "messages.erased", "subject.exported", "subject.number_changed",
    "tenant.erased", "tenant.purged", "retention.applied", "store.backed_up", "store.restored", "keys", "ciphertexts",
    "keks", "base", "proposer", "over", "certificate", "setting", "approval", "asked", "requester", "fpe", "found",
    "pattern", "matching", "records", "budget", "limit", "revealed", "expected", "tokens", "aliases", "verifications",
    "from", "to", "before", "rows", "class", "erasures", "lookalike", "vaulted", "reveal", "tokenize", "lookup",
    "message.accepted", "message.batch_accepted", "message.refused", "suppression.added", "suppression.batch_added",
    "suppression.lifted", "complaint.filed", "template.created", "template.deleted", "tenant.changed", "alert.spend",
    "template", "complaint", "messages", "scope", "source", "notice", "marketing", "share", "cap", "fields",
];

/// Words of one hash, each with its place.
type Slot = Vec<(&'static [u8], usize)>;

/// The places of [`WORDS`], found by a small hash.
static DICTIONARY: LazyLock<Vec<Slot>> = LazyLock::new(|| {
    let mut slots = vec![Vec::new(); SLOTS];
    for (place, word) in WORDS.iter().enumerate() {
        if let Some(slot) = slots.get_mut(slot(word.as_bytes())) {
            slot.push((word.as_bytes(), place));
        }
    }
    slots
});

/// Several for each word, so that most hold one or none.
const SLOTS: usize = 1_024;

/// The place of `text` in [`WORDS`].
pub(super) fn place(text: &[u8]) -> Option<usize> {
    if text.len() > LONGEST {
        return None;
    }
    DICTIONARY.get(slot(text))?.iter().find(|(word, _)| *word == text).map(|(_, place)| *place)
}

pub(super) const LONGEST: usize = 25;

/// FNV-1a over a word of at most [`LONGEST`] letters.
fn slot(text: &[u8]) -> usize {
    let hash = text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 20) as usize % SLOTS
}
