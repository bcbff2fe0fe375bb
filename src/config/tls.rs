//! `[server] tls`, `client_ca`: which files make the public listener speak TLS. What is in them, `tls` looks at.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The files of the public listener, made absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and what leads to its root, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Whose certificates clients may present, PEM; none asks clients for no certificate.
    pub client_ca: Option<PathBuf>,
}

/// `tls = { cert = "…", key = "…" }` as people write it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    cert: PathBuf,
    key: PathBuf,
}

/// The files that the settings name, paths read by `at`.
pub(super) fn files(
    tls: Option<&RawTls>,
    client_ca: Option<&PathBuf>,
    at: &dyn Fn(&Path) -> PathBuf,
    place: &str,
) -> Result<Option<TlsFiles>, ConfigError> {
    match (tls, client_ca) {
        (Some(tls), ca) => {
            Ok(Some(TlsFiles { cert: at(&tls.cert), key: at(&tls.key), client_ca: ca.map(|path| at(path)) }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ConfigError::new(
            place,
            "server.client_ca",
            "asks clients for certificates, which takes TLS; add tls = { cert = \"…\", key = \"…\" } or leave it out",
        )),
    }
}
