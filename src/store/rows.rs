//! The records that the durable store keeps, as services see them: typed, with every secret sealed or keyed.

use serde::{Deserialize, Serialize};

use super::outreach::Profile;
use super::proofs::Proofs;
use super::traffic::DeliveryStatus;
use crate::clock::Timestamp;
use crate::event::{Leaf, Mode, Role};
use crate::ids::{CredentialId, RecordId, TenantId, VerificationId};

/// A 16-byte HMAC of a number under an index key. Two indexes are comparable only under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindIndex(pub [u8; 16]);

/// Ciphertext with its nonce and key version, as made by the keyring; opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

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
    /// What it is bound to beside its key.
    pub proofs: Proofs,
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
    /// The version of the policies in force; none before the first start.
    pub policy: Option<String>,
    /// The tenants of which sealed tokens were erased: opening one looks at the list.
    pub erasures: Vec<TenantId>,
    /// What tenants say about themselves, those that said something.
    pub profiles: Vec<(TenantId, Profile)>,
    /// The tenants that people asked to be spared messages of: their deliveries look at the list.
    pub suppressions: Vec<TenantId>,
    /// The tenants that are erased; they are not among `tenants`.
    pub erased: Vec<TenantId>,
}

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
