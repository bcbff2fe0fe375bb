//! Receipts in the customs of many SMSCs.

use std::time::Duration;

use bauta::config::{IdFormat, SmppLink};
use bauta::store::{DeliveryStatus, Failure};
use serde_json::json;

use super::{DEVICE, Running};
use crate::peer::Peer;

#[tokio::test]
async fn each_custom_of_spelling_ids_finds_back() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    for (format, answer, text, tlv, pad) in [
        (IdFormat::HexToDecimal, "hex", "dec", "dec", 0),
        (IdFormat::HexToDecimal, "HEX", "dec", "HEX", 10),
        (IdFormat::DecimalToHex, "dec", "HEX", "hex", 12),
        (IdFormat::Decimal, "dec", "dec", "dec", 20),
        (IdFormat::Hex, "HEX", "hex", "hex", 8),
        (IdFormat::AsIs, "HEX", "HEX", "HEX", 0),
    ] {
        for style in ["text", "tlv", "both"] {
            let mut running = Running::with(&mut peer, Duration::ZERO, |link| link.id_format = format).await;
            peer.tell(json!({"cmd": "ids", "first": 987_654, "answer": answer, "text": text, "tlv": tlv, "pad": pad}))
                .await;
            peer.tell(json!({"cmd": "auto_receipts", "when": "after", "style": style, "state": "DELIVRD"})).await;
            let unlike = answer.to_lowercase() != text.to_lowercase() && answer == tlv;
            // A TLV alone is read by the setting, which a TLV in the answer's own spelling contradicts.
            if !(style == "tlv" && unlike) {
                let id = running.submit("hello").await.unwrap().ids.remove(0);
                let (of, status, more) = running.told().await;
                assert_eq!((of, status), (id, DeliveryStatus::Delivered), "{format:?} {style}");
                assert!(more.also.is_empty());
            }
            running.stop().await;
        }
    }
}

#[tokio::test]
async fn a_custom_is_learned_and_what_is_not_sure_yet_names_its_device() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    for (answer, text, pad) in [("hex", "dec", 10), ("dec", "HEX", 0), ("dec", "dec", 12), ("HEX", "hex", 16)] {
        let mut running = Running::start(&mut peer).await;
        peer.tell(json!({"cmd": "ids", "first": 700_000, "answer": answer, "text": text, "pad": pad})).await;
        peer.tell(json!({"cmd": "auto_receipts", "when": "after", "style": "text"})).await;
        for n in 0..6 {
            let id = running.submit("hello").await.unwrap().ids.remove(0);
            let (of, _, more) = running.told().await;
            if more.also.is_empty() {
                assert_eq!(of, id, "{answer} {text}, the {n}th");
            } else {
                assert!(
                    of == id || more.also.contains(&id),
                    "{answer} {text}: {id} is neither {of} nor {:?}",
                    more.also
                );
                assert_eq!(more.to, Some(format!("+{DEVICE}")));
                assert!(n < 3, "{answer} {text} is not learned");
            }
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn a_receipt_before_its_answer_has_the_same_id() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let change = |link: &mut SmppLink| link.id_format = IdFormat::HexToDecimal;
    let mut running = Running::with(&mut peer, Duration::ZERO, change).await;
    peer.tell(json!({"cmd": "ids", "first": 3_000, "answer": "hex", "text": "dec", "tlv": "dec"})).await;
    peer.tell(json!({"cmd": "auto_receipts", "when": "before", "style": "both"})).await;
    let id = running.submit("hello").await.unwrap().ids.remove(0);
    assert_eq!(running.told().await.0, id);
    running.stop().await;
}

#[tokio::test]
async fn failures_have_their_class() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let change = |link: &mut SmppLink| drop(link.error_codes.insert("069".into(), "spam".into()));
    let mut running = Running::with(&mut peer, Duration::ZERO, change).await;
    for (state, err, status, failure) in [
        ("UNDELIV", "001", DeliveryStatus::Undelivered, Some(Failure::UnknownSubscriber)),
        ("UNDELIV", "027", DeliveryStatus::Undelivered, Some(Failure::AbsentSubscriber)),
        ("REJECTD", "069", DeliveryStatus::Rejected, Some(Failure::Spam)),
        ("EXPIRED", "000", DeliveryStatus::Expired, Some(Failure::Expired)),
        ("DELIVRD", "000", DeliveryStatus::Delivered, None),
    ] {
        peer.tell(json!({"cmd": "auto_receipts", "when": "after", "style": "both", "state": state, "err": err})).await;
        running.submit("hello").await.unwrap();
        let (_, told, more) = running.told().await;
        assert_eq!((told, more.failure), (status, failure), "{state} {err}");
    }
    running.stop().await;
}
