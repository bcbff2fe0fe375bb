//! Who asks: a credential that was presented, or someone at a terminal of the machine.
//!
//! A [`Principal`] is made only by `Access::identify` and a [`Terminal`] only by `Access::terminal`; what they say about
//! themselves can be read, not changed. Neither is a right to anything: `Access::authorize` is asked each time.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::{Actor, Mode, Role};
use crate::ids::{self, CredentialId, TenantId};
use crate::store::{CredentialRow, Proofs, TenantRow, With};

/// What is known about a credential and its tenant.
pub struct Standing {
    /// The credential.
    pub credential: CredentialId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Live or test, as its tenant.
    pub mode: Mode,
    /// The tenant's name as people know it.
    pub brand: String,
    /// The person or system it was issued to.
    pub person: String,
    /// Its role.
    pub role: Role,
    /// Whose tokens it speaks in; none is the tenant's own.
    pub audience: Option<String>,
    /// Until when.
    pub ends_at: Option<Timestamp>,
    /// What it is bound to beside its key.
    pub proofs: Proofs,
    networks: Vec<ipnet::IpNet>,
}

impl Standing {
    pub(super) fn of(row: &CredentialRow, tenant: &TenantRow) -> Self {
        Self {
            credential: row.id,
            tenant: tenant.id,
            mode: tenant.mode,
            brand: tenant.name.clone(),
            person: row.person.clone(),
            role: row.role,
            audience: row.audience.clone(),
            ends_at: row.ends_at,
            proofs: row.proofs.clone(),
            networks: row.networks.clone(),
        }
    }

    /// Of a credential that nobody holds, to try policies on.
    pub(super) fn imagined(tenant: TenantId, mode: Mode, role: Role, person: &str, audience: Option<String>) -> Self {
        Self {
            credential: ids::from_bytes([3; 16]),
            tenant,
            mode,
            brand: String::new(),
            person: person.to_owned(),
            role,
            audience,
            ends_at: None,
            proofs: Proofs::default(),
            networks: Vec::new(),
        }
    }

    /// An address that it may come from: the first of its first network, if it is bound to any.
    pub(super) fn usual_address(&self) -> Option<IpAddr> {
        self.networks.first().map(ipnet::IpNet::network)
    }

    /// Whether it had ended by `now`.
    pub(super) fn ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }

    /// Whether it may come from `address`; an empty list of networks means from anywhere.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::Credential { id: self.credential, person: self.person.clone(), role: self.role }
    }
}

/// A caller with a valid credential, from an address that the credential may come from.
///
/// ```compile_fail
/// fn promote(principal: &mut bauta::access::Principal) { principal.role = bauta::event::Role::Custodian; }
/// ```
#[derive(Clone)]
pub struct Principal {
    standing: Arc<Standing>,
    from: IpAddr,
    with: With,
}

impl Principal {
    pub(super) fn new(standing: Arc<Standing>, from: IpAddr, with: With) -> Self {
        Self { standing, from, with }
    }

    /// The address it came from, IPv4 as such.
    pub fn from(&self) -> IpAddr {
        self.from
    }

    /// By what it proved who it is.
    pub fn with(&self) -> With {
        self.with
    }
}

impl Deref for Principal {
    type Target = Standing;

    fn deref(&self) -> &Standing {
        &self.standing
    }
}

/// Names the credential and nothing of the person.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.standing.credential)
    }
}

/// Someone at a terminal of the machine itself, for one tenant.
#[derive(Clone, Debug)]
pub struct Terminal {
    pub(super) user: String,
    pub(super) tenant: Arc<TenantRow>,
    /// Whether the tenant has an admin credential that has not ended; from then on credentials need a credential.
    pub(super) has_admin: bool,
}

impl Terminal {
    /// The tenant that it speaks for.
    pub fn tenant(&self) -> &TenantRow {
        &self.tenant
    }
}

/// Either kind of asker.
#[derive(Clone, Copy)]
pub enum Caller<'a> {
    /// With a credential.
    Credential(&'a Principal),
    /// At a terminal.
    Terminal(&'a Terminal),
}

impl<'a> From<&'a Principal> for Caller<'a> {
    fn from(principal: &'a Principal) -> Self {
        Self::Credential(principal)
    }
}

impl<'a> From<&'a Terminal> for Caller<'a> {
    fn from(terminal: &'a Terminal) -> Self {
        Self::Terminal(terminal)
    }
}

impl Caller<'_> {
    pub(super) fn tenant(&self) -> TenantId {
        match self {
            Self::Credential(principal) => principal.tenant,
            Self::Terminal(terminal) => terminal.tenant.id,
        }
    }

    /// The person behind the credential; none at a terminal.
    pub(super) fn person(&self) -> Option<&str> {
        match self {
            Self::Credential(principal) => Some(&principal.person),
            Self::Terminal(_) => None,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self {
            Self::Credential(principal) => principal.mode,
            Self::Terminal(terminal) => terminal.tenant.mode,
        }
    }

    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Credential(principal) => principal.actor(),
            Self::Terminal(terminal) => Actor::Terminal { user: terminal.user.clone() },
        }
    }
}
