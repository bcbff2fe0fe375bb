//! Tenants, and the terminal at which they are made.
//!
//! Whoever can type at a terminal of the machine can read its files; what is asked of a terminal keeps honest people
//! honest and puts their name into the log. Its rights are in the policies like everyone's.

use std::sync::Arc;

use super::credential::{check_name, invalid};
use super::{Access, AccessError, Action, Denied, NewTenant, Terminal};
use crate::event::{Mode, What};
use crate::ids::{self, TenantId};
use crate::keyring::Owner;
use crate::store::{Change, Conflict, StoreError, TenantRow, Write};

impl Access {
    /// The user `user` of the operating system at a terminal of this machine, for one tenant.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] if there is no such tenant.
    pub fn terminal(&self, user: &str, tenant: TenantId) -> Result<Terminal, Denied> {
        let directory = self.directory();
        let row = directory.tenant(tenant).ok_or(Denied::Forbidden)?;
        Ok(Terminal {
            user: user.to_owned(),
            tenant: Arc::clone(row),
            has_admin: directory.has_admin(tenant, self.now()),
        })
    }

    /// Every tenant, oldest first: for the terminal and the wiring, never for a credential.
    pub fn tenants(&self) -> Vec<Arc<TenantRow>> {
        let mut tenants: Vec<_> = self.directory().tenants().cloned().collect();
        tenants.sort_unstable_by_key(|tenant| tenant.id);
        tenants
    }

    /// Where a tenant's data have to stay, if it says.
    pub fn region(&self, tenant: TenantId) -> Option<String> {
        self.directory().tenant(tenant).and_then(|tenant| tenant.region.clone())
    }

    /// Makes a tenant with its keys, as `user` of the operating system at a terminal of this machine.
    ///
    /// # Errors
    /// [`AccessError::NameTaken`], [`AccessError::Invalid`], [`AccessError::NumberInText`]; [`AccessError::Key`] if
    /// the KMS makes no keys.
    pub async fn create_tenant(
        &self,
        user: &str,
        name: &str,
        mode: Mode,
        region: Option<String>,
    ) -> Result<TenantRow, AccessError> {
        check_name("name", name)?;
        if region.as_deref().is_some_and(|region| !is_region(region)) {
            invalid("region", "1 to 32 of a-z, A-Z, 0-9 and dash")?;
        }
        // Before a KEK is made in vain; the store's constraint decides between racing commands.
        if self.directory().tenants().any(|tenant| tenant.name == name) {
            return Err(AccessError::NameTaken);
        }
        let now = self.now();
        let row = TenantRow { id: ids::fresh(), name: name.to_owned(), mode, region, created_at: now };
        let terminal = Terminal { user: user.to_owned(), tenant: Arc::new(row.clone()), has_admin: false };
        let permit = self.authorize(&terminal, Action::TenantCreate, NewTenant {}).await?;
        let told = What::TenantCreated { mode, region: row.region.clone() };
        let mut change = Change::telling(permit.event(now, told)).with(Write::Tenant(row.clone()));
        for (key, made) in self.keyring().provision(Owner::Tenant(row.id), now).await? {
            change = change.with(Write::Key(key)).and_telling(permit.event(now, made));
        }
        match self.commit(change).await {
            Err(AccessError::Store(StoreError::Conflict(Conflict::Exists))) => Err(AccessError::NameTaken),
            done => done.map(|()| row),
        }
    }
}

fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}
