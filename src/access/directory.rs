//! The directory: tenants, credentials, freezes and policies as one immutable snapshot in memory, so that knowing a caller costs
//! no read of the store.
//!
//! A snapshot is replaced as a whole when the store's directory version moves. Credentials are found by the HMAC of
//! their key: nothing is compared byte by byte with what a caller sent. Decisions are remembered inside the snapshot
//! that they were taken on ([`Memo`]), so that none outlives what it was based on. Freezes and ends are not part of
//! any decision: they are looked up on every call.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::Policies;
use super::memo::Memo;
use super::principal::Standing;
use crate::clock::Timestamp;
use crate::event::{Mode, Role};
use crate::ids::{AliasId, CredentialId, TenantId};
use crate::store::{CredentialRow, DirectoryRows, Profile, TenantRow};

/// One snapshot.
pub(super) struct Directory {
    pub(super) version: u64,
    tenants: HashMap<TenantId, Arc<TenantRow>>,
    by_secret: HashMap<[u8; 32], Arc<Standing>>,
    by_id: HashMap<CredentialId, Entry>,
    /// Credentials that are their certificate, by its thumbprint.
    by_certificate: HashMap<[u8; 32], Vec<Arc<Standing>>>,
    frozen: Frozen,
    policies: Arc<Policies>,
    erasures: HashSet<TenantId>,
    suppressions: HashSet<TenantId>,
    profiles: HashMap<TenantId, Arc<Profile>>,
    pub(super) memo: Memo,
}

#[derive(Clone)]
struct Entry {
    row: CredentialRow,
    standing: Arc<Standing>,
}

/// What is frozen, by kind.
#[derive(Clone, Default)]
pub(super) struct Frozen {
    tenants: HashSet<TenantId>,
    credentials: HashSet<CredentialId>,
    aliases: HashSet<AliasId>,
}

/// What a freeze can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tenant(TenantId),
    Credential(CredentialId),
    Alias(AliasId),
}

impl Target {
    /// Reads a `ten_…`, `crd_…` or `als_…` id.
    pub(super) fn parse(id: &str) -> Option<Self> {
        (TenantId::from_str(id).map(Self::Tenant))
            .or_else(|_| CredentialId::from_str(id).map(Self::Credential))
            .or_else(|_| AliasId::from_str(id).map(Self::Alias))
            .ok()
    }
}

impl Frozen {
    fn set(&mut self, target: Target, on: bool) {
        match (target, on) {
            (Target::Tenant(id), true) => self.tenants.insert(id),
            (Target::Tenant(id), false) => self.tenants.remove(&id),
            (Target::Credential(id), true) => self.credentials.insert(id),
            (Target::Credential(id), false) => self.credentials.remove(&id),
            (Target::Alias(id), true) => self.aliases.insert(id),
            (Target::Alias(id), false) => self.aliases.remove(&id),
        };
    }

    pub(super) fn tenant(&self, id: TenantId) -> bool {
        self.tenants.contains(&id)
    }

    pub(super) fn credential(&self, id: CredentialId) -> bool {
        self.credentials.contains(&id)
    }

    pub(super) fn alias(&self, id: AliasId) -> bool {
        self.aliases.contains(&id)
    }

    /// Whether any alias or credential is frozen at all: most of the time none is, and nobody needs to look further.
    pub(super) fn any_within_tenants(&self) -> bool {
        !(self.aliases.is_empty() && self.credentials.is_empty())
    }
}

impl Directory {
    pub(super) fn of(rows: DirectoryRows, policies: Arc<Policies>) -> Self {
        let mut directory = Self {
            version: rows.version,
            tenants: rows.tenants.into_iter().map(|row| (row.id, Arc::new(row))).collect(),
            by_secret: HashMap::new(),
            by_id: HashMap::new(),
            by_certificate: HashMap::new(),
            frozen: Frozen::default(),
            policies,
            erasures: rows.erasures.into_iter().collect(),
            suppressions: rows.suppressions.into_iter().collect(),
            profiles: rows.profiles.into_iter().map(|(tenant, profile)| (tenant, Arc::new(profile))).collect(),
            memo: Memo::default(),
        };
        rows.credentials.into_iter().for_each(|row| directory.add(row));
        for target in rows.frozen.iter().filter_map(|id| Target::parse(id)) {
            directory.frozen.set(target, true);
        }
        directory
    }

    fn add(&mut self, row: CredentialRow) {
        let Some(tenant) = self.tenants.get(&row.tenant) else { return };
        let standing = Arc::new(Standing::of(&row, tenant));
        self.by_secret.insert(row.secret, Arc::clone(&standing));
        if let (true, Some(certificate)) = (row.proofs.keyless, row.proofs.certificate) {
            self.by_certificate.entry(certificate).or_default().push(Arc::clone(&standing));
        }
        self.by_id.insert(row.id, Entry { row, standing });
    }

    /// The same with one freeze set or lifted, and nothing remembered.
    pub(super) fn with_freeze(&self, target: Target, on: bool) -> Self {
        let mut frozen = self.frozen.clone();
        frozen.set(target, on);
        Self {
            version: self.version,
            tenants: self.tenants.clone(),
            by_secret: self.by_secret.clone(),
            by_id: self.by_id.clone(),
            by_certificate: self.by_certificate.clone(),
            frozen,
            policies: Arc::clone(&self.policies),
            erasures: self.erasures.clone(),
            suppressions: self.suppressions.clone(),
            profiles: self.profiles.clone(),
            memo: Memo::default(),
        }
    }

    /// The policies in force as of this snapshot.
    pub(super) fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    pub(super) fn by_secret(&self, secret: &[u8; 32]) -> Option<&Arc<Standing>> {
        self.by_secret.get(secret)
    }

    /// The one live credential that is this certificate. Two would be a mistake of whoever issued them, and choosing
    /// between them a worse one: then there is none.
    pub(super) fn by_certificate(&self, thumbprint: &[u8; 32], now: Timestamp) -> Option<&Arc<Standing>> {
        let mut live = self.by_certificate.get(thumbprint)?.iter().filter(|standing| !standing.ended(now));
        live.next().filter(|_| live.next().is_none())
    }

    /// Whether a live credential is this certificate.
    pub(super) fn has_certificate(&self, thumbprint: &[u8; 32], now: Timestamp) -> bool {
        self.by_certificate.get(thumbprint).is_some_and(|all| all.iter().any(|standing| !standing.ended(now)))
    }

    pub(super) fn standing(&self, id: CredentialId) -> Option<&Arc<Standing>> {
        self.by_id.get(&id).map(|entry| &entry.standing)
    }

    pub(super) fn credential(&self, id: CredentialId) -> Option<&CredentialRow> {
        self.by_id.get(&id).map(|entry| &entry.row)
    }

    pub(super) fn credentials(&self, tenant: TenantId) -> impl Iterator<Item = &CredentialRow> {
        self.by_id.values().map(|entry| &entry.row).filter(move |row| row.tenant == tenant)
    }

    pub(super) fn tenant(&self, id: TenantId) -> Option<&Arc<TenantRow>> {
        self.tenants.get(&id)
    }

    pub(super) fn tenants(&self) -> impl Iterator<Item = &Arc<TenantRow>> {
        self.tenants.values()
    }

    /// Whether sealed tokens of the tenant were ever erased.
    pub(super) fn has_erasures(&self, tenant: TenantId) -> bool {
        self.erasures.contains(&tenant)
    }

    /// Whether anyone asked to be spared messages of the tenant.
    pub(super) fn has_suppressions(&self, tenant: TenantId) -> bool {
        self.suppressions.contains(&tenant)
    }

    /// What the tenant says about itself.
    pub(super) fn profile(&self, tenant: TenantId) -> Arc<Profile> {
        self.profiles.get(&tenant).cloned().unwrap_or_default()
    }

    pub(super) fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// Whether the tenant has an admin credential that has not ended by `now`.
    pub(super) fn has_admin(&self, tenant: TenantId, now: Timestamp) -> bool {
        self.by_id
            .values()
            .map(|entry| &entry.standing)
            .any(|standing| standing.tenant == tenant && standing.role == Role::Admin && !standing.ended(now))
    }

    /// Whether somebody other than `person` has an approver's credential of the tenant. One that ended counts for
    /// [`LINGERS`] more: else whoever may revoke could send the second person away and go on alone.
    pub(super) fn second_person(&self, tenant: TenantId, person: Option<&str>, now: Timestamp) -> bool {
        let since = now.minus(LINGERS);
        self.by_id.values().map(|entry| &entry.standing).any(|standing| {
            standing.tenant == tenant
                && standing.role == Role::Approver
                && !standing.ended(since)
                && person.is_none_or(|person| !same_person(person, &standing.person))
        })
    }

    /// Whether a credential may be stood on: it has not ended and is not frozen.
    pub(super) fn in_office(&self, id: CredentialId, now: Timestamp) -> bool {
        self.standing(id).is_some_and(|standing| !standing.ended(now)) && !self.frozen.credential(id)
    }

    /// The tenant whose people keep the policies: `named`, if it is there; where none is named, the only live tenant, or
    /// the oldest of all if none is live.
    pub(super) fn keeper(&self, named: Option<TenantId>) -> Option<TenantId> {
        if let Some(named) = named {
            return self.tenants.contains_key(&named).then_some(named);
        }
        let mut live = self.tenants.values().filter(|tenant| tenant.mode == Mode::Live).map(|tenant| tenant.id);
        match (live.next(), live.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => None,
            (None, _) => self.tenants.keys().min().copied(),
        }
    }

    /// The credentials of a tenant that have not ended by `now`.
    pub(super) fn standings(&self, tenant: TenantId, now: Timestamp) -> Vec<Arc<Standing>> {
        let standings = self.by_id.values().map(|entry| &entry.standing);
        standings.filter(|standing| standing.tenant == tenant && !standing.ended(now)).cloned().collect()
    }

    /// Whose an id is: a tenant's own, or that of the tenant that issued the credential. An alias's owner is not known
    /// here, and an unknown credential is nobody's.
    pub(super) fn owner(&self, id: &str) -> Owner {
        match Target::parse(id) {
            Some(Target::Tenant(tenant)) => Owner::Tenant(tenant),
            Some(Target::Credential(id)) => self.standing(id).map_or(Owner::Nobody, |s| Owner::Tenant(s.tenant)),
            Some(Target::Alias(_)) => Owner::Asker,
            None => Owner::Nobody,
        }
    }
}

/// How long an approver who left is still counted on.
const LINGERS: Duration = Duration::from_secs(72 * 60 * 60);

/// Whether two names are one person's: case and white space tell nobody apart.
pub(super) fn same_person(one: &str, other: &str) -> bool {
    let folded = |name: &str| name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    folded(one) == folded(other)
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This tenant's.
    Tenant(TenantId),
    /// The asker's, as far as can be said without the store; whoever acts on it looks there.
    Asker,
    /// No tenant's.
    Nobody,
}
