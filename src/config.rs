//! Settings: built-in defaults, then `bauta.toml`, then `BAUTA__SECTION__KEY` variables, then flags.
//!
//! Everything is checked before anything is bound or opened. A setting that is unknown, contradicts another or would be
//! unsafe stops the start with [`ConfigError`], one line that names where it stands, which key it is and how to mend it.

mod carriers;
mod kms;
mod policies;
mod portability;
mod tls;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use carriers::{
    Addressing, CarrierSettings, Concat, HttpLink, IdFormat, ReceiptsWanted, SmppAlphabet, SmppBind, SmppLink,
    SmppOutbind, SmppTlsFiles, SmppVersion, SubmitCommand, Template, TemplateAuth, TemplateFailure, TemplateInbound,
    TemplateStatus, TemplateSubmit, TonNpi, Twilio, Voice, Vonage,
};
use kms::RawKms;
pub use kms::{KeyCache, KmsKind, Pkcs11, Rotation, Token, Transit};
use policies::RawPolicies;
pub use portability::PortabilitySettings;
use portability::RawPortability;
pub use tls::TlsFiles;
use webhooks::RawWebhooks;

/// What to run with, checked and with every path made absolute to where it was written.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the service keeps its files.
    pub data: PathBuf,
    /// The public listener.
    pub listen: SocketAddr,
    /// The listener for metrics, if one was written; else 127.0.0.1:9090, which gives way if it is taken.
    pub admin: Option<SocketAddr>,
    /// How the outside reaches us; names the issuer of proofs.
    pub public_url: Option<String>,
    /// Proxies in front of us whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// What makes the public listener speak TLS, if it does.
    pub tls: Option<TlsFiles>,
    /// The SQLite file.
    pub database: PathBuf,
    /// The folder of the key file, for the file KMS.
    pub keys: PathBuf,
    /// Who holds the key-encryption keys.
    pub kms: KmsKind,
    /// How long unwrapped keys are used while the KMS cannot be asked.
    pub key_cache: KeyCache,
    /// Whether keys in memory that may be swapped stop the start.
    pub require_locked: bool,
    /// How often keys are replaced.
    pub rotation: Rotation,
    /// The list of what was erased, which a restore of the store replays: beside the keys unless said.
    pub erasures: PathBuf,
    /// A folder of policies in place of the built-in ones.
    pub policies: Option<PathBuf>,
    /// The tenant whose people keep the policies of the whole deployment.
    pub policy_keeper: Option<crate::ids::TenantId>,
    /// Networks beyond the public internet that webhooks may reach.
    pub webhook_networks: Vec<ipnet::IpNet>,
    /// Requests per second and credential, and the burst.
    pub limits: Limits,
    /// Carriers beside the sandbox, in the order of preference.
    pub carriers: Vec<CarrierSettings>,
    /// Who is asked which operator serves a number, if anybody is.
    pub portability: Option<PortabilitySettings>,
}

/// Flags of the command line that override files and variables.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`
    pub listen: Option<SocketAddr>,
}

/// How fast one caller may go.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a second of one credential.
    pub requests_per_s: u32,
    /// Requests at once of one credential.
    pub burst: u32,
    /// Requests a minute of one address without a valid credential.
    pub strangers_per_min: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_s: 50_000, burst: 100_000, strangers_per_min: 600 }
    }
}

/// A secret setting: wiped when dropped, shown by nobody.
#[derive(Clone)]
pub struct Hidden(pub Zeroizing<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A setting that stops the start (exit 64, `EX_USAGE`).
#[derive(Debug, thiserror::Error)]
#[error("{place}: {key}: {mend}")]
pub struct ConfigError {
    /// The file or the variables.
    pub place: String,
    /// Which setting.
    pub key: String,
    /// What is wrong and what to write instead.
    pub mend: String,
}

impl ConfigError {
    fn new(place: impl Into<String>, key: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { place: place.into(), key: key.into(), mend: mend.into() }
    }
}

impl Config {
    /// Reads the settings that apply to `flags`.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = config_file(flags)?;
        let place = file.as_ref().map_or_else(|| "BAUTA__* variables".to_owned(), |f| f.display().to_string());
        let mut figment = Figment::from(Serialized::defaults(Raw::default()));
        if let Some(file) = &file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let raw: Raw = figment
            .merge(Env::prefixed("BAUTA__").split("__"))
            .extract()
            .map_err(|error| unreadable(&place, &error))?;
        raw.check(flags, file.as_deref().and_then(Path::parent), &place)
    }

    /// Whether the key file lies inside the data folder, where a copy of the data takes the keys along.
    pub fn keys_beside_data(&self) -> bool {
        if !matches!(self.kms, KmsKind::File) {
            return false;
        }
        let keys = real(&self.keys);
        let folders = [Some(self.data.as_path()), self.database.parent()];
        folders.into_iter().flatten().any(|folder| keys.starts_with(real(folder)))
    }
}

/// Where a path leads, links and `..` followed as far as it exists.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => real(folder).join(name),
        _ => path.to_owned(),
    })
}

fn config_file(flags: &Flags) -> Result<Option<PathBuf>, ConfigError> {
    match &flags.config {
        Some(path) if path.is_file() => Ok(Some(path.clone())),
        Some(path) => {
            Err(ConfigError::new("--config", path.display().to_string(), "no such file; name a bauta.toml that exists"))
        }
        None => Ok(Some(PathBuf::from("bauta.toml")).filter(|path| flags.data.is_none() && path.is_file())),
    }
}

fn unreadable(place: &str, error: &figment::Error) -> ConfigError {
    let key = if error.path.is_empty() { "(file)".to_owned() } else { error.path.join(".") };
    let source = error.metadata.as_ref().map_or_else(
        || place.to_owned(),
        |m| match &m.source {
            Some(figment::Source::File(path)) => path.display().to_string(),
            _ => "BAUTA__* variables".to_owned(),
        },
    );
    let mend = mend(error);
    ConfigError::new(source, key, mend)
}

fn mend(error: &figment::Error) -> String {
    match &error.kind {
        figment::error::Kind::UnknownField(_, known) => {
            format!("no such setting; remove it or use one of: {}", known.join(", "))
        }
        figment::error::Kind::MissingField(field) => format!("{field} is missing; add it"),
        figment::error::Kind::InvalidType(_, wanted) | figment::error::Kind::InvalidValue(_, wanted) => {
            format!("has the wrong type or value; write {wanted}")
        }
        figment::error::Kind::UnknownVariant(_, known) => format!("not one of: {}", known.join(", ")),
        _ => "cannot be read as TOML settings; check its syntax".to_owned(),
    }
}

/// The settings as people write them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    server: RawServer,
    store: RawStore,
    kms: RawKms,
    keys: Rotation,
    policies: RawPolicies,
    webhooks: RawWebhooks,
    limits: Limits,
    carriers: Vec<figment::value::Dict>,
    portability: RawPortability,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawServer {
    listen: Option<String>,
    admin: Option<String>,
    public_url: Option<String>,
    trusted_proxies: Vec<String>,
    tls: Option<tls::RawTls>,
    client_ca: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStore {
    durable: Option<String>,
    scratch: Option<String>,
    erasures: Option<PathBuf>,
}

impl Raw {
    fn check(self, flags: &Flags, beside: Option<&Path>, place: &str) -> Result<Config, ConfigError> {
        let data = absolute(flags.data.clone().unwrap_or_else(|| PathBuf::from("data")));
        let at = |path: &Path| absolute(beside.unwrap_or(Path::new("")).join(path));
        let listen = match flags.listen {
            Some(listen) => listen,
            None => address(self.server.listen.as_deref().unwrap_or("127.0.0.1:8080"), place, "server.listen")?,
        };
        let admin = self.server.admin.as_deref().map(|a| address(a, place, "server.admin")).transpose()?;
        if admin.is_some_and(|admin| admin == listen && admin.port() != 0) {
            return Err(ConfigError::new(
                place,
                "server.admin",
                "is the same address as server.listen; give it a port of its own",
            ));
        }
        let keys = match (&self.kms.path, &flags.data) {
            (Some(path), _) => at(path),
            (None, Some(_)) => data.join("keys"),
            (None, None) => absolute(PathBuf::from("keys")),
        };
        self.check_kinds(place)?;
        self.keys.check(place)?;
        let (kms, key_cache) = (self.kms.check(&at, place)?, self.kms.cache(place)?);
        let carriers = carriers::check(self.carriers, &at, self.server.public_url.is_some(), place)?;
        Ok(Config {
            database: database(self.store.durable.as_deref(), &data, &at, place)?,
            tls: tls::files(self.server.tls.as_ref(), self.server.client_ca.as_ref(), &at, place)?,
            policy_keeper: self.policies.keeper(place)?,
            webhook_networks: self.webhooks.networks(place)?,
            policies: self.policies.folder(&at, place)?,
            trusted_proxies: networks(&self.server.trusted_proxies, place)?,
            public_url: self.server.public_url.map(|url| public_url(&url, place)).transpose()?,
            erasures: self.store.erasures.map_or_else(|| keys.join("erasures.log"), |path| at(&path)),
            data,
            listen,
            admin,
            keys,
            kms,
            require_locked: self.kms.require_locked,
            key_cache,
            rotation: self.keys,
            limits: self.limits,
            carriers,
            portability: self.portability.check(place)?,
        })
    }

    fn check_kinds(&self, place: &str) -> Result<(), ConfigError> {
        if self.store.scratch.as_deref().is_some_and(|kind| kind != "memory") {
            return Err(ConfigError::new(
                place,
                "store.scratch",
                "this version has \"memory\" only; write that or leave it out",
            ));
        }
        if self.limits.requests_per_s == 0 || self.limits.burst == 0 || self.limits.strangers_per_min == 0 {
            return Err(ConfigError::new(place, "limits", "a limit of 0 would refuse everybody; write 1 or more"));
        }
        Ok(())
    }
}

/// A secret setting: as it stands, or from `file:PATH` or `env:NAME`.
fn secret(text: &str) -> Result<Hidden, String> {
    let value = if let Some(path) = text.strip_prefix("file:") {
        let read =
            std::fs::read_to_string(path).map_err(|e| format!("the file it names cannot be read ({})", e.kind()))?;
        Zeroizing::new(read.trim_end_matches(['\r', '\n']).to_owned())
    } else if let Some(name) = text.strip_prefix("env:") {
        Zeroizing::new(std::env::var(name).map_err(|_| "the variable it names is not set".to_owned())?)
    } else {
        Zeroizing::new(text.to_owned())
    };
    Ok(Hidden(value))
}

fn address(text: &str, place: &str, key: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::new(place, key, "is no address and port; write \"127.0.0.1:8080\" say"))
}

fn networks(texts: &[String], place: &str) -> Result<Vec<ipnet::IpNet>, ConfigError> {
    let one = |text: &String| text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from));
    texts.iter().map(one).collect::<Result<_, _>>().map_err(|_| {
        ConfigError::new(place, "server.trusted_proxies", "holds what is no network; write [\"10.0.0.0/8\"] say")
    })
}

fn public_url(text: &str, place: &str) -> Result<String, ConfigError> {
    let plain = text.trim_end_matches('/');
    if plain.starts_with("https://") || plain.starts_with("http://") {
        return Ok(plain.to_owned());
    }
    Err(ConfigError::new(place, "server.public_url", "is no URL; write \"https://…\""))
}

fn database(
    text: Option<&str>,
    data: &Path,
    at: &dyn Fn(&Path) -> PathBuf,
    place: &str,
) -> Result<PathBuf, ConfigError> {
    match text {
        None => Ok(data.join("bauta.db")),
        Some(text) => match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(at(Path::new(path))),
            _ => Err(ConfigError::new(
                place,
                "store.durable",
                "this version has SQLite only; write \"sqlite:PATH\" or leave it out",
            )),
        },
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests;
