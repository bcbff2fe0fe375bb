//! Decisions remembered by all that they depend on, so that asking the same again costs a lookup.
//!
//! Lives inside one directory snapshot, which holds its set of policies: both are replaced together, so that no decision
//! outlives what it was taken on.
//! Bounded: when full it forgets everything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use super::Action;
use crate::event::Role;
use crate::ids::CredentialId;
use crate::store::With;

/// No more decisions than this are remembered.
const CAPACITY: usize = 8_192;

/// Longer texts are decided afresh each time: they are not what honest callers repeat.
const LONGEST: usize = 64;

/// Everything that a decision about a credential depends on, besides the directory and the policies.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) credential: CredentialId,
    pub(super) action: Action,
    pub(super) kind: &'static str,
    pub(super) audience: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) id: Option<String>,
    pub(super) own: bool,
    pub(super) grants: Option<Role>,
    pub(super) approved: bool,
    pub(super) address: IpAddr,
    pub(super) with: With,
    /// Counted from the epoch: what depends on how long ago something was (who left, whose credential ended) is decided
    /// anew each hour.
    pub(super) hour: i64,
}

/// The decision, and whether the caller sees all audiences and masks with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) allowed: bool,
    pub(super) sees_all: bool,
}

/// The decisions taken so far.
#[derive(Default)]
pub(super) struct Memo(RwLock<HashMap<Question, Verdict>>);

impl Memo {
    /// The remembered decision, or the one that `decide` takes now.
    pub(super) fn settle(&self, question: Question, decide: impl FnOnce() -> Verdict) -> Verdict {
        if !question.is_short() {
            return decide();
        }
        // A panic elsewhere cannot leave the map half-written: each access is one call.
        if let Some(verdict) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&question) {
            return *verdict;
        }
        let verdict = decide();
        let mut decisions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if decisions.len() >= CAPACITY {
            decisions.clear();
        }
        decisions.insert(question, verdict);
        verdict
    }
}

impl Question {
    fn is_short(&self) -> bool {
        [&self.audience, &self.purpose, &self.id].into_iter().flatten().all(|text| text.len() <= LONGEST)
    }
}
