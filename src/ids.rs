//! Names of things that are no secret: TypeIDs, a prefix and the base32 of a UUIDv7 (`ver_01h…`).
//!
//! Each kind of thing has its own type, so that an alias cannot be passed where a verification is meant. A
//! [`SubjectId`] and a [`RecordRef`] have the same shape but are keyed (HMAC), not drawn: only the keyring makes them.

use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

use crate::clock::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $prefix:literal) => {
        #[doc = concat!("The kind of a `", $prefix, "_…` id.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $kind;

        impl StaticType for $kind {
            const TYPE: &'static str = $prefix;
        }

        $(#[$doc])*
        pub type $name = TypeSafeId<$kind>;
    };
}

id!(/// A business.
    TenantId, Tenant, "ten");
id!(/// An API key of one person or system. Not the key itself, which is `bk_…`.
    CredentialId, Credential, "crd");
id!(/// A one-time-code verification.
    VerificationId, Verification, "ver");
id!(/// A message carried or sent.
    MessageId, Message, "msg");
id!(/// A stock of virtual numbers.
    PoolId, Pool, "pol");
id!(/// A binding of a virtual number to people.
    AliasId, Alias, "als");
id!(/// One person within a tenant: HMAC of the number under the tenant's `subject` key.
    SubjectId, Subject, "sub");
id!(/// One token record as audit names it: HMAC of the record id under the tenant's `subject` key.
    RecordRef, Record, "rec");
id!(/// What one person asked for and another is to approve.
    ApprovalId, Approval, "apr");
id!(/// One kind of messages that a person is spared.
    SuppressionId, SuppressionKind, "sup");
id!(/// Where a tenant is told of events.
    WebhookId, Webhook, "whk");
id!(/// One event as tenants are told of it: its place in the log under a key of the tenant's. Only the keyring makes it.
    EventId, Event, "evt");
id!(/// A text that a tenant sends again and again.
    TemplateId, TemplateKind, "tpl");
id!(/// Somebody's complaint.
    ComplaintId, ComplaintKind, "cmp");
id!(/// One call that was put through.
    CallId, Call, "cal");
id!(/// One HTTP request.
    RequestId, Request, "req");
id!(/// One entry of the delivery outbox.
    OutboxId, Outbox, "out");
id!(/// One process that serves a store. Audit entries are numbered per node.
    NodeId, Node, "nod");

/// A new time-ordered id.
pub fn fresh<T: StaticType>() -> TypeSafeId<T> {
    TypeSafeId::from_uuid(Uuid::now_v7())
}

/// The id whose 16 bytes are `bytes`, as stored or as keyed.
pub fn from_bytes<T: StaticType>(bytes: [u8; 16]) -> TypeSafeId<T> {
    TypeSafeId::from_uuid(Uuid::from_bytes(bytes))
}

/// The 16 bytes of an id, as the store keeps them.
pub fn bytes<T: StaticType>(id: &TypeSafeId<T>) -> [u8; 16] {
    id.uuid().into_bytes()
}

/// When a time-ordered id was made (RFC 9562 §5.7: the first 48 bits are Unix milliseconds).
pub fn made_at<T: StaticType>(id: &TypeSafeId<T>) -> Timestamp {
    let [a, b, c, d, e, f, ..] = bytes(id);
    Timestamp::from_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}

/// The database key of a vaulted token's number: 64 bits, time-ordered, from a durable high-water mark, never reused.
///
/// Not printable on purpose: logs and audit name a record by its [`RecordRef`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

impl std::fmt::Debug for RecordId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordId(…)")
    }
}
