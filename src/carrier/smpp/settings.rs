//! What an SMPP carrier runs with: settings that have been looked at, and how long it waits for what.

use std::time::Duration;

use rusmpp_core::types::borrowed::COctetString;
use zeroize::Zeroizing;

use super::address::WireAddress;
use super::receipt::ErrorCodes;
use crate::carrier::Address;
use crate::config::{SmppBind, SmppLink};
use crate::store::Failure;

/// A setting that SMPP has no room for; the wiring stops on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {mend}")]
pub struct SmppSettingError {
    /// The key in the carrier's section.
    pub key: &'static str,
    /// What it has to be.
    pub mend: &'static str,
}

/// How long the carrier waits for what. Tests wait less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmppTiming {
    /// For a connection, and for the answer to any request.
    pub answer: Duration,
    /// For what is under way when we are to stop.
    pub drain: Duration,
    /// Before the first new try after a link ended.
    pub backoff_min: Duration,
    /// Before a new try at most.
    pub backoff_max: Duration,
    /// A link that lasted this long was a good one: the next try comes soon again.
    pub stable: Duration,
}

impl Default for SmppTiming {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            stable: Duration::from_secs(10),
        }
    }
}

impl SmppTiming {
    /// As the settings have it.
    pub(super) fn of(link: &SmppLink) -> Self {
        let seconds = |count| Duration::from_secs(u64::from(count));
        Self { answer: seconds(link.answer_s), backoff_max: seconds(link.reconnect_s), ..Self::default() }
    }
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Transceiver,
    Transmitter,
    Receiver,
}

impl Role {
    /// The roles of all links of a carrier, in their order.
    pub(super) fn all(link: &SmppLink) -> Vec<Self> {
        let each: &[Self] = match link.bind {
            SmppBind::Transceiver => &[Self::Transceiver],
            SmppBind::Separate => &[Self::Transmitter, Self::Receiver],
        };
        each.repeat(usize::from(link.binds))
    }

    pub(super) const fn submits(self) -> bool {
        matches!(self, Self::Transceiver | Self::Transmitter)
    }

    pub(super) const fn receives(self) -> bool {
        matches!(self, Self::Transceiver | Self::Receiver)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Transceiver => "transceiver",
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
        }
    }
}

/// `text` ended by NUL.
pub(super) fn c_string(text: &str) -> Zeroizing<Vec<u8>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    octets.extend_from_slice(text.as_bytes());
    octets.push(0);
    octets
}

/// Refuses what the protocol has no room for.
pub(super) fn check(link: &SmppLink, sender: &Address) -> Result<(), SmppSettingError> {
    let sound = [
        (
            COctetString::<1, 16>::new(&c_string(&link.system_id)).is_ok(),
            "system_id",
            "has at most 15 ASCII characters",
        ),
        (COctetString::<1, 9>::new(&c_string(&link.password.0)).is_ok(), "password", "has at most 8 ASCII characters"),
        (
            COctetString::<1, 13>::new(&c_string(&link.system_type)).is_ok(),
            "system_type",
            "has at most 12 ASCII characters",
        ),
        (
            COctetString::<1, 41>::new(&c_string(&link.address_range)).is_ok(),
            "address_range",
            "has at most 40 ASCII characters",
        ),
        (
            COctetString::<1, 6>::new(&c_string(&link.service_type)).is_ok(),
            "service_type",
            "has at most 5 ASCII characters",
        ),
        (
            WireAddress::sender(sender, &link.addressing).is_some(),
            "sender",
            "is +digits, a short code or a name of 1 to 11",
        ),
        (link.window >= link.binds && link.binds > 0, "window", "is at least 1 for each bind"),
    ];
    sound.iter().find(|(sound, ..)| !sound).map_or(Ok(()), |(_, key, mend)| Err(SmppSettingError { key, mend }))
}

/// What `err` of receipts means here, as the settings say.
pub(super) fn error_codes(link: &SmppLink) -> Result<ErrorCodes, SmppSettingError> {
    let read = link.error_codes.iter().map(|(code, class)| Some((code.clone(), Failure::parse(class)?)));
    read.collect::<Option<_>>().ok_or(SmppSettingError {
        key: "error_codes",
        mend: "gives each err one of absent_subscriber, barred, unknown_subscriber, blocked, spam, congestion, expired, \
               invalid_sender, other",
    })
}
