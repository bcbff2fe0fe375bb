//! What a caller sees of an alias: ids, X, tokens in the caller's audience. Never a person's number.

use serde::Serialize;

use super::error::AliasError;
use super::{Alias, leg};
use crate::access::Permit;
use crate::clock::Timestamp;
use crate::ids::{AliasId, MessageId};
use crate::phone::VirtualNumber;
use crate::store::{AliasMode, AliasRow, AliasStatus, DeliveryStatus, Disclose, MessageRow, Party, Unknown};
use crate::token::Token;

/// An alias as its owner sees it.
#[derive(Clone, Serialize)]
pub struct AliasView {
    /// `als_…`.
    pub id: AliasId,
    /// Which table of legs.
    pub mode: AliasMode,
    /// X.
    pub number: VirtualNumber,
    /// Y, where A sees another number than B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_y: Option<VirtualNumber>,
    /// The digits that name it on X.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The first person, in the caller's audience.
    pub a: Token,
    /// The second person, in the caller's audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Token>,
    /// The team, in the caller's audience.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Token>,
    /// What the tenant learns of messages.
    pub disclose: Disclose,
    /// What becomes of messages from those who have no leg.
    pub unknown: Unknown,
    /// The content policy that messages pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What it carries.
    pub capabilities: Vec<String>,
    /// Each person with the number that reaches the others.
    pub legs: Vec<LegView>,
    /// Whether it carries.
    pub status: AliasStatus,
    /// Until when; none is until released.
    pub expires_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
}

/// One person's side of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LegView {
    /// `a`, `b` or `member`.
    pub party: &'static str,
    /// The number this person writes to and is written from.
    pub number: VirtualNumber,
}

/// A message that went through an alias, without content.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    /// `msg_…`.
    pub id: MessageId,
    /// Who wrote: `a`, `b`, `number`, `short_code`, `name`, `service`.
    pub from: String,
    /// How far it got.
    pub status: DeliveryStatus,
    /// Parts it came in.
    pub parts: u32,
    /// When it came.
    pub created_at: Timestamp,
}

impl From<MessageRow> for MessageView {
    fn from(row: MessageRow) -> Self {
        Self { id: row.id, from: row.sender, status: row.status, parts: row.parts, created_at: row.created_at }
    }
}

impl Alias {
    /// The view of `row` for whoever holds `permit`.
    pub(super) async fn view<R>(&self, permit: &Permit<R>, row: &AliasRow) -> Result<AliasView, AliasError> {
        let token = async |party: &Party| self.vault.token_of(row.tenant, party.record, permit.audience()).await;
        let mut members = Vec::with_capacity(row.members.len());
        for member in &row.members {
            members.push(token(member).await?);
        }
        Ok(AliasView {
            id: row.id,
            mode: row.mode,
            number: row.number,
            number_y: row.number_y,
            extension: row.extension.clone(),
            a: token(&row.a).await?,
            b: match &row.b {
                Some(b) => Some(token(b).await?),
                None => None,
            },
            members,
            disclose: row.disclose,
            unknown: row.unknown,
            content: row.content.clone(),
            capabilities: row.capabilities.clone(),
            legs: legs(row),
            status: status_at(row, self.store.now()),
            expires_at: row.expires_at,
            created_at: row.created_at,
            metadata: row.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        })
    }
}

/// The people who have a number to write to, each once.
fn legs(row: &AliasRow) -> Vec<LegView> {
    let named = |party: &Party| match party.index {
        index if index == row.a.index => "a",
        index if row.b.is_some_and(|b| b.index == index) => "b",
        _ => "member",
    };
    let people = row.people();
    people.iter().map(|party| LegView { party: named(party), number: leg::number_of(row, party) }).collect()
}

/// An alias past its time is over, also before a worker came by to say so.
fn status_at(row: &AliasRow, now: Timestamp) -> AliasStatus {
    match row.expires_at {
        Some(end) if end <= now && row.status == AliasStatus::Active => AliasStatus::Expired,
        _ => row.status,
    }
}
