//! Calls: what a carrier asks when somebody rings a virtual number, what it is to do, and how the call went.

use zeroize::Zeroizing;

use super::Origin;
use crate::phone::{PhoneNumber, VirtualNumber};

/// Somebody calls a virtual number.
pub struct IncomingCall {
    /// The carrier's configured name.
    pub carrier: String,
    /// The carrier's id of the call, the same through all of it.
    pub id: String,
    /// Who calls.
    pub from: Origin,
    /// The pool number that was called.
    pub to: VirtualNumber,
    /// What the caller typed when asked for an extension.
    pub digits: Option<Zeroizing<String>>,
    /// Whether the callee is to press a key first, so that no voicemail answers with a name.
    pub screen: bool,
    /// The longest a call may last, in seconds.
    pub max_s: u32,
}

/// What the carrier is to do with a call.
pub enum CallPlan {
    /// Call `to`, who sees `shown`, and put the two through.
    Bridge {
        /// The party to be called. The entry that tells of it is durable.
        to: PhoneNumber,
        /// What the party sees as the caller.
        shown: VirtualNumber,
        /// Whether the party has to press a key first.
        screen: bool,
        /// The longest the call may last, in seconds.
        max_s: u32,
    },
    /// Ask the caller for an extension, and come back with what was typed.
    Keypad,
    /// End the call.
    Reject {
        /// Why, as its event says.
        reason: &'static str,
        /// Whether the caller is told politely; else the call is turned away without a word.
        told: bool,
    },
}

/// How a call goes on.
pub struct CallProgress {
    /// The carrier's configured name.
    pub carrier: String,
    /// The carrier's id of the call, as in [`IncomingCall`].
    pub id: String,
    /// What happened.
    pub step: CallStep,
}

/// What happened within a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStep {
    /// The party picked up and, where asked to, pressed the key.
    Answered,
    /// The party's side ended.
    Ended {
        /// How.
        status: CallStatus,
        /// How long the two were put through.
        seconds: u32,
    },
    /// The caller's side ended: what follows for the call depends on whether it was answered.
    HungUp {
        /// How long the caller's side lasted.
        seconds: u32,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// The two spoke.
    Completed,
    /// The party was on another call, or turned it away.
    Busy,
    /// Nobody picked up, or nobody pressed the key.
    NoAnswer,
    /// The network could not.
    Failed,
    /// The caller gave up first.
    Canceled,
}

impl CallStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Completed, Self::Busy, Self::NoAnswer, Self::Failed, Self::Canceled];

    /// Its name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}
