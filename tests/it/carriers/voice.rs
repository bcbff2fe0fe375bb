//! Calls by TwiML and NCCO: who is rung in each mode, what is shown, what is told, and what nobody learns.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::twilio::section;
use super::{ANNA, BEN, CAM, Cast, PUBLIC, Provider, vonage};
use crate::peer::Peer;

const VOICE: &str = "/carriers/tw/voice";
const STATUS: &str = "/carriers/tw/voice/status";

/// A document of TwiML: tag, attributes, text, children.
struct Twiml(Value);

impl Twiml {
    /// The first element of this tag, however deep.
    fn find(&self, tag: &str) -> Option<Twiml> {
        if self.0[0] == tag {
            return Some(Self(self.0.clone()));
        }
        self.0[3].as_array().unwrap().iter().find_map(|child| Self(child.clone()).find(tag))
    }

    fn get(&self, tag: &str) -> Twiml {
        self.find(tag).unwrap_or_else(|| panic!("no {tag} in {}", self.0))
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.0[1][name].as_str().map(str::to_owned)
    }

    fn text(&self) -> String {
        self.0[2].as_str().unwrap().to_owned()
    }

    /// Who is rung, and whom they see calling.
    fn rung(&self) -> (String, String) {
        (self.get("Number").text(), self.get("Dial").attribute("callerId").unwrap())
    }
}

struct Exchange {
    cast: Cast,
    signer: Peer,
    _provider: Provider,
}

impl Exchange {
    async fn open(more: &str) -> Option<Self> {
        let signer = Peer::signer().await?;
        let provider = Provider::start(201, r#"{"sid":"SM{n}"}"#).await;
        let cast = Cast::hire("tw", &format!("{}{more}", section(&provider.base))).await;
        Some(Self { cast, signer, _provider: provider })
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Twiml {
        let answer = self.cast.twilio(&mut self.signer, path, fields).await.expect(200);
        let read = self.signer.ask(json!({"cmd": "xml", "text": answer.text})).await;
        assert_eq!(read["tree"][0], "Response");
        Twiml(read["tree"].clone())
    }

    /// Somebody calls X, by the carrier's id `call`.
    async fn ring(&mut self, call: &str, from: &str, x: &str) -> Twiml {
        self.post(VOICE, &[("CallSid", call), ("From", from), ("To", x), ("CallStatus", "ringing")]).await
    }

    /// Calls until the answer is as wanted: a freeze from another process is in force within a second. Gives the call.
    async fn ring_until(&mut self, from: &str, x: &str, wanted: impl Fn(&Twiml) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let call = format!("CAu{:?}", Instant::now()).replace(|c: char| !c.is_ascii_alphanumeric(), "");
            if wanted(&self.ring(&call, from, x).await) {
                return call;
            }
            assert!(Instant::now() < deadline, "not within 15 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How the party's side ended.
    async fn over(&mut self, call: &str, status: &str, seconds: &str) {
        let fields =
            [("CallSid", call), ("DialCallStatus", status), ("DialCallDuration", seconds), ("DialCallSid", "CAb")];
        assert!(self.post(STATUS, &fields).await.find("Hangup").is_some());
    }

    async fn refused(&mut self, reason: &str) {
        self.cast.entry("call.refused", |entry| entry["reason"] == reason).await;
    }

    async fn bind(&mut self, wish: Value) -> (Value, String) {
        self.cast.bind(wish).await
    }
}

#[actix_web::test]
async fn two_people_call_each_other_through_a_number_and_see_no_other() {
    let Some(mut exchange) = Exchange::open("voice = { max_s = 600, ring_s = 20, prompt = \"A & B <calls>\" }\n").await
    else {
        return;
    };
    let (alias, x) = exchange.cast.pair().await;
    let answer = exchange.ring("CA1", ANNA.0, &x).await;
    assert_eq!(answer.rung(), (BEN.0.to_owned(), x.clone()), "Ben is rung, from X");
    let (dial, number) = (answer.get("Dial"), answer.get("Number"));
    assert_eq!(
        (dial.attribute("timeLimit").as_deref(), dial.attribute("timeout").as_deref()),
        (Some("600"), Some("20"))
    );
    assert_eq!(dial.attribute("action"), Some(format!("{PUBLIC}{STATUS}")));
    assert_eq!(number.attribute("url"), Some(format!("{PUBLIC}{VOICE}?step=screen")));
    let started = exchange.cast.entry("call.started", |_| true).await;
    assert_eq!((&started["alias"], &started["caller"]), (&alias["id"], &json!("a")));

    // The same request again, as from whoever listened: no number.
    let again = exchange.ring("CA1", ANNA.0, &x).await;
    assert!(again.find("Dial").is_none() && again.find("Hangup").is_some());
    exchange.refused("repeated").await;

    // Ben hears what it is about, presses a key, and they speak for 42 seconds.
    let screen = exchange.post(&format!("{VOICE}?step=screen"), &[("CallSid", "CAb"), ("ParentCallSid", "CA1")]).await;
    let gather = screen.get("Gather");
    assert_eq!(gather.attribute("action"), Some(format!("{PUBLIC}{VOICE}?step=accept")));
    assert_eq!(gather.get("Say").text(), "A & B <calls>", "escaped, and read back");
    let press = |digit| [("CallSid", "CAb"), ("ParentCallSid", "CA1"), ("Digits", digit)];
    assert!(exchange.post(&format!("{VOICE}?step=accept"), &press("2")).await.find("Hangup").is_some());
    let accepted = exchange.post(&format!("{VOICE}?step=accept"), &press("1")).await;
    assert!(accepted.find("Hangup").is_none());
    exchange.cast.entry("call.answered", |entry| entry["call"] == started["call"]).await;
    exchange.over("CA1", "completed", "42").await;
    exchange.over("CA1", "busy", "0").await;
    let ended = exchange.cast.entry("call.ended", |entry| entry["call"] == started["call"]).await;
    assert_eq!((&ended["status"], &ended["seconds"]), (&json!("completed"), &json!(42)));
    assert_eq!(exchange.cast.entries("call.ended").await.len(), 1, "told once");

    assert_eq!(exchange.ring("CA2", BEN.0, &x).await.rung(), (ANNA.0.to_owned(), x.clone()));
    exchange.cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn however_a_call_ends_its_event_says_so() {
    let Some(mut exchange) = Exchange::open("").await else { return };
    let (_, x) = exchange.cast.pair().await;
    let cases = [
        ("busy", "busy"),
        ("no-answer", "no_answer"),
        ("failed", "failed"),
        ("canceled", "canceled"),
        ("completed", "no_answer"),
    ];
    for (n, (said, told)) in cases.into_iter().enumerate() {
        let call = format!("CA{n}");
        exchange.ring(&call, ANNA.0, &x).await;
        // The last was picked up by a machine, which pressed no key.
        exchange.over(&call, said, "7").await;
        let ended = exchange.cast.entries("call.ended").await;
        assert_eq!((ended.len(), &ended[n]["status"]), (n + 1, &json!(told)), "{said}");
    }
    // The caller gives up while it rings: only the word on the caller's side comes.
    exchange.ring("CA9", ANNA.0, &x).await;
    let gone = [("CallSid", "CA9"), ("CallStatus", "completed"), ("CallDuration", "3")];
    exchange.post(STATUS, &gone).await;
    exchange.cast.entry("call.ended", |entry| entry["status"] == "canceled" && entry["seconds"] == 0).await;
    // Words on calls that were never put through, or between the beginning and the end, change nothing.
    for fields in
        [[("CallSid", "CAx"), ("CallStatus", "completed")], [("CallSid", "CA9"), ("CallStatus", "in-progress")]]
    {
        exchange.post(STATUS, &fields).await;
    }
    assert_eq!(exchange.cast.entries("call.ended").await.len(), 6);
    exchange.cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn without_a_screen_picking_up_is_answering() {
    let Some(mut exchange) = Exchange::open("voice = { screen = false }\n").await else { return };
    let (_, x) = exchange.cast.pair().await;
    let number = exchange.ring("CA1", ANNA.0, &x).await.get("Number");
    assert_eq!(number.attribute("url"), None);
    assert_eq!(number.attribute("statusCallback"), Some(format!("{PUBLIC}{STATUS}")));
    let up = [("CallSid", "CAb"), ("ParentCallSid", "CA1"), ("CallStatus", "in-progress")];
    exchange.post(STATUS, &up).await;
    exchange.cast.entry("call.answered", |_| true).await;
    let gone = [("CallSid", "CA1"), ("CallStatus", "completed"), ("CallDuration", "30")];
    exchange.post(STATUS, &gone).await;
    exchange.cast.entry("call.ended", |entry| entry["status"] == "completed" && entry["seconds"] == 30).await;
    exchange.cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn each_mode_rings_whom_its_legs_name() {
    let Some(mut exchange) = Exchange::open("").await else { return };
    let (a, b) = (exchange.cast.token(ANNA.0).await, exchange.cast.token(BEN.0).await);
    let rung = |who: (&str, usize), shown: &str| (who.0.to_owned(), shown.to_owned());

    // ax: a stranger reaches Anna, who reaches the stranger back while there is one.
    let (ax, x) = exchange.bind(json!({"mode": "ax", "a": a})).await;
    assert_eq!(exchange.ring("CA10", CAM.0, &x).await.rung(), rung(ANNA, &x));
    assert_eq!(exchange.ring("CA11", ANNA.0, &x).await.rung(), rung(CAM, &x));
    assert_eq!(exchange.ring("CA12", BEN.0, &x).await.rung(), rung(ANNA, &x));
    assert!(exchange.ring("CA13", ANNA.0, &x).await.find("Dial").is_none());
    exchange.refused("several_senders").await;
    assert_eq!(
        exchange.ring("CA14", "+266696687", &x).await.rung(),
        rung(ANNA, &x),
        "who withholds a number reaches her too"
    );
    let id = ax["id"].as_str().unwrap().to_owned();
    exchange.cast.service.call("DELETE", &format!("/v1/aliases/{id}"), &exchange.cast.business, None).await.expect(204);

    // axn: Anna calls back whoever was last.
    let (_, x) = exchange.bind(json!({"mode": "axn", "a": a})).await;
    exchange.ring("CA20", BEN.0, &x).await;
    exchange.ring("CA21", CAM.0, &x).await;
    assert_eq!(exchange.ring("CA22", ANNA.0, &x).await.rung(), rung(CAM, &x));

    // axe: the extension is typed once; then the two are in a session.
    let (axe, x) = exchange.bind(json!({"mode": "axe", "a": a})).await;
    let extension = axe["extension"].as_str().unwrap().to_owned();
    let keypad = exchange.ring("CA30", CAM.0, &x).await;
    assert_eq!(keypad.get("Gather").attribute("action"), Some(format!("{PUBLIC}{VOICE}?step=extension")));
    let typed = |digits: &'static str| [("CallSid", "CA30"), ("From", CAM.0), ("To", ""), ("Digits", digits)];
    let mut wrong = typed("999999999");
    wrong[2].1 = &x;
    assert!(exchange.post(&format!("{VOICE}?step=extension"), &wrong).await.find("Dial").is_none());
    exchange.refused("extension_unknown").await;
    let right = [("CallSid", "CA31"), ("From", CAM.0), ("To", x.as_str()), ("Digits", extension.as_str())];
    assert_eq!(exchange.post(&format!("{VOICE}?step=extension"), &right).await.rung(), rung(ANNA, &x));
    assert_eq!(exchange.ring("CA32", CAM.0, &x).await.rung(), rung(ANNA, &x), "in a session");
    assert_eq!(exchange.ring("CA33", ANNA.0, &x).await.rung(), rung(CAM, &x), "and back");

    // axyb: each sees the number of the own area.
    let (axyb, x) = exchange.bind(json!({"mode": "axyb", "a": a, "b": b})).await;
    let y = axyb["number_y"].as_str().unwrap().to_owned();
    assert_eq!(exchange.ring("CA40", BEN.0, &x).await.rung(), rung(ANNA, &y));
    assert_eq!(exchange.ring("CA41", ANNA.0, &y).await.rung(), rung(BEN, &x));

    // axg: members reach Anna, who reaches the one that is named.
    let c = exchange.cast.token(CAM.0).await;
    let (_, x) = exchange.bind(json!({"mode": "axg", "a": a, "members": [b, c], "b": c})).await;
    assert_eq!(exchange.ring("CA50", BEN.0, &x).await.rung(), rung(ANNA, &x));
    assert_eq!(exchange.ring("CA51", ANNA.0, &x).await.rung(), rung(CAM, &x));
    exchange.cast.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn whoever_has_no_leg_is_turned_away_and_learns_nothing() {
    let Some(mut exchange) = Exchange::open("voice = { refusal = \"No.\" }\n").await else { return };
    let (alias, x) = exchange.cast.pair().await;
    let politely = |answer: &Twiml| answer.find("Dial").is_none() && answer.get("Say").text() == "No.";
    assert!(politely(&exchange.ring("CA1", CAM.0, &x).await));
    exchange.refused("unknown_sender").await;
    assert!(politely(&exchange.ring("CA2", CAM.0, "+12025550100").await), "a number of nobody's");
    // Two virtual numbers that call each other would never stop.
    let looped = exchange.ring("CA3", "+16045550104", &x).await;
    assert!(looped.find("Reject").is_some() && looped.find("Say").is_none());
    exchange.refused("loop").await;

    let id = alias["id"].as_str().unwrap().to_owned();
    let tenant = exchange.cast.tenant.clone();
    exchange.cast.service.cli_word(&["freeze", "alias", &id, "--tenant", &tenant]);
    exchange.ring_until(ANNA.0, &x, |answer| answer.find("Dial").is_none()).await;
    exchange.refused("frozen").await;
    exchange.cast.service.cli_word(&["thaw", "alias", &id, "--tenant", &tenant]);
    // What is under way is let end; what comes afterwards is turned away.
    let last = exchange.ring_until(ANNA.0, &x, |answer| answer.find("Dial").is_some()).await;
    exchange.cast.service.call("DELETE", &format!("/v1/aliases/{id}"), &exchange.cast.business, None).await.expect(204);
    exchange.over(&last, "busy", "0").await;
    exchange.cast.entry("call.ended", |entry| entry["status"] == "busy").await;
    assert!(politely(&exchange.ring("CA6", ANNA.0, &x).await));

    let (a, b) = (exchange.cast.token(ANNA.0).await, exchange.cast.token(BEN.0).await);
    let wish = json!({"mode": "axb", "a": a, "b": b, "unknown": "drop", "number": "+16045550103"});
    let (_, x) = exchange.bind(wish).await;
    let silent = exchange.ring("CA7", CAM.0, &x).await;
    assert!(
        silent.find("Reject").is_some() && silent.find("Say").is_none(),
        "where strangers are dropped, without a word"
    );
    let texts = json!({"mode": "axb", "a": a, "b": b, "capabilities": ["sms"], "number": "+16045550102"});
    let (_, x) = exchange.bind(texts).await;
    assert!(politely(&exchange.ring("CA8", ANNA.0, &x).await));
    exchange.refused("no_voice").await;
    exchange.cast.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn vonage_is_answered_with_an_ncco() {
    let Some(mut signer) = Peer::signer().await else { return };
    let provider = Provider::start(202, "{}").await;
    let section = format!("{}voice = {{ max_s = 900 }}\n", vonage::section(&provider.base));
    let mut cast = Cast::hire("vg", &section).await;
    let (_, x) = cast.pair().await;
    let bare = |number: &str| number.trim_start_matches('+').to_owned();
    let call = json!({"from": bare(ANNA.0), "to": bare(&x), "uuid": "a-1", "conversation_uuid": "CON-1"});
    let answer = cast.vonage(&mut signer, "/carriers/vg/voice", &call).await.expect(200);
    let connect = json!([{
        "action": "connect", "from": bare(&x), "timeout": 25, "limit": 900, "machineDetection": "hangup",
        "eventUrl": [format!("{PUBLIC}/carriers/vg/voice/status")], "eventMethod": "POST",
        "endpoint": [{"type": "phone", "number": bare(BEN.0)}],
    }]);
    assert_eq!(answer.json(), connect);
    let event = |status: &str, direction: &str, conversation: &str| {
        json!({"status": status, "direction": direction, "conversation_uuid": conversation, "uuid": "b-1", "duration": "12",
               "from": bare(&x), "to": bare(BEN.0)})
    };
    for status in ["started", "ringing", "answered"] {
        cast.vonage(&mut signer, "/carriers/vg/voice/status", &event(status, "outbound", "CON-1")).await.expect(200);
    }
    cast.entry("call.answered", |_| true).await;
    for side in ["outbound", "inbound"] {
        cast.vonage(&mut signer, "/carriers/vg/voice/status", &event("completed", side, "CON-1")).await.expect(200);
    }
    cast.entry("call.ended", |entry| entry["status"] == "completed" && entry["seconds"] == 12).await;

    let again = json!({"from": bare(ANNA.0), "to": bare(&x), "uuid": "a-2", "conversation_uuid": "CON-2"});
    cast.vonage(&mut signer, "/carriers/vg/voice", &again).await.expect(200);
    cast.vonage(&mut signer, "/carriers/vg/voice/status", &event("machine", "outbound", "CON-2")).await.expect(200);
    cast.entry("call.ended", |entry| entry["status"] == "no_answer").await;

    let a = cast.token(ANNA.0).await;
    let (axe, shared) = cast.bind(json!({"mode": "axe", "a": a})).await;
    let stranger = json!({"from": bare(CAM.0), "to": bare(&shared), "uuid": "a-3", "conversation_uuid": "CON-3"});
    let keypad = cast.vonage(&mut signer, "/carriers/vg/voice", &stranger).await.expect(200).json();
    assert_eq!((&keypad[0]["action"], &keypad[1]["action"]), (&json!("talk"), &json!("input")));
    let typed = json!({"from": bare(CAM.0), "to": bare(&shared), "uuid": "a-3", "conversation_uuid": "CON-3",
                       "dtmf": {"digits": axe["extension"], "timed_out": false}});
    let answer = cast.vonage(&mut signer, "/carriers/vg/voice?step=extension", &typed).await.expect(200).json();
    assert_eq!((&answer[0]["action"], &answer[0]["endpoint"][0]["number"]), (&json!("connect"), &json!(bare(ANNA.0))));
    cast.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}
