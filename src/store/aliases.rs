//! Records of aliases: who is bound to which virtual number, by which rules; and what else is asked of a store of them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::change::StoreError;
use super::pools::{LotRow, LowPool, NumberFilter, NumberRow, PoolRow, Usage};
use super::rows::{BlindIndex, Sealed};
use crate::clock::Timestamp;
use crate::ids::{AliasId, CredentialId, PoolId, RecordId, TenantId};
use crate::phone::VirtualNumber;

/// A binding of virtual numbers to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasRow {
    /// Its id.
    pub id: AliasId,
    /// Whose.
    pub tenant: TenantId,
    /// Which table of legs.
    pub mode: AliasMode,
    /// X.
    pub number: VirtualNumber,
    /// Y, in `axyb`: what A writes to and sees.
    pub number_y: Option<VirtualNumber>,
    /// The digits that name it on X, in `axe`.
    pub extension: Option<String>,
    /// The pool X comes from, and Y.
    pub pool: PoolId,
    /// The first person.
    pub a: Party,
    /// The second person: always in `axb` and `axyb`, the fixed one in `axn`, the member whom A writes to in `axg`.
    pub b: Option<Party>,
    /// The team, in `axg`; `b` is one of them.
    pub members: Vec<Party>,
    /// What the tenant learns of messages.
    pub disclose: Disclose,
    /// What becomes of messages from those who have no leg.
    pub unknown: Unknown,
    /// The content policy that its messages pass, by name.
    pub content: Option<String>,
    /// What it carries: `sms`, `voice`.
    pub capabilities: Vec<String>,
    /// The audience of the credential that bound it; none is the tenant's own.
    pub audience: Option<String>,
    /// The credential that bound it.
    pub credential: CredentialId,
    /// Whether it carries.
    pub status: AliasStatus,
    /// A JSON object that the tenant gave, free of numbers.
    pub metadata: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

impl AliasRow {
    /// Everybody in it, A first, each once.
    pub fn people(&self) -> Vec<Party> {
        let mut people = vec![self.a];
        people.extend(self.b.filter(|b| !self.members.iter().any(|member| member.index == b.index)));
        people.extend(&self.members);
        people
    }

    /// Whether it goes on without somebody: a team does while it has another member.
    pub fn outlives(&self, person: BlindIndex) -> bool {
        let is_other = |member: &Party| member.index != person;
        self.mode == AliasMode::Axg
            && self.a.index != person
            && self.members.iter().any(is_other)
            && !self.members.iter().all(is_other)
    }

    /// The numbers that it stands on.
    pub fn numbers(&self) -> impl Iterator<Item = VirtualNumber> {
        [Some(self.number), self.number_y].into_iter().flatten()
    }

    /// Whom whoever takes the leg of `key` meets, see [`counterpart`].
    pub fn counterpart(&self, key: &LegKey) -> Option<BlindIndex> {
        counterpart(self.mode, self.a, self.b, &self.members, key)
    }
}

/// Whom whoever takes the leg of `key` meets through an alias of these people, for whom alone a place that cools may be
/// had again: a person, or a team as a whole. None if that is anybody.
pub fn counterpart(mode: AliasMode, a: Party, b: Option<Party>, members: &[Party], key: &LegKey) -> Option<BlindIndex> {
    let writer = match key {
        LegKey::Anyone => return None,
        LegKey::Extension(_) => return Some(a.index),
        LegKey::Person(writer) => *writer,
    };
    if writer != a.index {
        let is_in = b.iter().chain(members).any(|party| party.index == writer);
        return Some(a.index).filter(|_| is_in && mode.usage() == Usage::Pair);
    }
    match mode {
        AliasMode::Axb | AliasMode::Axyb => b.map(|b| b.index),
        AliasMode::Axg => Some(team(members)),
        AliasMode::Ax | AliasMode::Axn | AliasMode::Axe => None,
    }
}

/// A team as one counterpart: a digest of its members in any order.
fn team(members: &[Party]) -> BlindIndex {
    let mut indexes: Vec<_> = members.iter().map(|member| member.index.0).collect();
    indexes.sort_unstable();
    let digest = ring::digest::digest(&ring::digest::SHA256, indexes.as_flattened());
    let mut out = [0; 16];
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    BlindIndex(out)
}

/// A person of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The token record of the person's number.
    pub record: RecordId,
    /// The number under the `pool` key.
    pub index: BlindIndex,
}

/// How an alias binds; `alias::leg` has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AliasMode {
    /// Anyone who writes to X reaches A, who can answer.
    Ax,
    /// A and B reach each other through X.
    Axb,
    /// Anyone who writes to X reaches A; A reaches a fixed person, or whoever wrote last.
    Axn,
    /// Who names the extension on X reaches A.
    Axe,
    /// A and B reach each other, each through a number of their own area.
    Axyb,
    /// Every member of a team reaches A through X; A reaches the one that is named.
    Axg,
}

impl AliasMode {
    /// What may share a number with an alias of this mode.
    pub const fn usage(self) -> Usage {
        match self {
            Self::Ax | Self::Axn => Usage::Star,
            Self::Axb | Self::Axyb | Self::Axg => Usage::Pair,
            Self::Axe => Usage::Ext,
        }
    }
}

/// What the tenant learns of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disclose {
    /// Nothing.
    #[default]
    None,
    /// That a code came, and its end.
    MaskedCode,
    /// The code.
    Code,
    /// The text, with tokens in place of numbers.
    Text,
}

/// What becomes of messages from those who have no leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Nothing.
    Drop,
    /// They are told, once a day, that the number does not reach anybody.
    #[default]
    Reply,
    /// The tenant's endpoint decides.
    Webhook,
}

impl Disclose {
    /// Its name in requests, answers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MaskedCode => "masked_code",
            Self::Code => "code",
            Self::Text => "text",
        }
    }
}

impl Unknown {
    /// Its name in requests, answers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Reply => "reply",
            Self::Webhook => "webhook",
        }
    }
}

/// Whether an alias carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AliasStatus {
    /// It carries.
    Active,
    /// Given up.
    Released,
    /// Its time ran out.
    Expired,
}

/// One rule of an alias: who writes to X reaches whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegRow {
    /// X, or Y in `axyb`: what the writer writes to.
    pub number: VirtualNumber,
    /// The writer.
    pub from: LegKey,
    /// What the receiver sees as the sender: X, or the other one of `axyb`.
    pub shown: VirtualNumber,
    /// The alias it belongs to.
    pub alias: AliasId,
    /// Whose.
    pub tenant: TenantId,
    /// Whom the writer reaches.
    pub to: LegTarget,
    /// When the alias ends, or the session.
    pub expires_at: Option<Timestamp>,
}

/// Who takes a leg.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegKey {
    /// Anyone (`*`).
    Anyone,
    /// This person, under the `pool` key.
    Person(BlindIndex),
    /// Whoever names these digits, 1 to 8 of them.
    Extension(String),
}

impl LegKey {
    /// The writer, where it is a person.
    pub const fn person(&self) -> Option<BlindIndex> {
        match self {
            Self::Person(index) => Some(*index),
            Self::Anyone | Self::Extension(_) => None,
        }
    }
}

/// Whom a leg reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegTarget {
    /// The person behind a token record.
    Person(RecordId),
    /// One of the alias's live senders, by tag where there are several: A answers.
    Senders,
    /// Whoever wrote last: A calls back.
    LastSender,
    /// The members of the alias.
    Members,
}

/// A filter over a tenant's aliases.
#[derive(Clone, Debug, Default)]
pub struct AliasFilter {
    /// Whose.
    pub tenant: Option<TenantId>,
    /// Only those that a credential of this audience bound.
    pub audience: Option<String>,
    /// Only of this status.
    pub status: Option<AliasStatus>,
    /// Only on this number.
    pub number: Option<VirtualNumber>,
    /// Older than this one.
    pub after: Option<AliasId>,
    /// At most so many.
    pub limit: u32,
}

/// Somebody outside who wrote to an `ax` alias and can be answered, or could until lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderRow {
    /// The alias.
    pub alias: AliasId,
    /// The small number by which A names the sender, from 1 up.
    pub tag: u32,
    /// The sender under the pool's key.
    pub index: BlindIndex,
    /// The sender's number, sealed under the tenant's `seal` key.
    pub number: Sealed,
    /// When it is forgotten, and its tag free again.
    pub until: Timestamp,
}

/// What happens to aliases and numbers beyond binding and ending, each with its precondition.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant says what it does; its fields are those of the row it touches")]
pub enum AliasWrite {
    /// Opens or renews a caller's session on an extension: the leg of a person to X of an `axe` alias. The person's
    /// session with another alias of that X ends. [`Conflict::AliasOver`](super::Conflict::AliasOver) unless it carries.
    OpenSession(LegRow),
    /// Puts other people into an active alias: `alias` is as it is to be, `legs` are all of its legs. Who leaves cools as
    /// at an end. [`Conflict::LegTaken`](super::Conflict::LegTaken) if a leg cannot be,
    /// [`Conflict::AliasOver`](super::Conflict::AliasOver) if it ended, [`Conflict::Taken`](super::Conflict::Taken) if it
    /// is not as `was`.
    Rebind { was: Box<AliasRow>, alias: Box<AliasRow>, legs: Vec<LegRow>, cool_until: Timestamp },
    /// Sets what the tenant learns and what strangers are told, while the alias carries.
    Adjust { tenant: TenantId, id: AliasId, disclose: Disclose, unknown: Unknown },
    /// Sets a number aside for a reason, or takes it back; [`Conflict::Missing`](super::Conflict::Missing) if the pool
    /// has no such number.
    SetAside { pool: PoolId, number: VirtualNumber, reason: Option<String> },
    /// Sets the free numbers below which the owner is told.
    LowWater { pool: PoolId, low_water: Option<u64> },
    /// Notes that the owner was told, or need be told again; [`Conflict::Taken`](super::Conflict::Taken) if that is noted.
    ToldLow { pool: PoolId, told: bool },
}

/// Reads of aliases and pools beside those of [`Store`](super::Store). An adapter that keeps none says so.
#[async_trait]
pub trait AliasStore: Send + Sync {
    /// The lots of a pool, at most [`MAX_LOTS`].
    async fn lots(&self, _pool: PoolId) -> Result<Vec<LotRow>, StoreError> {
        Err(no_aliases())
    }
    /// The live leg of an extension of `x`.
    async fn extension(&self, _x: VirtualNumber, _digits: &str) -> Result<Option<LegRow>, StoreError> {
        Err(no_aliases())
    }
    /// The live `axe` aliases on `x` whose A is this person: what a message of theirs without a leg may be an answer in.
    async fn extensions_of(&self, _x: VirtualNumber, _a: BlindIndex) -> Result<Vec<AliasRow>, StoreError> {
        Err(no_aliases())
    }
    /// Pools of a tenant, newest first, after `after`.
    async fn own_pools(
        &self,
        _tenant: TenantId,
        _after: Option<PoolId>,
        _limit: u32,
    ) -> Result<Vec<PoolRow>, StoreError> {
        Err(no_aliases())
    }
    /// Numbers of a pool in order, after `after`.
    async fn numbers(&self, _filter: &NumberFilter) -> Result<Vec<NumberRow>, StoreError> {
        Err(no_aliases())
    }
    /// Pools with fewer free numbers than their owners want to be told of, and those whose owners were told.
    async fn low_pools(&self) -> Result<Vec<LowPool>, StoreError> {
        Err(no_aliases())
    }
    /// For each person with a leg or a cooling place in `pool`, with how many others: the highest such count.
    async fn busiest(&self, _pool: PoolId) -> Result<u64, StoreError> {
        Err(no_aliases())
    }
}

fn no_aliases() -> StoreError {
    StoreError::Unavailable("aliases are not kept here".into())
}
