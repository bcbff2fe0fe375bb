//! Records of messages on their way: what waits, what was handed over, how far it got.

use serde::Serialize;

use super::rows::{BlindIndex, Sealed};
use crate::clock::Timestamp;
use crate::ids::{AliasId, CredentialId, MessageId, OutboxId, RecordId, TenantId, VerificationId};
use crate::phone::VirtualNumber;

/// What an outbox row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// The `n`-th sending (from 0) of this verification's code.
    Code(VerificationId, u16),
    /// A message with a stored body.
    Message(MessageId),
}

/// A message that is carried on or sent.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Whose, by the leg.
    pub tenant: TenantId,
    /// Through which alias.
    pub alias: AliasId,
    /// Who wrote: `a`, `b`, `number`, `short_code`, `name`, `service`.
    pub sender: String,
    /// Shown to the receiver as the sender.
    pub from: VirtualNumber,
    /// Who receives.
    pub to: Recipient,
    /// The text, sealed; gone once delivered or after 24 h.
    pub body: Option<Sealed>,
    /// How far it got.
    pub status: DeliveryStatus,
    /// Parts it came in.
    pub parts: u32,
    /// When it came.
    pub created_at: Timestamp,
    /// When its body goes at the latest.
    pub expires_at: Timestamp,
}

/// Who receives a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The person behind a token record.
    Person(RecordId),
    /// A stranger who wrote first; the number sealed under the tenant's `seal` key.
    Stranger(Sealed),
}

/// Which concatenated message a part belongs to (3GPP TS 23.040 §9.2.3.24.1: reference, per sender and receiver).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartKey {
    /// The carrier it came by.
    pub carrier: String,
    /// X.
    pub number: VirtualNumber,
    /// HMAC of the sender's address under the `pool` key.
    pub sender: BlindIndex,
    /// The sender's reference.
    pub reference: u16,
    /// Of how many.
    pub total: u8,
}

/// One part.
#[derive(Clone, Debug)]
pub struct PartRow {
    /// From 1 up.
    pub number: u8,
    /// Encoding and octets (and, for assembling later, the sender), sealed under the deployment's `seal` key.
    pub body: Sealed,
    /// When it came.
    pub at: Timestamp,
}

/// Something to be delivered.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Time-ordered: the order within a conversation.
    pub id: OutboxId,
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub task: Task,
    /// Codes before notices before marketing.
    pub lane: Lane,
    /// At most one of a conversation is under way.
    pub conversation: BlindIndex,
    /// The credential on whose word it goes out; none where an alias decided.
    pub credential: Option<CredentialId>,
    /// The policy version that allowed it.
    pub policy: String,
    /// Not before.
    pub due: Timestamp,
    /// Tries so far.
    pub attempts: u32,
}

/// Priority of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// One-time codes.
    Code = 0,
    /// Everything a person waits for.
    Notice = 1,
    /// The rest.
    Marketing = 2,
}

impl Lane {
    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Marketing => "marketing",
        }
    }
}

/// How far a delivery got. Never goes back; of several parts the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Durable here, not yet taken by a carrier.
    Queued,
    /// A carrier took it.
    Submitted,
    /// The carrier says that the device has it.
    Delivered,
    /// The carrier says that the device will not have it.
    Undelivered,
    /// The carrier gave up in time.
    Expired,
    /// The carrier, or a rule, refused it.
    Rejected,
    /// No word came.
    Unknown,
}

/// Why a delivery failed, whatever words its carrier has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The device is off, out of reach, or full.
    AbsentSubscriber,
    /// The network bars the device from receiving.
    Barred,
    /// Nobody has this number, or not as a mobile.
    UnknownSubscriber,
    /// The person, or a filter on the person's behalf, blocked it.
    Blocked,
    /// It was taken for spam.
    Spam,
    /// The network had no room.
    Congestion,
    /// Its time was over before the device was found.
    Expired,
    /// The network does not take this sender.
    InvalidSender,
    /// Whatever else.
    Other,
}

impl Failure {
    /// Its name in events and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AbsentSubscriber => "absent_subscriber",
            Self::Barred => "barred",
            Self::UnknownSubscriber => "unknown_subscriber",
            Self::Blocked => "blocked",
            Self::Spam => "spam",
            Self::Congestion => "congestion",
            Self::Expired => "expired",
            Self::InvalidSender => "invalid_sender",
            Self::Other => "other",
        }
    }
}

impl DeliveryStatus {
    /// Whether nothing more will come.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Submitted)
    }
}
