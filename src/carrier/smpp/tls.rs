//! TLS to an SMSC: who may vouch for it, and the name that it has to have.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::SmppSettingError;
use crate::config::SmppTlsFiles;

/// How to speak TLS to one SMSC.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates that vouch for the SMSC: those of the file, or else the system's.
    pub(super) fn new(files: &SmppTlsFiles) -> Result<Self, SmppSettingError> {
        let wrong = |key, mend| SmppSettingError { key, mend };
        let mut roots = RootCertStore::empty();
        match &files.ca {
            Some(path) => {
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                let (added, _) = roots.add_parsable_certificates(read.unwrap_or_default());
                if added == 0 {
                    return Err(wrong("tls_ca", "names no file with certificates in PEM"));
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(wrong("tls_ca", "is missing, and this system has no certificates; name a PEM file"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| wrong("tls", "cannot be set up"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(files.name.clone())
            .map_err(|_| wrong("tls_name", "is neither a host name nor an address"))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Greets the SMSC; fails if it does not prove to be who it has to be.
    pub(super) async fn greet(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
