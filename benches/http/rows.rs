//! The HTTP rows of the table: what each asks, what it prepares, and what counts as the right answer.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::load::{self, Answer, Connection, Load, drive, get, post};
use crate::numbers::{self, Numbers, Template};
use crate::service::Service;

/// Numbers in a batch.
const BATCH: usize = 1_000;
/// Numbers that the rows about known ones choose from.
const KNOWN: usize = 20_000;
/// Verifications in stock for a slice of checks: when the sandbox has more than 10,000 handsets, it keeps half of them.
const STOCK: usize = 4_000;
/// Credentials that tokenize.
const CALLERS: usize = 4;
/// Requests under way at once while the stock is made.
const STOCKING: usize = 64;
/// Numbers in a batch that fills a store: as many as there may be.
const FILL: usize = 10_000;
/// Batches whose tokens are read later, about.
const SAMPLES: u64 = 1_000;
/// Tokens of each that are.
const SAMPLE_OF_EACH: usize = 100;
/// Batches are long: more at once would only wait for each other.
const BATCH_CONNECTIONS: usize = 4;

/// One row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Row {
    Sealed,
    VaultedNew,
    VaultedKnown,
    Reveal,
    BatchSealed,
    BatchVaulted,
    Start,
    Check,
}

impl Row {
    pub const ALL: [Self; 8] = [
        Self::Sealed,
        Self::VaultedNew,
        Self::VaultedKnown,
        Self::Reveal,
        Self::BatchSealed,
        Self::BatchVaulted,
        Self::Start,
        Self::Check,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed tokenize",
            Self::VaultedNew => "vaulted tokenize, new numbers",
            Self::VaultedKnown => "vaulted tokenize, known numbers",
            Self::Reveal => "reveal",
            Self::BatchSealed => "batch of 1,000, sealed",
            Self::BatchVaulted => "batch of 1,000, vaulted, new numbers",
            Self::Start => "verification start",
            Self::Check => "verification check, right codes",
        }
    }

    /// The share of echo's requests that is aimed at; for batches, numbers a second.
    pub fn aim(self) -> f64 {
        match self {
            Self::Sealed => 0.7,
            Self::VaultedNew | Self::VaultedKnown | Self::Reveal | Self::Check => 0.35,
            Self::Start => 0.25,
            Self::BatchSealed => 700_000.0,
            Self::BatchVaulted => 100_000.0,
        }
    }

    /// Numbers in a request.
    pub fn per_request(self) -> usize {
        if self.is_batch() { BATCH } else { 1 }
    }

    pub fn is_batch(self) -> bool {
        matches!(self, Self::BatchSealed | Self::BatchVaulted)
    }

    /// How many requests are under way at once, if so many are where each is about one number.
    pub fn connections(self, single: usize) -> usize {
        if self.is_batch() { BATCH_CONNECTIONS } else { single }
    }
}

/// Who asks and about whom.
pub struct House {
    /// Several, because one credential may not ask more than 50,000 times a second.
    many: Vec<String>,
    business: String,
    custodian: String,
    auditor: String,
    numbers: Numbers,
    /// Numbers that have a token, and the tokens.
    known: Vec<(u64, String)>,
}

impl House {
    /// A test tenant with three people of three roles.
    pub async fn furnish(service: &Service) -> Self {
        let tenant = service.tenant("test");
        let mut many = Vec::new();
        for _ in 0..CALLERS {
            many.push(service.credential(&tenant, "business").await);
        }
        Self {
            business: many[0].clone(),
            many,
            custodian: service.credential(&tenant, "custodian").await,
            auditor: service.credential(&tenant, "auditor").await,
            numbers: Numbers::default(),
            known: Vec::new(),
        }
    }

    /// Makes `count` tokens, as many in a request as there may be; gives some thousands of them, evenly spread.
    pub async fn fill(&self, service: &Service, count: u64) -> Vec<String> {
        let every = (count / FILL as u64 / SAMPLES).max(1);
        let mut fill = Fill {
            batch: Batch::of(FILL, &self.business, "vaulted", self.numbers.clone()),
            left: count / FILL as u64,
            every,
            sample: Vec::new(),
        };
        drive(service.port, BATCH_CONNECTIONS, Duration::from_secs(3_600), &mut fill).await;
        fill.sample
    }

    /// Looking at tokens, each time another of these.
    pub fn reading(&self, tokens: &[String]) -> impl Load + use<> {
        Read { key: self.business.clone(), tokens: tokens.to_vec(), turn: 0 }
    }

    /// What a slice of this row asks, with all that it needs made beforehand.
    pub async fn load(&mut self, service: &Service, row: Row) -> Box<dyn Load> {
        if matches!(row, Row::VaultedKnown | Row::Reveal) {
            self.make_known(service).await;
        }
        let (key, numbers) = (self.business.clone(), self.numbers.clone());
        match row {
            Row::Sealed => Box::new(Tokenize::new(&self.many, "sealed", numbers)),
            Row::VaultedNew => Box::new(Tokenize::new(&self.many, "vaulted", numbers)),
            Row::BatchSealed => Box::new(Batch::new(&key, "sealed", numbers)),
            Row::BatchVaulted => Box::new(Batch::new(&key, "vaulted", numbers)),
            Row::VaultedKnown => Box::new(Again { key, known: self.known.clone(), turn: 0 }),
            Row::Reveal => Box::new(Reveal { key: self.custodian.clone(), known: self.known.clone(), turn: 0 }),
            Row::Start => Box::new(Start { key, numbers, left: u64::MAX, started: None }),
            Row::Check => Box::new(self.stock(service).await),
        }
    }

    async fn make_known(&mut self, service: &Service) {
        while self.known.len() < KNOWN {
            let counts: Vec<u64> = (0..BATCH).map(|_| self.numbers.next()).collect();
            let items: Vec<Value> = counts.iter().map(|n| serde_json::json!({"number": numbers::text(*n)})).collect();
            let made = service.make("/v1/tokens/batch", &self.business, &serde_json::json!({"items": items})).await;
            let token = |item: &Value| item["token"].as_str().unwrap_or_else(|| panic!("{item}")).to_owned();
            let tokens = made["items"].as_array().expect("items").iter().map(token);
            self.known.extend(counts.into_iter().zip(tokens));
        }
    }

    /// Starts verifications and reads their codes from the sandbox's handsets.
    async fn stock(&self, service: &Service) -> Check {
        let (key, numbers) = (self.business.clone(), self.numbers.clone());
        let mut start = Start { key, numbers, left: STOCK as u64, started: Some(HashMap::new()) };
        drive(service.port, STOCKING, Duration::from_secs(60), &mut start).await;
        service.settle().await;
        let mut connection = Connection::open(service.port).await;
        let mut codes = Vec::with_capacity(STOCK);
        for (count, id) in start.started.unwrap_or_default() {
            let mut request = Vec::new();
            let path = format!("/sandbox/messages?to=%2B{}", &numbers::text(count)[1..]);
            get(&mut request, &path, &self.business);
            let answer = connection.exchange(&request).await;
            answer.expect(200);
            codes.push((id, code_in(answer.body)));
        }
        Check { key: self.business.clone(), codes, turn: 0 }
    }

    /// How many entries the log has, found by halving; the search itself adds one for each look.
    pub async fn entries(&self, service: &Service) -> u64 {
        let mut connection = Connection::open(service.port).await;
        let (mut there, mut beyond) = (0, 1);
        while self.is_entry(&mut connection, beyond).await {
            (there, beyond) = (beyond, beyond * 4);
        }
        while beyond - there > 64 {
            let middle = there + (beyond - there) / 2;
            if self.is_entry(&mut connection, middle).await { there = middle } else { beyond = middle }
        }
        there
    }

    async fn is_entry(&self, connection: &mut Connection, after: u64) -> bool {
        let mut request = Vec::new();
        get(&mut request, &format!("/v1/audit/entries?limit=1&after={after}"), &self.auditor);
        let answer = connection.exchange(&request).await;
        answer.expect(200);
        !has(answer.body, "\"data\":[]")
    }
}

/// The code in a handset's messages: the first six digits that stand alone in the newest text.
fn code_in(messages: &[u8]) -> String {
    let messages: Value = serde_json::from_slice(messages).expect("messages");
    let text = messages["data"][0]["text"].as_str().unwrap_or_else(|| panic!("no code came: {messages}"));
    let code = text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 6);
    code.unwrap_or_else(|| panic!("no code in a message")).to_owned()
}

fn has(body: &[u8], text: &str) -> bool {
    std::str::from_utf8(body).is_ok_and(|body| body.contains(text))
}

/// New numbers, one in a request.
struct Tokenize {
    /// One for each caller; they take turns.
    requests: Vec<Template>,
    numbers: Numbers,
}

impl Tokenize {
    fn new(keys: &[String], kind: &str, numbers: Numbers) -> Self {
        let request = |key: &String| {
            let mut request = Vec::new();
            tokenize(&mut request, key, kind, 0);
            Template::new(request)
        };
        Self { requests: keys.iter().map(request).collect(), numbers }
    }
}

impl Load for Tokenize {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        self.requests.rotate_left(1);
        self.requests.first_mut().map(|next| next.write(request, &self.numbers))
    }

    fn answered(&mut self, _: u64, answer: &Answer<'_>) {
        answer.expect(201);
    }
}

fn tokenize(request: &mut Vec<u8>, key: &str, kind: &str, count: u64) {
    let body = format!(r#"{{"number":"{}","kind":"{kind}"}}"#, numbers::text(count));
    post(request, "/v1/tokens", key, body.as_bytes());
}

/// Echo is asked what `sealed tokenize` asks.
pub fn echo_load(house: &House) -> impl Load + use<> {
    Tokenize::new(&house.many, "sealed", Numbers::default())
}

/// Numbers that have a token already; the answer has to be that token.
struct Again {
    key: String,
    known: Vec<(u64, String)>,
    turn: usize,
}

impl Load for Again {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        self.turn = (self.turn + 1) % self.known.len();
        tokenize(request, &self.key, "vaulted", self.known[self.turn].0);
        Some(self.turn as u64)
    }

    fn answered(&mut self, name: u64, answer: &Answer<'_>) {
        answer.expect(201);
        assert!(has(answer.body, &self.known[name as usize].1), "another token for a known number");
    }
}

struct Reveal {
    key: String,
    known: Vec<(u64, String)>,
    turn: usize,
}

impl Load for Reveal {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        self.turn = (self.turn + 1) % self.known.len();
        let path = format!("/v1/tokens/{}/reveal", self.known[self.turn].1);
        post(request, &path, &self.key, br#"{"purpose":"support"}"#);
        Some(self.turn as u64)
    }

    fn answered(&mut self, name: u64, answer: &Answer<'_>) {
        answer.expect(200);
        assert!(has(answer.body, &numbers::text(self.known[name as usize].0)), "another person's number");
    }
}

/// New numbers, many in a request.
struct Batch {
    request: Template,
    size: usize,
    numbers: Numbers,
}

impl Batch {
    fn new(key: &str, kind: &str, numbers: Numbers) -> Self {
        Self::of(BATCH, key, kind, numbers)
    }

    fn of(size: usize, key: &str, kind: &str, numbers: Numbers) -> Self {
        let item = format!(r#"{{"number":"{}","kind":"{kind}"}}"#, numbers::text(0));
        let body = format!(r#"{{"items":[{}]}}"#, vec![item; size].join(","));
        let mut request = Vec::new();
        post(&mut request, "/v1/tokens/batch", key, body.as_bytes());
        Self { request: Template::new(request), size, numbers }
    }
}

impl Load for Batch {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        Some(self.request.write(request, &self.numbers))
    }

    fn answered(&mut self, _: u64, answer: &Answer<'_>) {
        answer.expect(200);
        let made = std::str::from_utf8(answer.body).expect("UTF-8").matches("\"token\":").count();
        assert_eq!(made, self.size, "items without a token");
    }
}

/// Many new numbers, until there are enough.
struct Fill {
    batch: Batch,
    /// Requests.
    left: u64,
    /// Of so many answers, one gives its tokens to the sample.
    every: u64,
    sample: Vec<String>,
}

impl Load for Fill {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        if self.left.is_multiple_of(100) {
            eprintln!("filling: {} batches left", self.left);
        }
        self.batch.ask(request).map(|_| self.left)
    }

    fn answered(&mut self, name: u64, answer: &Answer<'_>) {
        self.batch.answered(name, answer);
        if name.is_multiple_of(self.every) {
            let body = std::str::from_utf8(answer.body).expect("UTF-8");
            let tokens = body.split("\"token\":\"").skip(1).step_by(FILL / SAMPLE_OF_EACH);
            self.sample.extend(tokens.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
        }
    }
}

/// Looks at tokens in an order that leaps over the store.
struct Read {
    key: String,
    tokens: Vec<String>,
    turn: usize,
}

impl Load for Read {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        // A step that shares no factor with the length meets each of them.
        self.turn = (self.turn + 61_803_399) % self.tokens.len();
        get(request, &format!("/v1/tokens/{}", self.tokens[self.turn]), &self.key);
        Some(0)
    }

    fn answered(&mut self, _: u64, answer: &Answer<'_>) {
        answer.expect(200);
    }
}

struct Start {
    key: String,
    numbers: Numbers,
    left: u64,
    /// Ids by number, where they are wanted.
    started: Option<HashMap<u64, String>>,
}

impl Load for Start {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let count = self.numbers.next();
        let body = format!(r#"{{"to":{{"number":"{}"}},"purpose":"login"}}"#, numbers::text(count));
        post(request, "/v1/verifications", &self.key, body.as_bytes());
        Some(count)
    }

    fn answered(&mut self, name: u64, answer: &Answer<'_>) {
        answer.expect(201);
        if let Some(started) = &mut self.started {
            let body: Value = serde_json::from_slice(answer.body).expect("a verification");
            started.insert(name, body["id"].as_str().expect("an id").to_owned());
        }
    }
}

/// Right codes, until the stock is used up.
struct Check {
    key: String,
    codes: Vec<(String, String)>,
    turn: usize,
}

impl Load for Check {
    fn ask(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        let (id, code) = self.codes.get(self.turn)?;
        self.turn += 1;
        let body = format!(r#"{{"code":"{code}"}}"#);
        load::post(request, &format!("/v1/verifications/{id}/check"), &self.key, body.as_bytes());
        Some(0)
    }

    fn answered(&mut self, _: u64, answer: &Answer<'_>) {
        answer.expect(200);
        assert!(has(answer.body, "\"valid\":true"), "a right code was refused");
    }
}
