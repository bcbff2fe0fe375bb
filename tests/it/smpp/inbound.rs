//! What the SMSC brings: messages in every alphabet, parts, receipts.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bauta::carrier::Part;
use bauta::message::Alphabet;
use bauta::store::DeliveryStatus;
use serde_json::json;

use super::{Brought, DEVICE, Running, X, text_of};
use crate::peer::Peer;

#[tokio::test]
async fn messages_arrive_in_every_alphabet_unchanged() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let cases = [
        ("gsm7", "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà^{}\\[~]|€"),
        ("ia5", "Code 178781 is @yours"),
        ("latin1", "Votre clé à usage unique: ç±½ÿ"),
        ("ucs2", "【微信】验证码 178781 有效期 15 分钟 — Mã xác thực 😀 एक"),
    ];
    for (encoding, text) in cases {
        peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": text, "encoding": encoding})).await;
        assert_eq!(running.brought().await.text(), (format!("+{DEVICE}"), text.to_owned()), "{encoding}");
        assert_eq!(peer.event("deliver_sm_resp").await["status"], 0);
    }
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "00ff80", "encoding": "binary"})).await;
    let Brought::Message { octets, alphabet, .. } = running.brought().await else { panic!("no message") };
    assert_eq!((octets.as_slice(), alphabet), (&[0, 0xff, 0x80][..], Alphabet::Binary));
    running.stop().await;
}

#[tokio::test]
async fn senders_are_told_apart_by_their_type() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    for (source, ton, expected) in [
        ("+447700900123", 0, "+447700900123"),
        ("8069", 0, "code 8069"),
        ("32665", 3, "code 32665"),
        ("HFM", 5, "name HFM"),
    ] {
        peer.tell(json!({"cmd": "deliver", "source": source, "source_ton": ton, "dest": X, "text": "hi"})).await;
        assert_eq!(running.brought().await.text().0, expected);
    }
    running.stop().await;
}

#[tokio::test]
async fn long_messages_come_in_parts_that_join() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let long = "Ваш код 😀 подтверждения {123456}. ".repeat(6);
    for (split, reference) in [("udh8", 0x42), ("udh16", 0x1234), ("sar", 0x1234)] {
        peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": long, "encoding": "ucs2",
            "split": split, "reference": reference}))
            .await;
        let total = u8::try_from(long.encode_utf16().count().div_ceil(67)).unwrap();
        let mut joined = Vec::new();
        for expected in 1..=total {
            let Brought::Message { octets, part, .. } = running.brought().await else { panic!("no message") };
            assert_eq!(part, Some(Part { reference, total, number: expected }), "{split}");
            joined.extend(octets);
        }
        assert_eq!(text_of(&joined, Alphabet::Ucs2), long, "{split}");
    }
    peer.tell(
        json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": long, "encoding": "ucs2", "split": "payload"}),
    )
    .await;
    assert_eq!(running.brought().await.text().1, long);
    running.stop().await;
}

#[tokio::test]
async fn receipts_reach_the_inbox_whatever_their_form_and_order() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    for (when, style, state, status) in [
        ("after", "both", "DELIVRD", DeliveryStatus::Delivered),
        ("after", "text", "UNDELIV", DeliveryStatus::Undelivered),
        ("after", "tlv", "EXPIRED", DeliveryStatus::Expired),
        ("before", "both", "REJECTD", DeliveryStatus::Rejected),
        ("after", "text", "ENROUTE", DeliveryStatus::Submitted),
    ] {
        peer.tell(json!({"cmd": "auto_receipts", "when": when, "style": style, "state": state})).await;
        let id = running.submit("hello").await.unwrap().ids.remove(0);
        match running.brought().await {
            Brought::Receipt(of, told, _) => assert_eq!((of, told), (id, status), "{when} {style}"),
            other => panic!("{other:?}"),
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_is_not_durable_is_kept_by_the_carrier() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    running.inbox.failures.store(2, Ordering::SeqCst);
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "hold on"})).await;
    for status in [0x64, 0x64, 0] {
        assert_eq!(peer.event("deliver_sm_resp").await["status"], status);
    }
    assert_eq!(running.brought().await.text().1, "hold on");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_inbox_takes_messages_to_many_numbers_side_by_side() {
    let Some(mut peer) = Peer::smsc(&["--window", "128"]).await else { return };
    let running = Running::with(&mut peer, Duration::from_millis(20), |config| config.window = 64).await;
    peer.tell(json!({"cmd": "flood", "count": 2_000, "senders": 500, "dest": X, "dests": 64})).await;
    let flooded = peer.event("flooded").await;
    assert_eq!(flooded["refused"], 0);
    // One after the other they would take 40 s.
    assert!(flooded["ms"].as_f64().unwrap() < 20_000.0, "{flooded}");
    running.stop().await;
}
