//! Access tokens (RFC 6749 §4.4, RFC 9068): a credential for five minutes, as a JWT that only this deployment reads.
//!
//! A token says whose it is and nothing about rights: each use is checked anew against the directory (ended, frozen,
//! address, certificate, role), so that it is worth no more than its credential at that moment. One algorithm and one
//! header there are, compared as text, so that a header decides nothing.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Access, Denied, Principal, Standing};
use crate::clock::Timestamp;
use crate::event::{Event, What};
use crate::ids::CredentialId;
use crate::store::Change;

/// How long an access token works.
const LIFE: Duration = Duration::from_secs(300);

/// No longer text is taken for an access token.
const MAX_LENGTH: usize = 2_048;

/// The only header: HMAC-SHA-256 (RFC 7518 §3.2), an access token (RFC 9068 §2.1).
const HEADER: &[u8] = br#"{"alg":"HS256","typ":"at+jwt"}"#;

/// An access token that was just made.
pub struct AccessToken {
    /// `eyJ…`, to be sent as a bearer token.
    pub text: Zeroizing<String>,
    /// How long it works.
    pub life: Duration,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cnf: Option<Confirmation>,
}

/// RFC 8705 §3.1: works only over a connection with this certificate.
#[derive(Serialize, Deserialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

impl Access {
    /// Gives a client that has proved who it is ([`Self::client`]) an access token, and tells the log. `issuer` is what
    /// the deployment is called from outside; the token names it for readers, the deployment knows its own by their MAC.
    ///
    /// # Errors
    /// [`Denied::Store`] if the log cannot be written: then there is no token.
    pub async fn access_token(&self, client: &Principal, issuer: &str) -> Result<AccessToken, Denied> {
        let now = self.now();
        let id = client.credential.to_string();
        let certificate = client.proofs.certificate;
        let claims = Claims {
            iss: issuer.to_owned(),
            aud: issuer.to_owned(),
            sub: id.clone(),
            client_id: id,
            iat: now.as_secs(),
            exp: now.plus(LIFE).as_secs(),
            jti: BASE64URL_NOPAD.encode(&crate::crypto::random::<16>()),
            cnf: certificate.map(|print| Confirmation { thumbprint: BASE64URL_NOPAD.encode(&print) }),
        };
        let body = serde_json::to_vec(&claims).unwrap_or_default();
        let what = What::AccessTokenIssued { credential: client.credential };
        let event = Event { at: now, tenant: Some(client.tenant), actor: client.actor(), policy: None, what };
        self.store().commit(Change::telling(event)).await?;
        Ok(AccessToken { text: self.sealed(&body), life: LIFE })
    }

    fn sealed(&self, body: &[u8]) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_LENGTH));
        text.push_str(&BASE64URL_NOPAD.encode(HEADER));
        text.push('.');
        text.push_str(&BASE64URL_NOPAD.encode(body));
        let tag = hmac::sign(&self.token_key(), text.as_bytes());
        text.push('.');
        text.push_str(&BASE64URL_NOPAD.encode(tag.as_ref()));
        text
    }

    /// Whose access token this is, if it is one of ours, has not ended and was presented with the certificate it is for.
    pub(super) fn by_token(&self, text: &str, certificate: Option<[u8; 32]>, now: Timestamp) -> Option<Arc<Standing>> {
        let claims = self.claims(text)?;
        let bound = claims.cnf.map(|cnf| cnf.thumbprint);
        let shown = certificate.map(|print| BASE64URL_NOPAD.encode(&print));
        if claims.exp <= now.as_secs() || (bound.is_some() && bound != shown) {
            return None;
        }
        let id = CredentialId::from_str(&claims.client_id).ok()?;
        self.directory().standing(id).filter(|standing| !standing.ended(now)).cloned()
    }

    fn claims(&self, text: &str) -> Option<Claims> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (signed, tag) = text.rsplit_once('.')?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        hmac::verify(&self.token_key(), signed.as_bytes(), &tag).ok()?;
        let (header, body) = signed.split_once('.')?;
        if header != BASE64URL_NOPAD.encode(HEADER) {
            return None;
        }
        serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).ok()?).ok()
    }

    fn token_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.system().access_tokens().bytes().as_slice())
    }
}
