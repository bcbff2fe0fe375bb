//! Receivers that misbehave: whatever one does, others hear in time.

use serde_json::json;

use super::{Manner, OPEN, Receiver};
use crate::http::Shop;

#[actix_web::test]
async fn a_receiver_that_hangs_drips_babbles_or_sends_us_elsewhere_is_told_of_in_the_list() {
    let shop = Shop::open_with(OPEN).await;
    let mut target = Receiver::open(Manner::Status(200)).await;
    let elsewhere = Manner::Redirect(target.url());
    let mut cases = Vec::new();
    for (manner, status, fault) in [
        (Manner::Hang, json!(null), json!("timeout")),
        (Manner::Drip, json!(null), json!("timeout")),
        (Manner::Babble, json!(null), json!("broken")),
        (elsewhere, json!(307), json!(null)),
        (Manner::Status(500), json!(500), json!(null)),
    ] {
        let receiver = Receiver::open(manner).await;
        let (hook, _) = shop.hook(&shop.business, &receiver.url(), &["alias.*"]).await;
        shop.ping(&hook).await;
        cases.push((hook, receiver, status, fault));
    }
    // Nobody listens there any more.
    let closed = Receiver::open(Manner::Status(200)).await.port;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_ne!(closed, free);
    let (nobody, _) = shop.hook(&shop.business, &format!("http://127.0.0.1:{free}/"), &["alias.*"]).await;
    shop.ping(&nobody).await;

    let mut sound = Receiver::open(Manner::Huge).await;
    let (hook, secret) = shop.hook(&shop.business, &sound.url(), &["alias.*"]).await;
    for _ in 0..3 {
        let event = shop.ping(&hook).await;
        let call = sound.call().await;
        assert_eq!((call.name(), call.signed_by(&secret)), (event.as_str(), 1), "dead ones hold up nobody");
    }
    assert_eq!(shop.delivery(&hook, |newest| newest["status"] == "delivered").await["last_status"], json!(200));

    for (hook, mut receiver, status, fault) in cases {
        let tried = shop.delivery(&hook, |newest| newest["attempts"].as_u64() >= Some(1)).await;
        assert_eq!((&tried["last_status"], &tried["last_fault"]), (&status, &fault), "{tried}");
        assert_eq!((&tried["status"], &tried["type"]), (&json!("waiting"), &json!("ping")));
        assert!(tried["next_attempt_at"].is_string());
        receiver.call().await;
    }
    let tried = shop.delivery(&nobody, |newest| newest["attempts"].as_u64() >= Some(1)).await;
    assert_eq!(tried["last_fault"], json!("unreachable"));
    assert!(target.calls.try_recv().is_err(), "no redirect is followed");
}

#[actix_web::test]
async fn a_receiver_that_recovers_hears_all_in_order_and_one_that_says_410_is_let_be() {
    let shop = Shop::open_with(OPEN).await;
    let mut receiver = Receiver::open(Manner::Status(500)).await;
    let (hook, _) = shop.hook(&shop.business, &receiver.url(), &["alias.*"]).await;
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(shop.ping(&hook).await);
    }
    assert_eq!(receiver.call().await.name(), events[0]);
    receiver.behaves(Manner::Status(204));
    for event in &events {
        assert_eq!(receiver.call().await.name(), event, "after five seconds, nothing overtakes");
    }

    let mut alerts = Receiver::open(Manner::Status(204)).await;
    shop.hook(&shop.business, &alerts.url(), &["alert.*"]).await;
    receiver.behaves(Manner::Status(410));
    shop.ping(&hook).await;
    let alert = alerts.call().await;
    assert_eq!(alert.kind(), "alert.webhook_disabled");
    assert_eq!(alert.json()["data"], json!({"webhook": hook, "reason": "gone"}));
    let view = shop.get(&format!("/v1/webhooks/{hook}"), &shop.business).await.expect(200).json();
    assert_eq!((&view["status"], &view["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    let refused = shop.call("POST", &format!("/v1/webhooks/{hook}/ping"), &shop.business, None).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "webhook_disabled"));
    receiver.call().await;
    receiver.behaves(Manner::Status(204));
    let enabled = shop.change_hook(&hook, json!({"status": "enabled"})).await.expect(200).json();
    assert_eq!((&enabled["status"], &enabled["disabled_reason"]), (&json!("enabled"), &json!(null)));
    receiver.call().await;
    shop.delivery(&hook, |newest| newest["status"] == "delivered").await;
}
