//! The files: certificate chain, private key, client CA. Read together, checked against each other.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::{TlsError, provider, thumbprint};
use crate::config::TlsFiles;

const CERT: &str = "server.tls.cert";
const KEY: &str = "server.tls.key";
const CLIENT_CA: &str = "server.client_ca";

/// One set of files, usable.
pub(super) struct Loaded {
    /// What the listener shows.
    pub(super) shown: Arc<CertifiedKey>,
    /// Who accepts what clients show.
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// How the files looked: device, inode, time of change and size of each. Names that lead elsewhere after a link was
/// swapped look different too.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Print(Vec<Option<Look>>);

/// Device, inode, seconds and nanoseconds of the time of change, and size.
type Look = (u64, u64, i64, i64, u64);

impl Print {
    pub(super) fn of(files: &TlsFiles) -> Self {
        let one = |m: Metadata| (m.dev(), m.ino(), m.mtime(), m.mtime_nsec(), m.size());
        let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
        Self(paths.into_iter().flatten().map(|path| fs::metadata(path).ok().map(one)).collect())
    }
}

impl Loaded {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let chain = certificates(CERT, &files.cert)?;
        let key = private_key(&files.key)?;
        let shown = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                wrong(KEY, &files.key, "is not the key of the certificate in server.tls.cert; write the one that is")
            }
            _ => wrong(KEY, &files.key, "is no key that TLS can use; write an ECDSA, Ed25519 or RSA key as PEM"),
        })?;
        let clients = files.client_ca.as_deref().map(verifier).transpose()?;
        Ok(Self { shown: Arc::new(shown), clients })
    }

    /// SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint -sha256` show it, without colons.
    pub(super) fn fingerprint(&self) -> String {
        let print = self.shown.cert.first().map(|certificate| thumbprint(certificate)).unwrap_or_default();
        data_encoding::HEXLOWER.encode(&print)
    }
}

/// The first certificate of a PEM text; none if it holds none that can be read.
pub fn certificate(pem: &[u8]) -> Option<CertificateDer<'static>> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    ParsedCertificate::try_from(&certificate).ok()?;
    Some(certificate)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = fs::read(path).map_err(|error| unreadable(key, path, &error))?;
    let mut chain = Vec::new();
    for one in CertificateDer::pem_slice_iter(&text) {
        let one = one.map_err(|_| wrong(key, path, "is no PEM; write -----BEGIN CERTIFICATE----- blocks"))?;
        ParsedCertificate::try_from(&one)
            .map_err(|_| wrong(key, path, "holds what is no X.509 certificate; write the certificate and its chain"))?;
        chain.push(one);
    }
    if chain.is_empty() {
        return Err(wrong(key, path, "holds no certificate; write -----BEGIN CERTIFICATE----- blocks"));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let about = fs::metadata(path).map_err(|error| unreadable(KEY, path, &error))?;
    if about.mode() & 0o077 != 0 {
        return Err(wrong(KEY, path, "can be read by others than its owner; chmod 600 it"));
    }
    let text = Zeroizing::new(fs::read(path).map_err(|error| unreadable(KEY, path, &error))?);
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| wrong(KEY, path, "holds no private key; write one as unencrypted PEM (PKCS #8, SEC 1 or PKCS #1)"))
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(CLIENT_CA, path)? {
        roots.add(authority).map_err(|_| wrong(CLIENT_CA, path, "holds a certificate that cannot be a root"))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|_| wrong(CLIENT_CA, path, "holds no root that clients could be checked against"))
}

fn unreadable(key: &'static str, path: &Path, error: &std::io::Error) -> TlsError {
    wrong(key, path, &format!("cannot be read ({}); name a file that this user can read", error.kind()))
}

fn wrong(key: &'static str, path: &Path, mend: &str) -> TlsError {
    TlsError { key, file: path.to_owned(), mend: mend.to_owned() }
}
