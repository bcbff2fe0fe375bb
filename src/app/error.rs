//! Why a deployment could not be opened, bound or run; each tells what to mend.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::access::{AccessError, Denied, OpenError, PolicyError};
use crate::alias::AliasError;
use crate::carrier::SmppSettingError;
use crate::dispatch::PortabilityError;
use crate::keyring::{KeyError, KmsError};
use crate::rights::RightsError;
use crate::store::{ScratchError, StoreError};
use crate::tls::TlsError;

/// Why the rooms could not be opened or the listeners not bound.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store's file.
    #[error("{}: {source}", path.display())]
    Store {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// The store, later.
    #[error(transparent)]
    StoreLater(#[from] StoreError),
    /// The short-lived store's journal.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The key file.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The keys in the store.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The policies.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// The policies in force.
    #[error(transparent)]
    PoliciesInForce(OpenError),
    /// The tenant that is to keep the policies.
    #[error(
        "policies.tenant: there is no such tenant in this store; name one that bauta tenant list shows, or leave it out"
    )]
    NoKeeper,
    /// Keys do not lie where they have to.
    #[error(
        "kms.require_locked: the system allows too little locked memory for the keys; raise the limit (ulimit -l, \
         LimitMEMLOCK= of systemd), or set it to false"
    )]
    NotLocked,
    /// The service that is asked who serves a number.
    #[error(transparent)]
    Portability(#[from] PortabilityError),
    /// A carrier's settings.
    #[error("carriers.{carrier}: {source}")]
    Carrier {
        /// Which carrier.
        carrier: String,
        /// What is wrong.
        source: SmppSettingError,
    },
    /// A carrier over HTTP.
    #[error("carriers.{carrier}: {mend}")]
    HttpCarrier {
        /// Which carrier.
        carrier: String,
        /// Which setting is wrong, and how to mend it.
        mend: String,
    },
    /// Live tenants and a key file that a copy of the data takes along.
    #[error(
        "kms.path: the key folder lies inside the data folder, and live tenants may not have that; \
         move the key folder elsewhere and name it in bauta.toml: [kms] path = \"…\""
    )]
    KeysBesideData,
    /// A certificate file.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener.
    #[error("{setting}: {address} cannot be bound ({source}); free it or name another address")]
    Bind {
        /// Which setting.
        setting: &'static str,
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Another service runs on the same files.
    #[error("{}: another bauta serves from these files; stop it, or name another folder with --data", path.display())]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// A file of the data folder.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Tenants or credentials.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The sandbox's pool.
    #[error(transparent)]
    Pool(#[from] AliasError),
    /// Erasures.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// The HTTP server.
    #[error("the HTTP server stopped: {0}")]
    Http(#[from] io::Error),
}

impl AppError {
    /// Whether a setting has to be mended, rather than something outside.
    pub fn is_setting(&self) -> bool {
        match self {
            Self::KeysBesideData
            | Self::Policies(_)
            | Self::NoKeeper
            | Self::NotLocked
            | Self::Carrier { .. }
            | Self::HttpCarrier { .. }
            | Self::Bind { .. }
            | Self::Tls(_) => true,
            Self::Kms(error) | Self::Keys(KeyError::Kms(error)) => error.is_setting(),
            _ => false,
        }
    }
}

impl From<OpenError> for AppError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::StoreLater(error),
            OpenError::Policies(error) => Self::Policies(error),
            OpenError::InForce { .. } => Self::PoliciesInForce(error),
        }
    }
}

impl From<Denied> for AppError {
    fn from(denied: Denied) -> Self {
        Self::Access(denied.into())
    }
}
