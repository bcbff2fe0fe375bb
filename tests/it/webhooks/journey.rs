//! From an event to a receiver that believes it: order, audiences, signatures judged by the libraries of others.

use serde_json::{Value, json};

use super::{Manner, OPEN, Receiver};
use crate::http::{ANNA, BEN, Shop};
use crate::peer::Peer;
use crate::service::eventually;

#[actix_web::test]
async fn each_endpoint_hears_its_own_audience_in_order_and_no_number() {
    let shop = Shop::open_with(OPEN).await;
    let (mut own, mut courier) = (Receiver::open(Manner::Status(204)).await, Receiver::open(Manner::Status(200)).await);
    let (_, own_secret) = shop.hook(&shop.business, &own.url(), &["*"]).await;
    let (_, courier_secret) = shop.hook(&shop.partner, &courier.url(), &["alias.*", "message.*", "token.*"]).await;
    let anna = shop.token(ANNA.0).await;
    let (theirs, ben) = (shop.token_for(ANNA.0, "courier").await, shop.token_for(BEN.0, "courier").await);

    let started = shop.start(json!({"to": anna, "locale": "en", "user_ref": "u-17"})).await.expect(201);
    let verification = started.text_at("/id");
    let (_, text) = shop.handset(&anna, 1).await.remove(0);
    let code: String = text.split("code is ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    shop.check(&verification, &code).await.expect(200);
    let heard = own.until("verification.approved").await;
    let kinds: Vec<String> =
        heard.iter().map(super::Call::kind).filter(|kind| kind != "verification.delivered").collect();
    assert_eq!(kinds, ["verification.started", "verification.sent", "verification.approved"]);
    for call in &heard {
        let body = call.json();
        assert_eq!((call.path.as_str(), call.signed_by(&own_secret)), ("/hook", 1));
        assert_eq!((body["id"].as_str().unwrap(), call.signed_by(&courier_secret)), (call.name(), 0));
        assert_eq!(body["data"]["verification"], json!(verification));
        assert_eq!((&body["data"]["token"], &body["data"]["user_ref"]), (&json!(anna), &json!("u-17")));
        shop.note(&call.body);
    }

    let wish = json!({"mode": "axb", "a": theirs, "b": ben});
    let alias = shop.post("/v1/aliases", &shop.partner, wish).await.expect(201);
    let (id, x) = (alias.text_at("/id"), alias.text_at("/number"));
    assert_eq!(shop.write(&ben, &x, "are you there").await, "carried");
    shop.handset(&theirs, 2).await;
    shop.call("DELETE", &format!("/v1/aliases/{id}"), &shop.partner, None).await.expect(204);
    let heard = courier.until("alias.released").await;
    assert_eq!(heard[0].kind(), "alias.bound");
    assert!(heard.iter().any(|call| call.kind() == "message.received"));
    for call in &heard {
        let data = &call.json()["data"];
        assert_eq!((data["alias"].as_str().unwrap(), call.signed_by(&courier_secret)), (id.as_str(), 1));
        match call.kind().as_str() {
            "alias.bound" | "alias.released" => assert_eq!((&data["a"], &data["b"]), (&json!(theirs), &json!(ben))),
            _ => assert_eq!((&data["token"], &data["from"]), (&json!(theirs), &json!("b"))),
        }
        assert!(!call.body.contains(&anna) && !call.body.contains(x.trim_start_matches('+')), "{}", call.body);
        shop.note(&call.body);
    }
    // The tenant hears of it too, in its own tokens.
    let heard = own.until("alias.released").await;
    let bound = heard.iter().find(|call| call.kind() == "alias.bound").unwrap().json();
    assert_eq!(bound["data"]["a"], json!(anna));

    shop.call("DELETE", &format!("/v1/tokens/{anna}"), &shop.business, None).await.expect(204);
    let heard = own.until("token.erased").await;
    assert_eq!(heard.last().unwrap().json()["data"], json!({"token": anna, "kind": "vaulted"}));
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn receivers_on_the_libraries_of_others_believe_us_and_change_their_secret_over() {
    let shop = Shop::open_with(OPEN).await;
    for peer in [Peer::webhooks_in_node().await, Peer::webhooks_in_python().await] {
        let Some(mut peer) = peer else { continue };
        let url = format!("http://127.0.0.1:{}/in", peer.port);
        let (hook, secret) = shop.hook(&shop.business, &url, &["verification.*"]).await;
        peer.tell(json!({"cmd": "secret", "secret": secret})).await;
        let event = shop.ping(&hook).await;
        let call = peer.event("call").await;
        assert_eq!(
            (&call["name"], &call["body"]["type"], &call["path"]),
            (&json!(event), &json!("ping"), &json!("/in"))
        );

        let path = format!("/v1/webhooks/{hook}/rotate");
        let rotated = shop.post(&path, &shop.business, json!({"overlap_s": 600})).await.expect(200);
        assert!(rotated.json()["old_secret_until"].is_string());
        let event = shop.ping(&hook).await;
        assert_eq!(peer.event("call").await["name"], json!(event), "the old secret still fits");
        peer.tell(json!({"cmd": "secret", "secret": rotated.text_at("/secret")})).await;
        let event = shop.ping(&hook).await;
        assert_eq!(peer.event("call").await["name"], json!(event), "and so does the new one");

        shop.post(&path, &shop.business, json!({"overlap_s": 0})).await.expect(200);
        shop.ping(&hook).await;
        assert_eq!(peer.event("refused").await["why"], json!("WebhookVerificationError"));
        let refused = shop.delivery(&hook, |newest| newest["attempts"].as_u64() >= Some(1)).await;
        assert_eq!((&refused["status"], &refused["last_status"]), (&json!("waiting"), &json!(400)));
    }
}

#[actix_web::test]
async fn what_was_told_and_not_taken_before_a_crash_is_told_again_under_its_name() {
    let mut shop = Shop::open_with(OPEN).await;
    let mut receiver = Receiver::open(Manner::Hang).await;
    let (hook, secret) = shop.hook(&shop.business, &receiver.url(), &["alias.*"]).await;
    let event = shop.ping(&hook).await;
    assert_eq!(receiver.call().await.name(), event);
    shop.service.kill();
    receiver.behaves(Manner::Status(204));
    shop.service.restart().await;
    let again = receiver.call().await;
    assert_eq!((again.name(), again.signed_by(&secret)), (event.as_str(), 1));
    let delivered = shop.delivery(&hook, |newest| newest["status"] == "delivered").await;
    assert_eq!((&delivered["id"], &delivered["attempts"]), (&json!(event), &json!(1)));
}

#[actix_web::test]
async fn deliveries_are_listed_in_pages_and_sent_again_on_request() {
    let shop = Shop::open_with(OPEN).await;
    let mut receiver = Receiver::open(Manner::Status(204)).await;
    let (hook, _) = shop.hook(&shop.business, &receiver.url(), &["alias.*"]).await;
    let mut events = Vec::new();
    for _ in 0..5 {
        events.push(shop.ping(&hook).await);
        receiver.call().await;
    }
    shop.delivery(&hook, |newest| newest["status"] == "delivered").await;
    let mut listed = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/v1/webhooks/{hook}/deliveries?limit=2{after}");
        let page = shop.get(&path, &shop.auditor).await.expect(200).json();
        listed.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        match &page["next"] {
            Value::String(next) => after = format!("&after={next}"),
            _ => break,
        }
    }
    listed.reverse();
    assert_eq!(listed, events);
    let path = format!("/v1/webhooks/{hook}/redeliver");
    let one = shop.post(&path, &shop.business, json!({"delivery": events[1]})).await.expect(200);
    assert_eq!(one.json(), json!({"queued": 1, "next": null}));
    assert_eq!(receiver.call().await.name(), events[1]);
    let all = shop.post(&path, &shop.business, json!({"since": "2026-01-01T00:00:00Z"})).await.expect(200);
    assert_eq!(all.json(), json!({"queued": 5, "next": null}));
    for event in &events {
        assert_eq!(receiver.call().await.name(), event);
    }
    eventually("metrics", 10, async || {
        let metrics = shop.service.cli(&["audit", "export"]);
        String::from_utf8_lossy(&metrics.stdout).contains("webhook.redelivered").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_receiver_over_tls_is_told_only_if_its_certificate_is_its_own() {
    let mut shop = Shop::open_with(OPEN).await;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let trusted = shop.service.folder().join("trusted.pem");
    std::fs::write(&trusted, &certificate).unwrap();
    shop.service.stop();
    shop.service.restart_with(&[("SSL_CERT_FILE", trusted.to_str().unwrap())]).await;
    let mut receiver = Receiver::open_tls(&certificate, &key).await;
    let url = |host: &str, port: u16| format!("https://{host}:{port}/hook");
    let (hook, secret) = shop.hook(&shop.business, &url("localhost", receiver.port), &["alias.*"]).await;
    let event = shop.ping(&hook).await;
    let call = receiver.call().await;
    assert_eq!((call.name(), call.signed_by(&secret)), (event.as_str(), 1));
    assert_eq!(call.headers["host"], format!("localhost:{}", receiver.port));

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut stranger = Receiver::open_tls(&other.cert.pem(), &other.signing_key.serialize_pem()).await;
    for url in [url("127.0.0.1", receiver.port), url("localhost", stranger.port)] {
        let (hook, _) = shop.hook(&shop.business, &url, &["alias.*"]).await;
        shop.ping(&hook).await;
        let tried = shop.delivery(&hook, |newest| newest["attempts"].as_u64() >= Some(1)).await;
        assert_eq!(tried["last_fault"], json!("tls"), "{url}");
    }
    assert!(receiver.calls.try_recv().is_err() && stranger.calls.try_recv().is_err());
}
