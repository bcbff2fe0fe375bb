//! Standing orders: permits for what the deployment does by itself on decisions that were recorded.
//!
//! The worker's permit stands on the outbox row, the relay's on the alias that somebody was permitted to bind. Both are
//! void once the tenant, the alias or the credential behind them is frozen; a delivery also once its credential ended.
//! No caller can ask for these permits: their resources are not in the schema.

use std::sync::Arc;

use super::directory::{Directory, Frozen};
use super::permit::{Calling, Crossing, Delivery, Grant, Permit, Upkeep};
use super::{Access, Allowance, Denied};
use crate::event::{Actor, Mode};
use crate::guard::suppression;
use crate::ids::TenantId;
use crate::store::{AliasRow, MessageRow, OutboxRow, Task, TenantRow, WebhookRow};

impl Access {
    /// The permit to hand `row` to a carrier now.
    ///
    /// # Errors
    /// [`Denied::Frozen`]; [`Denied::Suppressed`] if the person asked to be spared it; [`Denied::Forbidden`] if its
    /// credential or tenant is no more; [`Denied::Store`] if that
    /// cannot be found out, so that it has to be tried again.
    pub async fn for_delivery(&self, row: OutboxRow) -> Result<Permit<Delivery>, Denied> {
        let grant = self.delivery_grant(&row)?;
        if let Some(id) = row.task.message()
            && self.directory().frozen().any_within_tenants()
        {
            self.check_alias_behind(self.store().message(row.tenant, id).await?).await?;
        }
        if let Task::Message(id) = row.task
            && self.directory().has_suppressions(row.tenant)
            && self.store().spared(row.tenant, id).await?.is_some_and(|spared| suppression::stops_stored(&spared))
        {
            return Err(Denied::Suppressed);
        }
        Ok(Permit::new(grant, Delivery { row }))
    }

    /// The permit to carry a message across an alias, on the word of whoever bound it.
    ///
    /// # Errors
    /// [`Denied::Frozen`]; [`Denied::Forbidden`] if its tenant is not known.
    pub fn for_crossing(&self, alias: &AliasRow) -> Result<Permit<Crossing>, Denied> {
        let directory = self.directory();
        let tenant = active_tenant(&directory, alias.tenant)?;
        thawed(directory.frozen(), alias)?;
        let mut grant = self.order_of(tenant);
        grant.audience = alias.audience.clone();
        grant.credential = Some(alias.credential);
        Ok(Permit::new(grant, Crossing { alias: alias.id }))
    }

    /// The permit to call an endpoint of webhooks, in its audience.
    ///
    /// # Errors
    /// [`Denied::Frozen`]; [`Denied::Forbidden`] if its tenant is not known.
    pub fn for_calling(&self, endpoint: &WebhookRow) -> Result<Permit<Calling>, Denied> {
        let directory = self.directory();
        let mut grant = self.order_of(active_tenant(&directory, endpoint.tenant)?);
        grant.audience.clone_from(&endpoint.audience);
        Ok(Permit::new(grant, Calling { webhook: endpoint.id }))
    }

    /// The permit to expire and sweep what is a tenant's, frozen or not. Upkeep only ends things: a tenant that this
    /// process has not read yet counts as a test tenant without a name.
    pub fn upkeep(&self, tenant: TenantId) -> Permit<Upkeep> {
        let directory = self.directory();
        let grant = match directory.tenant(tenant) {
            Some(tenant) => self.order(tenant.id, tenant.mode, &tenant.name),
            None => self.order(tenant, Mode::Test, ""),
        };
        Permit::new(grant, Upkeep {})
    }

    fn delivery_grant(&self, row: &OutboxRow) -> Result<Grant, Denied> {
        let directory = self.directory();
        let mut grant = self.order_of(active_tenant(&directory, row.tenant)?);
        grant.policy.clone_from(&row.policy);
        if let Some(id) = row.credential {
            let standing = directory.standing(id).filter(|standing| standing.tenant == row.tenant);
            let standing = standing.filter(|standing| !standing.ended(self.now())).ok_or(Denied::Forbidden)?;
            if directory.frozen().credential(id) {
                return Err(Denied::Frozen);
            }
            grant.credential = Some(id);
            grant.audience = standing.audience.clone();
        }
        Ok(grant)
    }

    /// Looks from a message to its alias, and from there to what may be frozen.
    async fn check_alias_behind(&self, message: Option<MessageRow>) -> Result<(), Denied> {
        let behind = message.and_then(|message| Some((message.tenant, message.alias?)));
        let Some((tenant, alias)) = behind else { return Ok(()) };
        match self.store().alias(tenant, alias).await? {
            Some(alias) => thawed(self.directory().frozen(), &alias),
            None => Ok(()),
        }
    }

    fn order_of(&self, tenant: &TenantRow) -> Grant {
        self.order(tenant.id, tenant.mode, &tenant.name)
    }

    /// What an order of this tenant is before anything is known of its cause.
    fn order(&self, tenant: TenantId, mode: Mode, name: &str) -> Grant {
        let (profile, policies) = (self.directory().profile(tenant), self.policies());
        Grant {
            tenant,
            mode,
            brand: profile.brand.clone().unwrap_or_else(|| name.to_owned()),
            profile,
            terms: Arc::clone(policies.terms()),
            suppressions: self.directory().has_suppressions(tenant),
            actor: Actor::Worker,
            credential: None,
            audience: None,
            sees_all: false,
            erasures: self.directory().has_erasures(tenant),
            policy: policies.version().to_owned(),
            allowance: Allowance::default(),
            approval: None,
        }
    }
}

fn active_tenant(directory: &Directory, id: TenantId) -> Result<&TenantRow, Denied> {
    if directory.frozen().tenant(id) {
        return Err(Denied::Frozen);
    }
    directory.tenant(id).map(AsRef::as_ref).ok_or(Denied::Forbidden)
}

fn thawed(frozen: &Frozen, alias: &AliasRow) -> Result<(), Denied> {
    if frozen.alias(alias.id) || frozen.credential(alias.credential) { Err(Denied::Frozen) } else { Ok(()) }
}
