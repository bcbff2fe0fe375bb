//! What Vonage's error codes mean here: for a message that is being handed over, and for one that failed later.

use serde_json::Value;

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

/// The code of an error document: behind the `#` of its `type`, or its `title`.
pub(super) fn of(error: &Value) -> Option<u32> {
    let kind = error.get("type").and_then(Value::as_str).and_then(|kind| kind.rsplit_once('#')?.1.parse().ok());
    let title = || match error.get("title")? {
        Value::Number(code) => code.as_u64().and_then(|code| code.try_into().ok()),
        Value::String(code) => code.parse().ok(),
        _ => None,
    };
    kind.or_else(title)
}

/// The verdict of a code; none if it says nothing and the status has to.
pub(super) fn refusal(code: u32) -> Option<Verdict> {
    match code {
        1000 | 1310 => Some(Verdict::Throttled),
        // Internal, account barred, quota, not enabled, communication.
        1030 | 1060 | 1070 | 1080 | 1100 => Some(Verdict::Unavailable),
        1001..=1999 => Some(Verdict::Refused(format!("{}:vonage_{code}", failure(code).as_str()))),
        _ => None,
    }
}

/// Why a message failed.
pub(super) const fn failure(code: u32) -> Failure {
    match code {
        1180 | 1190 | 1230 => Failure::AbsentSubscriber,
        1050 | 1160 | 1200 | 1280 | 1300 => Failure::Barred,
        1170 | 1210 | 1250 | 1260 | 1270 => Failure::UnknownSubscriber,
        1290 => Failure::Blocked,
        1220 => Failure::Spam,
        1000 | 1240 | 1310 => Failure::Congestion,
        1120 | 1140 => Failure::InvalidSender,
        _ => Failure::Other,
    }
}

/// What `status` says; none for a word that is not known.
pub(super) fn status(word: &str) -> Option<DeliveryStatus> {
    Some(match word {
        "submitted" | "accepted" | "buffered" => DeliveryStatus::Submitted,
        "delivered" | "read" => DeliveryStatus::Delivered,
        "undeliverable" | "failed" => DeliveryStatus::Undelivered,
        "rejected" => DeliveryStatus::Rejected,
        "expired" => DeliveryStatus::Expired,
        "unknown" => DeliveryStatus::Unknown,
        _ => return None,
    })
}
