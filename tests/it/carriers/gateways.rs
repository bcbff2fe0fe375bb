//! Gateways that the settings describe: the example for a phone, and what a description may not do.

use std::process::Command;

use serde_json::json;

use super::{ANNA, BEN, Cast, JSON, Provider};
use crate::service::BAUTA;

const ANDROID: &str = include_str!("../../../docs/examples/android.toml");
const KEY: &str = "phone signing key";

/// The section of an example, without its heading and name, for a phone at `base`.
fn section(base: &str) -> String {
    let (_, section) = ANDROID.split_once("name = \"phone\"\n").unwrap();
    section
        .replace("http://192.168.1.20:8080", base)
        .replace("+447700900099", "+16045550100")
        .replace("env:PHONE_PASSWORD", "phone password")
        .replace("env:PHONE_SIGNING_KEY", KEY)
        .replace("rate = 1 ", "rate = 0 ")
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap()
}

/// The app's signature: hexadecimal HMAC-SHA256 over the body and the time behind it.
fn signature(body: &str, time: i64, key: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    data_encoding::HEXLOWER.encode(ring::hmac::sign(&key, format!("{body}{time}").as_bytes()).as_ref())
}

impl Cast {
    async fn phone(&self, path: &str, body: &str, time: i64, key: &str) -> u16 {
        let (time_text, signature) = (time.to_string(), signature(body, time, key));
        let headers = [("x-signature", signature.as_str()), ("x-timestamp", time_text.as_str())];
        self.calls(path, &headers, JSON, body).await.status
    }
}

#[actix_web::test]
async fn one_phone_is_enough_to_start() {
    let mut provider = Provider::start(202, r#"{"id":"ignored","state":"Pending"}"#).await;
    let mut cast = Cast::hire("phone", &section(&provider.base)).await;
    let a = cast.token(ANNA.0).await;
    let (alias, _) = cast.bind(json!({"mode": "ax", "a": a, "number": "+16045550100"})).await;
    // As the phone shows a sender of its own country, and one from abroad: both can be answered.
    let text = "quoted \"text\" {\"a\":1}\n验 {to}";
    let event = |id: &str, from: &str, text: &str| {
        let payload = json!({"messageId": "abc123", "message": text, "phoneNumber": from, "simNumber": 1});
        json!({"deviceId": "f", "event": "sms:received", "id": id, "payload": payload, "webhookId": "w"}).to_string()
    };
    let came = event("one", BEN.0, text);
    assert_eq!(cast.phone("/carriers/phone/inbound", &came, now(), KEY).await, 200);
    let seen = provider.next().await;
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/message"));
    assert_eq!(seen.authorization, format!("Basic {}", data_encoding::BASE64.encode(b"sms:phone password")));
    let sent = seen.json();
    let id = sent["id"].as_str().unwrap().to_owned();
    assert_eq!(
        sent,
        json!({"id": id, "textMessage": {"text": text}, "phoneNumbers": [ANNA.0], "withDeliveryReport": true})
    );

    cast.settles(&alias, "submitted").await;
    let report = |event: &str| json!({"event": event, "id": "e", "payload": {"messageId": id, "phoneNumber": ANNA.0}});
    for (event, status) in [("sms:sent", "submitted"), ("system:ping", "submitted"), ("sms:delivered", "delivered")] {
        let body = report(event).to_string();
        assert_eq!(cast.phone("/carriers/phone/status", &body, now(), KEY).await, 200);
        cast.settles(&alias, status).await;
    }

    // Under another key, too old, changed on the way, or at a door that a gateway without calls does not have.
    let again = event("two", BEN.0, "let me in");
    assert_eq!(cast.phone("/carriers/phone/inbound", &again, now(), "another key").await, 403);
    assert_eq!(cast.phone("/carriers/phone/inbound", &again, now() - 301, KEY).await, 403);
    assert_eq!(cast.phone("/carriers/phone/inbound", &again, now() + 400, KEY).await, 403);
    assert_eq!(cast.phone("/carriers/phone/voice", &again, now(), KEY).await, 404);
    assert!(provider.is_silent(std::time::Duration::from_millis(300)).await);
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[test]
fn a_description_that_cannot_work_stops_the_start_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let good = section("http://127.0.0.1:1");
    let cases = [
        ("{text}", "{txet}", "submit.json"),
        ("http://127.0.0.1:1/message", "no address", "submit.url"),
        ("url = \"http://127.0.0.1:1/message\"", "", "submit.url"),
        ("withDeliveryReport = true }", "withDeliveryReport = true }\nform = { to = \"{to}\" }", "submit"),
        ("\"sms:failed\" = \"undelivered\"", "\"sms:failed\" = \"lost\"", "status.words"),
        ("hmac = \"X-Signature\"", "", "auth"),
        ("secret = \"phone signing key\"", "secret = \"env:BAUTA_NO_SUCH\"", "auth.secret"),
        ("sender = \"+16045550100\"", "", "sender"),
        ("text = \"/payload/message\"", "text = \"header:\"", "text"),
        ("region = \"GB\"", "regoin = \"GB\"", "regoin"),
    ];
    for (from, to, key) in cases {
        assert!(good.contains(from), "{from}");
        let section = good.replacen(from, to, 1);
        let settings = format!("[server]\nlisten = \"127.0.0.1:0\"\n[[carriers]]\nname = \"phone\"\n{section}");
        std::fs::write(folder.path().join("bauta.toml"), settings).unwrap();
        let output = Command::new(BAUTA)
            .args(["serve", "--config", "bauta.toml", "--data", "data"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{to}: {said}");
        assert!(said.contains(key), "{to}: {said}");
        assert!(!said.contains("phone signing key") && !said.contains("phone password"), "{said}");
    }
}
