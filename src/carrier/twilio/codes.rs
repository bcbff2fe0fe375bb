//! What Twilio's error codes mean here: for a message that is being handed over, and for one that failed later.

use crate::store::{DeliveryStatus, Failure};

/// What a code says of a message that is being handed over.
pub(super) enum Verdict {
    /// Slow down; nothing was taken.
    Throttled,
    /// The account or the service is not in order; nothing was taken.
    Unavailable,
    /// Never: a class, and the code.
    Refused(String),
}

/// The verdict of an error's body; none if its code says nothing and the status has to.
pub(super) fn refusal(code: u32) -> Option<Verdict> {
    match code {
        14107 | 20429 | 21611 | 30001 => Some(Verdict::Throttled),
        // The account: authentication, permission, suspended, balance, unknown account, the service itself.
        20002..=20008 | 20403..=20404 | 20500..=20504 | 30002 => Some(Verdict::Unavailable),
        14000..=14999 | 21000..=21999 | 30003..=63999 => {
            Some(Verdict::Refused(format!("{}:twilio_{code}", failure(code).as_str())))
        }
        _ => None,
    }
}

/// Why a message failed.
pub(super) const fn failure(code: u32) -> Failure {
    match code {
        30003 => Failure::AbsentSubscriber,
        21408 | 21612 | 21635 => Failure::Barred,
        21211 | 21214 | 21217 | 21265 | 21614 | 30005 | 30006 => Failure::UnknownSubscriber,
        21610 | 30004 => Failure::Blocked,
        30007 | 30450 | 30453 => Failure::Spam,
        30001 | 30017 | 30022 | 30410 => Failure::Congestion,
        30036 => Failure::Expired,
        21212 | 21603 | 21606 | 21607 | 21659 | 21660 | 21661 | 21703 | 21704 | 30032 | 30034 | 30035 => {
            Failure::InvalidSender
        }
        _ => Failure::Other,
    }
}

/// What `MessageStatus` says; none for a word that is not known.
pub(super) fn status(word: &str) -> Option<DeliveryStatus> {
    Some(match word {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => DeliveryStatus::Submitted,
        "delivered" | "read" => DeliveryStatus::Delivered,
        "undelivered" => DeliveryStatus::Undelivered,
        "failed" | "canceled" => DeliveryStatus::Rejected,
        _ => return None,
    })
}
