//! What a credential is to be bound to beside its key: a client certificate, a key that signs, proofs that it demands.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use zeroize::Zeroizing;

use super::credential::invalid;
use super::directory::Directory;
use super::{Access, AccessError};
use crate::clock::Timestamp;
use crate::ids::CredentialId;
use crate::store::{Proof, Proofs, SigningKey, With};

/// What a new credential is to be bound to.
#[derive(Clone, Debug, Default)]
pub struct NewProofs {
    /// Whether it is to have no key and be its certificate.
    pub keyless: bool,
    /// SHA-256 of the one client certificate that it is to work with (`x5t#S256`).
    pub certificate: Option<[u8; 32]>,
    /// What its requests are to be signed with.
    pub signing: Option<NewSigning>,
    /// What every request of it is to bring.
    pub requires: With,
}

/// A key for signing requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewSigning {
    /// HMAC-SHA-256 with a secret that is made here and shown once.
    Hmac,
    /// Ed25519 with this public key.
    Ed25519([u8; 32]),
}

impl NewProofs {
    /// Whether it makes sense, and no other credential is the certificate already.
    pub(super) fn check(&self, directory: &Directory, now: Timestamp) -> Result<(), AccessError> {
        let demands = |proof| self.requires.has(proof);
        let taken = |print: &[u8; 32]| self.keyless && directory.has_certificate(print, now);
        match self.certificate {
            None if self.keyless => invalid("client_cert", "a credential that is a certificate needs it")?,
            None if demands(Proof::ClientCert) => invalid("requires", "client_cert needs a client_cert to ask for")?,
            Some(print) if taken(&print) => invalid("client_cert", "a credential is this certificate already")?,
            _ => {}
        }
        if demands(Proof::Signature) && self.signing.is_none() {
            invalid("requires", "signature needs a signing key to ask for")?;
        }
        if demands(Proof::Key) && (self.keyless || demands(Proof::OAuth)) {
            invalid("requires", "key goes neither with a credential that has none nor with oauth")?;
        }
        Ok(())
    }

    /// All of it, for a second person to approve.
    pub(super) fn summary(&self) -> serde_json::Value {
        let signing = self.signing.map(|signing| match signing {
            NewSigning::Hmac => "hmac-sha256".to_owned(),
            NewSigning::Ed25519(public) => format!("ed25519 {}", BASE64.encode(&public)),
        });
        serde_json::json!({
            "certificate_only": self.keyless,
            "client_cert": self.certificate.map(|print| BASE64URL_NOPAD.encode(&print)),
            "signing": signing,
            "requires": self.requires.spelled(),
        })
    }

    /// As the row keeps it.
    pub(super) fn row(&self) -> Proofs {
        Proofs {
            keyless: self.keyless,
            certificate: self.certificate,
            signing: self.signing.map(|signing| match signing {
                NewSigning::Hmac => SigningKey::Hmac(crate::crypto::random()),
                NewSigning::Ed25519(public) => SigningKey::Ed25519(public),
            }),
            requires: self.requires,
        }
    }

    /// What a successor of `old` is bound to: the same, but for a new HMAC secret.
    pub(super) fn successor(old: &Proofs) -> Self {
        Self {
            keyless: old.keyless,
            certificate: old.certificate,
            signing: old.signing.map(|signing| match signing {
                SigningKey::Hmac(_) => NewSigning::Hmac,
                SigningKey::Ed25519(public) => NewSigning::Ed25519(public),
            }),
            requires: old.requires,
        }
    }
}

/// What it is bound to, as the log says it.
pub(super) fn bound(proofs: &Proofs) -> String {
    let with = With::NONE.and_if(proofs.certificate.is_some(), Proof::ClientCert);
    with.and_if(proofs.signing.is_some(), Proof::Signature).spelled()
}

impl Access {
    /// The secret that a credential signs with, in base64, to be shown once.
    pub(super) fn signing_secret(&self, id: CredentialId, proofs: &Proofs) -> Option<Zeroizing<String>> {
        let Some(SigningKey::Hmac(salt)) = proofs.signing else { return None };
        Some(Zeroizing::new(BASE64.encode(self.system().signing_secret(id, &salt).as_slice())))
    }
}
