//! The durable port: what the house keeps, and the one way to change it.
//!
//! A [`Change`] cannot be made without the [`Event`] that tells of it, and [`Store::commit`] writes both in one
//! transaction. Every write states its own precondition; when one does not hold, nothing of the change is written and
//! the caller learns which ([`StoreError`] variants are decisions). Blind indexes, ciphertexts and wrapped keys come
//! in ready made: an adapter never sees a number or a key.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::event::{Event, Leaf, Mode};
use crate::ids::{
    AliasId, ApprovalId, CredentialId, MessageId, OutboxId, PoolId, RecordId, SuppressionId, TemplateId, TenantId,
    VerificationId, WebhookId,
};
use crate::phone::VirtualNumber;
use crate::store::aliases::*;
use crate::store::approvals::*;
use crate::store::calls::{CallStore, CallWrite};
use crate::store::crossing::{CrossingStore, CrossingWrite};
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

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A record for this number exists already; here is its id.
    #[error("the number has a record already")]
    TokenExists(RecordId),
    /// A unique constraint or a stated precondition does not hold: read again, decide again.
    #[error("precondition does not hold: {0}")]
    Conflict(Conflict),
    /// The store cannot be reached, is full, or refuses writes. Nothing was written, as far as can be known.
    #[error("the durable store is unavailable: {0}")]
    Unavailable(String),
    /// The store holds something that this version cannot read.
    #[error("the durable store holds an unreadable {0}")]
    Corrupt(&'static str),
}

/// Which precondition did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A tenant, credential, pool or id of this name exists already.
    #[error("exists already")]
    Exists,
    /// The verification is no longer pending, has lapsed, or has no attempts left.
    #[error("verification is over")]
    VerificationOver,
    /// Another verification of the same party, purpose and requester became pending meanwhile.
    #[error("another verification is pending")]
    VerificationPending,
    /// The number already carries a leg for this party, or is in the other kind of use.
    #[error("number is taken for this party")]
    LegTaken,
    /// The approval is decided, or its time ran out.
    #[error("approval is over")]
    ApprovalOver,
    /// The approval was used, has lapsed, or one of its two persons is out of office.
    #[error("approval cannot be used")]
    ApprovalUsed,
    /// The day's budget has less left.
    #[error("budget is exhausted")]
    BudgetExhausted,
    /// The alias is no longer active.
    #[error("alias is over")]
    AliasOver,
    /// The number is in a pool already.
    #[error("number is in a pool")]
    NumberInPool,
    /// Somebody else assembled or claimed it first.
    #[error("already taken")]
    Taken,
    /// Its carrier brought it before.
    #[error("brought before")]
    Heard,
    /// Other policies came into force meanwhile.
    #[error("other policies are in force")]
    PolicyMoved,
    /// Other routes came into force meanwhile.
    #[error("other routes are in force")]
    RoutesMoved,
    /// As many wait already as may.
    #[error("too many wait")]
    TooMany,
    /// A cap of the day has less left.
    #[error("the cap is reached")]
    CapReached,
    /// What the change refers to is not there.
    #[error("not there")]
    Missing,
}

/// One or more writes that happen together with the events that tell of them.
#[derive(Debug)]
pub struct Change {
    /// In order; the first one's leaf is what a caller may show.
    pub events: Vec<Event>,
    /// In order; all or none.
    pub writes: Vec<Write>,
}

impl Change {
    /// A change that so far consists of its event alone.
    pub fn telling(event: Event) -> Self {
        Self { events: vec![event], writes: Vec::new() }
    }

    /// Adds a write.
    #[must_use]
    pub fn with(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds a further event.
    #[must_use]
    pub fn and_telling(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
}

/// What a commit gave back.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The leaf of each event, in order.
    pub leaves: Vec<Leaf>,
    /// The log index of the first event.
    pub index: u64,
    /// What [`Write::SpendAttempt`] left.
    pub attempts_left: Option<u8>,
    /// What [`Write::Spend`] brought the budget to.
    pub spent: Option<Spent>,
    /// What [`Write::RecordReceipt`] or [`Write::RecordSubmission`] settled, one for each message whose state changed.
    pub settled: Vec<Settled>,
    /// How many rows [`Write::Age`] took away before its time was up; of [`Write::Sweep`], 1 if there is more.
    pub aged: usize,
    /// The endpoints that something was put before, or that were switched on.
    pub notified: Vec<(TenantId, WebhookId)>,
    /// The places in the log of what [`Write::NotifyAgain`] puts before an endpoint once more, in order.
    pub again: Vec<u64>,
    /// The caps that [`Write::Spending`] brought near their end for the first time of the day.
    pub near: Vec<NearCap>,
    /// What [`Write::Erase`] and [`Write::ForgetMessages`] took away.
    pub erased: Erased,
}

/// A message whose delivery state moved because of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub task: Task,
    /// To what: the worst of its parts.
    pub status: DeliveryStatus,
    /// Why that part failed, if the carrier said so.
    pub failure: Option<Failure>,
}

/// What a receipt is about, before it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptOutcome {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub task: Task,
    /// To what the message would move.
    pub status: Option<DeliveryStatus>,
    /// Why the part that decides it failed, if a carrier said so.
    pub failure: Option<Failure>,
}

/// One write, with its precondition.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant says what it does; its fields are those of the row it touches")]
pub enum Write {
    /// A new tenant; [`Conflict::Exists`] if the name is taken.
    Tenant(TenantRow),
    /// A new credential.
    Credential(CredentialRow),
    /// Ends a credential at a moment; [`Conflict::Missing`] if there is none.
    EndCredential { tenant: TenantId, id: CredentialId, at: Timestamp },
    /// Sets or lifts a freeze on `tenant`, `credential` or `alias`, by id.
    Freeze { target: String, on: bool },
    /// Remembers that a tenant has tokens for this audience.
    Audience { tenant: TenantId, audience: String },
    /// A new approval, pending.
    FileApproval(Box<ApprovalRow>),
    /// Decides a pending, unexpired approval; [`Conflict::ApprovalOver`].
    DecideApproval(Decision),
    /// Uses an approval that is approved and unexpired, while the credentials of both persons stand and neither is frozen;
    /// [`Conflict::ApprovalUsed`] fails the whole change, so that it is used once and with its effect.
    UseApproval { tenant: TenantId, id: ApprovalId },
    /// Ends an approval whose time ran out; [`Conflict::ApprovalOver`] if it has not, or is over.
    ExpireApproval { tenant: TenantId, id: ApprovalId },
    /// Counts items against a daily budget; [`Conflict::BudgetExhausted`] fails the whole change.
    Spend(Spend),
    /// Notes that the log is told of a budget that ran out on a day; [`Conflict::Taken`] if it was told already.
    TellExhausted { credential: CredentialId, kind: BudgetKind, at: Timestamp },
    /// A new wrapped key version; [`Conflict::Exists`] if another process was first.
    Key(WrappedKey),
    /// Another wrapping of the same key; [`Conflict::Taken`] unless `from` is the one that stands.
    RewrapKey { key: WrappedKey, from: Vec<u8> },
    /// Forgets a key version under which nothing is left; [`Conflict::Missing`] if it is gone.
    RetireKey { owner: String, purpose: String, version: u16 },
    /// Forgets every key of an owner, and remembers that its KEK has to go.
    DoomKeys { owner: String },
    /// The KMS destroyed a KEK that had to go; [`Conflict::Missing`] if it had not.
    KekDestroyed { owner: String },
    /// Another ciphertext of the same, unless what stands is no longer `from`.
    Reseal { tenant: TenantId, at: CellAt, from: Sealed, to: Sealed },

    /// Puts policies that a start found into force; [`Conflict::PolicyMoved`] unless `over` are, or none if it is none.
    AdoptPolicy { row: PolicyRow, files: String, over: Option<String> },
    /// Proposes a version; [`Conflict::PolicyMoved`] unless its base is in force, [`Conflict::Exists`] if it waits
    /// already or is in force itself, [`Conflict::TooMany`] beyond [`MAX_PROPOSALS`].
    ProposePolicy { row: PolicyRow, files: String },
    /// Puts a proposal into force; [`Conflict::Missing`] if it is none, [`Conflict::PolicyMoved`] unless its base is.
    ActivatePolicy { version: String, approver: String, at: Timestamp },
    /// Takes a proposal back; [`Conflict::Missing`] if it is none.
    WithdrawPolicy { version: String, at: Timestamp },

    /// Puts a tenant's routes into force; [`Conflict::RoutesMoved`] unless those of the version before are.
    SetRoutes(RouteSetRow),
    /// Closes a route; [`Conflict::Exists`] if it is closed.
    CloseRoute(ClosedRoute),
    /// Opens a route; [`Conflict::Missing`] if it is not closed.
    OpenRoute { tenant: TenantId, carrier: String, country: String, class: Class },

    /// A new token record; [`StoreError::TokenExists`] if a canonical one stands for the number already.
    Token(TokenRow),
    /// A lookalike of a record, or the same once more; [`Conflict::Taken`] if it names another.
    Lookalike(LookalikeRow),

    /// Forgets a person or one record; [`Conflict::Missing`] if a record is gone, [`Conflict::Taken`] if there is more
    /// than was read.
    Erase(Box<Erasure>),
    /// Forgets up to `limit` messages of aliases that are erased, and of those that a tenant sent to an erased person.
    ForgetMessages { tenant: TenantId, aliases: Vec<AliasId>, party: Option<BlindIndex>, limit: u32 },
    /// Sets an entry of the list of erased people, unless it stands further already.
    SetEpoch { tenant: TenantId, person: BlindIndex, epoch: u8 },
    /// Moves a person's aliases to another record; [`Conflict::LegTaken`] if the new number has a place there already,
    /// [`Conflict::AliasOver`] if one ended since.
    Move(Box<Move>),
    /// Uses a proof up; [`Conflict::Taken`] if it was.
    UseProof { jti: [u8; 32], until: Timestamp },
    /// Ends a tenant: its credentials end, its name is free. [`Write::DoomKeys`] goes with it; its rows go by
    /// [`Write::Age`] and [`Write::Clear`].
    EraseTenant { tenant: TenantId, at: Timestamp },

    /// Takes rows of a class away, for no longer than `within`; what is left comes again.
    Age { class: Aging, keys: Vec<RowKey>, within: Duration },
    /// Takes away the last of an erased tenant: what is not of the four kinds that go by [`Write::Age`].
    Clear { tenant: TenantId },

    /// A new verification, in place of the pending one it supersedes, if any.
    StartVerification { row: Box<VerificationRow>, supersedes: Option<VerificationId> },
    /// Spends one attempt of a pending, unexpired verification, before anything is compared.
    SpendAttempt { tenant: TenantId, id: VerificationId },
    /// Counts one more send of a pending, unexpired verification.
    CountSend { tenant: TenantId, id: VerificationId, channel: String },
    /// Ends a pending verification: sets its final status and forgets its salt.
    EndVerification { tenant: TenantId, id: VerificationId, status: VerificationStatus },
    /// Counts a failed guess against a party on a day (days since the epoch).
    CountFailure { tenant: TenantId, party: BlindIndex, day: i64 },

    /// A new pool; [`Conflict::Exists`] if the tenant has one of this name.
    Pool(PoolRow),
    /// Adds a number to a pool; [`Conflict::NumberInPool`] if it is in one already.
    Number(NumberRow),
    /// Takes a number out of allocation; what is bound stays until it ends.
    DrainNumber { pool: PoolId, number: VirtualNumber },
    /// A new alias with its legs; [`Conflict::LegTaken`] if any leg cannot be.
    BindAlias { alias: Box<AliasRow>, legs: Vec<LegRow> },
    /// Changes when an active alias ends.
    ExtendAlias { tenant: TenantId, id: AliasId, expires_at: Option<Timestamp> },
    /// Ends an active alias; its legs cool until `cool_until`, a `*` number rests until `rest_until`.
    EndAlias { tenant: TenantId, id: AliasId, status: AliasStatus, cool_until: Timestamp, rest_until: Timestamp },
    /// Whatever else happens to aliases and numbers.
    Alias(AliasWrite),
    /// Adds or refreshes a sender who can be answered through an `ax` alias.
    Sender(SenderRow),

    /// A new message.
    Message(Box<MessageRow>),
    /// Why a message did not arrive, as a short class.
    NoteFailure { tenant: TenantId, message: MessageId, failure: String },
    /// What a tenant says about itself, in place of what it said before.
    SetProfile { tenant: TenantId, profile: Box<Profile> },
    /// A new template; [`Conflict::Exists`] if there is one of this name, [`Conflict::TooMany`] beyond a thousand.
    Template(Box<TemplateRow>),
    /// Forgets a template; [`Conflict::Missing`].
    RemoveTemplate { tenant: TenantId, id: TemplateId },
    /// A complaint; [`Conflict::Exists`] if there is one of this message.
    Complaint(Box<ComplaintRow>),
    /// Spends against a cap of the day; [`Conflict::CapReached`] fails the whole change.
    Spending(Spending),
    /// Notes that a share of a cap was told of; [`Conflict::Taken`] if it was before, today.
    TellCap { tenant: TenantId, payer: Payer, share: u8 },
    /// Spares a person messages; once is enough.
    Suppress(Suppression),
    /// Takes suppressions of a person back: of these scopes, or of every one if there are none.
    Unsuppress { tenant: TenantId, index: BlindIndex, scopes: Vec<Scope> },
    /// One part of a longer message; a repeated part is written once.
    Part { key: PartKey, part: PartRow },
    /// Removes the parts of an assembled message; [`Conflict::Taken`] unless exactly `count` were there.
    TakeParts { key: PartKey, count: u32 },
    /// What relaying changes beside these.
    Crossing(CrossingWrite),
    /// What calls change.
    Call(CallWrite),
    /// Puts a task into the outbox.
    Enqueue(OutboxRow),
    /// Takes a task out of the outbox, done or given up; [`Conflict::Taken`] if it is gone.
    Dequeue(OutboxId),
    /// Puts a task off.
    PutOff { id: OutboxId, until: Timestamp, attempts: u32 },
    /// A carrier took a task: remembers under which ids it took the parts, and settles receipts that came early.
    RecordSubmission { carrier: String, tenant: TenantId, task: Task, ids: Vec<PartId>, counted: Counted },
    /// Sets a task's delivery status, unless that would go backwards; a message's body goes once it is final.
    SetDelivery { tenant: TenantId, task: Task, status: DeliveryStatus },
    /// A carrier's word on one part. Kept for later if no submission has that id yet.
    RecordReceipt(ReceiptRow),

    /// A new endpoint; [`Conflict::TooMany`] beyond [`MAX_WEBHOOKS`].
    Webhook(Box<WebhookRow>),
    /// Changes where an endpoint is called, or for what; [`Conflict::Missing`].
    ChangeWebhook { tenant: TenantId, id: WebhookId, url: Option<String>, events: Option<Vec<String>> },
    /// Gives an endpoint another secret; the one before signs too until a moment; [`Conflict::Missing`].
    RotateWebhook { tenant: TenantId, id: WebhookId, salt: [u8; 16], until: Timestamp },
    /// Stops calling an endpoint, and says why, or begins again; [`Conflict::Taken`] if that is so already.
    SwitchWebhook { tenant: TenantId, id: WebhookId, disabled: Option<String> },
    /// Forgets an endpoint; what waits for it goes by [`Write::Sweep`].
    DeleteWebhook { tenant: TenantId, id: WebhookId },
    /// Puts what was sent to an endpoint, or was to be, before it once more; [`Conflict::Missing`] if there is no such
    /// delivery.
    NotifyAgain { tenant: TenantId, id: WebhookId, which: Again },
    /// Forgets bodies, parts, senders, early receipts and submissions that have outlived their time.
    Sweep,
}
