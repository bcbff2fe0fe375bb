//! A store that keeps what `access` writes in memory, and can be told to fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use crate::clock::{Clock, ManualClock, Timestamp};
use crate::event::{Event, Leaf};
use crate::ids::{AliasId, ApprovalId, CredentialId, MessageId, PoolId, RecordId, TenantId, VerificationId};
use crate::phone::VirtualNumber;
use crate::store::*;

pub(super) struct Double {
    pub(super) clock: Arc<ManualClock>,
    /// Nothing works.
    pub(super) failing: AtomicBool,
    /// The directory cannot be read, the rest works.
    pub(super) unreadable: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) rows: DirectoryRows,
    pub(super) keys: Vec<WrappedKey>,
    pub(super) approvals: Vec<ApprovalRow>,
    pub(super) policies: Vec<(PolicyRow, String)>,
    pub(super) events: Vec<Event>,
    pub(super) aliases: Vec<AliasRow>,
    pub(super) messages: Vec<MessageRow>,
}

impl Double {
    pub(super) fn new() -> Self {
        // 14:13:20 UTC, so that the hour is not 0.
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_800_022_400_000)));
        Self { clock, failing: AtomicBool::new(false), unreadable: AtomicBool::new(false), state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn up(&self) -> Result<(), StoreError> {
        if self.failing.load(Ordering::SeqCst) { Err(none()) } else { Ok(()) }
    }

    /// Steps of an approval, with their preconditions.
    fn step(&self, state: &mut State, id: ApprovalId, from: &[ApprovalStatus], to: ApprovalStatus) -> Option<usize> {
        let at = state.approvals.iter().position(|row| row.id == id && from.contains(&row.status))?;
        let lapsed = state.approvals[at].expires_at <= self.now();
        (lapsed == (to == ApprovalStatus::Expired)).then(|| state.approvals[at].status = to).map(|()| at)
    }

    fn apply(&self, state: &mut State, write: Write) -> Result<(), StoreError> {
        match write {
            Write::Tenant(row) if state.rows.tenants.iter().any(|t| t.name == row.name) => {
                return Err(StoreError::Conflict(Conflict::Exists));
            }
            Write::Tenant(row) => state.rows.tenants.push(row),
            Write::Credential(row) => state.rows.credentials.push(row),
            Write::EndCredential { tenant, id, at } => {
                let mut rows = state.rows.credentials.iter_mut();
                let row = rows.find(|row| row.tenant == tenant && row.id == id);
                row.ok_or(StoreError::Conflict(Conflict::Missing))?.ends_at = Some(at);
            }
            Write::Freeze { target, on: true } => state.rows.frozen.push(target),
            Write::Freeze { target, on: false } => state.rows.frozen.retain(|id| *id != target),
            Write::Audience { tenant, audience } => state.rows.audiences.push((tenant, audience)),
            Write::FileApproval(row) => {
                state.approvals.push(*row);
                return Ok(());
            }
            Write::DecideApproval(decision) => {
                use ApprovalStatus::*;
                let to = if decision.approved { Approved } else { Denied };
                let at = self.step(state, decision.id, &[Pending], to);
                let row = &mut state.approvals[at.ok_or(StoreError::Conflict(Conflict::ApprovalOver))?];
                (row.approver, row.approver_person) = (Some(decision.approver), Some(decision.person));
                (row.decided_at, row.expires_at) = (Some(self.now()), decision.use_by);
                return Ok(());
            }
            Write::UseApproval { id, .. } => {
                let used = self.step(state, id, &[ApprovalStatus::Approved], ApprovalStatus::Used);
                return used.map(drop).ok_or(StoreError::Conflict(Conflict::ApprovalUsed));
            }
            Write::ExpireApproval { id, .. } => {
                let open = [ApprovalStatus::Pending, ApprovalStatus::Approved];
                let over = self.step(state, id, &open, ApprovalStatus::Expired);
                return over.map(drop).ok_or(StoreError::Conflict(Conflict::ApprovalOver));
            }
            Write::Key(key) => {
                state.keys.push(key);
                return Ok(());
            }
            Write::AdoptPolicy { row, files, over } => {
                if state.rows.policy != over {
                    return Err(StoreError::Conflict(Conflict::PolicyMoved));
                }
                state.rows.policy = Some(row.version.clone());
                state.policies.push((row, files));
            }
            Write::ProposePolicy { row, files } => {
                if state.rows.policy != row.base {
                    return Err(StoreError::Conflict(Conflict::PolicyMoved));
                }
                state.policies.retain(|(known, _)| known.version != row.version);
                state.policies.push((row, files));
                return Ok(());
            }
            Write::ActivatePolicy { version, approver, at } => {
                let active = state.rows.policy.clone();
                let mut rows = state.policies.iter_mut().map(|(row, _)| row);
                let row = rows.find(|row| row.version == version && row.status == PolicyStatus::Proposed);
                let row = row.ok_or(StoreError::Conflict(Conflict::Missing))?;
                if row.base != active {
                    return Err(StoreError::Conflict(Conflict::PolicyMoved));
                }
                (row.status, row.approver, row.activated_at) = (PolicyStatus::Active, Some(approver), Some(at));
                state.rows.policy = Some(version);
            }
            other => panic!("access does not write {other:?}"),
        }
        state.rows.version += 1;
        Ok(())
    }
}

fn none() -> StoreError {
    StoreError::Unavailable("told to fail, or not in the double".into())
}

impl crate::store::AliasStore for Double {}
impl crate::store::CrossingStore for Double {}
impl crate::store::CallStore for Double {}
impl crate::store::Notices for Double {}

#[async_trait]
impl Store for Double {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        self.up()?;
        let mut state = self.state();
        // The first write that may be refused leaves nothing behind; those of one change are ordered so.
        for write in change.writes {
            self.apply(&mut state, write)?;
        }
        let leaves = change.events.iter().map(|_| Leaf([0; 32])).collect();
        state.events.extend(change.events);
        Ok(Committed { leaves, ..Committed::default() })
    }
    async fn directory_version(&self) -> Result<u64, StoreError> {
        self.up()?;
        Ok(self.state().rows.version)
    }
    async fn directory(&self) -> Result<DirectoryRows, StoreError> {
        self.up()?;
        if self.unreadable.load(Ordering::SeqCst) {
            return Err(none());
        }
        Ok(self.state().rows.clone())
    }
    async fn policies(&self, _: Option<&str>, _: u32) -> Result<Vec<PolicyRow>, StoreError> {
        self.up()?;
        Ok(self.state().policies.iter().map(|(row, _)| row.clone()).collect())
    }
    async fn policy(&self, version: &str) -> Result<Option<PolicyRow>, StoreError> {
        self.up()?;
        Ok(self.state().policies.iter().map(|(row, _)| row).find(|row| row.version == version).cloned())
    }
    async fn policy_files(&self, version: &str) -> Result<Option<String>, StoreError> {
        self.up()?;
        Ok(self.state().policies.iter().find(|(row, _)| row.version == version).map(|(_, files)| files.clone()))
    }
    async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        self.up()?;
        Ok(self.state().keys.clone())
    }
    async fn keys_version(&self) -> Result<u64, StoreError> {
        self.up()?;
        Ok(self.state().keys.len() as u64)
    }
    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        Err(none())
    }
    async fn reserve_key_uses(&self, _: &str, _: &str, _: u16, count: u64) -> Result<u64, StoreError> {
        Ok(count)
    }
    async fn doomed_keks(&self) -> Result<Vec<String>, StoreError> {
        Err(none())
    }
    async fn cells(&self, _: CellKind, _: &[u8], _: &[(TenantId, u16)]) -> Result<CellPage, StoreError> {
        Err(none())
    }
    async fn reseal_pass(&self) -> Result<Option<ResealPass>, StoreError> {
        Err(none())
    }
    async fn save_reseal_pass(&self, _: Option<&ResealPass>) -> Result<(), StoreError> {
        Err(none())
    }
    async fn has_codes_below(&self, _: TenantId, _: u16) -> Result<bool, StoreError> {
        Err(none())
    }
    async fn has_parts_below(&self, _: u16) -> Result<bool, StoreError> {
        Err(none())
    }
    async fn alias(&self, tenant: TenantId, id: AliasId) -> Result<Option<AliasRow>, StoreError> {
        self.up()?;
        Ok(self.state().aliases.iter().find(|row| row.tenant == tenant && row.id == id).cloned())
    }
    async fn message(&self, tenant: TenantId, id: MessageId) -> Result<Option<MessageRow>, StoreError> {
        self.up()?;
        Ok(self.state().messages.iter().find(|row| row.tenant == tenant && row.id == id).cloned())
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.up()?;
        Ok(self.state().approvals.iter().find(|row| row.tenant == tenant && row.id == id).cloned())
    }
    async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>, StoreError> {
        self.up()?;
        let fits = |row: &&ApprovalRow| {
            row.tenant == filter.tenant
                && filter.credential.is_none_or(|id| id == row.credential)
                && filter.status.is_none_or(|status| status == row.status)
        };
        Ok(self.state().approvals.iter().rev().filter(fits).take(filter.limit as usize).cloned().collect())
    }
    async fn lapsed_approvals(&self, limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        let now = self.now();
        let open = |row: &&ApprovalRow| matches!(row.status, ApprovalStatus::Pending | ApprovalStatus::Approved);
        let lapsed = |row: &&ApprovalRow| open(row) && row.expires_at <= now;
        Ok(self.state().approvals.iter().filter(lapsed).take(limit as usize).cloned().collect())
    }

    async fn reserve_budget(&self, _: Spend) -> Result<u64, StoreError> {
        Err(none())
    }
    async fn spent_before(&self, _: CredentialId, _: BudgetKind, _: Timestamp, _: u32) -> Result<Vec<u64>, StoreError> {
        Err(none())
    }

    async fn reserve_records(&self, _: u64) -> Result<RecordId, StoreError> {
        Err(none())
    }
    async fn ready(&self) -> Result<(), StoreError> {
        self.up()
    }
    async fn token(&self, _: TenantId, _: RecordId) -> Result<Option<TokenRow>, StoreError> {
        Err(none())
    }
    async fn tokens_by_index(&self, _: TenantId, _: &[BlindIndex]) -> Result<Vec<Option<TokenRow>>, StoreError> {
        Err(none())
    }
    async fn lookalikes(&self, _: TenantId, _: &[LookalikeMark]) -> Result<Vec<Option<LookalikeRow>>, StoreError> {
        Err(none())
    }
    async fn verification(&self, _: TenantId, _: VerificationId) -> Result<Option<VerificationRow>, StoreError> {
        Err(none())
    }
    async fn pending_verification(&self, _: &PendingKey) -> Result<Option<VerificationId>, StoreError> {
        Err(none())
    }
    async fn lapsed_verifications(&self, _: u32) -> Result<Vec<VerificationRow>, StoreError> {
        Err(none())
    }
    async fn failures_since(&self, _: TenantId, _: BlindIndex, _: i64) -> Result<u64, StoreError> {
        Err(none())
    }
    async fn pools(&self, _: TenantId) -> Result<Vec<PoolRow>, StoreError> {
        Err(none())
    }
    async fn pool(&self, _: PoolId) -> Result<Option<PoolRow>, StoreError> {
        Err(none())
    }
    async fn pool_counts(&self, _: PoolId) -> Result<PoolCounts, StoreError> {
        Err(none())
    }
    async fn number(&self, _: VirtualNumber) -> Result<Option<NumberRow>, StoreError> {
        Err(none())
    }
    async fn allocate(&self, _: &Allocation) -> Result<Option<VirtualNumber>, StoreError> {
        Err(none())
    }
    async fn aliases(&self, _: &AliasFilter) -> Result<Vec<AliasRow>, StoreError> {
        Err(none())
    }
    async fn leg(&self, _: VirtualNumber, _: Option<BlindIndex>) -> Result<Option<LegRow>, StoreError> {
        Err(none())
    }
    async fn lapsed_aliases(&self, _: u32) -> Result<Vec<AliasRow>, StoreError> {
        Err(none())
    }
    async fn senders(&self, _: AliasId) -> Result<Vec<SenderRow>, StoreError> {
        Err(none())
    }
    async fn messages(
        &self,
        _: TenantId,
        _: AliasId,
        _: Option<MessageId>,
        _: u32,
    ) -> Result<Vec<MessageRow>, StoreError> {
        Err(none())
    }
    async fn parts(&self, _: &PartKey) -> Result<Vec<PartRow>, StoreError> {
        Err(none())
    }
    async fn stale_parts(&self, _: Timestamp, _: u32) -> Result<Vec<PartKey>, StoreError> {
        Err(none())
    }
    async fn claim(&self, _: &str, _: Timestamp, _: u32) -> Result<Vec<OutboxRow>, StoreError> {
        Err(none())
    }
    async fn release_leases(&self, _: &str) -> Result<(), StoreError> {
        Err(none())
    }
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Err(none())
    }

    async fn receipt_outcome(
        &self,
        _: &crate::store::ReceiptRow,
    ) -> Result<Option<crate::store::ReceiptOutcome>, StoreError> {
        Err(StoreError::Unavailable("not part of this double".into()))
    }
    async fn entries(&self, _: &EntryFilter) -> Result<Vec<EntryRow>, StoreError> {
        Err(none())
    }
}
