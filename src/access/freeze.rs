//! The freeze: stops a tenant, a credential or an alias everywhere, at once here and within a second elsewhere.
//!
//! A freeze is looked at on every call outside any remembered decision, and again by the worker and the relay before
//! anything leaves. It is its own event and lifts only by a thaw.

use super::directory::Target;
use super::{Access, AccessError, FreezeSwitch, Permit};
use crate::event::What;
use crate::store::{Change, Write};

impl Access {
    /// Freezes or thaws what the permit names by id: `ten_…`, `crd_…` or `als_…`. Doing it twice is no error.
    ///
    /// # Errors
    /// [`AccessError::NotFound`] unless it is the permit's own tenant or something of it.
    pub async fn freeze(&self, permit: Permit<FreezeSwitch>, on: bool) -> Result<(), AccessError> {
        let target = Target::parse(&permit.resource().target).ok_or(AccessError::NotFound)?;
        if !self.belongs(&permit, target).await? {
            return Err(AccessError::NotFound);
        }
        let name = permit.resource().target.clone();
        let told = if on { What::Frozen { target: name.clone() } } else { What::Thawed { target: name.clone() } };
        let change = Change::telling(permit.event(self.now(), told)).with(Write::Freeze { target: name, on });
        self.store().commit(change).await?;
        self.apply_freeze(target, on).await;
        Ok(())
    }

    async fn belongs(&self, permit: &Permit<FreezeSwitch>, target: Target) -> Result<bool, AccessError> {
        Ok(match target {
            Target::Tenant(id) => id == permit.tenant(),
            Target::Credential(id) => self.directory().credential(id).is_some_and(|row| row.tenant == permit.tenant()),
            Target::Alias(id) => self.store().alias(permit.tenant(), id).await?.is_some(),
        })
    }
}
