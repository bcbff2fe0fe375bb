//! The HTTP contract, over a real `bauta serve` in a folder of its own: every journey ends with a search of all that it
//! left for the numbers that it used.

mod aliases;
mod approvals;
mod bad_input;
mod binding;
mod document;
mod doors;
mod messages;
mod once;
mod outreach;
mod policies;
mod pools;
mod rights;
mod routes;
mod tokens;
mod verification;

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::leak::Search;
use crate::service::{Answer, Service, eventually};

/// People, on numbers of a range reserved for fiction, each with the length of its country code.
pub const ANNA: (&str, usize) = ("+12025550143", 1);
pub const BEN: (&str, usize) = ("+13125550178", 1);
pub const CAM: (&str, usize) = ("+14155550129", 1);

/// A test tenant with a credential of each role, and all that was ever answered.
pub struct Shop {
    pub service: Service,
    pub tenant: String,
    pub business: String,
    pub partner: String,
    pub operator: String,
    pub auditor: String,
    pub custodian: String,
    pub admin: String,
    shown: RefCell<String>,
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with("").await
    }

    pub async fn open_with(settings: &str) -> Self {
        let service = Service::start_with(settings).await;
        let tenant = service.tenant("Rialto", "test");
        let hire = |role: &str, more: &[&str]| service.credential(&tenant, role, &format!("{role} one"), more);
        let business = hire("business", &[]);
        let partner = hire("partner", &["--audience", "courier"]);
        let (operator, auditor) = (hire("operator", &[]), hire("auditor", &[]));
        // From the admin on, the terminal makes no more.
        let (custodian, admin) = (hire("custodian", &[]), hire("admin", &[]));
        let shown = RefCell::default();
        Self { service, tenant, business, partner, operator, auditor, custodian, admin, shown }
    }

    /// A call whose answer may hold no number.
    pub async fn call(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> Answer {
        let answer = self.service.call(method, path, key, body).await;
        self.shown.borrow_mut().push_str(&answer.text);
        answer
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call("POST", path, key, Some(body)).await
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        self.call("GET", path, key, None).await
    }

    pub async fn token(&self, number: &str) -> String {
        let made = self.post("/v1/tokens", &self.business, json!({"number": number})).await.expect(201);
        made.text_at("/token")
    }

    pub async fn token_for(&self, number: &str, audience: &str) -> String {
        let wish = json!({"number": number, "audience": audience});
        self.post("/v1/tokens", &self.business, wish).await.expect(201).text_at("/token")
    }

    /// A pool of this tenant's own on the sandbox, with these numbers.
    pub async fn pool(&self, name: &str, numbers: &[String]) -> String {
        let made = self.post("/v1/pools", &self.admin, json!({"name": name, "carrier": "sandbox"})).await.expect(201);
        let pool = made.text_at("/id");
        let import = json!({"numbers": numbers, "capabilities": ["sms"], "region": "CA"});
        self.post(&format!("/v1/pools/{pool}/numbers"), &self.admin, import).await.expect(201);
        pool
    }

    pub async fn start(&self, body: Value) -> Answer {
        self.post("/v1/verifications", &self.business, body).await
    }

    pub async fn check(&self, id: &str, code: &str) -> Answer {
        self.post(&format!("/v1/verifications/{id}/check"), &self.business, json!({"code": code})).await
    }

    /// What stands on a handset, oldest first, once there are `count` messages: sender and text.
    pub async fn handset(&self, who: &str, count: usize) -> Vec<(String, String)> {
        let path = format!("/sandbox/messages?limit=100&to={}", who.replace('+', "%2B"));
        let mut messages = eventually("messages on the handset", 15, async || {
            let answer = self.get(&path, &self.business).await.expect(200);
            let data = answer.json()["data"].as_array().unwrap().clone();
            (data.len() >= count).then_some(data)
        })
        .await;
        messages.reverse();
        let field = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
        messages.iter().map(|message| (field(message, "from"), field(message, "text"))).collect()
    }

    /// Writes from a handset or as a stranger; tells what became of it.
    pub async fn write(&self, from: &str, to: &str, text: &str) -> String {
        let message = json!({"from": from, "to": to, "text": text});
        self.post("/sandbox/messages", &self.business, message).await.expect(201).text_at("/status")
    }

    /// Everything that was answered so far.
    pub fn shown(&self) -> String {
        self.shown.borrow().clone()
    }

    /// Keeps an answer that was had by another way, for the search at the end.
    pub fn note(&self, text: &str) {
        self.shown.borrow_mut().push_str(text);
    }

    /// Ends the service, having searched for these numbers in answers and files, the WAL among them.
    pub fn leaves_no_trace_of(mut self, numbers: &[(&str, usize)]) {
        let search = Search::for_numbers(numbers.iter().copied());
        assert_eq!(search.in_bytes("answers", self.shown().as_bytes()), Default::default());
        assert_eq!(search.in_folder(self.service.folder()), Default::default());
        self.service.stop();
        assert_eq!(search.in_folder(self.service.folder()), Default::default());
    }
}
