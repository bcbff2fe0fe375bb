//! Telling of credentials that seem to walk through numbers. Nothing is refused for it.

use crate::access::Permit;
use crate::event::What;
use crate::guard::Suspicion;
use crate::phone::PhoneNumber;
use crate::store::Change;

use super::{NewToken, Vault};

impl Vault {
    /// Takes note of what was tokenized. `fresh` tokens are left out: they say nothing about what is known.
    pub(super) async fn watch_tokenized<'n, R>(&self, permit: &Permit<R>, items: impl Iterator<Item = &'n NewToken>) {
        let Some(credential) = permit.credential() else { return };
        let keyed = self.enumeration.keyed();
        let steps = items.filter(|new| !new.fresh).map(|new| new.number.footprint(keyed));
        let suspicion = self.enumeration.tokenized(credential, steps, self.store.now());
        self.alert(permit, suspicion).await;
    }

    /// Takes note of a question.
    pub(super) async fn watch_asked<R>(&self, permit: &Permit<R>, number: &PhoneNumber, found: bool) {
        let Some(credential) = permit.credential() else { return };
        let step = number.footprint(self.enumeration.keyed());
        let suspicion = self.enumeration.asked(credential, step, found, self.store.now());
        self.alert(permit, suspicion).await;
    }

    async fn alert<R>(&self, permit: &Permit<R>, suspicion: Option<Suspicion>) {
        let (Some(suspicion), Some(credential)) = (suspicion, permit.credential()) else { return };
        let Suspicion { pattern, of, matching } = suspicion;
        let what = What::EnumerationAlert { credential, pattern: pattern.to_owned(), of, matching };
        if let Err(error) = self.store.commit(Change::telling(permit.event(self.store.now(), what))).await {
            tracing::warn!(%error, pattern, "an alert is not in the log");
        }
    }
}
