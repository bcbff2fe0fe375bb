//! Records of calls that were put through: how far each got, so that its events are told once.

use async_trait::async_trait;

use super::change::StoreError;
use super::rows::BlindIndex;
use crate::clock::Timestamp;
use crate::ids::{AliasId, CallId, TenantId};

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow {
    /// Its id.
    pub id: CallId,
    /// HMAC of the carrier's id of it: a carrier's request that comes twice finds it.
    pub reference: BlindIndex,
    /// Whose, by the leg.
    pub tenant: TenantId,
    /// Through which alias.
    pub alias: AliasId,
    /// Whether the party has to press a key first.
    pub screened: bool,
    /// When it was put through.
    pub started_at: Timestamp,
    /// When the party picked up.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it is forgotten.
    pub until: Timestamp,
}

/// What calls change, each with its precondition.
#[derive(Debug)]
pub enum CallWrite {
    /// A new call; [`Conflict::Exists`](super::Conflict::Exists) if its carrier asked about it before.
    Start(CallRow),
    /// The party picked up; [`Conflict::Taken`](super::Conflict::Taken) if that was told, or the call is over.
    Answer {
        /// Which.
        id: CallId,
    },
    /// It ended; [`Conflict::Taken`](super::Conflict::Taken) if that was told.
    End {
        /// Which.
        id: CallId,
    },
}

/// Reads of calls.
#[async_trait]
pub trait CallStore: Send + Sync {
    /// The call of this reference.
    async fn call(&self, _reference: BlindIndex) -> Result<Option<CallRow>, StoreError> {
        Err(StoreError::Unavailable("no calls are kept here".into()))
    }
}
