//! The proof that a person holds a number: a JWT (RFC 7519) under EdDSA, checkable offline with the published keys.
//!
//! It names the person by token in the receiver's audience, never by number, and is signed with the deployment's proof
//! key; every version of that key stays published, so that rotation breaks no proof.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, OctetKeyPairParameters,
    OctetKeyPairType, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, Header};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::view::requester;
use super::{Verify, VerifyError};
use crate::access::{Permit, VerificationRef};
use crate::crypto;
use crate::ids::TenantId;
use crate::keyring::{ProofKey, SystemKeys};
use crate::store::VerificationRow;

/// The `typ` of a proof's header (RFC 8725 §3.11, explicit typing), so that no other JWT passes for one.
pub const PROOF_TYPE: &str = "verification+jwt";

/// How long a proof may be shown.
pub const PROOF_LIFE: Duration = Duration::from_secs(600);

/// What a proof says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The deployment's public URL.
    pub iss: String,
    /// The person, as token in the receiver's audience.
    pub sub: String,
    /// The tenant's id.
    pub aud: String,
    /// The verification's id.
    pub ver: String,
    /// For what it was asked.
    pub purpose: String,
    /// Who asked, in the tenant's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_ref: Option<String>,
    /// When it was signed, in seconds since the epoch.
    pub iat: i64,
    /// When it stops counting, in seconds since the epoch.
    pub exp: i64,
    /// 128 random bits: a receiver that remembers them takes each proof once.
    pub jti: String,
}

/// The proof could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the proof could not be signed")]
pub struct ProofError(#[from] serde_json::Error);

impl Verify {
    /// The keys that verify proofs, of every version, as a JWK Set (RFC 7517 §5, RFC 8037 §2).
    pub fn jwks(&self) -> JwkSet {
        jwks(&self.keyring.system())
    }

    /// What a proof says, if it is one of ours for this tenant and still counts.
    pub fn read_proof(&self, tenant: TenantId, text: &str) -> Option<Claims> {
        let keys = self.keyring.system().proof_keys();
        let claims = read(&keys, text)?;
        let counts = claims.iss == self.issuer && claims.aud == tenant.to_string();
        (counts && claims.exp > self.store.now().as_secs()).then_some(claims)
    }

    /// The proof of a verification whose code was right.
    pub(super) async fn prove(
        &self,
        permit: &Permit<VerificationRef>,
        row: &VerificationRow,
    ) -> Result<String, VerifyError> {
        let token = self.vault.token_of(permit.tenant(), row.record, permit.audience()).await?;
        let now = self.store.now();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: token.as_str().to_owned(),
            aud: permit.tenant().to_string(),
            ver: row.id.to_string(),
            purpose: row.key.purpose.clone(),
            user_ref: requester(row),
            iat: now.as_secs(),
            exp: now.plus(PROOF_LIFE).as_secs(),
            jti: BASE64URL_NOPAD.encode(&crypto::random::<16>()),
        };
        Ok(sign(self.keyring.system().proof(), &claims)?)
    }
}

fn sign(key: &ProofKey, claims: &Claims) -> Result<String, ProofError> {
    let header =
        Header { typ: Some(PROOF_TYPE.to_owned()), kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    Ok(compact(&serde_json::to_vec(&header)?, &serde_json::to_vec(claims)?, |input| key.sign(input)))
}

/// The JWS Compact Serialization (RFC 7515 §7.1) of a header and a payload. Put together here and not by the JWT crate,
/// because that asks for the private key, which stays in the keyring.
fn compact(header: &[u8], payload: &[u8], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
    let mut text = BASE64URL_NOPAD.encode(header);
    text.push('.');
    BASE64URL_NOPAD.encode_append(payload, &mut text);
    let signature = sign(text.as_bytes());
    text.push('.');
    BASE64URL_NOPAD.encode_append(&signature, &mut text);
    text
}

/// What a JWS says whose `kid` names one of `keys` and whose signature is that key's. Nothing of it is believed before.
fn read(keys: &[(String, [u8; 32])], text: &str) -> Option<Claims> {
    let (input, signature) = text.rsplit_once('.')?;
    let (header, payload) = input.split_once('.')?;
    let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let header: Header = serde_json::from_slice(&part(header)?).ok()?;
    if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(PROOF_TYPE) {
        return None;
    }
    let (_, public) = keys.iter().find(|(kid, _)| Some(kid) == header.kid.as_ref())?;
    UnparsedPublicKey::new(&ED25519, public).verify(input.as_bytes(), &part(signature)?).ok()?;
    serde_json::from_slice(&part(payload)?).ok()
}

fn jwks(keys: &SystemKeys) -> JwkSet {
    JwkSet { keys: keys.proof_keys().into_iter().map(|(kid, public)| jwk(kid, &public)).collect() }
}

fn jwk(kid: String, public: &[u8; 32]) -> Jwk {
    Jwk {
        common: CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(KeyAlgorithm::EdDSA),
            key_id: Some(kid),
            ..CommonParameters::default()
        },
        algorithm: AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: BASE64URL_NOPAD.encode(public),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ring::signature::Ed25519KeyPair;

    /// RFC 8037 appendix A.1 and A.4.
    #[test]
    fn the_compact_form_is_that_of_the_rfc() {
        let seed = BASE64URL_NOPAD.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let sign = |input: &[u8]| pair.sign(input).as_ref().try_into().unwrap();
        assert_eq!(
            compact(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing", sign),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn only_what_a_key_of_ours_signed_as_a_proof_is_read() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public: [u8; 32] = ring::signature::KeyPair::public_key(&pair).as_ref().try_into().unwrap();
        let keys = [("k1".to_owned(), public)];
        let claims = br#"{"iss":"i","sub":"tok","aud":"ten","ver":"v","purpose":"p","iat":1,"exp":2,"jti":"j"}"#;
        let made =
            |header: &str| compact(header.as_bytes(), claims, |input| pair.sign(input).as_ref().try_into().unwrap());
        let good = made(r#"{"alg":"EdDSA","typ":"verification+jwt","kid":"k1"}"#);
        assert_eq!(read(&keys, &good).unwrap().jti, "j");
        let mut changed = good.clone().into_bytes();
        let middle = good.find('.').unwrap() + 4;
        changed.splice(middle..=middle, *b"x");
        for bad in [
            made(r#"{"alg":"EdDSA","typ":"JWT","kid":"k1"}"#),
            made(r#"{"alg":"EdDSA","typ":"verification+jwt","kid":"k2"}"#),
            made(r#"{"alg":"HS256","typ":"verification+jwt","kid":"k1"}"#),
            made(r#"{"alg":"none","typ":"verification+jwt","kid":"k1"}"#),
            good.rsplit_once('.').unwrap().0.to_owned(),
            String::from_utf8(changed).unwrap(),
            String::new(),
        ] {
            assert_eq!(read(&keys, &bad), None, "{bad}");
        }
    }

    /// RFC 8037 appendix A.2.
    #[test]
    fn a_published_key_is_an_octet_key_pair_without_its_secret() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let public: [u8; 32] = BASE64URL_NOPAD.decode(x.as_bytes()).unwrap().try_into().unwrap();
        assert_eq!(
            serde_json::to_value(jwk("k1".to_owned(), &public)).unwrap(),
            serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1", "use": "sig", "alg": "EdDSA"})
        );
    }
}
