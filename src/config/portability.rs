//! `[portability]`: who is asked which operator serves a number. Off where no url is written.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Hidden, secret};

/// Whom to ask, checked.
#[derive(Clone, Debug)]
pub struct PortabilitySettings {
    /// Its address, with `{number}` where the digits go.
    pub url: String,
    /// The field of its JSON answer that names the operator.
    pub field: String,
    /// What goes into `Authorization`, if anything does.
    pub authorization: Option<Hidden>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// How long it holds.
    pub cache: Duration,
}

/// The section as people write it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPortability {
    url: Option<String>,
    field: String,
    authorization: Option<String>,
    timeout_ms: u32,
    cache_s: u32,
}

impl Default for RawPortability {
    fn default() -> Self {
        Self { url: None, field: "operator".to_owned(), authorization: None, timeout_ms: 500, cache_s: 86_400 }
    }
}

impl RawPortability {
    pub(super) fn check(&self, place: &str) -> Result<Option<PortabilitySettings>, ConfigError> {
        let wrong = |key: &str, mend: &str| ConfigError::new(place, format!("portability.{key}"), mend);
        let Some(url) = &self.url else { return Ok(None) };
        if url.matches("{number}").count() != 1 {
            return Err(wrong("url", "write {number} once, where the digits go: \"https://host/numbers/{number}\""));
        }
        if !(url.starts_with("https://") || is_local(url)) {
            return Err(wrong("url", "numbers go out only over https://, or http:// to this machine itself"));
        }
        if !(10..=5_000).contains(&self.timeout_ms) {
            return Err(wrong("timeout_ms", "write 10 to 5000: messages wait for it"));
        }
        if self.cache_s > 30 * 86_400 {
            return Err(wrong("cache_s", "write at most 2592000: numbers move"));
        }
        if self.field.is_empty() {
            return Err(wrong("field", "name the field of the answer, \"operator\" say"));
        }
        let authorization = self.authorization.as_deref().map(secret).transpose();
        Ok(Some(PortabilitySettings {
            url: url.clone(),
            field: self.field.clone(),
            authorization: authorization.map_err(|mend| wrong("authorization", &mend))?,
            timeout: Duration::from_millis(self.timeout_ms.into()),
            cache: Duration::from_secs(self.cache_s.into()),
        }))
    }
}

/// Whether nothing leaves this machine on the way there.
fn is_local(url: &str) -> bool {
    let host = url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    name.is_some_and(|name| matches!(name, "localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(url: &str) -> Result<Option<PortabilitySettings>, ConfigError> {
        RawPortability { url: Some(url.to_owned()), ..RawPortability::default() }.check("bauta.toml")
    }

    #[test]
    fn it_is_off_until_an_address_is_written_and_asks_over_tls_alone() {
        assert!(RawPortability::default().check("bauta.toml").unwrap().is_none());
        for url in ["https://np.example/{number}", "http://127.0.0.1:8099/n/{number}", "http://[::1]:1/{number}"] {
            assert!(with(url).unwrap().is_some(), "{url}");
        }
        for url in [
            "https://np.example/",
            "https://{number}.example/{number}",
            "http://np.example/{number}",
            "http://localhost.example/{number}",
            "http://127.0.0.1@np.example/{number}",
            "ftp://np.example/{number}",
        ] {
            assert_eq!(with(url).unwrap_err().key, "portability.url", "{url}");
        }
    }

    #[test]
    fn what_would_hold_up_every_message_is_refused() {
        let url = Some("https://np.example/{number}".to_owned());
        let slow = RawPortability { url: url.clone(), timeout_ms: 60_000, ..RawPortability::default() };
        assert_eq!(slow.check("x").unwrap_err().key, "portability.timeout_ms");
        let stale = RawPortability { url, cache_s: u32::MAX, ..RawPortability::default() };
        assert_eq!(stale.check("x").unwrap_err().key, "portability.cache_s");
    }
}
