//! What settings say about how messages are written, seen by the SMSC.

use std::time::Duration;

use bauta::carrier::{Address, Carrier, Submission};
use bauta::config::{Concat, ReceiptsWanted, SmppAlphabet, SmppLink, SubmitCommand, TonNpi};
use bauta::store::{Lane, Registration};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{DEVICE, Running, X, submission, text_of};
use crate::peer::Peer;

/// What the SMSC saw of one message, part by part, with these settings.
async fn seen(text: &str, change: impl FnOnce(&mut SmppLink)) -> Option<Vec<Value>> {
    let mut peer = Peer::smsc(&[]).await?;
    let running = Running::with(&mut peer, Duration::ZERO, change).await;
    let ids = running.submit(text).await.unwrap().ids;
    let mut parts = Vec::new();
    for _ in ids {
        parts.push(peer.event("submit").await);
    }
    running.stop().await;
    Some(parts)
}

fn joined(parts: &[Value]) -> String {
    parts.iter().map(|part| part["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn ten_parts_go_out_by_each_kind_of_header() {
    let text = "Ваш код 😀 ".repeat(60);
    for (concat, head, parts_of) in [(Concat::Udh8, "0003", 10), (Concat::Udh16, "0804", 10)] {
        let Some(parts) = seen(&text, |link| link.concat = concat).await else { return };
        assert_eq!((parts.len(), joined(&parts)), (parts_of, text.clone()));
        for (number, part) in (1..).zip(&parts) {
            let udh = part["udh"][0].as_str().unwrap();
            assert!(udh.starts_with(head) && udh.ends_with(&format!("{parts_of:02x}{number:02x}")), "{udh}");
            assert_eq!(part["esm_class"], 0x40);
        }
    }
}

#[tokio::test]
async fn parts_go_out_by_sar_tlvs() {
    let text = "0123456789€".repeat(40);
    let Some(parts) = seen(&text, |link| link.concat = Concat::Sar).await else { return };
    assert_eq!((parts.len(), joined(&parts)), (4, text));
    for (number, part) in (1..).zip(&parts) {
        assert_eq!((&part["sar"][1], &part["sar"][2]), (&json!(4), &json!(number)));
        assert_eq!((&part["sar"][0], &part["esm_class"]), (&parts[0]["sar"][0], &json!(0)));
        assert!(part["udh"].is_null());
    }
}

#[tokio::test]
async fn a_long_text_goes_out_whole_in_a_payload_and_a_short_one_does_not() {
    let text = "验证码 😀 ".repeat(40);
    let Some(parts) = seen(&text, |link| link.concat = Concat::Payload).await else { return };
    assert_eq!((parts.len(), &parts[0]["payload"], &parts[0]["data_coding"]), (1, &json!(true), &json!(8)));
    assert_eq!(joined(&parts), text);
    let parts = seen("short", |link| link.concat = Concat::Payload).await.unwrap();
    assert_eq!((&parts[0]["payload"], &parts[0]["text"]), (&json!(false), &json!("short")));
}

#[tokio::test]
async fn data_sm_carries_texts_both_ways() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::with(&mut peer, Duration::ZERO, |link| link.command = SubmitCommand::DataSm).await;
    let long = "Mã xác thực 877344 ".repeat(8);
    for (text, parts) in [("Your code is 178781", 1), (long.as_str(), 3)] {
        let ids = running.submit(text).await.unwrap().ids;
        assert_eq!(ids.len(), parts);
        let mut came = Vec::new();
        for id in ids {
            let part = peer.event("submit").await;
            assert_eq!((&part["command"], &part["message_id"]), (&json!("data_sm"), &json!(id)));
            came.push(part);
        }
        assert_eq!(joined(&came), text);
    }
    for (split, parts) in [("", 1), ("udh16", 2), ("sar", 2)] {
        let text = "Ваш код 123456. ".repeat(if parts == 1 { 2 } else { 6 });
        let mut command = json!({"cmd": "deliver", "command": "data_sm", "source": DEVICE, "dest": X, "text": text,
            "encoding": "ucs2"});
        if parts > 1 {
            command["split"] = json!(split);
        }
        peer.tell(command).await;
        let mut octets = Vec::new();
        for number in 1..=parts {
            let super::Brought::Message { octets: more, part, .. } = running.brought().await else {
                panic!("no message")
            };
            assert_eq!(part.map_or(1, |part| part.number), number, "{split}");
            octets.extend(more);
            let answer = peer.event("deliver_sm_resp").await;
            assert_eq!((&answer["status"], &answer["command"]), (&json!(0), &json!("data_sm")));
        }
        assert_eq!(text_of(&octets, bauta::message::Alphabet::Ucs2), text, "{split}");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_smsc_tries_no_longer_than_a_message_is_of_use() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    for (command, most, life, expected) in [
        (SubmitCommand::SubmitSm, 172_800, Some(300), json!(300)),
        (SubmitCommand::SubmitSm, 120, Some(300), json!(120)),
        (SubmitCommand::DataSm, 172_800, Some(7_200), json!(7_200)),
        (SubmitCommand::SubmitSm, 0, Some(300), Value::Null),
        (SubmitCommand::SubmitSm, 172_800, None, Value::Null),
    ] {
        let change = |link: &mut SmppLink| (link.command, link.validity_s) = (command, most);
        let running = Running::with(&mut peer, Duration::ZERO, change).await;
        let life = life.map(Duration::from_secs);
        running.carrier.submit(Submission { life, ..submission("code") }).await.unwrap();
        assert_eq!(peer.event("submit").await["validity_s"], expected, "{command:?} {most}");
        running.stop().await;
    }
}

#[tokio::test]
async fn every_part_says_under_what_sender_and_text_are_registered() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    for command in [SubmitCommand::SubmitSm, SubmitCommand::DataSm] {
        let running = Running::with(&mut peer, Duration::ZERO, |link: &mut SmppLink| link.command = command).await;
        let registration = Some(Registration {
            entity_id: Some("E-1201159000".into()),
            template_id: Some("T-1207160000".into()),
            ..Registration::default()
        });
        let text = "x".repeat(200);
        running.carrier.submit(Submission { registration, ..submission(&text) }).await.unwrap();
        for _ in 0..2 {
            assert_eq!(
                peer.event("submit").await["registration"],
                json!(["E-1201159000", "T-1207160000"]),
                "{command:?}"
            );
        }
        running.carrier.submit(submission("plain")).await.unwrap();
        assert_eq!(peer.event("submit").await["registration"], json!([null, null]), "{command:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn addresses_receipts_and_service_are_as_settings_say() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let change = |link: &mut SmppLink| {
        link.addressing.device = TonNpi { ton: 2, npi: 8 };
        link.addressing.name = TonNpi { ton: 5, npi: 9 };
        link.prefix = "+".into();
        link.service_type = "CMT".into();
        link.receipts = ReceiptsWanted::All;
        link.default_alphabet = SmppAlphabet::Latin1;
    };
    let running = Running::with(&mut peer, Duration::ZERO, change).await;
    let (from, lane) = (Address::Name("Shop".into()), Lane::Notice);
    let text = Zeroizing::new("déjà vu".to_owned());
    running.carrier.submit(Submission { from, lane, text, ..submission("") }).await.unwrap();
    let part = peer.event("submit").await;
    assert_eq!(
        (&part["dest"], &part["dest_ton"], &part["dest_npi"]),
        (&json!(format!("+{DEVICE}")), &json!(2), &json!(8))
    );
    assert_eq!((&part["source"], &part["source_ton"], &part["source_npi"]), (&json!("Shop"), &json!(5), &json!(9)));
    assert_eq!((&part["service_type"], &part["registered_delivery"]), (&json!("CMT"), &json!(0x11)));
    assert_eq!((&part["data_coding"], &part["text"]), (&json!(3), &json!("déjà vu")));
    running.stop().await;
}

#[tokio::test]
async fn numbers_within_a_country_are_placed_where_the_settings_say() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::with(&mut peer, Duration::ZERO, |link| link.country = "44".into()).await;
    for (source, ton) in [("07700900123", 0), ("7700900123", 2)] {
        peer.tell(json!({"cmd": "deliver", "source": source, "source_ton": ton, "dest": X, "text": "hi"})).await;
        assert_eq!(running.brought().await.text().0, "+447700900123");
    }
    running.stop().await;
}

#[tokio::test]
async fn every_data_coding_reads_right_or_not_at_all() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let readable = |brought: super::Brought| {
        let super::Brought::Message { octets, alphabet, .. } = brought else { panic!("no message") };
        let body = bauta::message::Encoded { alphabet, octets: Zeroizing::new(octets) };
        body.to_text().ok().map(|text| text.to_string())
    };
    for (coding, hex, expected) in [
        (0xf0, "48692031", Some("Hi 1")),
        (0x10, "48692031", Some("Hi 1")),
        (0x18, "9a8c0031", Some("验1")),
        (6, "bade d420 31", Some("Код 1")),
        (7, "f7e5e32031", Some("קוד 1")),
        (5, "82a0", None),
        (14, "b0a1", None),
        (0xf4, "00ff", None),
    ] {
        let hex = hex.replace(' ', "");
        peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": hex, "encoding": "binary",
            "data_coding": coding}))
            .await;
        assert_eq!(readable(running.brought().await).as_deref(), expected, "{coding:#x}");
        assert_eq!(peer.event("deliver_sm_resp").await["status"], 0);
    }
    running.stop().await;
}
