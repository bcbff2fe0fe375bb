//! What is known of a connection over TLS: that it is one, and which certificate its client has shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;

use super::Current;

/// How old the word on a certificate may be, in seconds. Connections live long; certificates expire and CAs change.
const TRUSTED_FOR: u64 = 5;

/// One connection over TLS.
pub struct Connection(Option<Shown>);

struct Shown {
    chain: Vec<CertificateDer<'static>>,
    thumbprint: [u8; 32],
    accepted_at: AtomicU64,
    current: Arc<Current>,
}

impl Connection {
    /// A connection whose handshake is done, with the certificates that its client showed, its own first.
    pub fn of(chain: Option<&[CertificateDer<'static>]>, current: &Arc<Current>) -> Self {
        let Some((first, _)) = chain.and_then(<[_]>::split_first) else { return Self(None) };
        Self(Some(Shown {
            thumbprint: thumbprint(first),
            chain: chain.unwrap_or_default().to_vec(),
            accepted_at: AtomicU64::new(UnixTime::now().as_secs()),
            current: Arc::clone(current),
        }))
    }

    /// SHA-256 of the client's certificate (`x5t#S256`, RFC 8705 §3.1), if it showed one that is still good.
    pub fn certificate(&self) -> Option<[u8; 32]> {
        let shown = self.0.as_ref()?;
        let now = UnixTime::now();
        if now.as_secs().abs_diff(shown.accepted_at.load(Ordering::Relaxed)) >= TRUSTED_FOR {
            let (own, others) = shown.chain.split_first()?;
            shown.current.verify_client_cert(own, others, now).ok()?;
            shown.accepted_at.store(now.as_secs(), Ordering::Relaxed);
        }
        Some(shown.thumbprint)
    }
}

/// SHA-256 of a certificate's DER.
pub fn thumbprint(certificate: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest::digest(&digest::SHA256, certificate).as_ref()).for_each(|(to, from)| *to = *from);
    out
}
