//! Twilio: the whole way over HTTP, signed by Twilio's own library.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{ANNA, BEN, Cast, FORM, JSON, PUBLIC, Provider, form};
use crate::peer::Peer;
use crate::service::Answer;

pub const TOKEN: &str = "twilio auth token";

/// A service with the carrier `tw`, whose account is at `base`.
pub fn section(base: &str) -> String {
    format!(
        "kind = \"twilio\"\nbase_url = \"{base}\"\naccount_sid = \"AC0123\"\nauth_token = \"{TOKEN}\"\nsender = \"Rialto\"\n"
    )
}

/// A form that Twilio's library signed for this address.
pub async fn signed(signer: &mut Peer, url: &str, fields: &[(&str, &str)]) -> String {
    let params: Map<String, Value> = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let made = signer.ask(json!({"cmd": "twilio", "token": TOKEN, "url": url, "params": params})).await;
    made["signature"].as_str().unwrap().to_owned()
}

impl Cast {
    /// Twilio calls `path`, signed.
    pub async fn twilio(&self, signer: &mut Peer, path: &str, fields: &[(&str, &str)]) -> Answer {
        let signature = signed(signer, &format!("{PUBLIC}{path}"), fields).await;
        self.calls(path, &[("x-twilio-signature", &signature)], FORM, &form(fields)).await
    }
}

const MADE: &str = r#"{"sid":"SM{n}","status":"queued"}"#;
const TAKEN: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response></Response>"#;

#[actix_web::test]
async fn a_text_crosses_by_twilio_and_its_receipt_comes_back() {
    let Some(mut signer) = Peer::signer().await else { return };
    let mut provider = Provider::start(201, MADE).await;
    let mut cast = Cast::hire("tw", &section(&provider.base)).await;
    let (alias, x) = cast.pair().await;
    let text = "Xin chào 👋 50% & more\nline two";
    let fields = [("From", ANNA.0), ("To", &x), ("Body", text), ("MessageSid", "SMin1"), ("NumSegments", "2")];
    let taken = cast.twilio(&mut signer, "/carriers/tw/inbound", &fields).await.expect(200);
    assert_eq!(
        (taken.text.as_str(), &taken.headers["content-type"]),
        (TAKEN, &"text/xml; charset=utf-8".parse().unwrap())
    );

    let seen = provider.next().await;
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/2010-04-01/Accounts/AC0123/Messages.json"));
    assert_eq!(
        seen.authorization,
        format!("Basic {}", data_encoding::BASE64.encode(format!("AC0123:{TOKEN}").as_bytes()))
    );
    assert_eq!((seen.field("To"), seen.field("From")), (Some(BEN.0.to_owned()), Some(x.clone())), "from X");
    assert_eq!(seen.field("Body").as_deref(), Some(text), "unchanged");
    assert_eq!(seen.field("StatusCallback"), Some(format!("{PUBLIC}/carriers/tw/status")));
    assert_eq!(seen.field("MessagingServiceSid"), None);

    cast.settles(&alias, "submitted").await;
    let status = [("MessageSid", "SM1"), ("MessageStatus", "delivered"), ("To", BEN.0), ("From", &x)];
    cast.twilio(&mut signer, "/carriers/tw/status", &status).await.expect(200);
    cast.settles(&alias, "delivered").await;
    let late = [("MessageSid", "SM1"), ("MessageStatus", "sent"), ("To", BEN.0), ("From", &x)];
    cast.twilio(&mut signer, "/carriers/tw/status", &late).await.expect(200);
    cast.settles(&alias, "delivered").await;
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn what_twilio_refuses_is_told_by_its_class_and_what_it_puts_off_is_tried_again() {
    let Some(mut signer) = Peer::signer().await else { return };
    let mut provider = Provider::start(201, MADE).await;
    let mut cast = Cast::hire("tw", &section(&provider.base)).await;
    let (alias, x) = cast.pair().await;
    let refusal =
        format!(r#"{{"code":21610,"message":"The message From/To pair {} violates a blacklist rule."}}"#, BEN.0);
    provider.answers(&[(429, r#"{"code":20429,"message":"Too Many Requests"}"#), (400, &refusal)]);
    let fields = [("From", ANNA.0), ("To", &x), ("Body", "hello"), ("MessageSid", "SMin1")];
    cast.twilio(&mut signer, "/carriers/tw/inbound", &fields).await.expect(200);
    provider.next().await;
    cast.entry("delivery.put_off", |entry| entry["reason"] == "throttled").await;
    provider.next().await;
    let told = cast.entry("message.undelivered", |_| true).await;
    assert_eq!(told["reason"], "blocked:twilio_21610");
    cast.settles(&alias, "rejected").await;
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn json_is_taken_by_the_hash_in_its_address_and_a_proxy_in_front_changes_nothing() {
    let Some(mut signer) = Peer::signer().await else { return };
    let mut provider = Provider::start(201, MADE).await;
    let mut cast = Cast::hire("tw", &section(&provider.base)).await;
    let (_, x) = cast.pair().await;
    // Behind a proxy that ends TLS the service hears plain HTTP to a name of its own network.
    let fields = [("From", ANNA.0), ("To", x.as_str()), ("Body", "hello"), ("MessageSid", "SMin1")];
    let signature = signed(&mut signer, &format!("{PUBLIC}/carriers/tw/inbound"), &fields).await;
    let headers =
        [("x-twilio-signature", signature.as_str()), ("host", "bauta.internal:8080"), ("x-forwarded-proto", "http")];
    cast.calls("/carriers/tw/inbound", &headers, FORM, &form(&fields)).await.expect(200);
    assert_eq!(provider.next().await.field("Body").as_deref(), Some("hello"));

    let ask = json!({"cmd": "twilio_body", "token": TOKEN, "url": format!("{PUBLIC}/carriers/tw/status"), "body": "{\"a\":1}"});
    let made = signer.ask(ask).await;
    let (url, signature) = (made["url"].as_str().unwrap(), made["signature"].as_str().unwrap());
    let path = url.strip_prefix(PUBLIC).unwrap();
    let headers = [("x-twilio-signature", signature)];
    let proven = cast.calls(path, &headers, JSON, "{\"a\":1}").await.expect(400);
    assert_eq!(proven.code(), "malformed_request", "proven, and no status");
    assert_eq!(cast.calls(path, &headers, JSON, "{\"a\":2}").await.expect(403).code(), "carrier_unproven");
    assert!(provider.is_silent(Duration::from_millis(300)).await);
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}
