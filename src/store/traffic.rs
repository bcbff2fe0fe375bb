//! Records of messages on their way: what waits, what was handed over, how far it got.

use serde::{Deserialize, Serialize};

use super::outreach::Registration;
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
    /// A stranger's message, parked until the tenant said what becomes of it.
    Ask(MessageId),
}

impl Task {
    /// The message that it is about, if it is about one.
    pub const fn message(self) -> Option<MessageId> {
        match self {
            Self::Message(id) | Self::Ask(id) => Some(id),
            Self::Code(..) => None,
        }
    }
}

/// A message that is carried on or sent.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Whose, by the leg.
    pub tenant: TenantId,
    /// Through which alias; none where the tenant asked for it.
    pub alias: Option<AliasId>,
    /// Who wrote: `a`, `b`, `number`, `short_code`, `name`, `service`, `tenant`.
    pub sender: String,
    /// Shown to the receiver as the sender.
    pub from: Shown,
    /// What kind of message it is.
    pub class: Class,
    /// Who receives.
    pub to: Recipient,
    /// The text, sealed; gone once delivered or after 24 h.
    pub body: Option<Sealed>,
    /// What the tenant may learn of the text, sealed under [`DISCLOSED`]; gone after 24 h.
    pub disclosed: Option<Sealed>,
    /// How far it got.
    pub status: DeliveryStatus,
    /// Parts it came in.
    pub parts: u32,
    /// When it came.
    pub created_at: Timestamp,
    /// When its body goes at the latest.
    pub expires_at: Timestamp,
    /// Who asked for it, where no alias brought it about.
    pub asked: Option<Asked>,
    /// What carriers made of it; empty in a new one.
    pub progress: Progress,
}

/// The label under which what a tenant may learn of a text is sealed, with the message's id.
pub const DISCLOSED: &str = "disclosed";

/// What a receiver sees as the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A number of a pool.
    Number(VirtualNumber),
    /// A name or short code that the tenant has registered.
    Sender(String),
    /// Whatever the carrier shows for the house itself.
    House,
}

impl Shown {
    /// The number, if it is one: what can be answered.
    pub const fn number(&self) -> Option<VirtualNumber> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Sender(_) | Self::House => None,
        }
    }
}

/// What kind of message it is: how urgent, and what a suppression stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A one-time code that the person asked for.
    Code,
    /// Something that the person waits for.
    Notice,
    /// The rest.
    Marketing,
    /// Another person's words, across an alias.
    Relay,
}

impl Class {
    /// Those that a tenant can ask for.
    pub const ASKED: [Self; 3] = [Self::Code, Self::Notice, Self::Marketing];

    /// The lane it takes where nothing in it makes it more urgent.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Code => Lane::Code,
            Self::Notice | Self::Relay => Lane::Notice,
            Self::Marketing => Lane::Marketing,
        }
    }

    /// Its name in answers, metrics and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Marketing => "marketing",
            Self::Relay => "relay",
        }
    }

    /// The class that `name` names.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Code, Self::Notice, Self::Marketing, Self::Relay].into_iter().find(|class| class.as_str() == name)
    }
}

/// Who asked for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The credential that did.
    pub credential: CredentialId,
    /// The audience it speaks in; none is the tenant's own.
    pub audience: Option<String>,
    /// The person under the tenant's `index` key.
    pub party: BlindIndex,
    /// Under what its sender is registered, where that is asked for.
    pub registration: Option<Registration>,
}

/// What carriers made of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The carrier that took it.
    pub carrier: Option<String>,
    /// Why it did not arrive, as a short class that means the same for every carrier.
    pub failure: Option<String>,
    /// When a carrier took it.
    pub submitted_at: Option<Timestamp>,
    /// When it was clear what became of it.
    pub settled_at: Option<Timestamp>,
}

/// Somebody who does not want to be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Whose messages.
    pub tenant: TenantId,
    /// The person under the tenant's `index` key.
    pub index: BlindIndex,
    /// Which messages.
    pub scope: Scope,
    /// How it came about: `stop`, `api`, `complaint`.
    pub source: String,
    /// Since when.
    pub at: Timestamp,
}

/// Which messages a suppression stops. `guard::suppression` says what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Those from one number.
    Number(VirtualNumber),
    /// Marketing.
    Marketing,
    /// Notices.
    Notice,
    /// All but codes that were asked for.
    All,
}

/// A message on its way to a person who asked to be spared some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spared {
    /// What kind of message it is.
    pub class: Class,
    /// The number it would show, if it is one.
    pub from: Option<VirtualNumber>,
    /// From what.
    pub scopes: Vec<Scope>,
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
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Code, Self::Notice, Self::Marketing];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Marketing => "marketing",
        }
    }
}

/// How many deliveries of each lane may be under way, so that no lane fills the places of a more urgent one.
///
/// The first bound is for all of them together, the second for all but codes, the third for marketing alone: whatever
/// is under way takes a place of its own lane's bound and of every wider one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room([u32; 3]);

impl Room {
    /// Room for so many of whatever lane.
    pub const fn of(count: u32) -> Self {
        Self([count; 3])
    }

    /// Room for `all`, of which at most `below` are no codes and at most `marketing` marketing.
    pub const fn bounded(all: u32, below: u32, marketing: u32) -> Self {
        Self([all, below, marketing])
    }

    /// How many of a lane there is room for.
    pub fn for_lane(self, lane: Lane) -> u32 {
        self.bounds(lane).copied().min().unwrap_or_default()
    }

    /// What is left once `count` of a lane are under way.
    #[must_use]
    pub fn less(mut self, lane: Lane, count: u32) -> Self {
        for bound in self.0.iter_mut().take(lane as usize + 1) {
            *bound = bound.saturating_sub(count);
        }
        self
    }

    fn bounds(&self, lane: Lane) -> impl Iterator<Item = &u32> {
        self.0.iter().take(lane as usize + 1)
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

/// A carrier's id of one part, and whom the part went to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartId {
    /// As the carrier names it.
    pub id: String,
    /// The device's number under a key, another digest for each id (`keyring` makes it); 0 if it is not known.
    pub device: i64,
}

impl From<&str> for PartId {
    fn from(id: &str) -> Self {
        Self { id: id.to_owned(), device: 0 }
    }
}

/// A carrier's word on one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// By its name.
    pub carrier: String,
    /// Which part, the likeliest spelling of its id first. Of several, and of one that several parts have, the device
    /// decides.
    pub ids: Vec<PartId>,
    /// What the carrier says.
    pub status: DeliveryStatus,
    /// Why it failed, if it did and the carrier said so.
    pub failure: Option<Failure>,
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
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::AbsentSubscriber,
        Self::Barred,
        Self::UnknownSubscriber,
        Self::Blocked,
        Self::Spam,
        Self::Congestion,
        Self::Expired,
        Self::InvalidSender,
        Self::Other,
    ];

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

    /// The class of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl DeliveryStatus {
    /// Whether nothing more will come.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Submitted)
    }
}
