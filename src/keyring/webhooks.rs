//! What webhooks need of a tenant's keys: the secrets that endpoints verify by, and the names of events.
//!
//! Neither is kept anywhere. A secret is a keyed function of its endpoint and a salt, so that no store holds it and
//! the tenant's end is its end. An event's name is its place in the log as one AES block: it tells nobody how much
//! happens in between, and leads back to the place without an index.

use zeroize::Zeroizing;

use super::keys::TenantKeys;
use crate::crypto::{Key, block, index, keyset};
use crate::ids::{self, EventId, WebhookId};

/// The keys of both.
pub(super) struct WebhookKeys {
    secret: Key,
    event: Key,
}

impl WebhookKeys {
    /// Derived from the `token` key, which is never replaced: a receiver's secret changes when its owner says so.
    pub(super) fn of(token: &Key) -> Self {
        Self {
            secret: keyset::derive(token, "bauta/1|webhook secret"),
            event: keyset::derive(token, "bauta/1|webhook event"),
        }
    }
}

impl TenantKeys {
    /// What an endpoint verifies our calls by.
    pub fn webhook_secret(&self, webhook: WebhookId, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        let parts = [b"webhook".as_slice(), &self.tenant, &ids::bytes(&webhook), salt];
        Zeroizing::new(index::mac32(&self.webhooks.secret, &parts))
    }

    /// The name of the event at this place in the log.
    pub fn event_id(&self, place: u64) -> EventId {
        let mut plain = [0; 16];
        plain.split_at_mut(8).1.copy_from_slice(&place.to_be_bytes());
        ids::from_bytes(block::encrypt(&self.webhooks.event, plain))
    }

    /// The place in the log of the event of this name; none if it is nobody's here.
    pub fn event_place(&self, event: EventId) -> Option<u64> {
        let plain = block::decrypt(&self.webhooks.event, ids::bytes(&event));
        let (zeros, place) = plain.split_first_chunk::<8>()?;
        (*zeros == [0; 8]).then(|| place.try_into().ok().map(u64::from_be_bytes))?
    }
}
