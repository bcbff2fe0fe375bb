//! The main job, end to end over real SMPP: real messages reach the right phone through an alias, a person is verified
//! by a code that travelled over the link, and afterwards no number is found in anything that was left behind.

use std::time::Duration;

use serde_json::{Value, json};

use crate::leak::Search;
use crate::peer::Peer;
use crate::service::{Service, eventually};

/// Messages that services really send: `sender TAB text`.
const MESSAGES: &str = include_str!("../../src/cli/messages.txt");

/// Numbers of ranges reserved for fiction, each with the length of its country code.
const A: (&str, usize) = ("+12025550143", 1);
const B: (&str, usize) = ("+13125550178", 1);
const STRANGER: (&str, usize) = ("+14155550129", 1);

struct Cast {
    service: Service,
    smsc: Peer,
    business: String,
    partner: String,
    auditor: String,
    custodian: String,
    tenant: String,
    /// All that the service ever answered to those who may hold no number.
    shown: String,
}

impl Cast {
    async fn hire() -> Option<Self> {
        let smsc = Peer::smsc(&[]).await?;
        let settings = format!(
            "[[carriers]]\nname = \"main\"\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = {}\nsystem_id = \"bauta\"\n\
             password = \"secret\"\nsender = \"Rialto\"\n",
            smsc.port
        );
        let service = Service::start_with(&settings).await;
        let tenant = service.tenant("Rialto", "live");
        let business = service.credential(&tenant, "business", "shop backend", &[]);
        let partner = service.credential(&tenant, "partner", "courier platform", &["--audience", "courier"]);
        let auditor = service.credential(&tenant, "auditor", "audit desk", &[]);
        let custodian = service.credential(&tenant, "custodian", "support desk", &[]);
        let admin = service.credential(&tenant, "admin", "shop owner", &[]);
        let cast = Self { service, smsc, business, partner, auditor, custodian, tenant, shown: String::new() };
        cast.stock(&admin).await;
        Some(cast)
    }

    async fn stock(&self, admin: &str) {
        let made = self.service.post("/v1/pools", admin, json!({"name": "main", "carrier": "main"})).await.expect(201);
        let numbers: Vec<String> = (100..110).map(|n| format!("+16045550{n}")).collect();
        let import = json!({"numbers": numbers, "capabilities": ["sms"], "region": "CA"});
        let path = format!("/v1/pools/{}/numbers", made.text_at("/id"));
        let answer = self.service.post(&path, admin, import).await;
        assert!(answer.status < 300, "{}", answer.text);
    }

    /// A call whose answer may hold no number.
    async fn post(&mut self, path: &str, key: &str, body: Value) -> Value {
        let answer = self.service.post(path, key, body).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
        self.shown.push_str(&answer.text);
        answer.json()
    }

    async fn get(&mut self, path: &str, key: &str) -> Value {
        let answer = self.service.get(path, key).await.expect(200);
        self.shown.push_str(&answer.text);
        answer.json()
    }

    async fn token(&mut self, number: &str, audience: Option<&str>) -> String {
        let business = self.business.clone();
        let made = self.post("/v1/tokens", &business, json!({"number": number, "audience": audience})).await;
        made["token"].as_str().unwrap().to_owned()
    }

    async fn deliver(&mut self, id: &str, source: (&str, u8), x: &str, text: &str) {
        let gsm7 = text.is_ascii();
        let long = if gsm7 { text.len() > 160 } else { text.encode_utf16().count() > 70 };
        let command = json!({
            "cmd": "deliver", "id": id, "source": source.0, "source_ton": source.1, "dest": x.trim_start_matches('+'),
            "text": text, "encoding": if gsm7 { "gsm7" } else { "ucs2" }, "split": if long { json!("udh8") } else { Value::Null },
        });
        self.smsc.tell(command).await;
    }

    /// The next whole message that reaches a device, parts joined: destination, source, text.
    async fn rings(&mut self) -> (String, String, String) {
        let mut joined = String::new();
        loop {
            let event = self.smsc.event("submit").await;
            joined.push_str(event["text"].as_str().unwrap());
            let place = event["udh"].as_array().and_then(|udh| udh.first()).and_then(Value::as_str).map(place_of);
            if place.is_none_or(|(number, total)| number == total) {
                let field = |name: &str| event[name].as_str().unwrap().to_owned();
                return (field("dest"), field("source"), joined);
            }
        }
    }
}

/// Part number and total of a concatenation header in hex, `000300 total number` or without its IEI.
fn place_of(hex: &str) -> (u8, u8) {
    let octets = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    (octets[octets.len() - 1], octets[octets.len() - 2])
}

fn text_of(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

#[actix_web::test]
async fn codes_reach_the_right_phone_and_nobody_inside_sees_a_number() {
    let Some(mut cast) = Cast::hire().await else { return };
    let token = cast.token(A.0, None).await;
    let x = everything_arrives_through_an_alias_also_when_the_link_is_cut(&mut cast).await;
    a_code_sent_over_the_link_is_approved(&mut cast, &token).await;
    two_people_talk_and_neither_sees_the_other(&mut cast, &token).await;
    a_stranger_is_answered_through_x(&mut cast, &x).await;
    a_custodian_reveals_and_the_log_says_so(&cast, &token).await;
    nothing_is_found(cast).await;
}

async fn everything_arrives_through_an_alias_also_when_the_link_is_cut(cast: &mut Cast) -> String {
    let (partner, theirs) = (cast.partner.clone(), cast.token(A.0, Some("courier")).await);
    let alias = cast.post("/v1/aliases", &partner, json!({"mode": "ax", "a": theirs, "ttl_s": 3600})).await;
    let x = text_of(&alias, "number");
    let sent: Vec<(&str, &str)> = MESSAGES.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(sent.len(), 15);
    for (n, (sender, text)) in sent.iter().enumerate() {
        if n == 5 {
            cast.smsc.tell(json!({"cmd": "cut"})).await;
        }
        if n == 9 {
            cast.smsc.tell(json!({"cmd": "cut_after", "submits": 2})).await;
        }
        let ton = if sender.bytes().all(|c| c.is_ascii_digit()) { 3 } else { 5 };
        cast.deliver(&n.to_string(), (sender, ton), &x, text).await;
    }
    let mut arrived: Vec<String> = Vec::new();
    while arrived.len() < sent.len() {
        let (dest, source, text) = cast.rings().await;
        assert_eq!(dest, A.0.trim_start_matches('+'), "the right handset");
        assert_eq!(format!("+{source}"), x, "the receiver sees X");
        // A submit whose answer was lost with the link is sent again: at least once, never out of order.
        if arrived.last() != Some(&text) {
            arrived.push(text);
        }
    }
    let texts: Vec<&str> = sent.iter().map(|(_, text)| *text).collect();
    assert_eq!(arrived, texts, "unchanged and in order");
    let history = cast.get(&format!("/v1/aliases/{}/messages?limit=100", text_of(&alias, "id")), &partner).await;
    assert_eq!(history["data"].as_array().unwrap().len(), sent.len());
    assert!(texts.iter().all(|text| !history.to_string().contains(text)), "history holds no content");
    x
}

async fn a_code_sent_over_the_link_is_approved(cast: &mut Cast, token: &str) {
    let business = cast.business.clone();
    let started = cast.post("/v1/verifications", &business, json!({"to": token, "locale": "vi"})).await;
    let (dest, source, text) = cast.rings().await;
    assert_eq!((dest.as_str(), source.as_str()), (A.0.trim_start_matches('+'), "Rialto"));
    let code: String = text.chars().filter(char::is_ascii_digit).take(6).collect();
    let path = format!("/v1/verifications/{}/check", text_of(&started, "id"));
    let wrong: String = code.chars().rev().map(|c| if c == '9' { '0' } else { '9' }).collect();
    let first = cast.post(&path, &business, json!({"code": wrong})).await;
    assert_eq!((&first["valid"], &first["attempts_left"]), (&json!(false), &json!(4)));
    let second = cast.post(&path, &business, json!({"code": code})).await;
    assert_eq!((&second["status"], &second["valid"]), (&json!("approved"), &json!(true)), "{text}");
    let again = cast.service.post(&path, &business, json!({"code": code})).await.expect(410);
    assert_eq!(again.code(), "verification_approved");
    let jwks = cast.get("/.well-known/jwks.json", "").await;
    assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
}

async fn two_people_talk_and_neither_sees_the_other(cast: &mut Cast, a: &str) {
    let (business, b) = (cast.business.clone(), cast.token(B.0, None).await);
    let alias = cast.post("/v1/aliases", &business, json!({"mode": "axb", "a": a, "b": b})).await;
    let x = text_of(&alias, "number");
    let long = "Is the bicycle still for sale? I could come by after six. ".repeat(4);
    for (from, to, text) in [(A, B, "hello"), (B, A, "Xin chào, còn hàng không?"), (A, B, long.as_str())] {
        cast.deliver("talk", (from.0.trim_start_matches('+'), 1), &x, text).await;
        let (dest, source, got) = cast.rings().await;
        assert_eq!((dest.as_str(), got.as_str()), (to.0.trim_start_matches('+'), text));
        assert_eq!(format!("+{source}"), x, "the receiver sees X, never the writer");
    }
    let id = text_of(&alias, "id");
    let released = cast.service.call("DELETE", &format!("/v1/aliases/{id}"), &business, None).await;
    assert_eq!(released.status, 204, "{}", released.text);
    cast.deliver("after", (A.0.trim_start_matches('+'), 1), &x, "too late").await;
    let (dest, source, told) = cast.rings().await;
    assert_eq!((dest.as_str(), format!("+{source}")), (A.0.trim_start_matches('+'), x), "the writer alone is told");
    assert!(!told.contains("too late"), "a released alias carries nothing: {told}");
    assert_eq!(cast.smsc.count("submit", Duration::from_millis(700)).await, 0, "and nobody else hears of it");
}

async fn a_stranger_is_answered_through_x(cast: &mut Cast, x: &str) {
    cast.deliver("stranger", (STRANGER.0.trim_start_matches('+'), 1), x, "Is it you?").await;
    let (dest, source, text) = cast.rings().await;
    assert_eq!((dest.as_str(), text.as_str()), (A.0.trim_start_matches('+'), "Is it you?"));
    assert_eq!(format!("+{source}"), x);
    cast.deliver("answer", (A.0.trim_start_matches('+'), 1), x, "It is me").await;
    let (dest, source, text) = cast.rings().await;
    assert_eq!((dest.as_str(), text.as_str()), (STRANGER.0.trim_start_matches('+'), "It is me"));
    assert_eq!(format!("+{source}"), x, "the stranger sees X, never A");
}

async fn a_custodian_reveals_and_the_log_says_so(cast: &Cast, token: &str) {
    let path = format!("/v1/tokens/{token}/reveal");
    let body = json!({"purpose": "support", "reference": "case 4711"});
    let refused = cast.service.post(&path, &cast.business, body.clone()).await.expect(403);
    assert_eq!(refused.code(), "forbidden");
    let revealed = cast.service.post(&path, &cast.custodian, body).await.expect(200);
    assert_eq!(revealed.text_at("/number"), A.0);
    assert_eq!(revealed.headers["cache-control"], "no-store");
    let leaf = revealed.text_at("/leaf");
    let entries = cast.service.get("/v1/audit/entries?action=token.revealed", &cast.auditor).await.expect(200);
    assert_eq!(entries.text_at("/data/0/leaf"), leaf);
    assert_eq!(entries.text_at("/data/0/entry/actor/person"), "support desk");
    assert_eq!(entries.text_at("/data/0/entry/purpose"), "support");
}

/// Searches all that the journey left: answers, log, database with its WAL, export, metrics.
async fn nothing_is_found(mut cast: Cast) {
    let mut after = String::new();
    let auditor = cast.auditor.clone();
    loop {
        let page = cast.get(&format!("/v1/audit/entries?limit=100{after}"), &auditor).await;
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let export = cast.service.cli(&["audit", "export", "--tenant", &cast.tenant, "-o", "export.ndjson"]);
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let exported = std::fs::read_to_string(cast.service.folder().join("export.ndjson")).unwrap();
    assert!(exported.lines().count() > 60, "the export is the journey: {}", exported.lines().count());
    let search = Search::for_numbers([A, B, STRANGER]);
    assert_eq!(search.in_bytes("answers", cast.shown.as_bytes()), Default::default());
    // While it runs, with the WAL as it stands, and once more after it closed the store.
    assert_eq!(search.in_folder(cast.service.folder()), Default::default());
    cast.service.stop();
    assert_eq!(search.in_folder(cast.service.folder()), Default::default());
    std::fs::write(cast.service.folder().join("planted"), "seen: +1 (312) 555-0178").unwrap();
    assert_eq!(search.in_folder(cast.service.folder()).len(), 1, "a planted number is found");
}

#[actix_web::test]
async fn a_message_taken_before_a_power_cut_arrives_after_it() {
    let Some(mut cast) = Cast::hire().await else { return };
    let (business, token) = (cast.business.clone(), cast.token(A.0, None).await);
    let alias = cast.post("/v1/aliases", &business, json!({"mode": "ax", "a": token})).await;
    let x = text_of(&alias, "number");
    cast.smsc.tell(json!({"cmd": "mute", "on": true})).await;
    cast.deliver("1", ("HFM", 5), &x, "820134").await;
    cast.smsc.event("delivered").await;
    cast.service.kill();
    cast.smsc.tell(json!({"cmd": "mute", "on": false})).await;
    let already = cast.smsc.count("submit", Duration::from_millis(200)).await;
    cast.service.restart().await;
    for _ in 0..already {
        cast.smsc.event("submit").await;
    }
    let (dest, _, text) = cast.rings().await;
    assert_eq!((dest.as_str(), text.as_str()), (A.0.trim_start_matches('+'), "820134"));
}

#[actix_web::test]
async fn receipts_find_their_codes_however_the_carrier_spells_ids() {
    let Some(mut cast) = Cast::hire().await else { return };
    let (business, auditor) = (cast.business.clone(), cast.auditor.clone());
    cast.smsc.tell(json!({"cmd": "ids", "first": 4_000, "answer": "hex", "text": "dec", "pad": 10})).await;
    // Before the answer at first, which the carrier's own memory cannot help with; then after it, until that is learned.
    for (n, when) in ["before", "before", "after", "after", "after", "after"].into_iter().enumerate() {
        let receipts = json!({"cmd": "auto_receipts", "when": when, "style": "text", "state": "UNDELIV", "err": "027"});
        cast.smsc.tell(receipts).await;
        let number = format!("+1202555010{n}");
        let started = cast.post("/v1/verifications", &business, json!({"to": {"number": number}})).await;
        let id = text_of(&started, "id");
        eventually("the receipt's word on it", 10, async || {
            let entries = cast.service.get("/v1/audit/entries?action=verification.delivered&limit=100", &auditor).await;
            let told =
                entries.json()["data"].as_array().unwrap().iter().map(Value::to_string).find(|it| it.contains(&id))?;
            assert!(told.contains("undelivered") && told.contains("absent_subscriber"), "{when}: {told}");
            Some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_frozen_tenant_relays_nothing_within_a_second_and_thaws() {
    let Some(mut cast) = Cast::hire().await else { return };
    let (business, token) = (cast.business.clone(), cast.token(A.0, None).await);
    let alias = cast.post("/v1/aliases", &business, json!({"mode": "ax", "a": token})).await;
    let x = text_of(&alias, "number");
    let tenant = cast.tenant.clone();
    cast.service.cli_word(&["freeze", "tenant", &tenant]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    cast.deliver("1", ("HFM", 5), &x, "900565").await;
    cast.smsc.event("delivered").await;
    assert_eq!(cast.smsc.count("submit", Duration::from_millis(500)).await, 0);
    let refused = cast.service.post("/v1/tokens", &business, json!({"number": B.0})).await.expect(403);
    assert_eq!(refused.code(), "frozen");
    cast.service.cli_word(&["thaw", "tenant", &tenant]);
    eventually("the thaw", 3, async || {
        let answer = cast.service.post("/v1/tokens", &business, json!({"number": B.0})).await;
        (answer.status == 201).then_some(())
    })
    .await;
}
