//! The running process's memory, a minute after the last request: numbers went through every door, and none is left.
//!
//! The process is read from outside, mapping by mapping. That the search sees what it looks for is shown on two numbers
//! that the process is made to hold: one among its arguments, one in a request that is not over yet.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use regex::bytes::Regex;
use serde_json::{Value, json};

use crate::leak::Search;
use crate::peer::Peer;
use crate::service::{Service, eventually};

/// The number whose last three digits are `n`, of a range reserved for fiction.
fn number(n: u32) -> String {
    format!("+447700900{n}")
}

/// Kept in the environment of the process.
const CANARY: u32 = 998;
/// Sent in a body that does not end.
const HANGING: u32 = 997;

/// How long nothing is asked of the process: connections that are kept open for more requests are closed by then.
const IDLE: Duration = Duration::from_secs(60);

/// A readable piece of another process's memory.
struct Piece {
    name: String,
    start: u64,
    bytes: Vec<u8>,
}

const PAGE: usize = 4096;

/// Everything that a process may have written to and not cleared; pages of zeros are left out.
fn memory(pid: u32) -> std::io::Result<Vec<Piece>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut memory = fs::File::open(format!("/proc/{pid}/mem"))?;
    let mut pieces = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        let name = words.nth(3).unwrap_or("anonymous").to_owned();
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        pieces.extend(written(&mut memory, &name, start, end));
    }
    Ok(pieces)
}

fn written(memory: &mut fs::File, name: &str, start: u64, end: u64) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut page = [0; PAGE];
    for at in (start..end).step_by(PAGE) {
        memory.seek(SeekFrom::Start(at)).unwrap();
        // Pages without anything behind them cannot be read, and hold nothing.
        if memory.read_exact(&mut page).is_err() || page.iter().all(|byte| *byte == 0) {
            continue;
        }
        match pieces.last_mut().filter(|piece| piece.start + piece.bytes.len() as u64 == at) {
            Some(piece) => piece.bytes.extend_from_slice(&page),
            None => pieces.push(Piece { name: name.to_owned(), start: at, bytes: page.to_vec() }),
        }
    }
    pieces
}

/// Where any of the numbers stands, how spelled, and what is around it.
fn found(memory: &[Piece], numbers: &[String]) -> BTreeSet<String> {
    let code = |number: &str| if number.starts_with("+1") { 1 } else { 2 };
    let search = Search::for_numbers(numbers.iter().map(|number| (number.as_str(), code(number))));
    let patterns: Vec<(String, String)> = search.patterns();
    let any = patterns.iter().map(|(_, pattern)| pattern.as_str()).collect::<Vec<_>>().join("|");
    let any = Regex::new(&format!("(?s-u){any}")).unwrap();
    let each: Vec<(String, Regex)> =
        patterns.into_iter().map(|(name, pattern)| (name, Regex::new(&format!("(?s-u){pattern}")).unwrap())).collect();
    let mut found = BTreeSet::new();
    for piece in memory {
        for hit in any.find_iter(&piece.bytes) {
            let (name, _) = each.iter().find(|(_, pattern)| pattern.is_match(hit.as_bytes())).unwrap();
            let around = &piece.bytes[hit.start().saturating_sub(96)..(hit.end() + 96).min(piece.bytes.len())];
            let address = piece.start + hit.start() as u64;
            found.insert(format!("{name} in {} at {address:x}: {}", piece.name, around.escape_ascii()));
        }
    }
    found
}

struct House {
    service: Service,
    business: String,
    custodian: String,
    used: Vec<String>,
}

impl House {
    async fn open() -> Self {
        let mut service = Service::start_with("").await;
        service.stop();
        service.restart_with(&[("CANARY", &number(CANARY))]).await;
        let tenant = service.tenant("Rialto", "test");
        let business = service.credential(&tenant, "business", "shop backend", &[]);
        let custodian = service.credential(&tenant, "custodian", "support desk", &[]);
        Self { service, business, custodian, used: Vec::new() }
    }

    fn number(&mut self, n: u32) -> String {
        self.used.push(number(n));
        number(n)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.service.post(path, &self.business, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        answer.json()
    }

    async fn token(&mut self, n: u32) -> String {
        let number = self.number(n);
        self.post("/v1/tokens", json!({"number": number})).await["token"].as_str().unwrap().to_owned()
    }

    /// What a handset received, once it has `count` messages.
    async fn handset(&self, to: &str, count: usize) -> Vec<Value> {
        let path = format!("/sandbox/messages?to={}", to.replace('+', "%2B"));
        eventually("a handset's messages", 20, || async {
            let messages = self.service.get(&path, &self.business).await.expect(200).json();
            messages["data"].as_array().filter(|data| data.len() >= count).cloned()
        })
        .await
    }

    async fn tokenize(&mut self) {
        let token = self.token(111).await;
        let sealed = self.number(112);
        let sealed = self.post("/v1/tokens", json!({"number": sealed, "kind": "sealed"})).await;
        let items: Vec<Value> = (113..=120)
            .map(|n| json!({"number": self.number(n), "kind": if n % 2 == 0 { "sealed" } else { "vaulted" }}))
            .collect();
        self.post("/v1/tokens/batch", json!({"items": items})).await;
        for (n, typed) in [(121, "07700 900121"), (122, "(07700) 900-122"), (123, "０７７００９００１２３")]
        {
            self.number(n);
            self.post("/v1/tokens", json!({"number": typed, "region": "GB"})).await;
        }
        for token in [token, sealed["token"].as_str().unwrap().to_owned()] {
            let reveal = json!({"purpose": "support"});
            let path = format!("/v1/tokens/{token}/reveal");
            let number = self.service.post(&path, &self.custodian, reveal).await.expect(200).text_at("/number");
            assert!(self.used.contains(&number));
        }
    }

    async fn verify(&mut self) {
        let number = self.number(131);
        let started = self.post("/v1/verifications", json!({"to": {"number": number}, "code_length": 10})).await;
        let text = self.handset(&number, 1).await[0]["text"].as_str().unwrap().to_owned();
        let code = text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 10).unwrap();
        let path = format!("/v1/verifications/{}/check", started["id"].as_str().unwrap());
        assert_eq!(self.post(&path, json!({"code": code})).await["valid"], true);
    }

    async fn relay(&mut self) {
        let (a, b) = (self.token(141).await, self.token(142).await);
        let alias = self.post("/v1/aliases", json!({"mode": "axb", "a": a, "b": b})).await;
        let x = alias["number"].as_str().unwrap();
        for (from, to) in [(141, 142), (142, 141)] {
            self.post("/sandbox/messages", json!({"from": number(from), "to": x, "text": "on my way"})).await;
            self.handset(&number(to), 1).await;
        }
        let open = self.token(143).await;
        let alias = self.post("/v1/aliases", json!({"mode": "ax", "a": open})).await;
        let from = self.number(144);
        self.post("/sandbox/messages", json!({"from": from, "to": alias["number"], "text": "is it still there?"}))
            .await;
        self.handset(&number(143), 1).await;
    }

    /// What is refused, in every place where a number can stand.
    async fn bad_input(&mut self) {
        let [key, wrong] = [self.business.clone(), "bk_test_nobody".to_owned()];
        for (key, body) in [
            (&key, format!(r#"{{"number":"{}""#, self.number(151))),
            (&key, format!(r#"{{"{}":1}}"#, self.number(152))),
            (&key, format!(r#"{{"number":{}}}"#, &self.number(153)[1..])),
            (&key, format!(r#"{{"number":"{}","kind":"{}"}}"#, self.number(154), self.number(155))),
            (&key, format!(r#"{{"number":"{}","metadata":{{"note":"{}"}}}}"#, self.number(156), self.number(157))),
            (&key, format!(r#"{{"number":"{}5555555555"}}"#, self.number(158))),
            (&wrong, format!(r#"{{"number":"{}"}}"#, self.number(159))),
            (&key, format!(r#"{{"items":["{}"],"pad":"{}"}}"#, self.number(160), "x".repeat(1_100_000))),
        ] {
            let request = self.service.request("POST", "/v1/tokens").bearer_auth(key);
            let request = request.header("content-type", "application/json").body(body);
            assert!(request.send().await.unwrap().status().is_client_error());
        }
        let number = self.number(161);
        for path in [format!("/v1/tokens?number={number}"), format!("/v1/tokens/{number}"), format!("/{number}")] {
            self.service.get(&path, &key).await;
        }
        let headers = [("x-number", self.number(162)), ("idempotency-key", self.number(163))];
        for (name, value) in headers {
            let request = self.service.request("POST", "/v1/tokens").bearer_auth(&key).header(name, value);
            request.json(&json!({"number": self.number(164)})).send().await.unwrap();
        }
        let header = format!("Authorization: Bearer {}", self.number(165));
        self.raw(&format!("POST /v1/tokens HTTP/1.1\r\nhost: x\r\n{header}\r\ncontent-length: 0\r\n\r\n"));
        let nonsense = format!("{} is no request\r\n\r\n", self.number(166));
        self.raw(&nonsense);
    }

    /// Octets as they are, and then the end of the connection.
    fn raw(&self, octets: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.service.base.trim_start_matches("http://")).unwrap();
        stream.write_all(octets.as_bytes()).unwrap();
        stream
    }

    /// Sends the beginning of a body.
    fn half(&self, number: &str) -> TcpStream {
        let body = format!(r#"{{"number":"{number}","#);
        self.raw(&format!(
            "POST /v1/tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{body}",
            self.business
        ))
    }
}

/// Whether this user may read the memory of a process that forbids it: its administrator may, if the machine lets him.
fn may_read(pid: u32) -> bool {
    let allowed = fs::File::open(format!("/proc/{pid}/mem")).is_ok();
    let required = std::env::var("BAUTA_TEST_REQUIRE").is_ok_and(|what| what == "all");
    assert!(allowed || !required, "the memory of {pid} cannot be read; run the tests as root");
    if !allowed {
        eprintln!("skipped: only root may read the memory of a process that forbids it");
    }
    allowed
}

#[actix_web::test]
async fn a_minute_after_the_last_request_no_number_is_in_the_memory_of_the_process() {
    let mut house = House::open().await;
    if !may_read(house.service.pid().unwrap()) {
        return;
    }
    for _ in 0..3 {
        house.tokenize().await;
    }
    house.verify().await;
    house.relay().await;
    house.bad_input().await;
    let hung_up = house.number(171);
    drop(house.half(&hung_up));
    let pid = house.service.pid().unwrap();

    tokio::time::sleep(IDLE).await;

    let hanging = house.half(&number(HANGING));
    let planted = [CANARY, HANGING].map(number);
    eventually("the search to see what is there", 10, async || {
        let memory = memory(pid).unwrap();
        planted.iter().all(|number| !found(&memory, std::slice::from_ref(number)).is_empty()).then_some(())
    })
    .await;
    let memory = memory(pid).unwrap();
    drop(hanging);
    let found = found(&memory, &house.used);
    assert!(found.is_empty(), "{found:#?}");
}

/// A link lives on, and so would what lies in its buffers.
#[actix_web::test]
async fn a_minute_after_the_last_message_no_number_is_left_behind_an_smpp_link() {
    let Some(mut smsc) = Peer::smsc(&[]).await else { return };
    let settings = format!(
        "[[carriers]]\nname = \"main\"\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = {}\nsystem_id = \"bauta\"\n\
         password = \"secret\"\nsender = \"Rialto\"\n",
        smsc.port
    );
    let service = Service::start_with(&settings).await;
    let pid = service.pid().unwrap();
    if !may_read(pid) {
        return;
    }
    let tenant = service.tenant("Rialto", "live");
    let business = service.credential(&tenant, "business", "shop backend", &[]);
    let admin = service.credential(&tenant, "admin", "shop owner", &[]);
    let pool = service.post("/v1/pools", &admin, json!({"name": "main", "carrier": "main"})).await.expect(201);
    let import = json!({"numbers": ["+16045550100", "+16045550101"], "capabilities": ["sms"], "region": "CA"});
    service.post(&format!("/v1/pools/{}/numbers", pool.text_at("/id")), &admin, import).await;

    let people = ["+12025550143", "+13125550178", "+14155550129"].map(str::to_owned);
    let mut tokens = Vec::new();
    for number in &people {
        tokens
            .push(service.post("/v1/tokens", &business, json!({"number": number})).await.expect(201).text_at("/token"));
    }
    let bind = json!({"mode": "axb", "a": tokens[0], "b": tokens[1]});
    let x = service.post("/v1/aliases", &business, bind).await.expect(201).text_at("/number");
    let start = json!({"to": {"number": people[2]}});
    service.post("/v1/verifications", &business, start).await.expect(201);
    smsc.event("submit").await;
    let mut talk = async |from: &str, to: &str| {
        let deliver = json!({"cmd": "deliver", "id": from, "source": from.trim_start_matches('+'), "source_ton": 1,
            "dest": x.trim_start_matches('+'), "text": "on my way", "encoding": "gsm7"});
        smsc.tell(deliver).await;
        assert_eq!(smsc.event("submit").await["dest"], to.trim_start_matches('+'));
    };
    for _ in 0..3 {
        talk(&people[0], &people[1]).await;
        talk(&people[1], &people[0]).await;
    }
    tokio::time::sleep(IDLE).await;
    let left = found(&memory(pid).unwrap(), &people);
    assert!(left.is_empty(), "{left:#?}");
    talk(&people[0], &people[1]).await;
}
