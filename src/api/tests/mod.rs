//! The API over real services: a store in a temporary folder, a file KMS, the shipped policies, the sandbox carrier.
//! Only the inbox is a double, since `relay` is tested elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod doors;
mod repeated;
mod resources;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::{App, test, web};
use async_trait::async_trait;
use serde_json::Value;

use super::{Api, configure};
use crate::access::{Access, Action, Credentials, NewCredential, Policies};
use crate::alias::Alias;
use crate::audit::Log;
use crate::carrier::{Accepted, Carrier, Inbox, InboxError, Incoming, Receipt, Sandbox};
use crate::clock::SystemClock;
use crate::dispatch::Dispatch;
use crate::event::{Mode, Role};
use crate::guard::Guard;
use crate::ids;
use crate::keyring::{FileKms, Keyring};
use crate::outreach::Outreach;
use crate::rights::Rights;
use crate::store::ErasureLog;
use crate::store::MemoryScratch;
use crate::store::SqliteStore;
use crate::vault::Vault;
use crate::verify::Verify;

/// A number of the range that Ofcom keeps for fiction.
pub const NUMBER: &str = "+44 7700 900123";

/// Remembers the texts that handsets wrote.
#[derive(Default)]
pub struct Notes(pub Mutex<Vec<String>>);

#[async_trait]
impl Inbox for Notes {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        self.0.lock().unwrap().push(incoming.body.to_text().unwrap().to_string());
        Ok(Accepted::Carried)
    }
    async fn receipt(&self, _: Receipt) -> Result<(), InboxError> {
        Ok(())
    }
    async fn malformed(&self, _: &str, _: &str) {}
}

/// A test tenant with one credential of each role.
pub struct House {
    pub api: web::Data<Api>,
    pub notes: Arc<Notes>,
    keys: Vec<(Role, String)>,
    _folder: tempfile::TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The status and stable code of a problem.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["status"], self.status);
        assert_eq!(self.json()["request_id"].as_str(), self.header("x-request-id"));
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}

impl House {
    pub async fn new() -> Self {
        Self::of(Mode::Test).await
    }

    pub async fn of(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let store = SqliteStore::open(&folder.path().join("bauta.db"), clock.clone(), ids::fresh()).unwrap();
        let kms = FileKms::open(&folder.path().join("keys"), store.is_empty().unwrap()).unwrap();
        let store: Arc<SqliteStore> = Arc::new(store);
        let scratch = Arc::new(MemoryScratch::open(None, clock).unwrap());
        let keyring = Arc::new(Keyring::open(store.clone(), Arc::new(kms)).await.unwrap());
        let access = Access::open(store.clone(), keyring.clone(), Policies::load(None).unwrap()).await.unwrap();
        let access = Arc::new(access);
        let vault = Arc::new(Vault::new(store.clone(), keyring.clone()));
        let guard = Arc::new(Guard::new(scratch.clone(), store.clone(), keyring.clone()));
        let sandbox = Arc::new(Sandbox::new("sandbox"));
        let carriers: Vec<Arc<dyn Carrier>> = vec![sandbox.clone()];
        let issuer = "https://bauta.example";
        let verify = Verify::new(store.clone(), vault.clone(), keyring.clone(), guard.clone(), issuer);
        let dispatch = Dispatch::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers.clone());
        let alias = Alias::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers);
        let verify = Arc::new(verify);
        let list = ErasureLog::at(folder.path().join("erasures.log"));
        let rights = Rights::new(store.clone(), vault.clone(), verify.clone(), keyring.clone(), access.clone(), list);
        let notes = Arc::new(Notes::default());
        let keys = issue(&access, mode).await;
        let reach = crate::webhook::Reach::default();
        let webhooks = crate::webhook::Webhooks::new(store.clone(), keyring.clone(), access.clone(), reach);
        let outreach = Arc::new(Outreach::new(store.clone(), vault.clone(), keyring.clone()));
        let api = web::Data::new(Api {
            webhooks: Arc::new(webhooks),
            access,
            vault,
            verify,
            outreach,
            rights: Arc::new(rights),
            log: Arc::new(Log::new(store.clone())),
            alias: Arc::new(alias),
            dispatch: Arc::new(dispatch),
            guard,
            sandbox: Some(sandbox),
            inbox: notes.clone(),
            store,
            scratch,
            keyring,
            http_carriers: Vec::new(),
            public_url: None,
            trusted_proxies: vec!["127.0.0.9/32".parse().unwrap()],
            issuer: issuer.to_owned(),
            client_certificates: false,
        });
        Self { api, notes, keys, _folder: folder }
    }

    pub fn key(&self, role: Role) -> &str {
        self.keys.iter().find(|(r, _)| *r == role).map(|(_, key)| key.as_str()).unwrap()
    }

    /// Sends one request with these headers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<web::Bytes>,
    ) -> Reply {
        let app = test::init_service(App::new().configure(configure(self.api.clone()))).await;
        let peer: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let mut request = test::TestRequest::with_uri(path).method(method).peer_addr(peer).set_payload(body);
        for header in headers {
            request = request.append_header(*header);
        }
        let response = test::call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        let text = String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap();
        Reply { status, headers, text }
    }

    /// POSTs JSON as `role`.
    pub async fn post(&self, role: Role, path: &str, body: impl ToString) -> Reply {
        let bearer = format!("Bearer {}", self.key(role));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
        self.send(Method::POST, path, &headers, body.to_string()).await
    }

    /// GETs, or another method without body, as `role`.
    pub async fn call(&self, role: Role, method: Method, path: &str) -> Reply {
        let bearer = format!("Bearer {}", self.key(role));
        self.send(method, path, &[("authorization", &bearer)], "").await
    }

    pub async fn get(&self, role: Role, path: &str) -> Reply {
        self.call(role, Method::GET, path).await
    }

    /// The token of a number, as the business role makes it.
    pub async fn token(&self, number: &str) -> String {
        let reply = self.post(Role::Business, "/v1/tokens", serde_json::json!({ "number": number })).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }
}

/// A tenant and its credentials, the admin's last: from then on the terminal issues none.
async fn issue(access: &Access, mode: Mode) -> Vec<(Role, String)> {
    let tenant = access.create_tenant("tester", "Example Market", mode, None).await.unwrap();
    let mut keys = Vec::new();
    for role in Role::ALL.into_iter().rev() {
        let terminal = access.terminal("tester", tenant.id).unwrap();
        let wanted = Credentials { grants: Some(role) };
        let permit = access.authorize(&terminal, Action::CredentialManage, wanted).await.unwrap();
        let audience = (role == Role::Partner).then(|| "courier".to_owned());
        let new = NewCredential {
            role,
            person: role.as_str().to_owned(),
            audience,
            networks: Vec::new(),
            ends_at: None,
            proofs: Default::default(),
        };
        keys.push((role, access.issue(&permit, new).await.unwrap().key.to_string()));
    }
    keys
}
