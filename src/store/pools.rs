//! Records of pools: the stock of virtual numbers, and what a number is wanted for.

use serde::Serialize;

use super::rows::BlindIndex;
use crate::clock::Timestamp;
use crate::event::Mode;
use crate::ids::{PoolId, TenantId};
use crate::phone::VirtualNumber;

/// A stock of virtual numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRow {
    /// Its id.
    pub id: PoolId,
    /// Who made it.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The carrier its numbers live at, unless a number says otherwise.
    pub carrier: String,
    /// Whether other tenants of the same mode may bind from it.
    pub shared: bool,
    /// Live or test, as its tenant.
    pub mode: Mode,
    /// Free numbers below which the owner is told; none is never.
    pub low_water: Option<u64>,
    /// Since when.
    pub created_at: Timestamp,
}

/// A number of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberRow {
    /// X.
    pub number: VirtualNumber,
    /// The pool it is in.
    pub pool: PoolId,
    /// What it can do, where, and by whom.
    pub traits: Traits,
    /// No new aliases, for good.
    pub draining: bool,
    /// Why an operator set it aside, while it is: no new aliases either.
    pub aside: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// What numbers of a pool have in common that matters to a choice. A pool has few different ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Traits {
    /// ISO 3166-1 alpha-2.
    pub region: Option<String>,
    /// `sms`, `voice`.
    pub capabilities: Vec<String>,
    /// Prefixes, `+` and digits, that it reaches and is reached from; empty is everywhere.
    pub reach: Vec<String>,
    /// The carriers that may carry what it sends; empty is the pool's.
    pub carriers: Vec<String>,
}

/// The numbers of a pool that are alike in their [`Traits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotRow {
    /// Its key.
    pub id: LotId,
    /// What its numbers have in common.
    pub traits: Traits,
}

/// The key of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotId(pub i64);

/// Numbers of a pool by state; each number counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolCounts {
    /// Carrying nothing.
    pub free: u64,
    /// Carrying at least one alias.
    pub bound: u64,
    /// Resting after an alias ended.
    pub cooling: u64,
    /// Taken out of allocation for good, whatever they carry still.
    pub draining: u64,
    /// Set aside by an operator, whatever they carry still.
    pub quarantined: u64,
}

/// How a number is used while it carries something: what may share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// One alias that anyone may write to, and no other.
    Star,
    /// Aliases between named people.
    Pair,
    /// Aliases that are told apart by their extensions.
    Ext,
}

/// Which of the numbers that can be had is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The one that these people had before, else as [`Self::Random`].
    #[default]
    Sticky,
    /// One that carries the fewest aliases.
    LeastUsed,
    /// Any.
    Random,
}

/// What a number is wanted for.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// From which pool.
    pub pool: PoolId,
    /// This number and no other.
    pub number: Option<VirtualNumber>,
    /// From these lots of the pool: those whose traits fit.
    pub lots: Vec<LotId>,
    /// Not these.
    pub without: Vec<VirtualNumber>,
    /// What may share it.
    pub usage: Usage,
    /// Each party with its counterpart: a cooling (X, party) may be had again only for the same counterpart.
    pub parties: Vec<(BlindIndex, Option<BlindIndex>)>,
    /// The person who would own it: a rested `*` number comes back to the same tenant and person at once.
    pub owner: BlindIndex,
    /// The tenant that asks.
    pub tenant: TenantId,
    /// Which of several.
    pub strategy: Strategy,
    /// Random; spreads choices over the pool.
    pub spread: u64,
}

/// Which numbers of a pool.
#[derive(Clone, Debug)]
pub struct NumberFilter {
    /// Whose.
    pub pool: PoolId,
    /// Only those that an operator set aside.
    pub aside: bool,
    /// After this one.
    pub after: Option<VirtualNumber>,
    /// At most so many.
    pub limit: u32,
}

/// A pool with few free numbers, or one whose owner was told that there were few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowPool {
    /// Which.
    pub pool: PoolRow,
    /// Free numbers now.
    pub free: u64,
    /// Whether the owner was told.
    pub told: bool,
}

impl LowPool {
    /// Whether it has fewer free numbers than its owner wants.
    pub fn is_low(&self) -> bool {
        self.pool.low_water.is_some_and(|mark| self.free < mark)
    }
}

/// The most different [`Traits`] that numbers of one pool have: choices look at each.
pub const MAX_LOTS: u32 = 256;
