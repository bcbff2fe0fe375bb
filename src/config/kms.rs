//! `[kms]`: who holds the key-encryption keys, and `[keys]`: how often keys are replaced.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Hidden, secret};

/// Which KMS, with all that it needs.
#[derive(Clone, Debug)]
pub enum KmsKind {
    /// A folder with a root key and the KEKs under it: [`Config::keys`](super::Config::keys).
    File,
    /// The transit engine of OpenBao or Vault.
    Transit(Transit),
    /// A PKCS#11 token: an HSM, or SoftHSM.
    Pkcs11(Pkcs11),
}

/// How to reach a transit engine.
#[derive(Clone, Debug)]
pub struct Transit {
    /// `https://host:8200`, without the path.
    pub address: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// A namespace, if the server has them.
    pub namespace: Option<String>,
    /// What the names of our keys begin with, so that deployments share an engine without meeting.
    pub prefix: String,
    /// The token, or the file that holds it; an agent may put a new one there at any time.
    pub token: Token,
    /// Certificates that sign the server's, if not the system's own.
    pub ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Where a token comes from.
#[derive(Clone, Debug)]
pub enum Token {
    /// Read once.
    Fixed(Hidden),
    /// Read again whenever the server refuses it.
    File(PathBuf),
}

/// How to reach a PKCS#11 token.
#[derive(Clone, Debug)]
pub struct Pkcs11 {
    /// The vendor's library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The user's PIN.
    pub pin: Hidden,
    /// What the labels of our objects begin with.
    pub prefix: String,
    /// How long one operation may take.
    pub timeout: Duration,
}

/// How long unwrapped keys are used while the KMS cannot be asked.
#[derive(Clone, Copy, Debug)]
pub struct KeyCache {
    /// From the KMS's last word on.
    pub life: Duration,
    /// How often the KMS is asked whether each owner's KEK is still there.
    pub check: Duration,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self { life: Duration::from_secs(300), check: Duration::from_secs(15) }
    }
}

/// When keys that seal and derive codes are replaced.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotation {
    /// After so many days; 0 for never by age.
    pub rotate_days: u32,
    /// After so many uses.
    pub rotate_uses: u64,
    /// How long after a new version began an old one may be retired, in seconds: longer than any request takes.
    pub settle_s: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { rotate_days: 365, rotate_uses: 1 << 31, settle_s: 60 }
    }
}

impl Rotation {
    pub(super) fn check(&self, place: &str) -> Result<(), ConfigError> {
        if !(MIN_USES..=MAX_USES).contains(&self.rotate_uses) {
            return Err(ConfigError::new(
                place,
                "keys.rotate_uses",
                format!("has to be from {MIN_USES} to {MAX_USES}: uses are counted in advance, and stay below 2^32"),
            ));
        }
        Ok(())
    }
}

/// Uses are set aside by about a million.
const MIN_USES: u64 = 1 << 20;
const MAX_USES: u64 = (1 << 32) - (1 << 24);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKms {
    kind: Option<String>,
    pub(super) path: Option<PathBuf>,
    address: Option<String>,
    mount: Option<String>,
    namespace: Option<String>,
    prefix: Option<String>,
    token: Option<String>,
    ca_file: Option<PathBuf>,
    module: Option<PathBuf>,
    pin: Option<String>,
    timeout_ms: Option<u64>,
    cache_s: Option<u64>,
    check_s: Option<u64>,
    /// Whether keys in memory that may be swapped stop the start.
    pub(super) require_locked: bool,
}

impl RawKms {
    /// The checked settings. `at` makes a path absolute to where it was written.
    pub(super) fn check(&self, at: &dyn Fn(&std::path::Path) -> PathBuf, place: &str) -> Result<KmsKind, ConfigError> {
        let kind = self.kind.as_deref().unwrap_or("file");
        let wanted: &[&str] = match kind {
            "file" => &["path"],
            "transit" => &["address", "mount", "namespace", "prefix", "token", "ca_file", "timeout_ms"],
            "pkcs11" => &["module", "token", "pin", "prefix", "timeout_ms"],
            _ => {
                return Err(wrong(
                    place,
                    "kind",
                    "is none of the kinds of KMS; write \"file\", \"transit\" or \"pkcs11\"",
                ));
            }
        };
        if let Some(stray) = self.written().into_iter().find(|key| !wanted.contains(key)) {
            let mend = format!("is no setting of the kind {kind:?}; remove it, or name the kind that it belongs to");
            return Err(wrong(place, stray, mend));
        }
        match kind {
            "transit" => self.transit(at, place).map(KmsKind::Transit),
            "pkcs11" => self.pkcs11(at, place).map(KmsKind::Pkcs11),
            _ => Ok(KmsKind::File),
        }
    }

    /// How long unwrapped keys live.
    pub(super) fn cache(&self, place: &str) -> Result<KeyCache, ConfigError> {
        let preset = KeyCache::default();
        let life = self.cache_s.map_or(preset.life, Duration::from_secs);
        let check = self.check_s.map_or(preset.check, Duration::from_secs).min(life / 2);
        if life < Duration::from_secs(2) || life > Duration::from_secs(86_400) {
            return Err(wrong(place, "cache_s", "has to be from 2 to 86400 seconds"));
        }
        if check.is_zero() {
            return Err(wrong(place, "check_s", "has to be 1 second or more"));
        }
        Ok(KeyCache { life, check })
    }

    /// The settings of kinds that are written.
    fn written(&self) -> Vec<&'static str> {
        let all = [
            ("path", self.path.is_some()),
            ("address", self.address.is_some()),
            ("mount", self.mount.is_some()),
            ("namespace", self.namespace.is_some()),
            ("prefix", self.prefix.is_some()),
            ("token", self.token.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("module", self.module.is_some()),
            ("pin", self.pin.is_some()),
            ("timeout_ms", self.timeout_ms.is_some()),
        ];
        all.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect()
    }

    fn transit(&self, at: &dyn Fn(&std::path::Path) -> PathBuf, place: &str) -> Result<Transit, ConfigError> {
        let address = self.address.as_deref().unwrap_or_default().trim_end_matches('/');
        if !(address.starts_with("https://") || is_local(address)) {
            let mend =
                "write the server's \"https://host:port\"; plain http:// is for this machine's own addresses only";
            return Err(wrong(place, "address", mend));
        }
        let mount = self.mount.as_deref().unwrap_or("transit").trim_matches('/').to_owned();
        if mount.is_empty() || !mount.split('/').all(is_name) {
            return Err(wrong(place, "mount", "write the path at which the engine is mounted, \"transit\" say"));
        }
        if self.namespace.as_deref().is_some_and(|it| !it.trim_matches('/').split('/').all(is_name)) {
            return Err(wrong(place, "namespace", "write the namespace's path, \"team/bauta\" say"));
        }
        let token = match self.token.as_deref() {
            None | Some("") => {
                return Err(wrong(
                    place,
                    "token",
                    "is missing; write \"env:NAME\" or \"file:PATH\", where an agent keeps it",
                ));
            }
            Some(text) => match text.strip_prefix("file:") {
                Some(path) => Token::File(at(std::path::Path::new(path))),
                None => Token::Fixed(secret(text).map_err(|mend| wrong(place, "token", mend))?),
            },
        };
        let namespace = self.namespace.as_deref().map(|it| it.trim_matches('/').to_owned());
        Ok(Transit {
            address: address.to_owned(),
            mount,
            namespace,
            prefix: self.prefix(place)?,
            token,
            ca_file: self.ca_file.as_deref().map(at),
            timeout: self.timeout(place, 2_000)?,
        })
    }

    fn pkcs11(&self, at: &dyn Fn(&std::path::Path) -> PathBuf, place: &str) -> Result<Pkcs11, ConfigError> {
        let Some(module) = self.module.as_deref().map(at) else {
            return Err(wrong(place, "module", "is missing; write the path of the vendor's PKCS#11 library (….so)"));
        };
        if !module.is_file() {
            return Err(wrong(place, "module", "is no file; write the path of the vendor's PKCS#11 library (….so)"));
        }
        let Some(token) = self.token.clone().filter(|token| !token.is_empty()) else {
            return Err(wrong(place, "token", "is missing; write the label of the token"));
        };
        let Some(pin) = self.pin.as_deref().filter(|pin| !pin.is_empty()) else {
            return Err(wrong(place, "pin", "is missing; write \"env:NAME\" or \"file:PATH\""));
        };
        Ok(Pkcs11 {
            module,
            token,
            pin: secret(pin).map_err(|mend| wrong(place, "pin", mend))?,
            prefix: self.prefix(place)?,
            timeout: self.timeout(place, 5_000)?,
        })
    }

    fn prefix(&self, place: &str) -> Result<String, ConfigError> {
        let prefix = self.prefix.as_deref().unwrap_or("bauta-");
        if prefix.is_empty() || prefix.len() > 32 || !is_name(prefix) {
            return Err(wrong(place, "prefix", "write 1 to 32 of a-z, A-Z, 0-9, dash and underscore"));
        }
        Ok(prefix.to_owned())
    }

    fn timeout(&self, place: &str, preset: u64) -> Result<Duration, ConfigError> {
        match self.timeout_ms.unwrap_or(preset) {
            ms @ 50..=60_000 => Ok(Duration::from_millis(ms)),
            _ => Err(wrong(place, "timeout_ms", "has to be from 50 to 60000 milliseconds")),
        }
    }
}

fn wrong(place: &str, key: &str, mend: impl Into<String>) -> ConfigError {
    ConfigError::new(place, format!("kms.{key}"), mend)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

fn is_local(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("http://") else { return false };
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

#[cfg(test)]
mod tests;
