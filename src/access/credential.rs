//! Credentials: issued, listed, rotated, revoked. A key is shown once and kept only as an HMAC.
//!
//! Every credential belongs to a named person or system. Called by the API and the command line with a permit for the
//! tenant's credentials; the tenant is always the permit's.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::directory::Directory;
use super::key;
use super::proofs::{self, NewProofs, NewSigning};
use super::{Access, AccessError, Bound, Credentials, Denied, Permit};
use crate::clock::Timestamp;
use crate::event::{Role, What};
use crate::ids::{self, ApprovalId, CredentialId, TenantId};
use crate::store::{Change, Conflict, CredentialRow, Proofs, StoreError, Write};

/// How long an old key goes on beside its successor, unless the caller says.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest overlap that can be asked for.
const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The most networks that a credential can name.
const MAX_NETWORKS: usize = 32;

/// The most credentials that are listed at a time: a page of 100 and the one that tells of a next page.
const MAX_PAGE: usize = 101;

/// What a credential is to be.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Its role.
    pub role: Role,
    /// The person or system it is for: 1 to 200 characters, no number among them.
    pub person: String,
    /// Whose tokens it speaks in: demanded of partners, refused for others. 1 to 64 of `a-z 0-9 . _ -`.
    pub audience: Option<String>,
    /// Networks that it may come from; empty means any.
    pub networks: Vec<ipnet::IpNet>,
    /// When it ends, if it does by itself.
    pub ends_at: Option<Timestamp>,
    /// What it is bound to beside its key.
    pub proofs: NewProofs,
}

/// What is to differ in a successor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewal {
    /// How long the old one goes on; 24 h if not said, 30 days at most.
    pub overlap: Option<Duration>,
    /// Another client certificate. A credential that is its certificate needs one.
    pub certificate: Option<[u8; 32]>,
    /// Another Ed25519 key. A secret for HMAC is always made anew.
    pub signing_key: Option<[u8; 32]>,
}

impl NewCredential {
    /// What a second person approves: all of it. Where a length of life was asked for, that, and not the end that it comes
    /// to at this moment: the same request has to come to the same thing a day later.
    pub fn bound(&self, life: Option<Duration>, approval: Option<ApprovalId>) -> Bound {
        let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
        let summary = json!({
            "do": "issue",
            "role": self.role,
            "person": self.person,
            "audience": self.audience,
            "ip": networks,
            "expires_at": self.ends_at.filter(|_| life.is_none()),
            "expires_in_s": life.map(|life| life.as_secs()),
            "bound": self.proofs.summary(),
        });
        let digest = Bound::digest([b"issue".as_slice(), summary.to_string().as_bytes()]);
        Bound { digest, summary, reference: None, approval }
    }
}

/// A credential that was just made, with its key, which is not shown again.
pub struct Issued {
    /// As stored.
    pub row: CredentialRow,
    /// `bk_live_…` or `bk_test_…`; empty for a credential that is its certificate.
    pub key: Zeroizing<String>,
    /// What it signs requests with, base64, if that is a shared secret.
    pub signing_secret: Option<Zeroizing<String>>,
}

/// A credential as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialView {
    /// Its id, which is not its key.
    pub id: CredentialId,
    /// Its role.
    pub role: Role,
    /// The person or system it was issued to.
    pub person: String,
    /// Whose tokens it speaks in, for partners.
    pub audience: Option<String>,
    /// Networks that it may come from; empty means any.
    pub networks: Vec<ipnet::IpNet>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when: expiry, rotation's overlap or revocation.
    pub ends_at: Option<Timestamp>,
    /// Whether it is frozen.
    pub frozen: bool,
    /// What it is bound to beside its key.
    #[serde(skip)]
    pub proofs: Proofs,
}

impl Access {
    /// Makes a credential of the role that the permit is for.
    ///
    /// # Errors
    /// [`AccessError::Invalid`] and [`AccessError::NumberInText`] name the field.
    pub async fn issue(&self, permit: &Permit<Credentials>, new: NewCredential) -> Result<Issued, AccessError> {
        let now = self.now();
        check(&new, now)?;
        covers(permit, new.role)?;
        new.proofs.check(&self.directory(), now)?;
        let issued = self.draw(permit, &new, now);
        let told = What::CredentialCreated {
            credential: issued.row.id,
            role: new.role,
            person: new.person,
            audience: new.audience.clone(),
            bound: proofs::bound(&issued.row.proofs),
            requires: issued.row.proofs.requires.spelled(),
        };
        let mut change = permit.change(now, told).with(Write::Credential(issued.row.clone()));
        if let Some(audience) = new.audience {
            change = change.with(Write::Audience { tenant: permit.tenant(), audience });
        }
        self.commit(change).await?;
        Ok(issued)
    }

    /// [`Self::renew`] with nothing but the overlap said.
    ///
    /// # Errors
    /// As [`Self::renew`].
    pub async fn rotate(
        &self,
        permit: &Permit<Credentials>,
        id: CredentialId,
        overlap: Option<Duration>,
    ) -> Result<Issued, AccessError> {
        self.renew(permit, id, Renewal { overlap, ..Renewal::default() }).await
    }

    /// Makes a successor with the same role, person, audience, networks, length of life, certificate, signing key and
    /// demands, as far as `renewal` does not say otherwise; a secret for HMAC is made anew. The old one goes on for the
    /// overlap.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] for one that ended or is another tenant's; a frozen one has no successor.
    pub async fn renew(
        &self,
        permit: &Permit<Credentials>,
        id: CredentialId,
        renewal: Renewal,
    ) -> Result<Issued, AccessError> {
        let now = self.now();
        let overlap = renewal.overlap.unwrap_or(OVERLAP);
        if overlap > LONGEST_OVERLAP {
            return Err(AccessError::Invalid { field: "overlap", rule: "at most 30 days" });
        }
        let old = live(&self.directory(), permit, id, now)?;
        covers(permit, old.role)?;
        if self.directory().frozen().credential(id) {
            return Err(Denied::Frozen.into());
        }
        let end = now.plus(overlap);
        let at = old.ends_at.map_or(end, |expiry| expiry.min(end));
        let successor = NewCredential {
            role: old.role,
            person: old.person,
            audience: old.audience,
            networks: old.networks,
            ends_at: old.ends_at.map(|expiry| now.plus(old.created_at.until(expiry))),
            proofs: renewal.proofs(&old.proofs),
        };
        successor.proofs.check(&self.directory(), now)?;
        let issued = self.draw(permit, &successor, now);
        let told = What::CredentialRotated { credential: id, successor: issued.row.id };
        let change = permit.change(now, told).with(Write::Credential(issued.row.clone())).with(Write::EndCredential {
            tenant: permit.tenant(),
            id,
            at,
        });
        self.commit(change).await?;
        Ok(issued)
    }

    /// Ends a credential now. One that ended before stays as it was.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] for one that is another tenant's.
    pub async fn revoke(&self, permit: &Permit<Credentials>, id: CredentialId) -> Result<(), AccessError> {
        let now = self.now();
        let row = owned(&self.directory(), permit, id)?;
        if row.ends_at.is_some_and(|end| end <= now) {
            return Ok(());
        }
        let change = Change::telling(permit.event(now, What::CredentialRevoked { credential: id }))
            .with(Write::EndCredential { tenant: permit.tenant(), id, at: now });
        self.commit(change).await
    }

    /// The tenant's credentials, newest first, ended ones included: up to `limit` (101 at most) older than `after`.
    pub fn credentials(
        &self,
        permit: &Permit<Credentials>,
        after: Option<CredentialId>,
        limit: usize,
    ) -> Vec<CredentialView> {
        let directory = self.directory();
        let older = |row: &&CredentialRow| after.is_none_or(|after| row.id < after);
        let mut rows: Vec<_> = directory.credentials(permit.tenant()).filter(older).collect();
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
        rows.into_iter().take(limit.min(MAX_PAGE)).map(|row| view(row, &directory)).collect()
    }

    /// The role that rotating this credential grants again; none if there is no such credential in the tenant.
    pub fn role_of(&self, tenant: TenantId, id: CredentialId) -> Option<Role> {
        self.directory().credential(id).filter(|row| row.tenant == tenant).map(|row| row.role)
    }

    /// What a second person approves of a rotation: which credential, what changes, and how long the old key goes on.
    pub fn bound_rotation(
        &self,
        tenant: TenantId,
        id: CredentialId,
        renewal: &Renewal,
        approval: Option<ApprovalId>,
    ) -> Bound {
        let directory = self.directory();
        let row = directory.credential(id).filter(|row| row.tenant == tenant);
        let summary = json!({
            "do": "rotate",
            "credential": id,
            "role": row.map(|row| row.role),
            "person": row.map(|row| &row.person),
            "overlap_s": renewal.overlap.unwrap_or(OVERLAP).as_secs(),
            "bound": renewal.changed().summary(),
        });
        let digest = Bound::digest([b"rotate".as_slice(), summary.to_string().as_bytes()]);
        Bound { digest, summary, reference: None, approval }
    }

    fn draw(&self, permit: &Permit<Credentials>, new: &NewCredential, now: Timestamp) -> Issued {
        let key = key::fresh(permit.mode());
        let id = ids::fresh();
        let row = CredentialRow {
            id,
            tenant: permit.tenant(),
            secret: self.system().credential(&key),
            person: new.person.clone(),
            role: new.role,
            audience: new.audience.clone(),
            networks: new.networks.clone(),
            created_at: now,
            ends_at: new.ends_at,
            proofs: new.proofs.row(),
        };
        let signing_secret = self.signing_secret(id, &row.proofs);
        let key = if new.proofs.keyless { Zeroizing::default() } else { key };
        Issued { row, key, signing_secret }
    }

    /// Commits a change of the directory, and sees it here at once.
    pub(super) async fn commit(&self, change: Change) -> Result<(), AccessError> {
        match self.store().commit(change).await {
            Ok(_) => {}
            Err(StoreError::Conflict(Conflict::Missing)) => return Err(AccessError::NotFound),
            Err(other) => return Err(other.into()),
        }
        super::gate::can_fail("reading the directory after a change", self.refresh().await);
        Ok(())
    }
}

fn view(row: &CredentialRow, directory: &Directory) -> CredentialView {
    CredentialView {
        id: row.id,
        role: row.role,
        person: row.person.clone(),
        audience: row.audience.clone(),
        networks: row.networks.clone(),
        created_at: row.created_at,
        ends_at: row.ends_at,
        frozen: directory.frozen().credential(row.id),
        proofs: row.proofs.clone(),
    }
}

impl Renewal {
    /// What it says beside the overlap.
    fn changed(&self) -> NewProofs {
        let signing = self.signing_key.map(NewSigning::Ed25519);
        NewProofs { certificate: self.certificate, signing, ..NewProofs::default() }
    }

    fn proofs(&self, old: &Proofs) -> NewProofs {
        let same = NewProofs::successor(old);
        NewProofs {
            certificate: self.certificate.or(same.certificate),
            signing: self.signing_key.map(NewSigning::Ed25519).or(same.signing),
            ..same
        }
    }
}

fn owned(directory: &Directory, permit: &Permit<Credentials>, id: CredentialId) -> Result<CredentialRow, AccessError> {
    let row = directory.credential(id).filter(|row| row.tenant == permit.tenant());
    row.cloned().ok_or(AccessError::NotFound)
}

fn live(
    directory: &Directory,
    permit: &Permit<Credentials>,
    id: CredentialId,
    now: Timestamp,
) -> Result<CredentialRow, AccessError> {
    let row = owned(directory, permit, id)?;
    if row.ends_at.is_some_and(|end| end <= now) { Err(AccessError::NotFound) } else { Ok(row) }
}

/// Whether the permit is for granting this role: what policies were asked about has to be what happens.
fn covers(permit: &Permit<Credentials>, role: Role) -> Result<(), Denied> {
    if permit.resource().grants == Some(role) { Ok(()) } else { Err(Denied::Forbidden) }
}

fn check(new: &NewCredential, now: Timestamp) -> Result<(), AccessError> {
    check_name("person", &new.person)?;
    match (&new.audience, new.role) {
        (None, Role::Partner) => invalid("audience", "a partner needs one: whose tokens it speaks in")?,
        (Some(_), role) if role != Role::Partner => invalid("audience", "only a partner has one")?,
        (Some(audience), _) if !is_audience(audience) => {
            invalid("audience", "1 to 64 of a-z, 0-9, dot, dash and underscore, first a letter")?;
        }
        _ => {}
    }
    if new.networks.len() > MAX_NETWORKS {
        invalid("networks", "at most 32")?;
    }
    if new.ends_at.is_some_and(|end| end <= now) {
        invalid("ends_at", "later than now")?;
    }
    Ok(())
}

/// Whether a text can name an audience. Starting with a letter keeps it from ever looking like a number.
fn is_audience(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c);
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(plain)
}

/// Checks a name that people will see in lists and in the log.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), AccessError> {
    if name.trim().is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return invalid(field, "1 to 200 characters, none of them a control character");
    }
    if crate::phone::contains_number(name) { Err(AccessError::NumberInText(field)) } else { Ok(()) }
}

pub(super) fn invalid(field: &'static str, rule: &'static str) -> Result<(), AccessError> {
    Err(AccessError::Invalid { field, rule })
}
