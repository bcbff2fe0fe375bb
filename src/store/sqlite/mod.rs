//! The embedded durable store: one SQLite file.
//!
//! All writes of a process go through one thread that commits everyone's waiting changes together ([`writer`]); reads go
//! beside it ([`readers`]); the WAL is copied off the writer's path ([`checkpoint`]). Other processes, a command line
//! beside the service, may open the same file: whatever must hold, holds by constraints and by conditions inside the
//! write transaction. Each subject has one file with its writes and reads; `apply` maps [`crate::store::Write`] to them.
//!
//! Durability: WAL with `synchronous = FULL`, so that a change is on disk before its answer. Made by `app`.

mod access;
mod age;
mod alias;
mod allocate;
mod apply;
mod approval;
mod backup;
mod budget;
mod call;
mod checkpoint;
mod columns;
mod crossing;
mod delivery;
mod erase;
mod keys;
mod leg;
mod log;
mod lookalike;
mod message;
mod notice;
mod notices;
pub(super) mod open;
mod outbox;
mod outreach;
mod packed;
mod people;
mod place;
mod policy;
mod pool;
mod readers;
mod rebind;
mod renumber;
mod route;
mod spend;
mod stock;
mod suppression;
mod sweep;
mod tally;
mod token;
mod told;
mod verification;
mod webhook;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use self::checkpoint::Checkpointer;
use self::notices::Notified;
use self::readers::Readers;
use self::writer::Writer;
use super::{
    Aged, Aging, AliasFilter, AliasRow, Allocation, ApprovalFilter, ApprovalRow, BlindIndex, BudgetKind, CellKind,
    CellPage, Change, Committed, Conversion, DirectoryRows, EntryFilter, EntryRow, Held, HeldBy, Holding, KeyUse, Lane,
    LegRow, LookalikeMark, LookalikeRow, MessageRow, NumberRow, OutboxRow, PartKey, PartRow, Payer, PendingKey,
    PolicyRow, PoolCounts, PoolRow, Queued, ReceiptOutcome, ReceiptRow, ResealPass, Room, RouteComplaints, RouteRows,
    RowKey, Scope, SenderRow, Spared, Spend, Store, StoreError, Suppression, TemplateRow, TokenRow, UsageFilter,
    UsageRow, VerificationRow, WrappedKey,
};
use crate::clock::{Clock, Timestamp};
use crate::ids::{
    AliasId, ApprovalId, CredentialId, MessageId, NodeId, PoolId, RecordId, SuppressionId, TemplateId, TenantId,
    VerificationId,
};
use crate::phone::VirtualNumber;
use crate::telemetry;

/// A durable store in one SQLite file (mode 0600, like its `-wal` and `-shm`).
pub struct SqliteStore {
    clock: Arc<dyn Clock>,
    enqueued: Notify,
    notified: Notified,
    writer: Writer,
    readers: Readers,
    checkpointer: Checkpointer,
}

/// Indexes looked up at once beyond which the work leaves the caller's thread.
const POINT_READS: usize = 64;
/// Rows that one look for older ciphertexts goes through at the utmost.
const SCAN: u32 = 20_000;
/// Older ciphertexts that it gathers at the utmost: few enough for one transaction that holds nobody up.
const RESEAL: usize = 500;
/// How long readiness waits for a transaction.
const READY_WITHIN: Duration = Duration::from_secs(2);

impl SqliteStore {
    /// Opens the file at `path`, making it and its folder if they are not there, and brings its schema up to date.
    ///
    /// `node` names this process in the audit log. Blocks for as long as that takes (milliseconds).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be had, [`StoreError::Corrupt`] if it is no store of ours or of a
    /// newer version.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, node: NodeId) -> Result<Self, StoreError> {
        open::prepare(path)?;
        open::migrate(&mut open::connect(path, open::Use::Write)?)?;
        Ok(Self {
            writer: Writer::start(path.to_owned(), Arc::clone(&clock), node)?,
            readers: Readers::open(path)?,
            checkpointer: Checkpointer::start(path.to_owned())?,
            enqueued: Notify::new(),
            notified: Notified::default(),
            clock,
        })
    }

    /// Puts a backup in the place of a store that is lost: `path` must not be there. Erasures since have to be replayed
    /// before it serves.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is a store already, [`StoreError::Corrupt`] if the backup is none of ours.
    pub fn restore(backup: &Path, path: &Path, clock: &dyn Clock) -> Result<(), StoreError> {
        backup::restore(backup, path, clock.now())
    }

    /// Whether no key was ever made here: only then may a root of keys be made.
    ///
    /// # Errors
    /// As every read.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.readers.point(keys::is_empty)
    }

    /// Commits what waits, copies the WAL into the file and takes no more changes. Reads still work.
    pub async fn close(&self) {
        self.writer.stop().await;
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let prepared = apply::Prepared::of(change)?;
        let (actions, enqueues, erases) = (prepared.actions(), prepared.enqueues(), prepared.erases());
        let weight = prepared.weight();
        let committed = if prepared.is_whole() {
            self.writer.run_whole(weight, move |tx| prepared.apply(tx)).await?
        } else {
            self.writer.run(weight, move |tx| prepared.apply(tx)).await?
        };
        if erases {
            self.checkpointer.erased();
        }
        for action in actions {
            telemetry::metrics().events.with_label_values(&[action.as_str()]).inc();
        }
        if enqueues {
            self.enqueued.notify_one();
        }
        self.notified.add(&committed.notified);
        Ok(committed)
    }

    async fn reserve_records(&self, count: u64) -> Result<RecordId, StoreError> {
        self.writer.run(1, move |tx| token::reserve(tx, count)).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        tokio::time::timeout(READY_WITHIN, self.writer.run(0, |_| Ok(())))
            .await
            .map_err(|_| StoreError::Unavailable("the writer does not come round".into()))?
    }

    async fn directory_version(&self) -> Result<u64, StoreError> {
        self.readers.point(access::directory_version)
    }

    async fn directory(&self) -> Result<DirectoryRows, StoreError> {
        self.readers.long(access::directory).await
    }

    async fn approval(&self, tenant: TenantId, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.readers.point(|conn| approval::find(conn, tenant, id))
    }

    async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>, StoreError> {
        let filter = filter.clone();
        self.readers.long(move |conn| approval::list(conn, &filter)).await
    }

    async fn lapsed_approvals(&self, limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        let now = self.now();
        self.readers.long(move |conn| approval::lapsed(conn, now, limit)).await
    }

    async fn policies(&self, after: Option<&str>, limit: u32) -> Result<Vec<PolicyRow>, StoreError> {
        let after = after.map(str::to_owned);
        self.readers.long(move |conn| policy::list(conn, after.as_deref(), limit)).await
    }

    async fn policy(&self, version: &str) -> Result<Option<PolicyRow>, StoreError> {
        self.readers.point(|conn| policy::find(conn, version))
    }

    async fn policy_files(&self, version: &str) -> Result<Option<String>, StoreError> {
        self.readers.point(|conn| policy::files(conn, version))
    }

    async fn routes_version(&self) -> Result<u64, StoreError> {
        self.readers.point(route::version)
    }

    async fn routes(&self) -> Result<RouteRows, StoreError> {
        self.readers.long(route::all).await
    }

    async fn reserve_budget(&self, spend: Spend) -> Result<u64, StoreError> {
        self.writer.run(1, move |tx| budget::reserve(tx, &spend)).await
    }

    async fn spent_before(
        &self,
        credential: CredentialId,
        kind: BudgetKind,
        before: Timestamp,
        days: u32,
    ) -> Result<Vec<u64>, StoreError> {
        self.readers.point(|conn| budget::history(conn, credential, kind, before, days))
    }

    async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        self.readers.long(keys::wrapped).await
    }

    async fn keys_version(&self) -> Result<u64, StoreError> {
        self.readers.point(keys::version)
    }

    async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        self.readers.long(keys::uses).await
    }

    async fn reserve_key_uses(&self, owner: &str, purpose: &str, version: u16, count: u64) -> Result<u64, StoreError> {
        let (owner, purpose) = (owner.to_owned(), purpose.to_owned());
        self.writer.run(1, move |tx| keys::reserve_uses(tx, &owner, &purpose, version, count)).await
    }

    async fn doomed_keks(&self) -> Result<Vec<String>, StoreError> {
        self.readers.point(keys::doomed)
    }

    async fn cells(&self, kind: CellKind, after: &[u8], wanted: &[(TenantId, u16)]) -> Result<CellPage, StoreError> {
        let (after, wanted) = (after.to_vec(), wanted.to_vec());
        self.readers.long(move |conn| keys::cells(conn, kind, &after, &wanted, SCAN, RESEAL)).await
    }

    async fn reseal_pass(&self) -> Result<Option<ResealPass>, StoreError> {
        self.readers.point(keys::pass)
    }

    async fn save_reseal_pass(&self, pass: Option<&ResealPass>) -> Result<(), StoreError> {
        let pass = pass.cloned();
        self.writer.run(1, move |tx| keys::save_pass(tx, pass.as_ref())).await
    }

    async fn has_codes_below(&self, tenant: TenantId, version: u16) -> Result<bool, StoreError> {
        self.readers.long(move |conn| keys::has_codes_below(conn, tenant, version)).await
    }

    async fn has_parts_below(&self, version: u16) -> Result<bool, StoreError> {
        self.readers.long(move |conn| keys::has_parts_below(conn, version)).await
    }

    async fn token(&self, tenant: TenantId, id: RecordId) -> Result<Option<TokenRow>, StoreError> {
        self.readers.point(|conn| token::find(conn, tenant, id))
    }

    async fn tokens_by_index(
        &self,
        tenant: TenantId,
        indexes: &[BlindIndex],
    ) -> Result<Vec<Option<TokenRow>>, StoreError> {
        if indexes.len() <= POINT_READS {
            return self.readers.point(|conn| token::by_index(conn, tenant, indexes));
        }
        let indexes = indexes.to_vec();
        self.readers.long(move |conn| token::by_index(conn, tenant, &indexes)).await
    }

    async fn lookalikes(
        &self,
        tenant: TenantId,
        marks: &[LookalikeMark],
    ) -> Result<Vec<Option<LookalikeRow>>, StoreError> {
        if marks.len() <= POINT_READS {
            return self.readers.point(|conn| lookalike::find(conn, tenant, marks));
        }
        let marks = marks.to_vec();
        self.readers.long(move |conn| lookalike::find(conn, tenant, &marks)).await
    }

    async fn hold(&self, holding: Holding) -> Result<Vec<RecordId>, StoreError> {
        let weight = holding.rows.len() + 1;
        let held = self.writer.run_whole(weight, move |tx| token::hold(tx, &holding)).await?;
        telemetry::metrics().events.with_label_values(&[held.action.as_str()]).inc();
        Ok(held.records)
    }

    async fn epochs(&self, tenant: TenantId, people: &[BlindIndex]) -> Result<Vec<u8>, StoreError> {
        self.readers.point(|conn| people::epochs(conn, tenant, people))
    }

    async fn held(&self, of: &HeldBy) -> Result<Held, StoreError> {
        let of = of.clone();
        self.readers.long(move |conn| people::held(conn, &of)).await
    }

    async fn queued(&self, tenant: TenantId, conversations: &[BlindIndex]) -> Result<Vec<Queued>, StoreError> {
        self.readers.point(|conn| people::queued(conn, tenant, conversations))
    }

    async fn aged(&self, class: Aging, after: Option<RowKey>, limit: u32) -> Result<Aged, StoreError> {
        self.readers.long(move |conn| age::aged(conn, class, after, limit)).await
    }

    async fn leavings(&self) -> Result<Vec<TenantId>, StoreError> {
        self.readers.point(age::leavings)
    }

    async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let path = path.to_owned();
        self.readers.long(move |conn| backup::copy(conn, &path)).await
    }

    async fn records(&self, after: RecordId, limit: u32) -> Result<Vec<TokenRow>, StoreError> {
        self.readers.long(move |conn| token::after(conn, after, limit)).await
    }

    async fn verification(&self, tenant: TenantId, id: VerificationId) -> Result<Option<VerificationRow>, StoreError> {
        self.readers.point(|conn| verification::find(conn, tenant, id))
    }

    async fn pending_verification(&self, key: &PendingKey) -> Result<Option<VerificationId>, StoreError> {
        self.readers.point(|conn| verification::pending(conn, key))
    }

    async fn lapsed_verifications(&self, limit: u32) -> Result<Vec<VerificationRow>, StoreError> {
        let now = self.now();
        self.readers.long(move |conn| verification::lapsed(conn, now, limit)).await
    }

    async fn failures_since(&self, tenant: TenantId, party: BlindIndex, since_day: i64) -> Result<u64, StoreError> {
        self.readers.point(|conn| verification::failures_since(conn, tenant, party, since_day))
    }

    async fn pools(&self, tenant: TenantId) -> Result<Vec<PoolRow>, StoreError> {
        self.readers.point(|conn| pool::usable(conn, tenant))
    }

    async fn pool(&self, id: PoolId) -> Result<Option<PoolRow>, StoreError> {
        self.readers.point(|conn| pool::find(conn, id))
    }

    async fn pool_counts(&self, id: PoolId) -> Result<PoolCounts, StoreError> {
        let now = self.now();
        self.readers.long(move |conn| pool::counts(conn, id, now)).await
    }

    async fn number(&self, x: VirtualNumber) -> Result<Option<NumberRow>, StoreError> {
        self.readers.point(|conn| pool::number(conn, x))
    }

    async fn allocate(&self, wish: &Allocation) -> Result<Option<VirtualNumber>, StoreError> {
        self.readers.point(|conn| allocate::allocate(conn, wish, self.now()))
    }

    async fn alias(&self, tenant: TenantId, id: AliasId) -> Result<Option<AliasRow>, StoreError> {
        self.readers.point(|conn| alias::find(conn, tenant, id))
    }

    async fn aliases(&self, filter: &AliasFilter) -> Result<Vec<AliasRow>, StoreError> {
        let filter = filter.clone();
        self.readers.long(move |conn| alias::list(conn, &filter)).await
    }

    async fn leg(&self, x: VirtualNumber, party: Option<BlindIndex>) -> Result<Option<LegRow>, StoreError> {
        self.readers.point(|conn| leg::find(conn, x, party, self.now()))
    }

    async fn lapsed_aliases(&self, limit: u32) -> Result<Vec<AliasRow>, StoreError> {
        let now = self.now();
        self.readers.long(move |conn| alias::lapsed(conn, now, limit)).await
    }

    async fn senders(&self, alias: AliasId) -> Result<Vec<SenderRow>, StoreError> {
        self.readers.point(|conn| message::senders(conn, alias, self.now()))
    }

    async fn message(&self, tenant: TenantId, id: MessageId) -> Result<Option<MessageRow>, StoreError> {
        self.readers.point(|conn| message::find(conn, tenant, id))
    }

    async fn messages(
        &self,
        tenant: TenantId,
        alias: AliasId,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<MessageRow>, StoreError> {
        self.readers.long(move |conn| message::list(conn, tenant, alias, after, limit)).await
    }

    async fn complaints_by_route(&self, since: Timestamp) -> Result<Vec<RouteComplaints>, StoreError> {
        self.readers.long(move |conn| outreach::complaints_by_route(conn, since)).await
    }

    async fn last_message(&self, tenant: TenantId, index: BlindIndex) -> Result<Option<MessageRow>, StoreError> {
        let of = HeldBy { tenant, index, record: None, places: Vec::new(), messages: 1 };
        Ok(self.readers.point(|conn| message::of_person(conn, &of, 1))?.pop())
    }

    async fn template(&self, tenant: TenantId, id: TemplateId) -> Result<Option<TemplateRow>, StoreError> {
        self.readers.point(|conn| outreach::template(conn, tenant, id))
    }

    async fn template_named(&self, tenant: TenantId, name: &str) -> Result<Option<TemplateRow>, StoreError> {
        self.readers.point(|conn| outreach::template_named(conn, tenant, name))
    }

    async fn templates(
        &self,
        tenant: TenantId,
        after: Option<TemplateId>,
        limit: u32,
    ) -> Result<Vec<TemplateRow>, StoreError> {
        self.readers.long(move |conn| outreach::templates(conn, tenant, after, limit)).await
    }

    async fn spent(&self, tenant: TenantId, payer: Payer) -> Result<(u64, u64), StoreError> {
        self.readers.point(|conn| spend::spent(conn, tenant, payer, self.now()))
    }

    async fn usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        let filter = filter.clone();
        self.readers.long(move |conn| tally::usage(conn, &filter)).await
    }

    async fn conversion(&self, tenant: TenantId, from: i64, to: i64) -> Result<Conversion, StoreError> {
        self.readers.long(move |conn| tally::conversion(conn, tenant, from, to)).await
    }

    async fn suppressed(&self, tenant: TenantId, index: BlindIndex) -> Result<Vec<Scope>, StoreError> {
        self.readers.point(|conn| suppression::of(conn, tenant, index))
    }

    async fn suppressions(
        &self,
        tenant: TenantId,
        after: Option<SuppressionId>,
        limit: u32,
    ) -> Result<Vec<(SuppressionId, Suppression)>, StoreError> {
        self.readers.long(move |conn| suppression::list(conn, tenant, after, limit)).await
    }

    async fn spared(&self, tenant: TenantId, message: MessageId) -> Result<Option<Spared>, StoreError> {
        self.readers.point(|conn| suppression::spared(conn, tenant, message))
    }

    async fn parts(&self, key: &PartKey) -> Result<Vec<PartRow>, StoreError> {
        self.readers.point(|conn| message::parts(conn, key))
    }

    async fn stale_parts(&self, before: Timestamp, limit: u32) -> Result<Vec<PartKey>, StoreError> {
        self.readers.long(move |conn| message::stale_parts(conn, before, limit)).await
    }

    async fn claim_within(&self, holder: &str, until: Timestamp, room: Room) -> Result<Vec<OutboxRow>, StoreError> {
        // A glance spares the writer an empty transaction.
        if self.next_due_within(room).await?.is_none_or(|due| due > self.now()) {
            return Ok(Vec::new());
        }
        let holder = holder.to_owned();
        let weight = room.for_lane(Lane::Code) as usize;
        self.writer.run(weight, move |tx| outbox::claim(tx, &holder, until, room)).await
    }

    async fn release_leases(&self, holder: &str) -> Result<(), StoreError> {
        let holder = holder.to_owned();
        self.writer.run(1, move |tx| outbox::release(tx, &holder)).await
    }

    async fn next_due_within(&self, room: Room) -> Result<Option<Timestamp>, StoreError> {
        self.readers.point(|conn| outbox::next_due(conn, room))
    }

    async fn enqueued(&self) {
        self.enqueued.notified().await;
    }

    async fn receipt_outcome(&self, receipt: &ReceiptRow) -> Result<Option<ReceiptOutcome>, StoreError> {
        self.readers.point(|conn| delivery::outcome(conn, receipt))
    }

    async fn entries(&self, filter: &EntryFilter) -> Result<Vec<EntryRow>, StoreError> {
        let filter = filter.clone();
        self.readers.long(move |conn| log::entries(conn, &filter)).await
    }
}
