//! The KMS of a transit engine: OpenBao's or Vault's, over HTTP(S).
//!
//! A KEK is a key of type `aes256-gcm96` under `<mount>/keys/<prefix><name>`; associated data are the engine's own
//! (`associated_data`). Every request has a deadline, and at most [`TRIES`] are made of one where the server is busy or
//! out of reach; each may be repeated without harm. A token that the server refuses is read from its file again.
//! The engine makes a key that it is asked to encrypt with, so nothing is encrypted before the key was seen.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use data_encoding::BASE64;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::kms::{Kms, KmsError};
use crate::config::{Token, Transit};
use crate::crypto::Key;

/// A KMS behind a transit engine.
pub struct TransitKms {
    settings: Transit,
    token: ArcSwap<Zeroizing<String>>,
    client: reqwest::Client,
}

impl TransitKms {
    /// Gets ready to ask; asks nothing yet.
    ///
    /// # Errors
    /// [`KmsError::Setting`] if the token or the certificates cannot be read.
    pub fn new(settings: Transit) -> Result<Self, KmsError> {
        let token = read_token(&settings.token)?;
        // Whoever was first installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(path) = &settings.ca_file {
            client = client.tls_certs_only(certificates(path)?);
        }
        let client =
            client.build().map_err(|error| setting("kms.ca_file", format!("TLS cannot be set up: {error}")))?;
        Ok(Self { settings, token: ArcSwap::from_pointee(token), client })
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
                // Its text may hold the address, never body or header.
                Err(error) if error.is_timeout() => fault = "it does not answer in time".to_owned(),
                Err(error) => fault = format!("it cannot be reached ({})", root_cause(&error)),
            }
        }
        Err(self.away(&fault))
    }

    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, reqwest::Error> {
        let url = format!("{}/v1/{}/{path}", self.settings.address, self.settings.mount);
        let mut request = self.client.request(method, url).header("X-Vault-Token", self.token.load().as_str());
        request = request.header("X-Vault-Request", "true");
        if let Some(namespace) = &self.settings.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await?;
        let mut text = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await? {
            if text.len() + chunk.len() > LONGEST {
                break;
            }
            text.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), text })
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
        let plaintext = Zeroizing::new(BASE64.encode(key.bytes()));
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

struct Answer {
    status: StatusCode,
    text: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Whether the same request may be granted soon: sealed, standby, busy.
    fn is_passing(&self) -> bool {
        self.status.is_server_error() || self.status.is_redirection() || self.status == StatusCode::TOO_MANY_REQUESTS
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

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, KmsError> {
    let wrong = |fault: String| setting("kms.ca_file", format!("{}: {fault}; name a PEM file", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.kind().to_string()))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong("holds no certificate".to_owned())),
    }
}

fn setting(key: &'static str, mend: String) -> KmsError {
    KmsError::Setting { key, mend }
}

/// The innermost reason: the outer ones repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// How often one request is made.
const TRIES: u32 = 3;
/// Before the second; twice that before the third.
const PAUSE: Duration = Duration::from_millis(50);
/// Answers are a few hundred bytes, lists a few hundred thousand.
const LONGEST: usize = 16 << 20;
/// What a token without the rights meets.
const REFUSED: &str = "it refuses our token; renew the token, or give it the policy that docs/operations.md lists";
