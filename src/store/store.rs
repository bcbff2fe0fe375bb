//! The durable port: what the house keeps, and the one way to change it.
//!
//! A [`Change`] cannot be made without the [`Event`] that tells of it, and [`Store::commit`] writes both in one
//! transaction. Every write states its own precondition; when one does not hold, nothing of the change is written and
//! the caller learns which ([`StoreError`] variants are decisions). Blind indexes, ciphertexts and wrapped keys come
//! in ready made: an adapter never sees a number or a key.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::event::{Event, Leaf, Mode, Role};
use crate::ids::{AliasId, CredentialId, MessageId, OutboxId, PoolId, RecordId, TenantId, VerificationId};
use crate::phone::VirtualNumber;

/// A 16-byte HMAC of a number under an index key. Two indexes are comparable only under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindIndex(pub [u8; 16]);

/// Ciphertext with its nonce and key version, as made by the keyring; opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// The durable store.
#[async_trait]
pub trait Store: Send + Sync {
    /// The deployment's one clock.
    fn now(&self) -> Timestamp;

    /// Writes the whole change and its events, durably, or nothing.
    async fn commit(&self, change: Change) -> Result<Committed, StoreError>;

    /// Sets aside `count` record ids that no other process has or ever had, also after a restore. Returns the first.
    async fn reserve_records(&self, count: u64) -> Result<RecordId, StoreError>;

    /// Whether a transaction could begin now. For readiness.
    async fn ready(&self) -> Result<(), StoreError>;

    // ── access

    /// A number that grows whenever tenants, credentials, freezes or audiences change, also by another process.
    async fn directory_version(&self) -> Result<u64, StoreError>;
    /// All tenants, credentials, freezes and audiences.
    async fn directory(&self) -> Result<DirectoryRows, StoreError>;

    // ── keys

    /// Every wrapped key version.
    async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, StoreError>;

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
    /// The parts received so far of one concatenated message.
    async fn parts(&self, key: &PartKey) -> Result<Vec<PartRow>, StoreError>;
    /// Up to `limit` incomplete messages whose newest part is older than `before`.
    async fn stale_parts(&self, before: Timestamp, limit: u32) -> Result<Vec<PartKey>, StoreError>;

    // ── delivery

    /// Leases up to `limit` due outbox rows to `holder` until `until`: the oldest of each conversation only, codes
    /// before notices before marketing.
    async fn claim(&self, holder: &str, until: Timestamp, limit: u32) -> Result<Vec<OutboxRow>, StoreError>;
    /// Gives back every lease of `holder`: at start, for what a crash left leased.
    async fn release_leases(&self, holder: &str) -> Result<(), StoreError>;
    /// When the next row falls due, if any waits.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

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
    /// The alias is no longer active.
    #[error("alias is over")]
    AliasOver,
    /// The number is in a pool already.
    #[error("number is in a pool")]
    NumberInPool,
    /// Somebody else assembled or claimed it first.
    #[error("already taken")]
    Taken,
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
    /// What [`Write::RecordReceipt`] or [`Write::RecordSubmission`] settled, one for each message whose state changed.
    pub settled: Vec<Settled>,
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
}

/// One write, with its precondition.
#[derive(Debug)]
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
    /// A new wrapped key version; [`Conflict::Exists`] if another process was first.
    Key(WrappedKey),

    /// A new token record; [`StoreError::TokenExists`] if a canonical one stands for the number already.
    Token(TokenRow),

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
    /// Adds or refreshes a sender who can be answered through an `ax` alias.
    Sender(SenderRow),

    /// A new message.
    Message(Box<MessageRow>),
    /// One part of a longer message; a repeated part is written once.
    Part { key: PartKey, part: PartRow },
    /// Removes the parts of an assembled message; [`Conflict::Taken`] unless exactly `count` were there.
    TakeParts { key: PartKey, count: u32 },
    /// Puts a task into the outbox.
    Enqueue(OutboxRow),
    /// Takes a task out of the outbox, done or given up; [`Conflict::Taken`] if it is gone.
    Dequeue(OutboxId),
    /// Puts a task off.
    PutOff { id: OutboxId, until: Timestamp, attempts: u32 },
    /// Remembers under which ids a carrier took the parts of a task, and settles receipts that came early.
    RecordSubmission { carrier: String, tenant: TenantId, task: Task, ids: Vec<String> },
    /// Sets a task's delivery status, unless that would go backwards; a message's body goes once it is final.
    SetDelivery { tenant: TenantId, task: Task, status: DeliveryStatus },
    /// A carrier's word on one part. Kept for later if no submission has that id yet.
    RecordReceipt { carrier: String, id: String, status: DeliveryStatus },
    /// Forgets bodies, parts, senders, early receipts and submissions that have outlived their time.
    Sweep,
}

// ── access ──────────────────────────────────────────────────────────────────

/// A business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// What people see as the sender in templates.
    pub name: String,
    /// Live or test.
    pub mode: Mode,
    /// Where its data has to stay, if it says.
    pub region: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// An API key of one person or system. The key itself is not kept: `secret` is an HMAC of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRow {
    /// Its id.
    pub id: CredentialId,
    /// Whose.
    pub tenant: TenantId,
    /// HMAC-SHA-256 of the key under the deployment's credential key.
    pub secret: [u8; 32],
    /// The person or system it was issued to.
    pub person: String,
    /// Its role.
    pub role: Role,
    /// Whose tokens it sees, for partners.
    pub audience: Option<String>,
    /// Networks that it may come from; empty means any.
    pub networks: Vec<ipnet::IpNet>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when: expiry, rotation's overlap or revocation.
    pub ends_at: Option<Timestamp>,
}

/// All that decides who a caller is.
#[derive(Clone, Debug, Default)]
pub struct DirectoryRows {
    /// As [`Store::directory_version`] when read.
    pub version: u64,
    /// Every tenant.
    pub tenants: Vec<TenantRow>,
    /// Every credential, ended ones included.
    pub credentials: Vec<CredentialRow>,
    /// Ids of frozen tenants, credentials and aliases.
    pub frozen: Vec<String>,
    /// The audiences that each tenant has tokens for.
    pub audiences: Vec<(TenantId, String)>,
}

// ── keys ────────────────────────────────────────────────────────────────────

/// A key version as the KMS wrapped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// `system`, a tenant's id or a pool's id.
    pub owner: String,
    /// What the key is for.
    pub purpose: String,
    /// From 1 up.
    pub version: u16,
    /// KMS ciphertext.
    pub wrapped: Vec<u8>,
    /// Since when.
    pub created_at: Timestamp,
}

// ── tokens ──────────────────────────────────────────────────────────────────

/// The record behind vaulted tokens.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// Its database key.
    pub id: RecordId,
    /// Whose.
    pub tenant: TenantId,
    /// Under the tenant's `index` key.
    pub index: BlindIndex,
    /// Whether this is the record that repeated tokenizing finds: not fresh, no life, no metadata of its own.
    pub canonical: bool,
    /// The number, sealed under the tenant's `seal` key.
    pub number: Sealed,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// A JSON object that the tenant gave, free of numbers.
    pub metadata: Option<String>,
}

// ── verifications ───────────────────────────────────────────────────────────

/// What makes two verifications the same undertaking.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PendingKey {
    /// Whose.
    pub tenant: TenantId,
    /// Of whom.
    pub party: BlindIndex,
    /// For what.
    pub purpose: String,
    /// Asked by whom: the `user_ref`, or empty.
    pub requester: String,
}

/// A verification of one person by one-time code.
#[derive(Clone, Debug)]
pub struct VerificationRow {
    /// Its id.
    pub id: VerificationId,
    /// Tenant, party, purpose and requester.
    pub key: PendingKey,
    /// The credential that asked, for whose audience tokens are shown.
    pub credential: CredentialId,
    /// The audience of tokens in answers and proof; none is the tenant's own.
    pub audience: Option<String>,
    /// The token record of the number.
    pub record: RecordId,
    /// Where it stands.
    pub status: VerificationStatus,
    /// From which the code is derived; gone when it is over.
    pub salt: Option<[u8; 16]>,
    /// Version of the tenant's `code` key.
    pub code_key: u16,
    /// 4 to 10.
    pub code_length: u8,
    /// Digits only, or letters too.
    pub alphanumeric: bool,
    /// Guesses left.
    pub attempts_left: u8,
    /// `sms`.
    pub channel: String,
    /// BCP 47.
    pub locale: Option<String>,
    /// Origin for the last line of the message (WebOTP), if named.
    pub origin: Option<String>,
    /// Android SMS Retriever hash, if named.
    pub app_hash: Option<String>,
    /// The transaction the code confirms, if named (PSD2 dynamic linking).
    pub transaction: Option<Transaction>,
    /// Each send, in order.
    pub sends: Vec<SendRecord>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its code lapses.
    pub expires_at: Timestamp,
}

/// What a code confirms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// As shown to the payer.
    pub amount: String,
    /// As shown to the payer.
    pub payee: String,
}

/// One sending of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRecord {
    /// `sms`.
    pub channel: String,
    /// How far it got.
    pub status: DeliveryStatus,
    /// When it was asked for.
    pub at: Timestamp,
}

/// Where a verification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerificationStatus {
    /// The code may be entered.
    Pending,
    /// The right code came in time.
    Approved,
    /// Given up by the tenant, or superseded.
    Canceled,
    /// Nobody entered the code in time.
    Expired,
    /// Every attempt was spent.
    Exhausted,
    /// The code could not be sent.
    Failed,
}

// ── aliases and pools ───────────────────────────────────────────────────────

/// A stock of virtual numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRow {
    /// Its id.
    pub id: PoolId,
    /// Who made it.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The carrier its numbers live at.
    pub carrier: String,
    /// Whether other tenants of the same mode may bind from it.
    pub shared: bool,
    /// Live or test, as its tenant.
    pub mode: Mode,
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
    /// ISO 3166-1 alpha-2.
    pub region: Option<String>,
    /// `sms`, `voice`.
    pub capabilities: Vec<String>,
    /// No new aliases.
    pub draining: bool,
    /// Since when.
    pub created_at: Timestamp,
}

/// Numbers of a pool by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolCounts {
    /// Carrying nothing.
    pub free: u64,
    /// Carrying at least one leg.
    pub bound: u64,
    /// Resting after an alias ended.
    pub cooling: u64,
}

/// What a number is wanted for.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// From which pool.
    pub pool: PoolId,
    /// This number and no other.
    pub number: Option<VirtualNumber>,
    /// ISO 3166-1 alpha-2, if it matters.
    pub region: Option<String>,
    /// Whether the alias takes messages from anyone.
    pub star: bool,
    /// Each party with its counterpart: a cooling (X, party) may be had again only for the same counterpart.
    pub parties: Vec<(BlindIndex, Option<BlindIndex>)>,
    /// The tenant that asks: a rested `*` number comes back to the same tenant and person at once.
    pub tenant: TenantId,
    /// Random; spreads choices over the pool.
    pub spread: u64,
}

/// A binding of a virtual number to people.
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
    /// The pool X comes from.
    pub pool: PoolId,
    /// The first person.
    pub a: Party,
    /// The second person, in `axb`.
    pub b: Option<Party>,
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

/// A person of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The token record of the person's number.
    pub record: RecordId,
    /// The number under the `pool` key.
    pub index: BlindIndex,
}

/// How an alias binds. Later modes add lines here and in `alias::leg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AliasMode {
    /// Anyone who writes to X reaches A.
    Ax,
    /// A and B reach each other through X.
    Axb,
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
    /// X.
    pub number: VirtualNumber,
    /// The writer, under the `pool` key; none is anyone (`*`).
    pub from: Option<BlindIndex>,
    /// The alias it belongs to.
    pub alias: AliasId,
    /// Whose.
    pub tenant: TenantId,
    /// Whom the writer reaches.
    pub to: LegTarget,
    /// When the alias ends.
    pub expires_at: Option<Timestamp>,
}

/// Whom a leg reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegTarget {
    /// The person behind a token record.
    Person(RecordId),
    /// One of the alias's live senders: A answers.
    Senders,
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

/// Somebody outside who wrote to an `ax` alias and can be answered.
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
    /// When it is forgotten.
    pub until: Timestamp,
}

// ── messages and delivery ───────────────────────────────────────────────────

/// What an outbox row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// The `n`-th sending (from 0) of this verification's code.
    Code(VerificationId, u16),
    /// A message with a stored body.
    Message(MessageId),
}

/// A message that is carried on or sent.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Whose, by the leg.
    pub tenant: TenantId,
    /// Through which alias.
    pub alias: AliasId,
    /// Who wrote: `a`, `b`, `number`, `short_code`, `name`, `service`.
    pub sender: String,
    /// Shown to the receiver as the sender.
    pub from: VirtualNumber,
    /// Who receives.
    pub to: Recipient,
    /// The text, sealed; gone once delivered or after 24 h.
    pub body: Option<Sealed>,
    /// How far it got.
    pub status: DeliveryStatus,
    /// Parts it came in.
    pub parts: u32,
    /// When it came.
    pub created_at: Timestamp,
    /// When its body goes at the latest.
    pub expires_at: Timestamp,
}

/// Who receives a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The person behind a token record.
    Person(RecordId),
    /// A stranger who wrote first; the number sealed under the tenant's `seal` key.
    Stranger(Sealed),
}

/// Which concatenated message a part belongs to (3GPP TS 23.040 §9.2.3.24.1: reference, per sender and receiver).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartKey {
    /// The carrier it came by.
    pub carrier: String,
    /// X.
    pub number: VirtualNumber,
    /// HMAC of the sender's address under the `pool` key.
    pub sender: BlindIndex,
    /// The sender's reference.
    pub reference: u16,
    /// Of how many.
    pub total: u8,
}

/// One part.
#[derive(Clone, Debug)]
pub struct PartRow {
    /// From 1 up.
    pub number: u8,
    /// Encoding and octets (and, for assembling later, the sender), sealed under the deployment's `seal` key.
    pub body: Sealed,
    /// When it came.
    pub at: Timestamp,
}

/// Something to be delivered.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Time-ordered: the order within a conversation.
    pub id: OutboxId,
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub task: Task,
    /// Codes before notices before marketing.
    pub lane: Lane,
    /// At most one of a conversation is under way.
    pub conversation: BlindIndex,
    /// The credential on whose word it goes out; none where an alias decided.
    pub credential: Option<CredentialId>,
    /// The policy version that allowed it.
    pub policy: String,
    /// Not before.
    pub due: Timestamp,
    /// Tries so far.
    pub attempts: u32,
}

/// Priority of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// One-time codes.
    Code = 0,
    /// Everything a person waits for.
    Notice = 1,
    /// The rest.
    Marketing = 2,
}

/// How far a delivery got. Never goes back; of several parts the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Durable here, not yet taken by a carrier.
    Queued,
    /// A carrier took it.
    Submitted,
    /// The carrier says that the device has it.
    Delivered,
    /// The carrier says that the device will not have it.
    Undelivered,
    /// The carrier gave up in time.
    Expired,
    /// The carrier, or a rule, refused it.
    Rejected,
    /// No word came.
    Unknown,
}

impl DeliveryStatus {
    /// Whether nothing more will come.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Submitted)
    }
}

// ── audit ───────────────────────────────────────────────────────────────────

/// Which entries to read.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    /// Only by this person or credential id.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only those that name this keyed id (subject, record, alias, verification …).
    pub names: Option<String>,
    /// `allowed` or `denied`.
    pub outcome: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// After this index.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

/// An entry in its place.
#[derive(Clone, Debug)]
pub struct EntryRow {
    /// Position in the log, from 0.
    pub index: u64,
    /// SHA-256(salt ‖ text).
    pub leaf: Leaf,
    /// The leaf before it, all zero for the first.
    pub previous: Leaf,
    /// Its salt.
    pub salt: [u8; 16],
    /// Canonical JSON.
    pub text: String,
}
