//! `[webhooks]`: what webhooks may reach beyond the public internet.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The section as people write it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawWebhooks {
    allow_private: Vec<String>,
}

impl RawWebhooks {
    /// The networks that are open, also for plain HTTP.
    pub(super) fn networks(&self, place: &str) -> Result<Vec<IpNet>, ConfigError> {
        let wrong = |at: usize, mend: &str| ConfigError::new(place, format!("webhooks.allow_private[{at}]"), mend);
        let mut networks = Vec::with_capacity(self.allow_private.len());
        for (at, text) in self.allow_private.iter().enumerate() {
            let net: IpNet = text.parse().map_err(|_| wrong(at, "is no network; write \"10.1.2.0/24\" say"))?;
            if net.trunc().addr() != net.addr() {
                return Err(wrong(at, "has bits set behind its prefix; write the network, \"10.1.2.0/24\" say"));
            }
            networks.push(net);
        }
        Ok(networks)
    }
}
