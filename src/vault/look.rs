//! Existing tokens: whose they are and what may be shown. The number itself is shown in `reveal`.

use crate::access::{Crossing, Delivery, Permit, Resource, SandboxHandsets, TokenRef};
use crate::clock::Timestamp;
use crate::crypto;
use crate::event::Mode;
use crate::ids::{RecordId, RecordRef, SubjectId, TenantId};
use crate::keyring::{AudienceTag, TenantKeys, Unsealed};
use crate::phone::{self, Bearing, Masked, PhoneNumber};
use crate::store::{BlindIndex, TokenRow};
use crate::token::{Kind, Token};

use super::{Holder, TokenView, Vault, VaultError};

/// A token found and opened.
pub(super) struct Found {
    pub(super) number: PhoneNumber,
    pub(super) reference: RecordRef,
    /// The record behind it; a sealed token has none.
    pub(super) record: Option<RecordId>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) metadata: Option<String>,
}

impl Vault {
    /// What may be shown of a token: a mask where the permit says so; beginning and metadata to those who see all of
    /// the tenant.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for every token that is not the caller's to see.
    pub async fn describe(&self, permit: &Permit<TokenRef>) -> Result<TokenView, VaultError> {
        let token = &permit.resource().token;
        let keys = self.keys(permit.tenant()).await?;
        let found = self.find(permit, &keys, token).await?;
        let (country, line_type) = phone::classify(&found.number);
        let whole = permit.sees_all();
        Ok(TokenView {
            token: token.clone(),
            kind: token.kind(),
            masked: permit.sees_masks().then(|| Masked::of(&found.number)),
            country,
            line_type,
            created_at: found.created_at.filter(|_| whole),
            expires_at: found.expires_at,
            metadata: found.metadata.filter(|_| whole),
        })
    }

    /// Whether every one of these tokens still works for the permit's holder: none was erased, and none is over.
    ///
    /// # Errors
    /// [`VaultError::Store`] or [`VaultError::Key`] if that cannot be found out.
    pub async fn are_live(&self, permit: &Permit<TokenRef>, tokens: &[Token]) -> Result<bool, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        for token in tokens {
            match self.find(permit, &keys, token).await {
                Ok(_) => {}
                Err(VaultError::NotFound) => return Ok(false),
                Err(other) => return Err(other),
            }
        }
        Ok(true)
    }

    /// The person behind a token of the permit's tenant, of an audience that its holder may see.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for every other token.
    pub async fn resolve<R: Resource>(&self, permit: &Permit<R>, token: &Token) -> Result<Holder, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        match token.kind() {
            Kind::Vaulted | Kind::Lookalike => {
                let row = self.stored_row(permit, &keys, token).await?;
                Ok(Holder { record: row.id, index: row.index, subject: keys.subject(row.index) })
            }
            Kind::Sealed => {
                let opened = self.unsealed(permit, &keys, token).await?;
                self.hold(permit, &opened.number).await
            }
            Kind::Fpe => Err(VaultError::NotFound),
        }
    }

    /// The person behind a token who is to be sent something; as [`Self::resolve`].
    ///
    /// # Errors
    /// Also what [`Self::reachable`] refuses: a token may stand for a number that is no destination.
    pub async fn addressee<R: Resource>(&self, permit: &Permit<R>, token: &Token) -> Result<Holder, VaultError> {
        let holder = self.resolve(permit, token).await?;
        let row = self.live(permit.tenant(), holder.record).await?;
        let number = self.keys(permit.tenant()).await?.open_number(holder.record, &row.number)?;
        self.reachable(&number, permit.mode()).await?;
        Ok(holder)
    }

    /// The same, with where the person is.
    ///
    /// # Errors
    /// As [`Self::addressee`].
    pub async fn destination<R: Resource>(
        &self,
        permit: &Permit<R>,
        token: &Token,
    ) -> Result<(Holder, Bearing), VaultError> {
        let holder = self.resolve(permit, token).await?;
        let row = self.live(permit.tenant(), holder.record).await?;
        let number = self.keys(permit.tenant()).await?.open_number(holder.record, &row.number)?;
        self.reachable(&number, permit.mode()).await?;
        Ok((holder, Bearing::with_region(&number)))
    }

    /// Where the person behind a record is.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] if the record is gone.
    pub async fn bearing_behind(&self, tenant: TenantId, record: RecordId) -> Result<Bearing, VaultError> {
        let row = self.live(tenant, record).await?;
        Ok(Bearing::with_region(&self.keys(tenant).await?.open_number(record, &row.number)?))
    }

    /// Whether something may be sent to a number: not if its type is no destination, nor if it is a pool's of
    /// this mode, which is nobody's.
    ///
    /// # Errors
    /// [`VaultError::Refused`] with the reason's code.
    pub async fn reachable(&self, number: &PhoneNumber, mode: Mode) -> Result<(), VaultError> {
        phone::destination(number).map_err(|error| VaultError::Refused(error.code()))?;
        match self.store.in_pool(number.as_virtual(), mode).await? {
            true => Err(VaultError::Refused("number_in_pool")),
            false => Ok(()),
        }
    }

    /// The number to which a decided delivery goes.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] if the record is gone or has expired meanwhile.
    pub async fn open(&self, permit: &Permit<Delivery>, record: RecordId) -> Result<PhoneNumber, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let row = self.live(permit.tenant(), record).await?;
        Ok(keys.open_number(record, &row.number)?)
    }

    /// The number of the party that a call is put through to. It leaves by the carrier's door, once the entry is durable.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] if the record is gone.
    pub async fn bridge(&self, permit: &Permit<Crossing>, record: RecordId) -> Result<PhoneNumber, VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let row = self.live(permit.tenant(), record).await?;
        Ok(keys.open_number(record, &row.number)?)
    }

    /// The number of a test handset, so that the sandbox finds what it received. It leaves by no door: the sandbox keeps
    /// handsets by a keyed digest.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] as for every token that is not the caller's to see, and for every live tenant.
    pub async fn handset(&self, permit: &Permit<SandboxHandsets>, token: &Token) -> Result<PhoneNumber, VaultError> {
        if permit.mode() != Mode::Test {
            return Err(VaultError::NotFound);
        }
        let keys = self.keys(permit.tenant()).await?;
        Ok(self.find(permit, &keys, token).await?.number)
    }

    /// Where the number behind a token points, and the person in the log: what routes look at, never the number.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] for every token that is not the caller's to see.
    pub async fn bearing_of(&self, permit: &Permit<TokenRef>) -> Result<(Bearing, BlindIndex, SubjectId), VaultError> {
        let keys = self.keys(permit.tenant()).await?;
        let number = self.find(permit, &keys, &permit.resource().token).await?.number;
        let index = keys.index(&number);
        Ok((Bearing::with_region(&number), index, keys.subject(index)))
    }

    /// A record that exists and has not expired.
    pub(super) async fn live(&self, tenant: TenantId, record: RecordId) -> Result<TokenRow, VaultError> {
        let row = self.store.token(tenant, record).await?.ok_or(VaultError::NotFound)?;
        if is_over(row.expires_at, self.store.now()) { Err(VaultError::NotFound) } else { Ok(row) }
    }

    /// A token, found and opened: one that the permit's holder may see.
    pub(super) async fn find<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        token: &Token,
    ) -> Result<Found, VaultError> {
        match token.kind() {
            Kind::Vaulted | Kind::Lookalike => {
                let row = self.stored_row(permit, keys, token).await?;
                Ok(Found {
                    number: keys.open_number(row.id, &row.number)?,
                    reference: keys.record_ref(row.id),
                    record: Some(row.id),
                    created_at: Some(row.created_at),
                    expires_at: row.expires_at,
                    metadata: row.metadata,
                })
            }
            Kind::Sealed => {
                let Unsealed { number, expiry, .. } = self.unsealed(permit, keys, token).await?;
                let reference = keys.sealed_ref(token);
                Ok(Found { number, reference, record: None, created_at: None, expires_at: expiry, metadata: None })
            }
            Kind::Fpe => Err(VaultError::NotFound),
        }
    }

    pub(super) async fn stored_row<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        token: &Token,
    ) -> Result<TokenRow, VaultError> {
        let (record, tag) = match token.kind() {
            Kind::Lookalike => self.read_lookalike(permit.tenant(), keys, token).await?,
            _ => keys.read_vaulted(token).ok_or(VaultError::NotFound)?,
        };
        let own = crypto::equal(&tag, &keys.audience_tag(permit.audience()));
        if own || permit.sees_all() && self.is_of_tenant(permit.tenant(), keys, tag).await? {
            self.live(permit.tenant(), record).await
        } else {
            Err(VaultError::NotFound)
        }
    }

    /// Whether a tag is the tenant's own or one of its audiences'.
    async fn is_of_tenant(&self, tenant: TenantId, keys: &TenantKeys, tag: AudienceTag) -> Result<bool, VaultError> {
        Ok(crypto::equal(&tag, &keys.audience_tag(None))
            || self.audiences.tagged(self.store.as_ref(), tenant, keys, tag).await?.is_some())
    }

    /// What a sealed token holds, if it is the caller's, has not expired and was not erased.
    pub(super) async fn unsealed<R>(
        &self,
        permit: &Permit<R>,
        keys: &TenantKeys,
        token: &Token,
    ) -> Result<Unsealed, VaultError> {
        let mut opened = keys.open_sealed(token, permit.audience());
        if opened.is_none() && permit.sees_all() {
            opened = self.open_for_any(permit.tenant(), keys, token);
            if opened.is_none() {
                self.audiences.renew(self.store.as_ref()).await?;
                opened = self.open_for_any(permit.tenant(), keys, token);
            }
        }
        let opened = opened.ok_or(VaultError::NotFound)?;
        if is_over(opened.expiry, self.store.now()) || opened.epoch < self.epoch(permit, keys, &opened.number).await? {
            return Err(VaultError::NotFound);
        }
        Ok(opened)
    }

    fn open_for_any(&self, tenant: TenantId, keys: &TenantKeys, token: &Token) -> Option<Unsealed> {
        let named = self.audiences.of(tenant);
        std::iter::once(None).chain(named.names().map(Some)).find_map(|audience| keys.open_sealed(token, audience))
    }
}

pub(super) fn is_over(expiry: Option<Timestamp>, now: Timestamp) -> bool {
    expiry.is_some_and(|at| at <= now)
}
