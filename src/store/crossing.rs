//! What the relay asks of the store about one message: one read for the way it takes, and marks of what was done once.

use async_trait::async_trait;

use super::aliases::{AliasRow, LegRow, SenderRow};
use super::change::StoreError;
use super::rows::BlindIndex;
use super::traffic::Recipient;
use crate::clock::Timestamp;
use crate::event::Mode;
use crate::ids::{MessageId, TenantId};
use crate::phone::VirtualNumber;

/// A message that came to X.
#[derive(Clone, Debug)]
pub struct CrossingKey {
    /// X.
    pub number: VirtualNumber,
    /// The writer under the pool's key, where it is a number.
    pub party: Option<BlindIndex>,
    /// The writer's digits, to see whether they are a pool's.
    pub writer: Option<VirtualNumber>,
    /// Of what pools.
    pub mode: Mode,
    /// Only aliases of this tenant count.
    pub only: Option<TenantId>,
}

/// Which way it takes.
#[derive(Clone, Debug)]
pub enum Crossing {
    /// The writer is a pool's number.
    Loop,
    /// A leg, and the alias's senders where the leg has to do with them.
    Leg(Box<(LegRow, AliasRow)>, Vec<SenderRow>),
    /// No leg, but aliases that are told apart by extension.
    Extensions,
    /// No leg. If one alias alone is on X, or was the last one there, it is this one.
    Unknown(Option<Box<AliasRow>>),
}

/// A mark of something that happened, as an HMAC over what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub BlindIndex);

/// What relaying changes beside messages, parts and senders, each with its precondition.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant says what it does")]
pub enum CrossingWrite {
    /// A message that its carrier names; [`Conflict::Heard`](super::Conflict::Heard) if it came before.
    Hear { mark: Mark, until: Timestamp },
    /// Somebody is told something that they are told once; [`Conflict::Taken`](super::Conflict::Taken) if they were.
    Tell { mark: Mark, until: Timestamp },
    /// Gives a parked message to a receiver, who sees it come from `shown`; [`Conflict::Missing`](super::Conflict::Missing) if its body is gone.
    Redirect { tenant: TenantId, id: MessageId, to: Recipient, shown: VirtualNumber },
}

/// Reads of the relay.
#[async_trait]
pub trait CrossingStore: Send + Sync {
    /// The way that a message takes.
    async fn crossing(&self, _key: &CrossingKey) -> Result<Crossing, StoreError> {
        Err(StoreError::Unavailable("nothing crosses here".into()))
    }
    /// Whether a mark stands.
    async fn is_marked(&self, _mark: Mark) -> Result<bool, StoreError> {
        Err(StoreError::Unavailable("nothing crosses here".into()))
    }
}
