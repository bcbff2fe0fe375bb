//! What happened: one enum that feeds audit, webhooks and metrics.
//!
//! An [`Event`] is made where the decision is taken and travels inside the `Change` that it tells of; the store writes
//! both in one transaction. No variant can hold a number: people are [`SubjectId`]s, records are [`RecordRef`]s, and
//! free text does not occur except a `reference` that was searched for numbers when it came in.

pub(crate) mod json;
pub mod told;
mod what;

use ring::digest;
use serde::Serialize;
pub use what::What;

use crate::clock::Timestamp;
use crate::ids::{CredentialId, TenantId};

/// Who did it: the person behind a credential, or a part of the house acting on a recorded decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A request with a credential.
    Credential {
        /// Which credential.
        id: CredentialId,
        /// The person or system it was issued to.
        person: String,
        /// Its role.
        role: Role,
    },
    /// A command typed on a terminal of the machine itself, before any credential exists or where none is asked for.
    Terminal {
        /// The operating system's name of the user.
        user: String,
    },
    /// A worker that carries out what was decided earlier.
    Worker,
    /// A message or receipt that a carrier brought.
    Carrier {
        /// The carrier's configured name.
        name: String,
    },
    /// Somebody without a valid credential.
    Stranger,
}

/// What a credential may do at all; the policies say the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the roles are the field's own words, listed in docs/concepts.md")]
pub enum Role {
    Admin,
    Business,
    Partner,
    Operator,
    Auditor,
    Custodian,
    Approver,
}

impl Role {
    /// The role's name, as in policies, in answers and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Business => "business",
            Self::Partner => "partner",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Custodian => "custodian",
            Self::Approver => "approver",
        }
    }

    /// All roles.
    pub const ALL: [Self; 7] =
        [Self::Admin, Self::Business, Self::Partner, Self::Operator, Self::Auditor, Self::Custodian, Self::Approver];

    /// The role that `name` names.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// One event, before it has a place in the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// Whose business it is; none for the deployment's own.
    pub tenant: Option<TenantId>,
    /// Who did it.
    pub actor: Actor,
    /// The policy version that decided, where one did.
    pub policy: Option<String>,
    /// What happened.
    pub what: What,
}

/// Whether a tenant's traffic is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reaches real carriers.
    Live,
    /// Reaches only the sandbox carrier.
    Test,
}

impl Mode {
    /// `live` or `test`, as in API keys and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// A log entry as it is written: the canonical text, its salt, and the leaf over both.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Canonical JSON: keys sorted by code point, no white space, UTF-8, integers and strings only (RFC 8785 subset).
    pub text: String,
    /// 128 random bits, so that nobody can guess an entry from its leaf.
    pub salt: [u8; 16],
    /// SHA-256(salt ‖ text).
    pub leaf: Leaf,
}

/// The 32-byte commitment to one entry; harmless to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf(pub [u8; 32]);

impl Entry {
    /// The stable name of what happened. `action` sorts before every other key, so it opens the text.
    pub fn action(&self) -> &str {
        self.text.strip_prefix(r#"{"action":""#).and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }
}

impl Leaf {
    /// The leaf over an entry's text under its salt.
    pub fn over(salt: &[u8; 16], text: &str) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(salt);
        hash.update(text.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        Self(out)
    }

    /// Lower-case hex, as answers and exports show it.
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

impl Event {
    /// The log entry that tells of this event, under `salt`.
    pub fn entry(&self, salt: [u8; 16]) -> Entry {
        let Self { at, tenant, actor, policy, what } = self;
        let body =
            Body { what, actor, at: *at, outcome: self.outcome(), tenant: tenant.as_ref(), policy: policy.as_deref() };
        let text = json::canonical(&body);
        let leaf = Leaf::over(&salt, &text);
        Entry { text, salt, leaf }
    }

    /// `allowed` or `denied`.
    pub fn outcome(&self) -> &'static str {
        match self.what {
            What::Denied { .. } | What::StrangersDenied { .. } => "denied",
            _ => "allowed",
        }
    }
}

#[cfg(test)]
impl What {
    /// The stable name of what happened, as its entry would have it.
    pub(crate) fn action(&self) -> String {
        serde_json::to_value(self).ok().and_then(|v| Some(v.get("action")?.as_str()?.to_owned())).unwrap_or_default()
    }
}

/// An entry's members, before they are sorted.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    what: &'a What,
    actor: &'a Actor,
    at: Timestamp,
    outcome: &'static str,
    tenant: Option<&'a TenantId>,
    policy: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_canonical_and_its_leaf_commits_to_salt_and_text() {
        let event = Event {
            at: Timestamp::from_millis(0),
            tenant: None,
            actor: Actor::Worker,
            policy: None,
            what: What::AuditRead { entries: 3 },
        };
        let entry = event.entry([7; 16]);
        assert_eq!(
            entry.text,
            r#"{"action":"audit.read","actor":{"kind":"worker"},"at":"1970-01-01T00:00:00.000Z","entries":3,"outcome":"allowed"}"#
        );
        assert_eq!(entry.action(), "audit.read");
        assert_eq!(entry.leaf, Leaf::over(&[7; 16], &entry.text));
        assert_ne!(entry.leaf, Leaf::over(&[8; 16], &entry.text));
    }
}
