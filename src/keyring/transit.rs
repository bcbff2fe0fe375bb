//! The KMS of a transit engine: OpenBao's or Vault's, over HTTP(S).
//!
//! A KEK is a key of type `aes256-gcm96` under `<mount>/keys/<prefix><name>`; associated data are the engine's own
//! (`associated_data`). Every request has a deadline, and at most [`TRIES`] are made of one where the server is busy or
//! out of reach; each may be repeated without harm. A token that the server refuses is read from its file again.
//! The engine makes a key that it is asked to encrypt with, so nothing is encrypted before the key was seen.

mod http;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use data_encoding::BASE64;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::http::{Answer, Http};
use super::kms::{Kms, KmsError};
use crate::config::{Token, Transit};
use crate::crypto::Key;

/// A KMS behind a transit engine.
pub struct TransitKms {
    settings: Transit,
    token: ArcSwap<Zeroizing<String>>,
    http: Http,
}

impl TransitKms {
    /// Gets ready to ask; asks nothing yet.
    ///
    /// # Errors
    /// [`KmsError::Setting`] if the token or the certificates cannot be read.
    pub fn new(settings: Transit) -> Result<Self, KmsError> {
        let token = read_token(&settings.token)?;
        let http = Http::new(settings.ca_file.as_deref(), settings.timeout)?;
        Ok(Self { settings, token: ArcSwap::from_pointee(token), http })
    }

    fn path(&self, operation: &str, kek: &str) -> String {
        format!("{operation}/{}{kek}", self.settings.prefix)
    }

    /// One request, repeated while the server is busy or out of reach.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, KmsError> {
        let mut fault = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE * attempt).await;
            }
            match self.attempt(method.clone(), path, body.as_ref()).await {
                Ok(answer) if answer.status == StatusCode::FORBIDDEN && self.token_changed() => {
                    fault = REFUSED.to_owned();
                }
                Ok(answer) if answer.status == StatusCode::FORBIDDEN => return Err(self.away(REFUSED)),
                Ok(answer) if answer.is_passing() => fault = format!("it answers {}", answer.status),
                Ok(answer) => return Ok(answer),
                Err(told) => fault = told,
            }
        }
        Err(self.away(&fault))
    }

    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let url = format!("{}/v1/{}/{path}", self.settings.address, self.settings.mount);
        let token = self.token.load();
        let mut headers = vec![("X-Vault-Token", token.as_str()), ("X-Vault-Request", "true")];
        headers.extend(self.settings.namespace.as_deref().map(|namespace| ("X-Vault-Namespace", namespace)));
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| error.to_string())?;
        self.http.send(method, &url, &headers, Zeroizing::new(body.unwrap_or_default())).await
    }

    /// Whether the token's file holds another token by now, which is used from here on.
    fn token_changed(&self) -> bool {
        let Ok(now) = read_token(&self.settings.token) else { return false };
        let changed = now.as_str() != self.token.load().as_str();
        if changed {
            self.token.store(Arc::new(now));
        }
        changed
    }

    fn away(&self, fault: &str) -> KmsError {
        KmsError::Away { place: self.place(), fault: fault.to_owned() }
    }

    /// A request that this engine should have granted.
    async fn done(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, KmsError> {
        let answer = self.ask(method, path, body).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.away(&format!("it answers {} to {path}; is a transit engine mounted there?", answer.status)))
    }

    async fn describe(&self, kek: &str) -> Result<Option<Description>, KmsError> {
        let path = self.path("keys", kek);
        let answer = self.ask(Method::GET, &path, None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let found: Description = self.read(&answer)?;
                Ok(Some(found).filter(|found| !found.soft_deleted))
            }
            status => Err(self.away(&format!("it answers {status} to {path}; is a transit engine mounted there?"))),
        }
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, KmsError> {
        let read = serde_json::from_slice::<Enclosed<T>>(&answer.text);
        read.map(|answer| answer.data).map_err(|_| self.away("it answers what no transit engine does"))
    }
}

#[async_trait]
impl Kms for TransitKms {
    fn place(&self) -> String {
        format!("transit {}/v1/{}", self.settings.address, self.settings.mount)
    }

    async fn create(&self, kek: &str) -> Result<(), KmsError> {
        if self.exists(kek).await? {
            return Ok(());
        }
        self.done(Method::POST, &self.path("keys", kek), Some(json!({"type": "aes256-gcm96"}))).await.map(drop)
    }

    async fn exists(&self, kek: &str) -> Result<bool, KmsError> {
        Ok(self.describe(kek).await?.is_some())
    }

    async fn names(&self) -> Result<Vec<String>, KmsError> {
        let answer = self.ask(Method::GET, "keys?list=true", None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let list: List = self.read(&answer)?;
        let ours = list.keys.iter().filter_map(|name| name.strip_prefix(&self.settings.prefix));
        let mut names: Vec<_> = ours.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn wrap(&self, kek: &str, aad: &[u8], key: &Key) -> Result<Vec<u8>, KmsError> {
        if !self.exists(kek).await? {
            return Err(KmsError::NoSuchKek(kek.to_owned()));
        }
        let plaintext = Zeroizing::new(BASE64.encode(key.bytes().as_slice()));
        let body = json!({"plaintext": plaintext.as_str(), "associated_data": BASE64.encode(aad)});
        let answer = self.done(Method::POST, &self.path("encrypt", kek), Some(body)).await?;
        self.read::<Ciphertext>(&answer).map(|found| found.ciphertext.into_bytes())
    }

    async fn unwrap(&self, kek: &str, aad: &[u8], wrapped: &[u8]) -> Result<Key, KmsError> {
        let unopened = || KmsError::Unopened(kek.to_owned());
        let ciphertext = std::str::from_utf8(wrapped).map_err(|_| unopened())?;
        let body = json!({"ciphertext": ciphertext, "associated_data": BASE64.encode(aad)});
        let answer = self.ask(Method::POST, &self.path("decrypt", kek), Some(body)).await?;
        if answer.status.is_success() {
            let found: Plaintext = self.read(&answer)?;
            return found.key().ok_or_else(unopened);
        }
        // The engine answers 400 to a key that is not there as to a ciphertext that does not open.
        if self.exists(kek).await? { Err(unopened()) } else { Err(KmsError::NoSuchKek(kek.to_owned())) }
    }

    async fn rotate(&self, kek: &str) -> Result<(), KmsError> {
        if !self.exists(kek).await? {
            return Err(KmsError::NoSuchKek(kek.to_owned()));
        }
        self.done(Method::POST, &format!("{}/rotate", self.path("keys", kek)), None).await.map(drop)
    }

    async fn prune(&self, kek: &str) -> Result<(), KmsError> {
        let found = self.describe(kek).await?.ok_or_else(|| KmsError::NoSuchKek(kek.to_owned()))?;
        if found.latest_version < 2 || found.min_available_version == found.latest_version {
            return Ok(());
        }
        let latest = found.latest_version;
        let least = json!({"min_decryption_version": latest, "min_encryption_version": latest});
        self.done(Method::POST, &format!("{}/config", self.path("keys", kek)), Some(least)).await?;
        let trim = json!({"min_available_version": latest});
        self.done(Method::POST, &format!("{}/trim", self.path("keys", kek)), Some(trim)).await.map(drop)
    }

    async fn destroy(&self, kek: &str) -> Result<(), KmsError> {
        if !self.exists(kek).await? {
            return Ok(());
        }
        let path = self.path("keys", kek);
        self.done(Method::POST, &format!("{path}/config"), Some(json!({"deletion_allowed": true}))).await?;
        let answer = self.ask(Method::DELETE, &path, None).await?;
        if answer.status.is_success() || !self.exists(kek).await? {
            return Ok(());
        }
        Err(self.away(&format!("it answers {} and keeps the key", answer.status)))
    }
}

#[derive(Deserialize)]
struct Enclosed<T> {
    data: T,
}

#[derive(Deserialize)]
struct Description {
    latest_version: u64,
    #[serde(default)]
    min_available_version: u64,
    #[serde(default)]
    soft_deleted: bool,
}

#[derive(Deserialize)]
struct List {
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Ciphertext {
    ciphertext: String,
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Plaintext {
    plaintext: String,
}

impl Plaintext {
    fn key(&self) -> Option<Key> {
        let bytes = Zeroizing::new(BASE64.decode(self.plaintext.as_bytes()).ok()?);
        <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Key::new)
    }
}

fn read_token(token: &Token) -> Result<Zeroizing<String>, KmsError> {
    let text = match token {
        Token::Fixed(text) => text.0.clone(),
        Token::File(path) => {
            let read = std::fs::read_to_string(path).map(Zeroizing::new);
            let fault = |error: std::io::Error| format!("{}: {}; write the token there", path.display(), error.kind());
            Zeroizing::new(read.map_err(|error| setting("kms.token", fault(error)))?.trim().to_owned())
        }
    };
    if text.is_empty() || text.bytes().any(|c| !c.is_ascii_graphic()) {
        return Err(setting("kms.token", "is no token: one word of printable characters".to_owned()));
    }
    Ok(text)
}

fn setting(key: &'static str, mend: String) -> KmsError {
    KmsError::Setting { key, mend }
}

/// How often one request is made.
const TRIES: u32 = 3;
/// Before the second; twice that before the third.
const PAUSE: Duration = Duration::from_millis(50);
/// What a token without the rights meets.
const REFUSED: &str = "it refuses our token; renew the token, or give it the policy that docs/operations.md lists";
