//! Webhooks over a real `bauta serve`: who is told of what, by whom it can be verified, and what goes wrong with receivers.

mod asked;
mod disclosed;
mod journey;
mod receivers;
mod refusals;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64;
use ring::hmac;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::http::Shop;
use crate::service::{Answer, eventually};

/// How a receiver behaves.
#[derive(Clone)]
enum Manner {
    /// Answers with a status.
    Status(u16),
    /// Answers 200 with this body.
    Says(&'static str),
    /// Sends the caller elsewhere.
    Redirect(String),
    /// Takes the call and says nothing.
    Hang,
    /// Answers a letter at a time, for ever.
    Drip,
    /// Answers 200 and far more than anybody wants.
    Huge,
    /// Answers what is no HTTP.
    Babble,
}

/// One call as a receiver had it.
struct Call {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    fn name(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// How many of its signatures the secret made.
    fn signed_by(&self, secret: &str) -> usize {
        let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        assert!(key.len() >= 24);
        let text = format!("{}.{}.{}", self.name(), self.headers["webhook-timestamp"], self.body);
        let made = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
        let made = format!("v1,{}", BASE64.encode(made.as_ref()));
        self.headers["webhook-signature"].split(' ').filter(|one| *one == made).count()
    }
}

/// A receiver on this machine.
struct Receiver {
    port: u16,
    manner: Arc<Mutex<Manner>>,
    calls: mpsc::UnboundedReceiver<Call>,
}

impl Receiver {
    async fn open(manner: Manner) -> Self {
        Self::open_at(0, manner).await
    }

    async fn open_at(port: u16, manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (manner, (told, calls)) = (Arc::new(Mutex::new(manner)), mpsc::unbounded_channel());
        let shared = Arc::clone(&manner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(BufReader::new(stream), Arc::clone(&shared), told.clone()));
            }
        });
        Self { port, manner, calls }
    }

    /// Over TLS, with a certificate and its key, PEM.
    async fn open_tls(certificate: &str, key: &str) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let (acceptor, plain) = (TlsAcceptor::from(Arc::new(config)), Self::open(Manner::Status(204)).await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, inner) = (listener.local_addr().unwrap().port(), plain.port);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    let mut inside = TcpStream::connect(("127.0.0.1", inner)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Self { port, ..plain }
    }

    fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    async fn call(&mut self) -> Call {
        timeout(Duration::from_secs(20), self.calls.recv()).await.expect("no call came").unwrap()
    }

    /// The calls up to one of this type, that one included.
    async fn until(&mut self, kind: &str) -> Vec<Call> {
        let mut calls = Vec::new();
        loop {
            calls.push(self.call().await);
            if calls.last().unwrap().kind() == kind {
                return calls;
            }
        }
    }
}

async fn converse(mut stream: BufReader<TcpStream>, manner: Arc<Mutex<Manner>>, told: mpsc::UnboundedSender<Call>) {
    while let Some(call) = request(&mut stream).await {
        let _ = told.send(call);
        let manner = manner.lock().unwrap().clone();
        if answer(stream.get_mut(), manner).await.is_none() {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Call> {
    let (mut headers, mut path, mut line) = (BTreeMap::new(), String::new(), String::new());
    while stream.read_line(&mut line).await.ok()? > 0 && line != "\r\n" {
        match line.split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_ascii_lowercase(), value.trim().to_owned())),
            None => path = line.split(' ').nth(1)?.to_owned(),
        }
        line.clear();
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Call { path, headers, body: String::from_utf8(body).unwrap() })
}

/// None if the conversation is over.
async fn answer(stream: &mut TcpStream, manner: Manner) -> Option<()> {
    let plain = |status: u16, more: &str| format!("HTTP/1.1 {status} as told\r\n{more}content-length: 0\r\n\r\n");
    match manner {
        Manner::Status(status) => stream.write_all(plain(status, "").as_bytes()).await.ok(),
        Manner::Says(body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(head.as_bytes()).await.ok()
        }
        Manner::Redirect(to) => stream.write_all(plain(307, &format!("location: {to}\r\n")).as_bytes()).await.ok(),
        Manner::Hang => {
            sleep(Duration::from_secs(60)).await;
            None
        }
        Manner::Babble => {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
            None
        }
        Manner::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await.ok()?;
            loop {
                stream.write_all(b"x").await.ok()?;
                sleep(Duration::from_millis(100)).await;
            }
        }
        Manner::Huge => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
            let piece = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
            loop {
                stream.write_all(piece.as_bytes()).await.ok()?;
            }
        }
    }
}

/// What opens this machine to webhooks.
const OPEN: &str = "[webhooks]\nallow_private = [\"127.0.0.0/8\"]\n";

impl Shop {
    /// An endpoint of whoever has this key: its id and its secret.
    async fn hook(&self, key: &str, url: &str, events: &[&str]) -> (String, String) {
        let made = self.post("/v1/webhooks", key, json!({"url": url, "events": events})).await.expect(201);
        (made.text_at("/id"), made.text_at("/secret"))
    }

    async fn ping(&self, hook: &str) -> String {
        self.call("POST", &format!("/v1/webhooks/{hook}/ping"), &self.business, None).await.expect(200).text_at("/id")
    }

    async fn deliveries(&self, hook: &str) -> Vec<Value> {
        let path = format!("/v1/webhooks/{hook}/deliveries?limit=100");
        self.get(&path, &self.business).await.expect(200).json()["data"].as_array().unwrap().clone()
    }

    /// The newest delivery, once it was tried and is as `wanted` wants.
    async fn delivery(&self, hook: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually("a delivery in the list", 25, async || {
            let newest = self.deliveries(hook).await.into_iter().next()?;
            wanted(&newest).then_some(newest)
        })
        .await
    }

    async fn change_hook(&self, hook: &str, body: Value) -> Answer {
        self.call("PATCH", &format!("/v1/webhooks/{hook}"), &self.business, Some(body)).await
    }
}
