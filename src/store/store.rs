//! The durable port: what the house keeps, and the one way to change it.
//!
//! A [`Change`] cannot be made without the [`Event`] that tells of it, and [`Store::commit`] writes both in one
//! transaction. Every write states its own precondition; when one does not hold, nothing of the change is written and
//! the caller learns which ([`StoreError`] variants are decisions). Blind indexes, ciphertexts and wrapped keys come
//! in ready made: an adapter never sees a number or a key.

use std::path::Path;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::event::Mode;
use crate::ids::{
    AliasId, ApprovalId, CredentialId, MessageId, PoolId, RecordId, SuppressionId, TemplateId, TenantId, VerificationId,
};
use crate::phone::VirtualNumber;
use crate::store::aliases::*;
use crate::store::approvals::*;
use crate::store::calls::CallStore;
use crate::store::change::*;
use crate::store::crossing::CrossingStore;
use crate::store::holding::Holding;
use crate::store::keys::*;
use crate::store::lookalike::{LookalikeMark, LookalikeRow};
use crate::store::outreach::*;
use crate::store::policies::*;
use crate::store::pools::*;
use crate::store::rights::*;
use crate::store::routes::*;
use crate::store::rows::*;
use crate::store::traffic::*;
use crate::store::webhooks::*;

/// The durable store.
#[async_trait]
pub trait Store: AliasStore + CallStore + CrossingStore + Notices {
    /// The deployment's one clock.
    fn now(&self) -> Timestamp;

    /// Writes the whole change and its events, durably, or nothing.
    async fn commit(&self, change: Change) -> Result<Committed, StoreError>;

    /// Sets aside `count` record ids that no other process has or ever had, also after a restore. Returns the first.
    async fn reserve_records(&self, count: u64) -> Result<RecordId, StoreError>;

    /// Whether a transaction could begin now. For readiness.
    async fn ready(&self) -> Result<(), StoreError>;

    // ── access

    /// A number that grows whenever tenants, credentials, freezes, audiences or the policies in force change, also by another
    /// process.
    async fn directory_version(&self) -> Result<u64, StoreError>;
    /// All tenants, credentials, freezes and audiences, and which policies are in force.
    async fn directory(&self) -> Result<DirectoryRows, StoreError>;

    // ── approvals

    /// One approval.
    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError>;
    /// A tenant's approvals, newest first, as a filter asks. Statuses are as stored: lapsed ones may not say so yet.
    async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>, StoreError>;
    /// Up to `limit` approvals that are still pending or unused past their time.
    async fn lapsed_approvals(&self, limit: u32) -> Result<Vec<ApprovalRow>, StoreError>;

    // ── policies

    /// Versions of the policies, the last proposed first, from after the version `after` on.
    async fn policies(&self, after: Option<&str>, limit: u32) -> Result<Vec<PolicyRow>, StoreError>;
    /// One version.
    async fn policy(&self, version: &str) -> Result<Option<PolicyRow>, StoreError>;
    /// What a version consists of, as canonical JSON.
    async fn policy_files(&self, version: &str) -> Result<Option<String>, StoreError>;

    // ── routes

    /// A number that grows whenever routes are set, closed or opened, also by another process.
    async fn routes_version(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
    /// The routes in force of every tenant that set some, and those that are closed.
    async fn routes(&self) -> Result<RouteRows, StoreError> {
        Ok(RouteRows::default())
    }
    /// Complaints since then by tenant, carrier, country and class, with how many messages went that way; ways without
    /// any complaint may be left out.
    async fn complaints_by_route(&self, _since: Timestamp) -> Result<Vec<RouteComplaints>, StoreError> {
        Ok(Vec::new())
    }

    // ── budgets

    /// Counts as many of `spend.count` items as its day's limit still allows, durably, and says how many: for callers that
    /// reserve some at a time. What they leave unused stays counted.
    async fn reserve_budget(&self, spend: Spend) -> Result<u64, StoreError>;
    /// What was spent on each of the `days` before the day of `before`, days without any left out.
    async fn spent_before(
        &self,
        credential: CredentialId,
        kind: BudgetKind,
        before: Timestamp,
        days: u32,
    ) -> Result<Vec<u64>, StoreError>;

    // ── keys

    /// Every wrapped key version.
    async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, StoreError>;
    /// A number that grows whenever wrapped keys change, also by another process.
    async fn keys_version(&self) -> Result<u64, StoreError>;
    /// How often key versions may have been used.
    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError>;
    /// Sets aside `count` uses of a key version. Returns how many have been in all.
    async fn reserve_key_uses(&self, owner: &str, purpose: &str, version: u16, count: u64) -> Result<u64, StoreError>;
    /// Owners whose KEK has yet to be destroyed.
    async fn doomed_keks(&self) -> Result<Vec<String>, StoreError>;
    /// Looks through rows of `kind` behind `after` for ciphertexts of each of these tenants under an older version than
    /// the one named.
    async fn cells(&self, kind: CellKind, after: &[u8], wanted: &[(TenantId, u16)]) -> Result<CellPage, StoreError>;
    /// The pass over all ciphertexts that is under way.
    async fn reseal_pass(&self) -> Result<Option<ResealPass>, StoreError>;
    /// Remembers how far the pass got; none when it is over.
    async fn save_reseal_pass(&self, pass: Option<&ResealPass>) -> Result<(), StoreError>;
    /// Whether a pending verification derives its code under an older version of the tenant's key than this.
    async fn has_codes_below(&self, tenant: TenantId, version: u16) -> Result<bool, StoreError>;
    /// Whether a part of a message is sealed under an older version of the deployment's key than this.
    async fn has_parts_below(&self, version: u16) -> Result<bool, StoreError>;

    // ── tokens

    /// The record of one token.
    async fn token(&self, tenant: TenantId, id: RecordId) -> Result<Option<TokenRow>, StoreError>;
    /// The records that stand for these numbers (canonical ones only: not fresh, no life, no metadata), in the order
    /// asked.
    async fn tokens_by_index(
        &self,
        tenant: TenantId,
        indexes: &[BlindIndex],
    ) -> Result<Vec<Option<TokenRow>>, StoreError>;
    /// Finds the record that stands for each number, or makes it, and tells of them, durably or not at all. The
    /// records in the order of the rows.
    async fn hold(&self, holding: Holding) -> Result<Vec<RecordId>, StoreError> {
        super::holding::in_steps(self, holding).await
    }

    /// The lookalikes of these marks, in the order asked.
    async fn lookalikes(
        &self,
        tenant: TenantId,
        marks: &[LookalikeMark],
    ) -> Result<Vec<Option<LookalikeRow>>, StoreError>;
    /// The epoch of each of these entries of the tenant's list of erased people; 0 for those who are not on it.
    async fn epochs(&self, _tenant: TenantId, _people: &[BlindIndex]) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Unavailable("no list of erased people is kept here".into()))
    }
    /// What is held of one person.
    async fn held(&self, _of: &HeldBy) -> Result<Held, StoreError> {
        Err(StoreError::Unavailable("people are not looked up here".into()))
    }
    /// The queued deliveries of these conversations that are the tenant's.
    async fn queued(&self, _tenant: TenantId, _conversations: &[BlindIndex]) -> Result<Vec<Queued>, StoreError> {
        Err(StoreError::Unavailable("conversations are not looked up here".into()))
    }

    /// Which rows of a class may go, from the key `after` on: up to `limit` of them, having looked at a stretch of some
    /// thousand. Reads beside the writer.
    async fn aged(&self, _class: Aging, _after: Option<RowKey>, _limit: u32) -> Result<Aged, StoreError> {
        Ok(Aged::default())
    }
    /// Tenants that are erased and have rows left.
    async fn leavings(&self) -> Result<Vec<TenantId>, StoreError> {
        Ok(Vec::new())
    }
    /// Copies the store, as of one moment, to a file that is not there yet, while it goes on serving.
    async fn copy_to(&self, _path: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("this store has its own way of being copied".into()))
    }
    /// Token records in order of id after `after`, of every tenant: for the replay of erasures after a restore.
    async fn records(&self, _after: RecordId, _limit: u32) -> Result<Vec<TokenRow>, StoreError> {
        Ok(Vec::new())
    }

    // ── verifications

    /// One verification.
    async fn verification(&self, tenant: TenantId, id: VerificationId) -> Result<Option<VerificationRow>, StoreError>;
    /// The pending verification of this party for this purpose and requester.
    async fn pending_verification(&self, key: &PendingKey) -> Result<Option<VerificationId>, StoreError>;
    /// Up to `limit` verifications that are still pending past their expiry.
    async fn lapsed_verifications(&self, limit: u32) -> Result<Vec<VerificationRow>, StoreError>;
    /// Failed guesses against one party since `since_day` (days since the epoch).
    async fn failures_since(&self, tenant: TenantId, party: BlindIndex, since_day: i64) -> Result<u64, StoreError>;

    // ── aliases and pools

    /// All pools that a tenant may use: its own and the shared ones.
    async fn pools(&self, tenant: TenantId) -> Result<Vec<PoolRow>, StoreError>;
    /// One pool, whoever owns it.
    async fn pool(&self, id: PoolId) -> Result<Option<PoolRow>, StoreError>;
    /// Free, bound and cooling numbers of a pool.
    async fn pool_counts(&self, id: PoolId) -> Result<PoolCounts, StoreError>;
    /// The pool number `x`, if it is one.
    async fn number(&self, x: VirtualNumber) -> Result<Option<NumberRow>, StoreError>;
    /// Whether `x` is in a pool of this mode. What a test tenant calls its pool says nothing to live ones, and the
    /// reverse.
    async fn in_pool(&self, x: VirtualNumber, mode: Mode) -> Result<bool, StoreError> {
        let Some(row) = self.number(x).await? else { return Ok(false) };
        Ok(self.pool(row.pool).await?.is_some_and(|pool| pool.mode == mode))
    }
    /// A number of `pool` that can carry a leg for each of these parties; work bounded by the parties' own legs.
    async fn allocate(&self, wish: &Allocation) -> Result<Option<VirtualNumber>, StoreError>;
    /// One alias.
    async fn alias(&self, tenant: TenantId, id: AliasId) -> Result<Option<AliasRow>, StoreError>;
    /// A tenant's aliases, newest first, after the id `after`.
    async fn aliases(&self, filter: &AliasFilter) -> Result<Vec<AliasRow>, StoreError>;
    /// The live leg that a message from `party` to `x` takes: the exact one, else the `*` one.
    async fn leg(&self, x: VirtualNumber, party: Option<BlindIndex>) -> Result<Option<LegRow>, StoreError>;
    /// Up to `limit` aliases that are still active past their expiry.
    async fn lapsed_aliases(&self, limit: u32) -> Result<Vec<AliasRow>, StoreError>;
    /// The live senders of an `ax` alias, by tag.
    async fn senders(&self, alias: AliasId) -> Result<Vec<SenderRow>, StoreError>;

    // ── messages

    /// One message.
    async fn message(&self, tenant: TenantId, id: MessageId) -> Result<Option<MessageRow>, StoreError>;
    /// The messages of an alias, newest first, after the id `after`.
    async fn messages(
        &self,
        tenant: TenantId,
        alias: AliasId,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<MessageRow>, StoreError>;
    /// The last message that a tenant itself sent to a person.
    async fn last_message(&self, _tenant: TenantId, _index: BlindIndex) -> Result<Option<MessageRow>, StoreError> {
        Ok(None)
    }
    /// One template.
    async fn template(&self, _tenant: TenantId, _id: TemplateId) -> Result<Option<TemplateRow>, StoreError> {
        Ok(None)
    }
    /// The template of this name.
    async fn template_named(&self, _tenant: TenantId, _name: &str) -> Result<Option<TemplateRow>, StoreError> {
        Ok(None)
    }
    /// A tenant's templates, newest first, after the id `after`.
    async fn templates(
        &self,
        _tenant: TenantId,
        _after: Option<TemplateId>,
        _limit: u32,
    ) -> Result<Vec<TemplateRow>, StoreError> {
        Ok(Vec::new())
    }
    /// Parts and cost that were spent today against a cap.
    async fn spent(&self, _tenant: TenantId, _payer: Payer) -> Result<(u64, u64), StoreError> {
        Ok((0, 0))
    }
    /// What a tenant's messages of some days came to.
    async fn usage(&self, _filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        Ok(Vec::new())
    }
    /// What a tenant's verifications came to, from one day (since the epoch) to another.
    async fn conversion(&self, _tenant: TenantId, _from: i64, _to: i64) -> Result<Conversion, StoreError> {
        Ok(Conversion::default())
    }
    /// From what a person asked a tenant to be spared.
    async fn suppressed(&self, _tenant: TenantId, _index: BlindIndex) -> Result<Vec<Scope>, StoreError> {
        Ok(Vec::new())
    }
    /// A tenant's suppressions, newest first, after the id `after`.
    async fn suppressions(
        &self,
        _tenant: TenantId,
        _after: Option<SuppressionId>,
        _limit: u32,
    ) -> Result<Vec<(SuppressionId, Suppression)>, StoreError> {
        Ok(Vec::new())
    }
    /// From what the person whom a stored message goes to asked to be spared, and how the message would show; none if
    /// the message is gone, or goes to a stranger.
    async fn spared(&self, _tenant: TenantId, _message: MessageId) -> Result<Option<Spared>, StoreError> {
        Ok(None)
    }
    /// The parts received so far of one concatenated message.
    async fn parts(&self, key: &PartKey) -> Result<Vec<PartRow>, StoreError>;
    /// Up to `limit` incomplete messages whose newest part is older than `before`.
    async fn stale_parts(&self, before: Timestamp, limit: u32) -> Result<Vec<PartKey>, StoreError>;

    // ── delivery

    /// Leases up to `limit` due outbox rows to `holder` until `until`: the oldest of each conversation only, codes
    /// before notices before marketing.
    async fn claim(&self, holder: &str, until: Timestamp, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.claim_within(holder, until, Room::of(limit)).await
    }
    /// The same, as many of each lane as there is room for.
    async fn claim_within(&self, _holder: &str, _until: Timestamp, _room: Room) -> Result<Vec<OutboxRow>, StoreError> {
        Err(StoreError::Unavailable("nothing is delivered from here".into()))
    }
    /// Gives back every lease of `holder`: at start, for what a crash left leased.
    async fn release_leases(&self, holder: &str) -> Result<(), StoreError>;
    /// When the next row falls due, if any waits.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.next_due_within(Room::of(1)).await
    }
    /// The same of the lanes that have room.
    async fn next_due_within(&self, _room: Room) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
    /// Resolves once a commit of this process has put a task into the outbox since the last call; for one waiter.
    /// An adapter that cannot tell never resolves, and its worker looks every second.
    async fn enqueued(&self) {
        std::future::pending().await
    }
    /// Whose message a carrier's id names, and what a receipt of this status would make of that message: none if it
    /// would stay as it is (other parts are out, or it is final). None if no submission has that id.
    async fn receipt_outcome(&self, receipt: &ReceiptRow) -> Result<Option<ReceiptOutcome>, StoreError>;

    // ── audit

    /// Log entries in order, as a filter asks.
    async fn entries(&self, filter: &EntryFilter) -> Result<Vec<EntryRow>, StoreError>;
}
