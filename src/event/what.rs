//! What can have happened, variant by variant.

use serde::Serialize;

use super::{Mode, Role};
use crate::clock::Timestamp;
use crate::ids::*;
use crate::phone::VirtualNumber;

/// What happened. The serialised `action` is the stable name that audit filters, webhooks and metrics use.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action")]
#[allow(missing_docs, reason = "fields are named by the vocabulary of docs/concepts.md")]
pub enum What {
    #[serde(rename = "tenant.created")]
    TenantCreated { mode: Mode, region: Option<String> },
    #[serde(rename = "credential.created")]
    CredentialCreated {
        credential: CredentialId,
        role: Role,
        person: String,
        audience: Option<String>,
        /// What it is bound to beside its key: `client_cert`, `signature`, separated by spaces.
        #[serde(skip_serializing_if = "String::is_empty")]
        bound: String,
        /// What every request of it has to bring, separated by spaces.
        #[serde(skip_serializing_if = "String::is_empty")]
        requires: String,
    },
    #[serde(rename = "credential.rotated")]
    CredentialRotated { credential: CredentialId, successor: CredentialId },
    #[serde(rename = "credential.revoked")]
    CredentialRevoked { credential: CredentialId },
    #[serde(rename = "frozen")]
    Frozen { target: String },
    #[serde(rename = "thawed")]
    Thawed { target: String },
    #[serde(rename = "key.created")]
    KeyCreated { owner: String, purpose: String, version: u16 },
    #[serde(rename = "key.rotated")]
    KeyRotated { owner: String, purpose: String, version: u16 },
    /// Keys of an owner were wrapped anew under the newest version of its key-encryption key.
    #[serde(rename = "key.rewrapped")]
    KeysRewrapped { owner: String, keys: u64 },
    /// Ciphertexts were re-encrypted under newer versions of their tenants' keys.
    #[serde(rename = "key.resealed")]
    KeysResealed { of: String, ciphertexts: u64 },
    /// Nothing is left under this version, and it is gone.
    #[serde(rename = "key.retired")]
    KeyRetired { owner: String, purpose: String, version: u16 },
    /// The keys of an owner are gone, and its key-encryption key is about to be.
    #[serde(rename = "key.destruction_ordered")]
    KeyDestructionOrdered { owner: String },
    /// The KMS destroyed an owner's key-encryption key.
    #[serde(rename = "key.destroyed")]
    KeyDestroyed { owner: String },
    /// The key that wraps the key-encryption keys was replaced.
    #[serde(rename = "key.root_rotated")]
    KeyRootRotated {},
    /// A backup of the key-encryption keys was written.
    #[serde(rename = "key.backed_up")]
    KeysBackedUp { keks: u64 },
    /// Somebody wants other policies, against those in force.
    #[serde(rename = "policy.proposed")]
    PolicyProposed { version: String, base: Option<String> },
    /// A second person said yes to them.
    #[serde(rename = "policy.approved")]
    PolicyApproved { version: String, proposer: String },
    /// They are in force, over those that were before.
    #[serde(rename = "policy.activated")]
    PolicyActivated { version: String, over: Option<String> },
    #[serde(rename = "policy.withdrawn")]
    PolicyWithdrawn { version: String },
    /// The public listener's certificate files changed and are in force.
    #[serde(rename = "tls.reloaded")]
    TlsReloaded { certificate: String },
    /// The public listener's certificate files changed and cannot be used; what was in force stays.
    #[serde(rename = "tls.refused")]
    TlsRefused { setting: String },
    /// An access token was given out (RFC 6749 §4.4).
    #[serde(rename = "credential.token_issued")]
    AccessTokenIssued { credential: CredentialId },
    /// An authenticated caller was refused.
    #[serde(rename = "denied")]
    Denied { attempted: String, reason: String },
    /// Calls without a valid credential within one second from one address prefix.
    #[serde(rename = "denied.strangers")]
    StrangersDenied { prefix: String, count: u64 },

    /// Somebody asked for what needs a second person. `asked` is the action, `requester` in what follows who asked.
    #[serde(rename = "approval.requested")]
    ApprovalRequested { approval: ApprovalId, asked: String, purpose: Option<String>, reference: Option<String> },
    #[serde(rename = "approval.approved")]
    ApprovalApproved { approval: ApprovalId, asked: String, requester: CredentialId },
    #[serde(rename = "approval.denied")]
    ApprovalDenied { approval: ApprovalId, asked: String, requester: CredentialId },
    #[serde(rename = "approval.expired")]
    ApprovalExpired { approval: ApprovalId, asked: String, requester: CredentialId },
    /// Written with the effect that it allowed, once.
    #[serde(rename = "approval.used")]
    ApprovalUsed { approval: ApprovalId },

    #[serde(rename = "token.created")]
    TokenCreated { record: RecordRef, subject: SubjectId, audience: Option<String>, fresh: bool },
    /// Of one batch: records made, records that were there, fpe texts, items refused. Sealed ones are under their
    /// reservation.
    #[serde(rename = "token.batch_created")]
    TokenBatchCreated { created: u64, known: u64, fpe: u64, refused: u64 },
    /// A number in the form of a number was given out for test data.
    #[serde(rename = "token.fpe_created")]
    FpeCreated { subject: SubjectId, audience: Option<String> },
    /// A person's token for another audience was given out.
    #[serde(rename = "token.exchanged")]
    TokenExchanged { record: RecordRef, subject: SubjectId, audience: Option<String> },
    /// Somebody asked whether a number has a token.
    #[serde(rename = "token.looked_up")]
    TokenLookedUp { subject: SubjectId, found: bool },
    /// A credential seems to walk through numbers: so many of its last `of` steps or questions match the pattern.
    #[serde(rename = "alert.enumeration")]
    EnumerationAlert { credential: CredentialId, pattern: String, of: u64, matching: u64 },
    /// From here a credential may seal up to `up_to` numbers without another entry.
    #[serde(rename = "token.seal_reserved")]
    SealReserved { credential: CredentialId, up_to: u64 },
    #[serde(rename = "token.seal_settled")]
    SealSettled { credential: CredentialId, sealed: u64 },
    #[serde(rename = "token.revealed")]
    Revealed { record: RecordRef, subject: SubjectId, purpose: String, reference: Option<String> },

    /// Many numbers in one request, of which this entry names some: `part` of `parts`, `count` in all. The record and the
    /// person of one number stand at the same place of the two lists.
    #[serde(rename = "token.batch_revealed")]
    BatchRevealed {
        part: u64,
        parts: u64,
        count: u64,
        records: Vec<RecordRef>,
        subjects: Vec<SubjectId>,
        purpose: String,
        reference: Option<String>,
    },
    /// A credential asked for more than its budget of the day allows; told once a day.
    #[serde(rename = "budget.exhausted")]
    BudgetExhausted { credential: CredentialId, budget: String, limit: u64 },
    /// A credential revealed unusually many numbers within an hour; told once an hour.
    #[serde(rename = "alert.reveal_volume")]
    RevealVolume { credential: CredentialId, revealed: u64, expected: u64 },
    /// One token is gone: its record, or every sealed token of the person.
    #[serde(rename = "token.erased")]
    TokenErased { record: RecordRef, subject: SubjectId, kind: String },
    /// Everything of one person is gone but for this log and the list of erased people.
    #[serde(rename = "subject.erased")]
    SubjectErased { subject: SubjectId, tokens: u64, aliases: u64, verifications: u64 },
    /// What waited for a person who is erased is not delivered.
    #[serde(rename = "delivery.dropped")]
    DeliveryDropped {
        message: Option<MessageId>,
        verification: Option<VerificationId>,
        subject: SubjectId,
        reason: String,
    },
    /// More of the messages that a person's erasure takes along.
    #[serde(rename = "messages.erased")]
    MessagesErased { subject: SubjectId },
    /// All that is held of a person was given out; `purpose` is there if the number was too.
    #[serde(rename = "subject.exported")]
    SubjectExported { subject: SubjectId, number: bool, purpose: Option<String>, reference: Option<String> },
    /// A person has another number now; aliases follow.
    #[serde(rename = "subject.number_changed")]
    NumberChanged { from: SubjectId, to: SubjectId, aliases: Vec<AliasId> },
    /// The tenant's keys are destroyed; what they sealed is noise, also in backups.
    #[serde(rename = "tenant.erased")]
    TenantErased { tenant: TenantId },
    /// What a test tenant had for a week goes.
    #[serde(rename = "tenant.purged")]
    TestDataPurged { before: Timestamp, rows: u64 },
    /// From here on rows of this class that are older than `before` are removed.
    #[serde(rename = "retention.applied")]
    RetentionApplied { class: String, before: Timestamp },
    #[serde(rename = "store.backed_up")]
    StoreBackedUp {},
    /// A backup took the store's place; so many erasures since were done again.
    #[serde(rename = "store.restored")]
    StoreRestored { erasures: u64 },

    #[serde(rename = "verification.started")]
    VerificationStarted { verification: VerificationId, subject: SubjectId, channel: String, purpose: String },
    #[serde(rename = "verification.resent")]
    VerificationResent { verification: VerificationId, subject: SubjectId },
    #[serde(rename = "verification.sent")]
    VerificationSent { verification: VerificationId, subject: SubjectId, carrier: String, parts: u64 },
    #[serde(rename = "verification.delivered")]
    VerificationDelivered { verification: VerificationId, status: String, failure: Option<String> },
    #[serde(rename = "verification.attempted")]
    VerificationAttempted { verification: VerificationId, subject: SubjectId },
    /// The attempt just spent was wrong; counted against the number.
    #[serde(rename = "verification.mismatched")]
    VerificationMismatched { verification: VerificationId, subject: SubjectId },
    #[serde(rename = "verification.approved")]
    VerificationApproved { verification: VerificationId, subject: SubjectId },
    #[serde(rename = "verification.canceled")]
    VerificationCanceled { verification: VerificationId, subject: SubjectId, superseded: bool },
    #[serde(rename = "verification.expired")]
    VerificationExpired { verification: VerificationId, subject: SubjectId },
    #[serde(rename = "verification.exhausted")]
    VerificationExhausted { verification: VerificationId, subject: SubjectId },
    #[serde(rename = "verification.failed")]
    VerificationFailed { verification: VerificationId, subject: SubjectId, reason: String },

    #[serde(rename = "pool.created")]
    PoolCreated { pool: PoolId, carrier: String, shared: bool },
    #[serde(rename = "pool.numbers_imported")]
    PoolNumbersImported { pool: PoolId, count: u64 },
    #[serde(rename = "pool.number_draining")]
    PoolNumberDraining { pool: PoolId, number: VirtualNumber },
    /// An operator set a number aside; it is given to nobody until it is taken back.
    #[serde(rename = "pool.number_quarantined")]
    PoolNumberQuarantined { pool: PoolId, number: VirtualNumber, reason: String },
    #[serde(rename = "pool.number_restored")]
    PoolNumberRestored { pool: PoolId, number: VirtualNumber },
    #[serde(rename = "pool.changed")]
    PoolChanged { pool: PoolId, low_water: Option<u64> },
    /// A pool has fewer free numbers than its owner wants to be told of.
    #[serde(rename = "alert.pool_low")]
    PoolLow { pool: PoolId, free: u64, low_water: u64 },
    /// It has enough again.
    #[serde(rename = "pool.refilled")]
    PoolRefilled { pool: PoolId, free: u64, low_water: u64 },
    #[serde(rename = "alias.bound")]
    AliasBound { alias: AliasId, mode: String, number: VirtualNumber, subjects: Vec<SubjectId> },
    #[serde(rename = "alias.extended")]
    AliasExtended { alias: AliasId, expires_at: Option<Timestamp> },
    /// Other people are in it now; who stays was told.
    #[serde(rename = "alias.rebound")]
    AliasRebound { alias: AliasId, subjects: Vec<SubjectId> },
    /// A member of a team is erased; the team goes on.
    #[serde(rename = "alias.member_left")]
    AliasMemberLeft { alias: AliasId, subject: SubjectId },
    /// What the tenant learns, or what strangers are told, is another.
    #[serde(rename = "alias.adjusted")]
    AliasAdjusted { alias: AliasId, disclose: String, unknown: String },
    #[serde(rename = "alias.released")]
    AliasReleased { alias: AliasId },
    #[serde(rename = "alias.expired")]
    AliasExpired { alias: AliasId },

    /// A whole message came to an alias and will be carried on.
    #[serde(rename = "message.received")]
    MessageReceived { message: MessageId, alias: AliasId, subject: SubjectId, sender: String, parts: u64 },
    /// One part of a longer message is safe; the rest is awaited.
    #[serde(rename = "message.part_received")]
    MessagePartReceived { number: VirtualNumber, part: u64, of: u64 },
    /// A message was not carried, and why.
    #[serde(rename = "message.dropped")]
    MessageDropped { number: VirtualNumber, alias: Option<AliasId>, reason: String },
    #[serde(rename = "message.sent")]
    MessageSent { message: MessageId, subject: SubjectId, carrier: String, parts: u64 },
    #[serde(rename = "message.delivered")]
    MessageDelivered { message: MessageId, status: String, failure: Option<String> },
    #[serde(rename = "message.undelivered")]
    MessageUndelivered { message: MessageId, subject: Option<SubjectId>, reason: String, failure: Option<String> },
    /// A tenant's own message to a person is accepted and will be sent.
    #[serde(rename = "message.accepted")]
    MessageAccepted {
        message: MessageId,
        subject: SubjectId,
        class: String,
        parts: u64,
        sender: Option<String>,
        template: Option<TemplateId>,
    },
    /// Many of them in one request, of which this entry names some: `part` of `parts`, `count` in all. The message and
    /// the person stand at the same place of the two lists.
    #[serde(rename = "message.batch_accepted")]
    MessagesAccepted {
        part: u64,
        parts: u64,
        count: u64,
        refused: u64,
        messages: Vec<MessageId>,
        subjects: Vec<SubjectId>,
    },
    /// A tenant's own message was not accepted, and why.
    #[serde(rename = "message.refused")]
    MessageRefused { subject: SubjectId, class: String, reason: String },
    /// A person is spared messages.
    #[serde(rename = "suppression.added")]
    SuppressionAdded { subject: SubjectId, scope: String, source: String },
    /// Many people in one request, of which this entry names some.
    #[serde(rename = "suppression.batch_added")]
    SuppressionsAdded { part: u64, parts: u64, count: u64, refused: u64, subjects: Vec<SubjectId> },
    /// A person is no longer spared messages: of one scope, or any.
    #[serde(rename = "suppression.lifted")]
    SuppressionLifted { subject: SubjectId, scope: Option<String>, source: String },
    #[serde(rename = "complaint.filed")]
    ComplaintFiled { complaint: ComplaintId, subject: SubjectId, message: Option<MessageId>, carrier: Option<String> },
    #[serde(rename = "template.created")]
    TemplateCreated { template: TemplateId, name: String, class: String },
    #[serde(rename = "template.deleted")]
    TemplateDeleted { template: TemplateId },
    /// What a tenant says about itself is another; `fields` names what was set.
    #[serde(rename = "tenant.changed")]
    TenantChanged { fields: String },
    /// So much, in percent, of what a day's messages may cost is spent: by a tenant, through an alias, by a stranger.
    #[serde(rename = "alert.spend")]
    SpendAlert { cap: String, alias: Option<AliasId>, share: u64 },
    /// A receipt that names no message of ours (yet); kept for a while in case its submission is still being recorded.
    #[serde(rename = "receipt.unmatched")]
    ReceiptUnmatched { carrier: String },
    /// A receipt for one part of a message that stays as it is: other parts are out, or it is final.
    #[serde(rename = "receipt.noted")]
    ReceiptNoted { carrier: String, status: String },
    /// A task could not be handed over now and will be tried again.
    #[serde(rename = "delivery.put_off")]
    DeliveryPutOff { reason: String, attempts: u64 },
    /// Bodies, parts, senders, receipts and submissions that outlived their time were forgotten.
    #[serde(rename = "swept")]
    Swept {},
    /// A link to a carrier is bound: from now on it carries.
    #[serde(rename = "carrier.up")]
    CarrierUp { carrier: String, link: String },
    /// A link to a carrier ended, or did not come to be, and why. Told once until it is up again.
    #[serde(rename = "carrier.down")]
    CarrierDown { carrier: String, link: String, reason: String },
    /// A carrier sent what the protocol does not allow.
    #[serde(rename = "carrier.malformed")]
    CarrierMalformed { carrier: String, fault: String },

    /// Somebody wrote to an alias who is unknown to it. `sender` is the kind: a number, a short code, a name.
    #[serde(rename = "alias.unknown_sender")]
    UnknownSender {
        alias: AliasId,
        sender: String,
        /// Who it was, if it was a number.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<SubjectId>,
        /// The message, if it waits for the tenant's word.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
    },

    /// An endpoint of the tenant will be told of these events.
    #[serde(rename = "webhook.created")]
    WebhookCreated { webhook: WebhookId, audience: Option<String>, events: Vec<String> },
    #[serde(rename = "webhook.changed")]
    WebhookChanged { webhook: WebhookId },
    /// It has another secret; the one before goes on signing for a while.
    #[serde(rename = "webhook.rotated")]
    WebhookRotated { webhook: WebhookId },
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled { webhook: WebhookId, reason: String },
    #[serde(rename = "webhook.enabled")]
    WebhookEnabled { webhook: WebhookId },
    #[serde(rename = "webhook.deleted")]
    WebhookDeleted { webhook: WebhookId },
    /// Somebody wants to see whether an endpoint hears us.
    #[serde(rename = "webhook.pinged")]
    WebhookPinged { webhook: WebhookId },
    /// Somebody wants an endpoint to be told again.
    #[serde(rename = "webhook.redelivered")]
    WebhookRedelivered { webhook: WebhookId },
    /// We gave an endpoint up by ourselves.
    #[serde(rename = "alert.webhook_disabled")]
    WebhookGivenUp { webhook: WebhookId, reason: String },
    /// A tenant's routes came into force.
    #[serde(rename = "routes.set")]
    RoutesSet { version: u64, rules: u64, carriers: Vec<String> },
    /// Somebody asked which way a message to a person would go.
    #[serde(rename = "route.explained")]
    RouteExplained { subject: SubjectId, class: String },
    /// Too many complained of what came by this carrier, in this country, of this class.
    #[serde(rename = "route.closed")]
    RouteClosed { carrier: String, country: String, class: String, complaints: u64, sent: u64 },
    #[serde(rename = "route.opened")]
    RouteOpened { carrier: String, country: String, class: String },
    /// A carrier failed too often, altogether or for one country code; messages go elsewhere or wait.
    #[serde(rename = "breaker.opened")]
    BreakerOpened { carrier: String, country: Option<String> },
    #[serde(rename = "breaker.closed")]
    BreakerClosed { carrier: String, country: Option<String> },
    /// A number is about to go out to be asked which operator serves it.
    #[serde(rename = "portability.asked")]
    PortabilityAsked { subject: SubjectId, host: String },

    /// Somebody is put through to a person; written before the carrier learns the number.
    #[serde(rename = "call.started")]
    CallStarted { call: CallId, alias: AliasId, subject: SubjectId, caller: String },
    /// The party picked up and, where asked to, pressed the key.
    #[serde(rename = "call.answered")]
    CallAnswered { call: CallId, alias: AliasId },
    #[serde(rename = "call.ended")]
    CallEnded { call: CallId, alias: AliasId, status: String, seconds: u64 },
    /// Somebody who called was turned away, and why.
    #[serde(rename = "call.refused")]
    CallRefused { number: VirtualNumber, alias: Option<AliasId>, reason: String },

    #[serde(rename = "audit.read")]
    AuditRead { entries: u64 },
    #[serde(rename = "audit.exported")]
    AuditExported { entries: u64 },
}
