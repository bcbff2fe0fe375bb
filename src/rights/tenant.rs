//! A whole tenant erased, by destroying its keys: what they sealed is noise from then on, in the store and in every
//! backup. Its rows, which are noise then, go in the background.

use super::{Rights, RightsError};
use crate::access::{Permit, TenantRef};
use crate::event::What;
use crate::keyring::Owner;
use crate::store::{Conflict, Erasing, ErasureEntry, StoreError, Write};

impl Rights {
    /// Erases the permit's tenant for good. Its credentials end at once here, within a second elsewhere.
    ///
    /// The permit may stand on a second person's word, which is used up with it.
    ///
    /// # Errors
    /// [`RightsError::NotFound`] if it is erased already. [`RightsError::Key`] if the KMS could not destroy its key:
    /// nobody can use the tenant then, and the worker goes on trying.
    pub async fn erase_tenant(&self, permit: &Permit<TenantRef>) -> Result<(), RightsError> {
        let (tenant, at) = (permit.tenant(), self.store.now());
        self.list.append(ErasureEntry { at, what: Erasing::Tenant { tenant } }).await?;
        let change = permit.change(at, What::TenantErased { tenant });
        let change = change
            .with(Write::EraseTenant { tenant, at })
            .with(Write::DoomKeys { owner: Owner::Tenant(tenant).to_string() });
        match self.store.commit(change).await {
            Ok(_) => {}
            Err(StoreError::Conflict(Conflict::Missing)) => return Err(RightsError::NotFound),
            Err(error) => return Err(error.into()),
        }
        self.access.refresh().await?;
        Ok(self.keyring.destroy(Owner::Tenant(tenant)).await?)
    }
}
