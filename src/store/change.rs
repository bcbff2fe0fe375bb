//! A change of what the house keeps, and what can go wrong with one.
//!
//! Each [`Write`] states its own precondition. A [`Change`] carries its events with it, so that neither can be written
//! without the other.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::event::{Event, Leaf};
use crate::ids::{
    AliasId, ApprovalId, CredentialId, MessageId, OutboxId, PoolId, RecordId, TemplateId, TenantId, VerificationId,
    WebhookId,
};
use crate::phone::VirtualNumber;
use crate::store::aliases::*;
use crate::store::approvals::*;
use crate::store::calls::CallWrite;
use crate::store::crossing::CrossingWrite;
use crate::store::keys::*;
use crate::store::lookalike::LookalikeRow;
use crate::store::outreach::*;
use crate::store::policies::*;
use crate::store::pools::*;
use crate::store::rights::*;
use crate::store::routes::*;
use crate::store::rows::*;
use crate::store::traffic::*;
use crate::store::webhooks::*;

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
    /// Spends against a cap of the day; [`Conflict::CapReached`] fails the whole change, if it is to be exact.
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
