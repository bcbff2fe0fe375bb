//! The carrier port, in both directions: [`Carrier`] takes what goes out, [`Inbox`] takes what comes in.
//!
//! A carrier acknowledges what it received only after the [`Inbox`] said that it is durable. A real number passes here
//! in a [`PhoneNumber`]; nothing in this room logs an address or a text.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{CallPlan, CallProgress, IncomingCall};
use crate::ids::TenantId;
use crate::phone::{PhoneNumber, VirtualNumber};
use crate::store::{DeliveryStatus, Failure, Lane, Registration};

/// A way out.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Its configured name.
    fn name(&self) -> &str;

    /// Whether it reaches real devices. Test tenants may use only a carrier that does not.
    fn is_live(&self) -> bool;

    /// What messages of the house itself (codes) show as their sender.
    fn sender(&self) -> Address;

    /// Whether it could take a message now. For health and route choice.
    fn is_up(&self) -> bool;

    /// Where it keeps what passes it, if that was said: as `region` in its settings.
    fn region(&self) -> Option<&str> {
        None
    }

    /// What it can do.
    fn capabilities(&self) -> &[Capability] {
        &[Capability::Sms]
    }

    /// What it did since the start, and is doing, if it counts that. For metrics.
    fn counts(&self) -> Option<CarrierCounts> {
        None
    }

    /// Hands over one message, split as the network needs it; returns once the carrier has taken every part.
    async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError>;

    /// Runs the carrier's links until `stop` resolves, feeding what arrives to `inbox`.
    async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, stop: tokio::sync::watch::Receiver<bool>);
}

/// Counts of one carrier: since the start, but for the last three, which are as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierCounts {
    /// Parts of messages that it took.
    pub sent: u64,
    /// Times that it asked to slow down.
    pub throttled: u64,
    /// Parts that it refused or did not confirm.
    pub errors: u64,
    /// Messages, or parts of them, that it brought.
    pub received: u64,
    /// Messages that it brought again.
    pub repeats: u64,
    /// Receipts that it brought.
    pub receipts: u64,
    /// Breaches of its protocol.
    pub malformed: u64,
    /// Links that are up.
    pub links: u64,
    /// Requests that await an answer.
    pub waiting: u64,
    /// How many may.
    pub window: u64,
}

/// What became of a carrier's link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It carries from now on.
    Up,
    /// It ended, or did not come to be: why, as a short class.
    Down(String),
}

/// What a carrier can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Text messages, out and in.
    Sms,
    /// Calls.
    Voice,
}

impl Capability {
    /// Its name in settings, pools and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
        }
    }
}

/// A message on its way to a device.
pub struct Submission {
    /// Whose traffic it is.
    pub tenant: TenantId,
    /// Shown as the sender.
    pub from: Address,
    /// The device.
    pub to: PhoneNumber,
    /// The whole text.
    pub text: Zeroizing<String>,
    /// How long it is of use, if that is known.
    pub life: Option<Duration>,
    /// How urgent it is: where a carrier has to hold some back, codes go first.
    pub lane: Lane,
    /// Under what sender and text are registered, for carriers that ask for it.
    pub registration: Option<Registration>,
}

/// A sender that is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A virtual number.
    Number(VirtualNumber),
    /// A short code, meaningful to one carrier.
    ShortCode(String),
    /// An alphanumeric name, at most 11 characters (3GPP TS 23.040 §9.1.2.5).
    Name(String),
}

/// A message that a carrier took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The carrier's id of each part, in order, as its receipts will name them.
    pub ids: Vec<String>,
}

/// Why a carrier did not take a message.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too fast for it; nothing was taken.
    #[error("the carrier asks to slow down")]
    Throttled {
        /// Not before.
        retry_after: Duration,
    },
    /// No link, or it broke before anything was sent; nothing was taken.
    #[error("the carrier cannot be reached")]
    Unavailable,
    /// The link broke, or no answer came, after sending: it may have been taken. Trying again may repeat it.
    #[error("the carrier did not confirm")]
    Unconfirmed,
    /// It will never take this message.
    #[error("the carrier refused: {reason}")]
    Refused {
        /// A short class, free of numbers: `smpp_status_11` say.
        reason: String,
    },
}

/// Where a carrier brings what it received. Implemented by `relay`.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// A message, or a part of one, from a device or a stranger. Returns once it is durable or decided.
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError>;

    /// The carrier's word on a message of ours. Returns once it is durable.
    async fn receipt(&self, receipt: Receipt) -> Result<(), InboxError>;

    /// Somebody calls a number of ours. Returns once what is to be done is decided and, before a number is named, durable.
    async fn call(&self, _call: IncomingCall) -> Result<CallPlan, InboxError> {
        Ok(CallPlan::Reject { reason: "no_calls", told: false })
    }

    /// How a call goes on. Returns once it is durable.
    async fn call_progress(&self, _progress: CallProgress) -> Result<(), InboxError> {
        Ok(())
    }

    /// A link of the carrier, by its name there, came up or went down.
    async fn link(&self, carrier: &str, link: &str, change: LinkChange) {
        let _ = (carrier, link, change);
    }

    /// The carrier sent something that its protocol does not allow; `fault` is a short kind, free of content.
    async fn malformed(&self, carrier: &str, fault: &str);
}

/// What came in.
pub struct Incoming {
    /// The carrier's configured name.
    pub carrier: String,
    /// The carrier's own id of it, if its protocol gives one that stays the same when it is sent again.
    pub id: Option<String>,
    /// Who wrote.
    pub from: Origin,
    /// The pool number that was written to.
    pub to: VirtualNumber,
    /// Its octets and how to read them.
    pub body: crate::message::Encoded,
    /// Its place in a longer message.
    pub part: Option<Part>,
    /// Only legs of this tenant count (the sandbox: a tester may write only to its own tenant's aliases).
    pub only: Option<TenantId>,
}

/// Who wrote. A real number is secret; the other two cannot be answered.
pub enum Origin {
    /// A device.
    Number(PhoneNumber),
    /// A short code of this carrier.
    ShortCode(String),
    /// An alphanumeric name.
    Name(String),
}

/// A part's place (3GPP TS 23.040 §9.2.3.24.1 and §9.2.3.24.8; SMPP 3.4 §5.3.2.22 ff.).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The sender's reference.
    pub reference: u16,
    /// Of how many, 2 to 255.
    pub total: u8,
    /// From 1 up.
    pub number: u8,
}

/// What became of an incoming message. All of these are acknowledged as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It will be carried on.
    Carried,
    /// Its part is safe; more are awaited.
    AwaitingParts,
    /// A rule said no: unknown sender, loop, frozen, unreadable.
    Dropped,
}

/// Why an incoming message could not be made safe: the carrier must keep it and try again.
#[derive(Debug, thiserror::Error)]
#[error("not durable, the carrier has to keep it: {0}")]
pub struct InboxError(pub String);

/// The carrier's word on one part of a message.
pub struct Receipt {
    /// The carrier's configured name.
    pub carrier: String,
    /// Its id of the part.
    pub id: String,
    /// How the id may have been written when the part was taken, where carriers spell one id in two ways. A hit on one
    /// of these needs `to` to agree.
    pub also: Vec<String>,
    /// What it says.
    pub status: DeliveryStatus,
    /// Why, if it failed and the carrier said so.
    pub failure: Option<Failure>,
    /// The device it is about, if the carrier said so: settles which of several messages is meant.
    pub to: Option<PhoneNumber>,
}
