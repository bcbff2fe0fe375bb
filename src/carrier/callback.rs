//! What carriers call us with over HTTP, and what they are answered.
//!
//! Every carrier kind has its own shape and its own proof of who calls; [`HttpCarrier::called_back`] checks the proof
//! before it looks at anything else, brings what came to the [`Inbox`], and answers only after that. Called by the API's
//! `/carriers/{name}/…`, which has bounded the body. Neither query nor body is ever logged.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{Carrier, Inbox, InboxError};
use crate::clock::Timestamp;

/// A carrier that calls us.
#[async_trait]
pub trait HttpCarrier: Carrier {
    /// Takes one call. Answers once what came is durable, or decided.
    ///
    /// # Errors
    /// [`Refusal`], by what the caller is to be told.
    async fn called_back(&self, place: Place, callback: &Callback<'_>, inbox: &dyn Inbox) -> Result<Reply, Refusal>;
}

/// Where a carrier calls, below `/carriers/{name}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/inbound`: a message came.
    Inbound,
    /// `/status`: what became of a message of ours.
    Status,
    /// `/voice`: somebody calls, or a step within a call.
    Voice,
    /// `/voice/status`: how a call goes on, or ended.
    VoiceStatus,
}

impl Place {
    /// Its path below the carrier's own.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Status => "status",
            Self::Voice => "voice",
            Self::VoiceStatus => "voice/status",
        }
    }
}

/// One call of a carrier.
pub struct Callback<'a> {
    /// When it came.
    pub at: Timestamp,
    /// Whether it came by POST; else by GET.
    pub is_post: bool,
    /// Where the carrier called, as it knows the address: `https://bauta.example/carriers/tw/inbound`, without query.
    pub url: &'a str,
    /// Behind the `?`, as it came; empty if there was none.
    pub query: &'a str,
    /// Names in lower case.
    pub headers: &'a [(String, Zeroizing<String>)],
    /// As it came.
    pub body: &'a [u8],
}

impl Callback<'_> {
    /// A header's value, if it is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value.as_str())
    }
}

/// What a carrier is answered, with 200.
pub struct Reply {
    /// The media type.
    pub kind: &'static str,
    /// The body; of a call it may name the number to be called, which is what the carrier is asked for.
    pub body: Zeroizing<String>,
}

impl Reply {
    /// Taken, and nothing more to say.
    pub fn taken() -> Self {
        Self { kind: "text/plain; charset=utf-8", body: Zeroizing::new(String::new()) }
    }
}

/// Why a call was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Its proof is missing, wrong, over something else, or too old.
    #[error("the call does not prove that it is the carrier's")]
    Forged,
    /// It is not of the carrier's shape; a short kind, free of content.
    #[error("not of the carrier's shape: {0}")]
    Malformed(&'static str),
    /// This carrier does not call there.
    #[error("no such place of this carrier")]
    NowhereHere,
    /// It could not be made durable: the carrier has to call again.
    #[error(transparent)]
    NotDurable(#[from] InboxError),
}
