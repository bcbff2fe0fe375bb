//! The KMS port: who holds the key-encryption keys (KEK), one per owner, and wraps other keys with them.
//!
//! A KEK never leaves its KMS; destroying an owner's KEK erases all that its keys ever sealed, here and in every
//! backup. Called by the [`Keyring`](super::Keyring) only.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::crypto::Key;

/// A place that holds KEKs: a key file, a transit engine, an HSM.
#[async_trait]
pub trait Kms: Send + Sync {
    /// Makes the KEK named `kek`; one that exists already stays as it is.
    async fn create(&self, kek: &str) -> Result<(), KmsError>;

    /// Whether there is a KEK of this name.
    async fn exists(&self, kek: &str) -> Result<bool, KmsError>;

    /// Encrypts `key` under `kek`, bound to `aad`, which [`Self::unwrap`] has to be given again.
    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError>;

    /// Decrypts what [`Self::wrap`] gave.
    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError>;

    /// Destroys a KEK for good. Not an error if there is none.
    async fn destroy(&self, kek: &str) -> Result<(), KmsError>;
}

/// Why a KMS cannot serve. The texts tell an operator which file, what is wanted, and how to mend it.
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
    /// There is no KEK of this name: never made, or destroyed.
    #[error("there is no key-encryption key for {0}")]
    NoSuchKek(String),
    /// The ciphertext was not made by this KEK for this key.
    #[error("a wrapped key of {0} does not open")]
    Unopened(String),
}
