//! Carriers over HTTP, against services that only take notes, with signatures by libraries that we did not write.

mod alone;
mod attacks;
mod gateways;
mod hostile;
mod kannel;
mod twilio;
mod voice;
mod vonage;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::leak::Search;
use crate::service::{Answer, Service, answer, eventually};

/// People, on numbers of a range reserved for fiction, each with the length of its country code.
pub const ANNA: (&str, usize) = ("+12025550143", 1);
pub const BEN: (&str, usize) = ("+13125550178", 1);
pub const CAM: (&str, usize) = ("+14155550129", 1);

/// How the outside reaches the service, as its settings say.
pub const PUBLIC: &str = "https://bauta.example";

/// A request that a carrier's service got.
#[derive(Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: String,
    pub body: String,
}

impl Seen {
    /// A field of its form, or of its query.
    pub fn field(&self, name: &str) -> Option<String> {
        let pairs = url_pairs(if self.body.is_empty() { &self.query } else { &self.body });
        pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub fn url_pairs(text: &str) -> Vec<(String, String)> {
    web::Query::<Vec<(String, String)>>::from_query(text).unwrap().into_inner()
}

#[derive(Clone)]
struct Desk {
    notes: mpsc::UnboundedSender<Seen>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    usual: Arc<Mutex<(u16, String)>>,
    count: Arc<Mutex<u32>>,
}

/// A carrier's service: notes every request, answers as told, and otherwise with the usual; `{n}` counts answers.
pub struct Provider {
    pub base: String,
    desk: Desk,
    seen: mpsc::UnboundedReceiver<Seen>,
    handle: ServerHandle,
}

impl Provider {
    pub async fn start(status: u16, usual: &str) -> Self {
        let (notes, seen) = mpsc::unbounded_channel();
        let usual = Arc::new(Mutex::new((status, usual.to_owned())));
        let desk = Desk { notes, answers: Arc::default(), usual, count: Arc::default() };
        let data = web::Data::new(desk.clone());
        let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(noted)))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { base, desk, seen, handle }
    }

    /// The next answers, before the usual again.
    pub fn answers(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned()));
        self.desk.answers.lock().unwrap().extend(answers);
    }

    pub async fn next(&mut self) -> Seen {
        timeout(Duration::from_secs(15), self.seen.recv()).await.expect("a request").unwrap()
    }

    /// Whether nothing more comes within `wait`.
    pub async fn is_silent(&mut self, wait: Duration) -> bool {
        timeout(wait, self.seen.recv()).await.is_err()
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn noted(request: HttpRequest, body: web::Bytes, desk: web::Data<Desk>) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let seen = Seen {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        authorization: header("authorization"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let (status, text) = desk.answers.lock().unwrap().pop_front().unwrap_or_else(|| desk.usual.lock().unwrap().clone());
    let count = {
        let mut count = desk.count.lock().unwrap();
        *count += 1;
        *count
    };
    let _ = desk.notes.send(seen);
    let status = actix_web::http::StatusCode::from_u16(status).unwrap();
    let mut answer = HttpResponse::build(status);
    answer.insert_header(("retry-after", "2")).insert_header(("location", "/elsewhere"));
    answer.content_type("application/json").body(text.replace("{n}", &count.to_string()))
}

/// A live tenant whose virtual numbers live at one HTTP carrier, and all that the service answered to others than it.
pub struct Cast {
    pub service: Service,
    pub business: String,
    pub auditor: String,
    pub tenant: String,
    shown: String,
}

impl Cast {
    /// With this section for the carrier `name`, reached as [`PUBLIC`].
    pub async fn hire(name: &str, section: &str) -> Self {
        Self::hire_with(name, section, "", &[("BAUTA__SERVER__PUBLIC_URL", PUBLIC)]).await
    }

    /// The same with other settings too, and these variables.
    pub async fn hire_with(name: &str, section: &str, more: &str, variables: &[(&'static str, &str)]) -> Self {
        let settings = format!("path = \"kms\"\n{more}[[carriers]]\nname = \"{name}\"\n{section}");
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, PathBuf::from(value))).collect();
        Self::stock(Service::start_with_kms(&settings, &variables).await, name).await
    }

    /// The same where it listens at an address that others have to know before.
    pub async fn hire_at(name: &str, section: &str, port: u16) -> Self {
        let settings = format!("[[carriers]]\nname = \"{name}\"\n{section}");
        Self::stock(Service::start_at(port, &settings).await, name).await
    }

    async fn stock(service: Service, name: &str) -> Self {
        let tenant = service.tenant("Rialto", "live");
        let business = service.credential(&tenant, "business", "shop backend", &[]);
        let auditor = service.credential(&tenant, "auditor", "audit desk", &[]);
        let admin = service.credential(&tenant, "admin", "shop owner", &[]);
        let made = service.post("/v1/pools", &admin, json!({"name": "main", "carrier": name})).await.expect(201);
        let numbers: Vec<String> = (100..105).map(|n| format!("+16045550{n}")).collect();
        let import = json!({"numbers": numbers, "capabilities": ["sms", "voice"], "region": "CA"});
        let path = format!("/v1/pools/{}/numbers", made.text_at("/id"));
        service.post(&path, &admin, import).await.expect(201);
        Self { service, business, auditor, tenant, shown: String::new() }
    }

    /// A call whose answer may hold no number.
    pub async fn post(&mut self, path: &str, body: Value) -> Value {
        let answer = self.service.post(path, &self.business, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        self.shown.push_str(&answer.text);
        answer.json()
    }

    pub async fn token(&mut self, number: &str) -> String {
        self.post("/v1/tokens", json!({"number": number})).await["token"].as_str().unwrap().to_owned()
    }

    /// Binds an alias and gives it, with its X.
    pub async fn bind(&mut self, wish: Value) -> (Value, String) {
        let alias = self.post("/v1/aliases", wish).await;
        let x = alias["number"].as_str().unwrap().to_owned();
        (alias, x)
    }

    /// Between Anna and Ben.
    pub async fn pair(&mut self) -> (Value, String) {
        let (a, b) = (self.token(ANNA.0).await, self.token(BEN.0).await);
        self.bind(json!({"mode": "axb", "a": a, "b": b, "ttl_s": 3600})).await
    }

    /// A call of the carrier's.
    pub async fn calls(&self, path: &str, headers: &[(&str, &str)], kind: &str, body: &str) -> Answer {
        let mut request = self.service.request("POST", path).header("content-type", kind).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request).await
    }

    /// Waits until the newest message of an alias has this status.
    pub async fn settles(&mut self, alias: &Value, status: &str) {
        let path = format!("/v1/aliases/{}/messages", alias["id"].as_str().unwrap());
        let text = eventually(status, 15, async || {
            let answer = self.service.get(&path, &self.business).await.expect(200);
            (answer.json()["data"][0]["status"] == status).then_some(answer.text)
        })
        .await;
        self.shown.push_str(&text);
    }

    /// The log's entries of one action, newest last.
    pub async fn entries(&mut self, action: &str) -> Vec<Value> {
        let answer = self.service.get(&format!("/v1/audit/entries?action={action}"), &self.auditor).await.expect(200);
        self.shown.push_str(&answer.text);
        answer.json()["data"].as_array().unwrap().iter().map(|row| row["entry"].clone()).collect()
    }

    /// Waits for an entry that `wanted` wants.
    pub async fn entry(&mut self, action: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/audit/entries?action={action}");
        eventually(action, 15, async || {
            let answer = self.service.get(&path, &self.auditor).await.expect(200);
            let data = answer.json()["data"].as_array().unwrap().clone();
            data.into_iter().map(|row| row["entry"].clone()).find(|entry| wanted(entry))
        })
        .await
    }

    /// Ends the service, having searched for these numbers in all that it left.
    pub fn leaves_no_trace_of(mut self, numbers: &[(&str, usize)]) {
        let search = Search::for_numbers(numbers.iter().copied());
        assert_eq!(search.in_bytes("answers", self.shown.as_bytes()), Default::default());
        self.service.stop();
        assert_eq!(search.in_folder(self.service.folder()), Default::default());
    }
}

/// A form as carriers send it.
pub fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";
