//! TLS 1.2 and 1.3 on the public listener (rustls on `ring`): its certificate, and those that clients present.
//!
//! Certificate, key and client CA are one set: taken together at the start, and again whenever one of the files changes,
//! without a connection being lost. Invariants: what cannot be used is never taken, the set in force stays; a key file
//! that others could read is refused; a client's certificate counts only as long as it would still be accepted. Wired by
//! `app`; `api` reads [`Connection`].

mod client;
mod files;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::NoServerSessionStorage;

pub use client::{Connection, thumbprint};
pub use files::certificate;

use crate::config::TlsFiles;
use files::{Loaded, Print};

/// What the public listener shows and accepts, following its files.
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    seen: Print,
    /// Whether what was last seen could be taken.
    sound: bool,
}

/// The set in force: what [`serve`] shows and [`client`] accepts.
pub struct Current(ArcSwap<Loaded>);

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {}: {mend}", file.display())]
pub struct TlsError {
    /// Which setting.
    pub key: &'static str,
    /// Which file.
    pub file: PathBuf,
    /// What is wrong and what to do.
    pub mend: String,
}

/// What a look at the files found.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing new.
    Same,
    /// New files, now in force; the SHA-256 of the certificate in hex.
    Taken(String),
    /// New files that cannot be used; the earlier ones stay.
    Refused(TlsError),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the setting, the file and how to mend it.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = Print::of(&files);
        let current = Arc::new(Current(ArcSwap::from_pointee(Loaded::read(&files)?)));
        Ok(Self { files, current, seen, sound: true })
    }

    /// The settings of a listener that follows the files. A session that a client's certificate opened is not resumed, so
    /// that the certificate is asked for and checked every time.
    ///
    /// # Errors
    /// If the provider cannot serve TLS 1.2 and 1.3.
    pub fn server(&self) -> Result<ServerConfig, TlsError> {
        let unfit = |error: rustls::Error| TlsError {
            key: "server.tls",
            file: self.files.cert.clone(),
            mend: format!("cannot be served ({error})"),
        };
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(unfit)?;
        let asks = self.files.client_ca.is_some();
        let builder = if asks {
            builder.with_client_cert_verifier(Arc::clone(&self.current) as _)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&self.current) as _);
        if asks {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }

    /// Whether clients are asked for a certificate.
    pub fn asks_clients(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// What is in force, for [`Connection::of`].
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// Takes the files anew if they changed. Files that could not be used are read again at every look, for they may
    /// have been half-written, but told of once.
    pub fn look(&mut self) -> Look {
        let seen = Print::of(&self.files);
        let changed = seen != self.seen;
        if !changed && self.sound {
            return Look::Same;
        }
        self.seen = seen;
        match Loaded::read(&self.files) {
            Ok(loaded) => {
                self.sound = true;
                let name = loaded.fingerprint();
                self.current.0.store(Arc::new(loaded));
                Look::Taken(name)
            }
            Err(error) => {
                let first = changed || self.sound;
                self.sound = false;
                if first { Look::Refused(error) } else { Look::Same }
            }
        }
    }
}

/// The one crypto back end of the house.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;
