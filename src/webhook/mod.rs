//! Webhooks: tenants are told of events at endpoints of theirs, signed, in order, as long as it takes.
//!
//! The store puts each event before the endpoints that want it, in the commit that tells of it; this room makes the
//! bodies when they are sent, signs and sends them ([`Webhooks::serve`], called by the worker), and looks after the
//! endpoints themselves, for the API. It also asks an endpoint what is to become of a stranger's message
//! ([`Webhooks::ask`]).
//!
//! Invariants: no body, header or URL holds a number; an endpoint is told in its own audience and of nobody else's; an
//! address is judged where the connection is made; nothing behind an event is sent to an endpoint before that event
//! was taken; secrets are kept nowhere.

mod ask;
mod body;
mod endpoint;
mod error;
mod line;
mod place;
mod reach;
mod schedule;
mod serve;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use ask::{Answer, Reaction};
pub use endpoint::{Change, Created, DeliveryView, EndpointView, NewEndpoint, Requeued, Wanted};
pub use error::WebhookError;
pub use reach::Reach;
pub use serve::Rest;

use crate::access::Access;
use crate::clock::Timestamp;
use crate::keyring::{KeyError, Keyring, TenantKeys};
use crate::store::{Store, WebhookRow};
use line::{Exchange, Resolve, System};

/// The rules of webhooks.
pub struct Webhooks {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    access: Arc<Access>,
    exchange: Exchange,
}

impl Webhooks {
    /// Over the rooms below; `reach` says which addresses may be called.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, access: Arc<Access>, reach: Reach) -> Self {
        Self::resolving(store, keyring, access, reach, Arc::new(System::default()))
    }

    fn resolving(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        access: Arc<Access>,
        reach: Reach,
        names: Arc<dyn Resolve>,
    ) -> Self {
        Self { store, keyring, access, exchange: Exchange::new(reach, names) }
    }

    /// What stands above a call: its name, moment and signatures.
    async fn signed(
        &self,
        endpoint: &WebhookRow,
        id: &str,
        now: Timestamp,
        body: &str,
    ) -> Result<[(&'static str, String); 3], KeyError> {
        let keys = self.keyring.tenant(endpoint.tenant).await?;
        let secrets = secrets(&keys, endpoint, now);
        let secrets = secrets.iter().map(|secret| secret.as_slice());
        let signatures = signature::header(secrets, id, now.as_secs(), body.as_bytes());
        Ok([
            (signature::ID, id.to_owned()),
            (signature::TIMESTAMP, now.as_secs().to_string()),
            (signature::SIGNATURE, signatures),
        ])
    }
}

/// The secrets that sign now, the newest first.
fn secrets(keys: &TenantKeys, endpoint: &WebhookRow, now: Timestamp) -> Vec<zeroize::Zeroizing<[u8; 32]>> {
    let old = endpoint.old.filter(|(_, until)| *until > now).map(|(salt, _)| salt);
    [Some(endpoint.salt), old].into_iter().flatten().map(|salt| keys.webhook_secret(endpoint.id, &salt)).collect()
}
