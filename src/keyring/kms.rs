//! The KMS port: who holds the key-encryption keys (KEK), one per owner, and wraps other keys with them.
//!
//! A KEK never leaves its KMS; destroying an owner's KEK erases all that its keys ever sealed, here and in every
//! backup. A KEK has versions: the newest wraps, all of them unwrap, until [`Kms::prune`] leaves the newest alone.
//! Called by the [`Keyring`](super::Keyring) and, for what concerns the KMS itself, by `bauta keys`.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::crypto::Key;

/// A place that holds KEKs: a key file, a transit engine, an HSM.
#[async_trait]
pub trait Kms: Send + Sync {
    /// What it is and where, for people.
    fn place(&self) -> String;

    /// Makes the KEK named `kek`; one that exists already stays as it is.
    async fn create(&self, kek: &str) -> Result<(), KmsError>;

    /// Whether there is a KEK of this name.
    async fn exists(&self, kek: &str) -> Result<bool, KmsError>;

    /// The names of all KEKs, sorted.
    async fn names(&self) -> Result<Vec<String>, KmsError>;

    /// Encrypts `key` under the newest version of `kek`, bound to `aad`, which [`Self::unwrap`] has to be given again.
    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError>;

    /// Decrypts what [`Self::wrap`] gave, under whichever version.
    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError>;

    /// Makes a new version of a KEK, which wraps from now on.
    async fn rotate(&self, kek: &str) -> Result<(), KmsError>;

    /// Destroys every version of a KEK but the newest. The caller has wrapped anew whatever the others wrapped.
    async fn prune(&self, kek: &str) -> Result<(), KmsError>;

    /// Destroys a KEK for good. Not an error if there is none.
    async fn destroy(&self, kek: &str) -> Result<(), KmsError>;

    /// Replaces the key that wraps the KEKs themselves, where that is ours to do.
    async fn rotate_root(&self) -> Result<(), KmsError> {
        Err(KmsError::Unsupported("the root of this KMS is its own; rotate it with the KMS's own commands"))
    }
}

/// Why a KMS cannot serve. The texts tell an operator which file or setting, what is wanted, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// The store or `keks.json` holds keys, but the root that wraps them is gone.
    #[error(
        "{path}: the root key is missing, and a new one is made only for an empty store; restore it from the key backup"
    )]
    RootMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The store holds keys, but the file of KEKs is gone.
    #[error(
        "{path}: the file of key-encryption keys is missing though the store is in use; restore it from the key backup"
    )]
    KeksMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others than the owner could read a key file.
    #[error("{path}: mode is {mode:04o} and must be 0600; mend it with `chmod 600 {path}`")]
    LooseFile {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others than the owner could replace key files.
    #[error(
        "{path}: mode is {mode:04o}, the folder must not be writable by group or others; mend it with `chmod go-w {path}`"
    )]
    LooseFolder {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file does not hold what it should.
    #[error("{path}: {fault}; restore it from the key backup")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wanted, without content.
        fault: &'static str,
    },
    /// The root does not open the KEKs beside it.
    #[error(
        "{path}: this root key does not open the key-encryption keys beside it; restore the root that belongs to them"
    )]
    WrongRoot {
        /// The root file.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A setting is such that this KMS can never serve.
    #[error("{key}: {mend}")]
    Setting {
        /// Which setting.
        key: &'static str,
        /// What is wrong and what to write instead.
        mend: String,
    },
    /// There is no KEK of this name: never made, or destroyed.
    #[error("there is no key-encryption key for {0}; if it was not destroyed on purpose, restore the KMS's backup")]
    NoSuchKek(String),
    /// The ciphertext was not made by this KEK for this key.
    #[error("a wrapped key of {0} does not open; is this the KMS that the store was made with?")]
    Unopened(String),
    /// The KMS cannot be reached or does not serve now; later it may.
    #[error("the KMS ({place}) does not serve: {fault}")]
    Away {
        /// Which KMS.
        place: String,
        /// What it said or did not say, and what to look at.
        fault: String,
    },
    /// This kind of KMS has no such operation.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl KmsError {
    /// Whether the KMS may serve later without anything here being changed.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Io { .. })
    }

    /// Whether a setting or key file has to be mended first.
    pub fn is_setting(&self) -> bool {
        !matches!(self, Self::Away { .. } | Self::NoSuchKek(_) | Self::Unopened(_) | Self::Unsupported(_))
    }
}
