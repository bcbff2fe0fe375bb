//! A store in memory for the unit tests of `keyring` and `vault`: keys, tokens, audiences and entries, with the
//! preconditions of those writes and no others. Everything else is unavailable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::{Clock, ManualClock, Timestamp};
use crate::event::{Event, What};
use crate::ids::*;
use crate::phone::VirtualNumber;
use crate::store::*;

pub(crate) struct MemoryStore {
    state: Mutex<State>,
    clock: ManualClock,
    /// Whether commits fail.
    pub(crate) refuses: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) keys: Vec<WrappedKey>,
    pub(crate) keys_version: u64,
    pub(crate) uses: Vec<KeyUse>,
    pub(crate) doomed: Vec<String>,
    pub(crate) tokens: HashMap<(TenantId, RecordId), TokenRow>,
    pub(crate) lookalikes: HashMap<LookalikeMark, LookalikeRow>,
    pub(crate) audiences: Vec<(TenantId, String)>,
    pub(crate) events: Vec<Event>,
    pub(crate) epochs: HashMap<BlindIndex, u8>,
    pub(crate) commits: u64,
    /// What was spent by credential, kind and day.
    pub(crate) budgets: HashMap<BudgetKey, u64>,
    /// Reveals by credential and hour.
    pub(crate) hours: HashMap<(CredentialId, i64), u64>,
    /// Which exhausted budgets the log was told of.
    pub(crate) told: Vec<BudgetKey>,
    /// Approvals that can be used.
    pub(crate) approved: Vec<ApprovalId>,
    next_record: u64,
}

pub(crate) type BudgetKey = (CredentialId, BudgetKind, i64);

impl MemoryStore {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { next_record: 1, ..State::default() }),
            clock: ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)),
            refuses: AtomicBool::new(false),
        }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The events of an action, in order.
    pub(crate) fn told(&self, action: &str) -> Vec<What> {
        self.with(|state| {
            state.events.iter().map(|event| event.what.clone()).filter(|what| what.action() == action).collect()
        })
    }
}

impl State {
    fn budget(spend: &Spend) -> BudgetKey {
        (spend.credential, spend.kind, spend.at.as_secs().div_euclid(86_400))
    }

    fn canonical(&self, tenant: TenantId, index: BlindIndex) -> Option<&TokenRow> {
        self.tokens.values().find(|row| row.tenant == tenant && row.canonical && row.index == index)
    }

    fn check(&self, write: &Write) -> Result<(), StoreError> {
        let same =
            |a: &WrappedKey, b: &WrappedKey| (&a.owner, &a.purpose, a.version) == (&b.owner, &b.purpose, b.version);
        match write {
            Write::Key(key) if self.keys.iter().any(|known| same(known, key)) => {
                Err(StoreError::Conflict(Conflict::Exists))
            }
            Write::Token(row) if row.canonical => match self.canonical(row.tenant, row.index) {
                Some(known) => Err(StoreError::TokenExists(known.id)),
                None => Ok(()),
            },
            Write::Lookalike(row) if self.lookalikes.get(&row.mark).is_some_and(|known| known != row) => {
                Err(StoreError::Conflict(Conflict::Taken))
            }
            Write::KekDestroyed { owner } if !self.doomed.contains(owner) => {
                Err(StoreError::Conflict(Conflict::Missing))
            }
            Write::Key(_) | Write::DoomKeys { .. } | Write::KekDestroyed { .. } => Ok(()),
            Write::RewrapKey { .. } | Write::RetireKey { .. } => Ok(()),
            Write::Spend(spend) => {
                let spent = self.budgets.get(&Self::budget(spend)).copied().unwrap_or_default();
                let fits = spent + spend.count <= spend.limit;
                if fits { Ok(()) } else { Err(StoreError::Conflict(Conflict::BudgetExhausted)) }
            }
            Write::TellExhausted { credential, kind, at } => {
                let told = self.told.contains(&(*credential, *kind, at.as_secs().div_euclid(86_400)));
                if told { Err(StoreError::Conflict(Conflict::Taken)) } else { Ok(()) }
            }
            Write::UseApproval { id, .. } if !self.approved.contains(id) => {
                Err(StoreError::Conflict(Conflict::ApprovalUsed))
            }
            Write::UseApproval { .. } | Write::Lookalike(_) | Write::Token(_) | Write::Audience { .. } => Ok(()),
            other => panic!("not kept here: {other:?}"),
        }
    }

    fn apply(&mut self, write: Write, committed: &mut Committed) {
        match write {
            Write::Key(key) => {
                self.keys.push(key);
                self.keys_version += 1;
            }
            Write::RewrapKey { key, from } => {
                let known = self.keys.iter_mut().find(|known| known.wrapped == from).unwrap();
                *known = key;
                self.keys_version += 1;
            }
            Write::RetireKey { owner, purpose, version } => {
                self.keys.retain(|key| (&key.owner, &key.purpose, key.version) != (&owner, &purpose, version));
                self.keys_version += 1;
            }
            Write::DoomKeys { owner } => {
                self.keys.retain(|key| key.owner != owner);
                self.doomed.push(owner);
                self.keys_version += 1;
            }
            Write::KekDestroyed { owner } => self.doomed.retain(|doomed| *doomed != owner),
            Write::Spend(spend) => {
                let day = self.budgets.entry(Self::budget(&spend)).or_default();
                *day += spend.count;
                let hour = self.hours.entry((spend.credential, spend.at.as_secs().div_euclid(3_600))).or_default();
                *hour += spend.count;
                committed.spent = Some(Spent { day: *day, hour: *hour });
            }
            Write::TellExhausted { credential, kind, at } => {
                self.told.push((credential, kind, at.as_secs().div_euclid(86_400)));
            }
            Write::UseApproval { id, .. } => self.approved.retain(|approved| *approved != id),
            Write::Token(row) => assert!(self.tokens.insert((row.tenant, row.id), row).is_none(), "id used twice"),
            Write::Lookalike(row) => drop(self.lookalikes.insert(row.mark, row)),
            Write::Audience { tenant, audience } => self.audiences.push((tenant, audience)),
            _ => {}
        }
    }
}

fn not_here<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("not kept here".into()))
}

impl crate::store::AliasStore for MemoryStore {}
impl crate::store::CrossingStore for MemoryStore {}
impl crate::store::CallStore for MemoryStore {}
impl crate::store::Notices for MemoryStore {}

#[async_trait]
impl Store for MemoryStore {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        // Gives others their turn, as a real commit does.
        tokio::task::yield_now().await;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("told to refuse".into()));
        }
        self.with(|state| {
            change.writes.iter().try_for_each(|write| state.check(write))?;
            let mut committed = Committed::default();
            change.writes.into_iter().for_each(|write| state.apply(write, &mut committed));
            let leaves = change.events.iter().map(|event| event.entry([1; 16]).leaf).collect();
            state.events.extend(change.events);
            state.commits += 1;
            Ok(Committed { leaves, ..committed })
        })
    }

    async fn approval(&self, _: TenantId, _: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        not_here()
    }
    async fn approvals(&self, _: &ApprovalFilter) -> Result<Vec<ApprovalRow>, StoreError> {
        not_here()
    }
    async fn lapsed_approvals(&self, _: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        not_here()
    }

    async fn reserve_budget(&self, spend: Spend) -> Result<u64, StoreError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("told to refuse".into()));
        }
        Ok(self.with(|state| {
            let spent = state.budgets.entry(State::budget(&spend)).or_default();
            let granted = spend.count.min(spend.limit.saturating_sub(*spent));
            *spent += granted;
            granted
        }))
    }
    async fn spent_before(
        &self,
        credential: CredentialId,
        kind: BudgetKind,
        before: Timestamp,
        days: u32,
    ) -> Result<Vec<u64>, StoreError> {
        let today = before.as_secs().div_euclid(86_400);
        let past = today - i64::from(days)..today;
        let fits = |key: &BudgetKey| key.0 == credential && key.1 == kind && past.contains(&key.2);
        Ok(self.with(|state| state.budgets.iter().filter(|(key, _)| fits(key)).map(|(_, spent)| *spent).collect()))
    }

    async fn reserve_records(&self, count: u64) -> Result<RecordId, StoreError> {
        Ok(RecordId(self.with(|state| {
            state.next_record += count;
            state.next_record - count
        })))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn directory_version(&self) -> Result<u64, StoreError> {
        Ok(self.with(|state| state.audiences.len() as u64))
    }

    async fn directory(&self) -> Result<DirectoryRows, StoreError> {
        Ok(DirectoryRows { audiences: self.with(|state| state.audiences.clone()), ..DirectoryRows::default() })
    }

    async fn policies(&self, _: Option<&str>, _: u32) -> Result<Vec<PolicyRow>, StoreError> {
        not_here()
    }
    async fn policy(&self, _: &str) -> Result<Option<PolicyRow>, StoreError> {
        not_here()
    }
    async fn policy_files(&self, _: &str) -> Result<Option<String>, StoreError> {
        not_here()
    }
    async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        Ok(self.with(|state| state.keys.clone()))
    }

    async fn keys_version(&self) -> Result<u64, StoreError> {
        Ok(self.with(|state| state.keys_version))
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        Ok(self.with(|state| state.uses.clone()))
    }

    async fn reserve_key_uses(&self, owner: &str, purpose: &str, version: u16, count: u64) -> Result<u64, StoreError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("told to refuse".into()));
        }
        Ok(self.with(|state| {
            let same =
                |it: &&mut KeyUse| (it.owner.as_str(), it.purpose.as_str(), it.version) == (owner, purpose, version);
            if let Some(known) = state.uses.iter_mut().find(same) {
                known.uses += count;
                return known.uses;
            }
            state.uses.push(KeyUse { owner: owner.into(), purpose: purpose.into(), version, uses: count });
            count
        }))
    }

    async fn doomed_keks(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.with(|state| state.doomed.clone()))
    }

    async fn cells(&self, _: CellKind, _: &[u8], _: &[(TenantId, u16)]) -> Result<CellPage, StoreError> {
        not_here()
    }

    async fn reseal_pass(&self) -> Result<Option<ResealPass>, StoreError> {
        not_here()
    }

    async fn save_reseal_pass(&self, _: Option<&ResealPass>) -> Result<(), StoreError> {
        not_here()
    }

    async fn has_codes_below(&self, _: TenantId, _: u16) -> Result<bool, StoreError> {
        not_here()
    }

    async fn has_parts_below(&self, _: u16) -> Result<bool, StoreError> {
        not_here()
    }

    async fn token(&self, tenant: TenantId, id: RecordId) -> Result<Option<TokenRow>, StoreError> {
        Ok(self.with(|state| state.tokens.get(&(tenant, id)).cloned()))
    }

    async fn tokens_by_index(
        &self,
        tenant: TenantId,
        indexes: &[BlindIndex],
    ) -> Result<Vec<Option<TokenRow>>, StoreError> {
        Ok(self.with(|state| indexes.iter().map(|index| state.canonical(tenant, *index).cloned()).collect()))
    }

    async fn lookalikes(
        &self,
        tenant: TenantId,
        marks: &[LookalikeMark],
    ) -> Result<Vec<Option<LookalikeRow>>, StoreError> {
        let of_tenant = |row: &LookalikeRow| (row.tenant == tenant).then_some(*row);
        Ok(self.with(|state| marks.iter().map(|mark| state.lookalikes.get(mark).and_then(of_tenant)).collect()))
    }

    async fn epochs(&self, _: TenantId, people: &[BlindIndex]) -> Result<Vec<u8>, StoreError> {
        Ok(self.with(|state| people.iter().map(|it| state.epochs.get(it).copied().unwrap_or_default()).collect()))
    }

    async fn verification(&self, _: TenantId, _: VerificationId) -> Result<Option<VerificationRow>, StoreError> {
        not_here()
    }

    async fn pending_verification(&self, _: &PendingKey) -> Result<Option<VerificationId>, StoreError> {
        not_here()
    }

    async fn lapsed_verifications(&self, _: u32) -> Result<Vec<VerificationRow>, StoreError> {
        not_here()
    }

    async fn failures_since(&self, _: TenantId, _: BlindIndex, _: i64) -> Result<u64, StoreError> {
        not_here()
    }

    async fn pools(&self, _: TenantId) -> Result<Vec<PoolRow>, StoreError> {
        not_here()
    }

    async fn pool(&self, _: PoolId) -> Result<Option<PoolRow>, StoreError> {
        not_here()
    }

    async fn pool_counts(&self, _: PoolId) -> Result<PoolCounts, StoreError> {
        not_here()
    }

    async fn number(&self, _: VirtualNumber) -> Result<Option<NumberRow>, StoreError> {
        not_here()
    }

    async fn allocate(&self, _: &Allocation) -> Result<Option<VirtualNumber>, StoreError> {
        not_here()
    }

    async fn alias(&self, _: TenantId, _: AliasId) -> Result<Option<AliasRow>, StoreError> {
        not_here()
    }

    async fn aliases(&self, _: &AliasFilter) -> Result<Vec<AliasRow>, StoreError> {
        not_here()
    }

    async fn leg(&self, _: VirtualNumber, _: Option<BlindIndex>) -> Result<Option<LegRow>, StoreError> {
        not_here()
    }

    async fn lapsed_aliases(&self, _: u32) -> Result<Vec<AliasRow>, StoreError> {
        not_here()
    }

    async fn senders(&self, _: AliasId) -> Result<Vec<SenderRow>, StoreError> {
        not_here()
    }

    async fn message(&self, _: TenantId, _: MessageId) -> Result<Option<MessageRow>, StoreError> {
        not_here()
    }

    async fn messages(
        &self,
        _: TenantId,
        _: AliasId,
        _: Option<MessageId>,
        _: u32,
    ) -> Result<Vec<MessageRow>, StoreError> {
        not_here()
    }

    async fn parts(&self, _: &PartKey) -> Result<Vec<PartRow>, StoreError> {
        not_here()
    }

    async fn stale_parts(&self, _: Timestamp, _: u32) -> Result<Vec<PartKey>, StoreError> {
        not_here()
    }

    async fn claim(&self, _: &str, _: Timestamp, _: u32) -> Result<Vec<OutboxRow>, StoreError> {
        not_here()
    }

    async fn release_leases(&self, _: &str) -> Result<(), StoreError> {
        not_here()
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        not_here()
    }

    async fn receipt_outcome(
        &self,
        _: &crate::store::ReceiptRow,
    ) -> Result<Option<crate::store::ReceiptOutcome>, StoreError> {
        Err(StoreError::Unavailable("not part of this double".into()))
    }

    async fn entries(&self, _: &EntryFilter) -> Result<Vec<EntryRow>, StoreError> {
        not_here()
    }
}
