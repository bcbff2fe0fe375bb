//! What we submit: coding, parts, window, rate, and what the SMSC answers.

use std::time::Duration;

use bauta::carrier::{Carrier, Submission, SubmitError};
use bauta::store::Lane;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{DEVICE, Running, X, submission};
use crate::peer::Peer;

#[tokio::test]
async fn texts_go_out_as_their_characters_need() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    for (text, data_coding) in [("Your code is 178781 €{}", 0), ("Mã xác thực: 877344", 8), ("验证码 😀", 8)]
    {
        let submitted = running.submit(text).await.unwrap();
        let submit = peer.event("submit").await;
        assert_eq!(submitted.ids, [submit["message_id"].as_str().unwrap()]);
        assert_eq!((&submit["text"], &submit["data_coding"]), (&json!(text), &json!(data_coding)));
        assert_eq!((&submit["source"], &submit["source_ton"]), (&json!(X), &json!(1)));
        assert_eq!((&submit["dest"], &submit["dest_ton"]), (&json!(DEVICE), &json!(1)));
        assert_eq!((&submit["registered_delivery"], &submit["esm_class"]), (&json!(1), &json!(0)));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_long_text_goes_out_in_numbered_parts() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    for (text, parts) in [("0123456789€".repeat(40), 4), ("验证码 😀 ".repeat(40), 5)] {
        let submitted = running.submit(&text).await.unwrap();
        assert_eq!(submitted.ids.len(), parts);
        let mut joined = String::new();
        for (number, id) in (1..).zip(&submitted.ids) {
            let submit = peer.event("submit").await;
            assert_eq!(submit["message_id"], json!(id));
            assert_eq!(submit["esm_class"], 0x40);
            let udh = submit["udh"][0].as_str().unwrap();
            assert!(udh.starts_with("0003") && udh.ends_with(&format!("{parts:02x}{number:02x}")), "{udh}");
            joined += submit["text"].as_str().unwrap();
        }
        assert_eq!(joined, text);
    }
    let refused = running.submit(&"a".repeat(2_000)).await;
    assert!(matches!(refused, Err(SubmitError::Refused { reason }) if reason == "message_too_long"));
    running.stop().await;
}

#[tokio::test]
async fn a_submit_cut_off_is_unconfirmed_and_one_without_link_unavailable() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "cut_after", "submits": 1})).await;
    assert!(matches!(running.submit("lost?").await, Err(SubmitError::Unconfirmed)));
    assert!(matches!(running.submit("later").await, Err(SubmitError::Unavailable)));
    peer.event("bound").await;
    running.up().await;
    assert!(running.submit("now").await.is_ok());
    running.stop().await;
}

#[tokio::test]
async fn a_submit_without_answer_is_unconfirmed_in_time() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "mute", "on": true})).await;
    let began = Instant::now();
    assert!(matches!(running.submit("anyone?").await, Err(SubmitError::Unconfirmed)));
    assert!(began.elapsed() < Duration::from_secs(4));
    running.stop().await;
}

#[tokio::test]
async fn the_window_is_never_exceeded() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::with(&mut peer, Duration::ZERO, |config| config.window = 2).await;
    peer.tell(json!({"cmd": "mute", "on": true})).await;
    let submits: Vec<_> = (0..5)
        .map(|n| {
            let carrier = running.carrier.clone();
            tokio::spawn(async move { carrier.submit(submission(&n.to_string())).await })
        })
        .collect();
    assert_eq!(peer.count("submit", Duration::from_secs(1)).await, 2);
    for submit in submits {
        assert!(submit.await.unwrap().is_err());
    }
    running.stop().await;
}

#[tokio::test]
async fn a_full_window_keeps_places_for_codes() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::with(&mut peer, Duration::ZERO, |config| config.window = 8).await;
    peer.tell(json!({"cmd": "mute", "on": true})).await;
    let submit = |lane, text: &str| {
        let (carrier, text) = (running.carrier.clone(), text.to_owned());
        tokio::spawn(async move { carrier.submit(Submission { lane, ..submission(&text) }).await })
    };
    let ordinary: Vec<_> = (0..12).map(|n| submit(Lane::Marketing, &n.to_string())).collect();
    assert_eq!(peer.count("submit", Duration::from_millis(500)).await, 7);
    let code = submit(Lane::Code, "code");
    assert_eq!(peer.next(|event| event["text"] == "code").await["event"], "submit");
    for submit in ordinary.into_iter().chain([code]) {
        assert!(submit.await.unwrap().is_err());
    }
    running.stop().await;
}

#[tokio::test]
async fn statuses_of_the_carrier_become_decisions() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    for status in [0x58, 0x14] {
        peer.tell(json!({"cmd": "answer", "status": status})).await;
        let Err(SubmitError::Throttled { retry_after }) = running.submit("fast").await else { panic!("{status}") };
        assert!(matches!(running.submit("still fast").await, Err(SubmitError::Throttled { .. })));
        sleep(retry_after + Duration::from_millis(20)).await;
        assert!(running.submit("slow").await.is_ok());
    }
    peer.tell(json!({"cmd": "answer", "status": 0x0b})).await;
    let refused = running.submit("nobody").await;
    assert!(matches!(refused, Err(SubmitError::Refused { reason }) if reason == "unknown_subscriber:smpp_status_11"));
    peer.tell(json!({"cmd": "answer", "status": 0x45})).await;
    let refused = running.submit("no").await;
    assert!(matches!(refused, Err(SubmitError::Refused { reason }) if reason == "smpp_status_69"));
    peer.tell(json!({"cmd": "answer", "status": 8})).await;
    assert!(matches!(running.submit("broken").await, Err(SubmitError::Unavailable)));
    assert_eq!(running.carrier.stats().throttled, 2);
    running.stop().await;
}

#[tokio::test]
async fn a_rate_is_kept() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::with(&mut peer, Duration::ZERO, |config| config.rate = 20).await;
    let began = Instant::now();
    for n in 0..11 {
        running.submit(&n.to_string()).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    running.stop().await;
}
