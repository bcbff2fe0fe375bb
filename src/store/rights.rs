//! What is held of one person, and what is to be forgotten: the rows behind erasure, export and a change of number.

use serde::Serialize;

use super::aliases::{AliasRow, Party};
use super::rows::{BlindIndex, TokenRow, VerificationRow};
use super::traffic::{MessageRow, OutboxRow};
use crate::clock::Timestamp;
use crate::ids::{AliasId, RecordId, TenantId, VerificationId};
use crate::phone::VirtualNumber;

/// Of whom to read what is held.
#[derive(Clone, Debug)]
pub struct HeldBy {
    /// In which tenant.
    pub tenant: TenantId,
    /// The person under the tenant's `index` key.
    pub index: BlindIndex,
    /// Only what stands on this very record; none is everything of the person.
    pub record: Option<RecordId>,
    /// The person under the key of each pool that the tenant may use.
    pub places: Vec<BlindIndex>,
    /// At most so many messages.
    pub messages: u32,
}

/// What a tenant holds of a person.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Token records.
    pub tokens: Vec<TokenRow>,
    /// Aliases that name the person, ended ones included.
    pub aliases: Vec<AliasRow>,
    /// Verifications, ended ones included.
    pub verifications: Vec<VerificationRow>,
    /// What went through those aliases, newest first, and what the tenant itself sent to the person.
    pub messages: Vec<MessageRow>,
    /// Where the person can be answered as one who wrote first.
    pub seats: Vec<Seat>,
    /// Failed guesses against the person.
    pub failures: u64,
}

/// A person among the senders of somebody else's `ax` alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The alias.
    pub alias: AliasId,
    /// Its X.
    pub number: VirtualNumber,
    /// The person under the pool's key.
    pub index: BlindIndex,
    /// Until when the seat is kept.
    pub until: Timestamp,
}

/// What is to be forgotten, as [`Held`] was read a moment before. What came in since makes it a
/// [`Conflict::Taken`](super::Conflict::Taken): read again.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// In which tenant.
    pub tenant: TenantId,
    /// The person under the tenant's `index` key.
    pub index: BlindIndex,
    /// Whether everything of the person goes, or only what stands on `records`.
    pub whole: bool,
    /// The records that go.
    pub records: Vec<RecordId>,
    /// The aliases that name the person, as read. Active ones end.
    pub aliases: Vec<AliasRow>,
    /// The verifications that go, as read.
    pub verifications: Vec<VerificationId>,
    /// The seats that go.
    pub seats: Vec<Seat>,
    /// The person under each pool's key.
    pub places: Vec<BlindIndex>,
    /// Whose queued deliveries are dropped.
    pub conversations: Vec<BlindIndex>,
    /// The person's place in the list of erased people, with the epoch that it moves to.
    pub sealed: Option<(BlindIndex, u8)>,
    /// Until when the other party's place is kept free of others.
    pub cool_until: Timestamp,
    /// Until when a number that took messages from anyone rests.
    pub rest_until: Timestamp,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Token records.
    pub tokens: u64,
    /// Aliases.
    pub aliases: u64,
    /// Verifications.
    pub verifications: u64,
    /// Messages.
    pub messages: u64,
    /// Queued deliveries.
    pub deliveries: u64,
    /// Seats as a sender.
    pub seats: u64,
    /// Failed guesses.
    pub failures: u64,
}

/// A person's aliases move from one record to another.
#[derive(Clone, Debug)]
pub struct Move {
    /// In which tenant.
    pub tenant: TenantId,
    /// Each alias as read, with who the person was and is in it.
    pub aliases: Vec<(AliasRow, Party, Party)>,
    /// Until when the old place is kept free of others.
    pub cool_until: Timestamp,
}

/// A queued delivery in a list of what an erasure drops.
pub type Queued = OutboxRow;

/// The epoch from which no further sealed token of a person can be made: the six bits of a token hold 0 to 63.
pub const LAST_EPOCH: u8 = 64;

/// A class of rows that go by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aging {
    /// Bodies of messages made before the moment that were not delivered.
    Bodies(Timestamp),
    /// Messages made before it.
    Messages(Timestamp),
    /// Verifications made before it that are over.
    Verifications(Timestamp),
    /// Token records whose life ended before it.
    Tokens(Timestamp),
    /// Aliases that ended before it.
    Aliases(Timestamp),
    /// Approvals filed before it that were decided, used or lapsed.
    Approvals(Timestamp),
    /// Deliveries to webhooks of events before it; of test tenants of events before the second.
    Deliveries(Timestamp, Timestamp),
    /// Text and salt of entries written before it.
    Entries(Timestamp),
    /// Rows of one kind that test tenants made before it.
    Test(Kept, Timestamp),
    /// Rows of one kind that erased tenants left.
    Erased(Kept),
}

/// A kind of rows that tenants make by the million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// Token records.
    Token,
    /// Verifications.
    Verification,
    /// Messages.
    Message,
    /// Aliases.
    Alias,
}

impl Kept {
    /// Every kind, in the order in which they may go.
    pub const ALL: [Self; 4] = [Self::Message, Self::Verification, Self::Alias, Self::Token];
}

/// The key of a row; those of one table are ordered by when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// A record, or an entry's index.
    Number(i64),
    /// The bytes of an id.
    Id([u8; 16]),
}

/// What a look at a stretch of rows found.
#[derive(Clone, Debug, Default)]
pub struct Aged {
    /// The rows that may go.
    pub keys: Vec<RowKey>,
    /// Whose they are, with how many, for what test tenants are told.
    pub tenants: Vec<(TenantId, u64)>,
    /// Where to look next; none at the end.
    pub next: Option<RowKey>,
}
