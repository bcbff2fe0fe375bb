//! What a credential is bound to beside its key, as `/v1/credentials` reads and shows it.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code::Code;
use super::problem::Problem;
use crate::access::{NewProofs, NewSigning};
use crate::signing::{self, Algorithm};
use crate::store::{Proof, Proofs, SigningKey, With};
use crate::tls;

/// Whether a credential has a key, or is a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An API key, with a certificate beside it if one is named.
    #[default]
    Key,
    /// A client certificate and no key.
    Certificate,
}

/// How requests are to be signed (RFC 9421).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningWish {
    /// `hmac-sha256`, with a secret that the answer holds once, or `ed25519`, with your public key.
    #[schema(example = "ed25519")]
    alg: String,
    /// For `ed25519`: PEM, or the 32 bytes in base64.
    public_key: Option<String>,
}

/// How requests are signed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SigningAnswer {
    /// `hmac-sha256` or `ed25519`. `keyid` is the credential's id.
    #[schema(example = "hmac-sha256")]
    alg: &'static str,
}

/// What a credential is bound to.
#[derive(Clone, Serialize, ToSchema)]
pub struct BoundAnswer {
    /// `key` or `certificate`.
    kind: Kind,
    /// SHA-256 of the one client certificate that it works with, base64url (`x5t#S256`).
    client_cert: Option<String>,
    /// How its requests are signed.
    signing: Option<SigningAnswer>,
    /// What every request has to bring, of `key`, `oauth`, `tls`, `client_cert` and `signature`.
    requires: Vec<&'static str>,
}

impl From<&Proofs> for BoundAnswer {
    fn from(proofs: &Proofs) -> Self {
        let alg = |key| match key {
            SigningKey::Hmac(_) => Algorithm::HmacSha256.as_str(),
            SigningKey::Ed25519(_) => Algorithm::Ed25519.as_str(),
        };
        Self {
            kind: if proofs.keyless { Kind::Certificate } else { Kind::Key },
            client_cert: proofs.certificate.map(|print| BASE64URL_NOPAD.encode(&print)),
            signing: proofs.signing.map(|key| SigningAnswer { alg: alg(key) }),
            requires: proofs.requires.iter().map(Proof::as_str).collect(),
        }
    }
}

/// Reads what a credential is to be bound to.
pub fn parsed(
    kind: Option<Kind>,
    client_cert: Option<&str>,
    signing: Option<&SigningWish>,
    requires: Option<&[String]>,
) -> Result<NewProofs, Problem> {
    Ok(NewProofs {
        keyless: kind == Some(Kind::Certificate),
        certificate: client_cert.map(certificate).transpose()?,
        signing: signing.map(SigningWish::parsed).transpose()?,
        requires: requires.map(proofs).transpose()?.unwrap_or_default(),
    })
}

/// A certificate as PEM, or its SHA-256 in base64url or hex.
pub fn certificate(text: &str) -> Result<[u8; 32], Problem> {
    let read = || {
        if text.contains("-----BEGIN") {
            return Some(tls::thumbprint(&tls::certificate(text.as_bytes())?));
        }
        let plain = text.replace(':', "");
        let bytes = HEXLOWER_PERMISSIVE.decode(plain.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(text.as_bytes()));
        bytes.ok()?.try_into().ok()
    };
    read().ok_or_else(|| Problem::at(Code::InvalidField, "client_cert"))
}

/// An Ed25519 public key.
pub fn public_key(field: &'static str, text: &str) -> Result<[u8; 32], Problem> {
    signing::public_key(text).ok_or_else(|| Problem::at(Code::InvalidField, field))
}

fn proofs(names: &[String]) -> Result<With, Problem> {
    let one = |(place, name): (usize, &String)| {
        Proof::parse(name).ok_or_else(|| Problem::at(Code::InvalidField, format!("requires[{place}]")))
    };
    names.iter().enumerate().map(one).collect()
}

impl SigningWish {
    fn parsed(&self) -> Result<NewSigning, Problem> {
        match (self.alg.as_str(), self.public_key.as_deref()) {
            ("hmac-sha256", None) => Ok(NewSigning::Hmac),
            ("hmac-sha256", Some(_)) => Err(Problem::at(Code::InvalidField, "signing.public_key")),
            ("ed25519", Some(key)) => public_key("signing.public_key", key).map(NewSigning::Ed25519),
            ("ed25519", None) => Err(Problem::at(Code::MissingField, "signing.public_key")),
            _ => Err(Problem::at(Code::InvalidField, "signing.alg")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_certificate_is_pem_or_its_thumbprint_in_any_usual_spelling() {
        let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        let print = tls::thumbprint(made.cert.der());
        let hex = HEXLOWER_PERMISSIVE.encode(&print);
        let upper = hex.to_uppercase();
        let colons = upper.as_bytes().chunks(2).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>();
        for text in [made.cert.pem(), hex.clone(), colons.join(":"), BASE64URL_NOPAD.encode(&print)] {
            assert_eq!(certificate(&text).unwrap(), print, "{text}");
        }
        for text in ["", "x", "-----BEGIN CERTIFICATE-----", hex.get(2..).unwrap()] {
            assert_eq!(certificate(text).unwrap_err().code, Code::InvalidField);
        }
    }

    #[test]
    fn each_wrong_part_is_named() {
        let at = |alg: &str, key: Option<&str>, requires: &[&str]| {
            let wish = SigningWish { alg: alg.to_owned(), public_key: key.map(str::to_owned) };
            let requires: Vec<String> = requires.iter().map(|name| (*name).to_owned()).collect();
            let error = parsed(None, None, Some(&wish), Some(&requires)).err();
            error.map(|problem| problem.fields.first().unwrap().field.clone())
        };
        assert_eq!(at("hmac-sha256", None, &["tls", "signature"]), None);
        assert_eq!(at("hmac-sha256", Some("x"), &[]).unwrap(), "signing.public_key");
        assert_eq!(at("ed25519", None, &[]).unwrap(), "signing.public_key");
        assert_eq!(at("ed25519", Some("x"), &[]).unwrap(), "signing.public_key");
        assert_eq!(at("rsa", None, &[]).unwrap(), "signing.alg");
        assert_eq!(at("hmac-sha256", None, &["tls", "passport"]).unwrap(), "requires[1]");
    }
}
