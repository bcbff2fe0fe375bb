//! What no SMSC should send: each has its answer, and the link lives where the frame is known.

use serde_json::json;

use super::{Brought, DEVICE, Running, X, deliver_sm_body, frame};
use crate::peer::Peer;

#[tokio::test]
async fn malformed_pdus_are_answered_and_the_link_is_kept() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let cut_short = &deliver_sm_body(0, b"hello", b"")[..20];
    let no_destination = b"\0\x01\x01447700900123\0\x05\0HFM\0\0\0\0\0\0\0\0\0\0\x01a";
    let cases: [(u32, Vec<u8>, &str, &str, u32); 8] = [
        (0x0000_0777, vec![1, 2, 3], "command_id", "generic_nack", 0x03),
        (0x0000_0004, deliver_sm_body(0, b"submit", b""), "command_id", "generic_nack", 0x03),
        (0x0000_0005, cut_short.to_vec(), "field", "deliver_sm_resp", 0x02),
        (0x0000_0005, vec![b'x'; 400], "field", "deliver_sm_resp", 0x02),
        (0x0000_0005, deliver_sm_body(0, b"hello", b"\x04\x24\xff\xffshort"), "tlv", "deliver_sm_resp", 0xc0),
        (0x0000_0005, deliver_sm_body(0x40, b"\x20\x00\x03\x01\x02\x01", b""), "udh", "deliver_sm_resp", 0x43),
        (0x0000_0005, deliver_sm_body(0x04, b"stat:DELIVRD", b""), "receipt", "deliver_sm_resp", 0x65),
        (0x0000_0005, no_destination.to_vec(), "destination", "deliver_sm_resp", 0x0b),
    ];
    for (sequence, (command, body, kind, answer, status)) in (9_000..).zip(cases) {
        peer.tell(json!({"cmd": "raw", "hex": frame(command, sequence, &body)})).await;
        match running.brought().await {
            Brought::Malformed(fault) => assert_eq!(fault, kind),
            other => panic!("{other:?} for {kind}"),
        }
        let told = peer.next(|event| event["sequence"] == sequence).await;
        assert_eq!((&told["command"], &told["status"]), (&json!(answer), &json!(status)), "{kind}");
    }
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "still here"})).await;
    assert_eq!(running.brought().await.text().1, "still here");
    assert_eq!((running.carrier.stats().binds, running.carrier.stats().malformed), (1, 8));
    running.stop().await;
}

#[tokio::test]
async fn unknown_tlvs_do_not_cost_the_message() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let tlvs = b"\x14\x03\x00\x05vendo\x13\x80\x00\x00\x02\x04\x00\x01\x07";
    peer.tell(json!({"cmd": "raw", "hex": frame(5, 9_000, &deliver_sm_body(0, b"hello", tlvs))})).await;
    assert_eq!(running.brought().await.text(), (format!("+{DEVICE}"), "hello".to_owned()));
    assert_eq!(peer.next(|event| event["sequence"] == 9_000).await["status"], 0);
    running.stop().await;
}

#[tokio::test]
async fn an_absurd_length_is_answered_and_ends_only_that_link() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    for hex in ["ffffffff000000050000000000002328", "0000000f000000050000000000002328"] {
        peer.tell(json!({"cmd": "raw", "hex": hex})).await;
        assert!(matches!(running.brought().await, Brought::Malformed(fault) if fault == "command_length"));
        let told = peer.next(|event| event["sequence"] == 0x2328).await;
        assert_eq!((&told["command"], &told["status"]), (&json!("generic_nack"), &json!(2)));
        peer.event("bound").await;
        running.up().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_stray_answer_changes_nothing() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    for command in [0x8000_0004, 0x8000_0000, 0x8000_0015, 0x8000_0009] {
        peer.tell(json!({"cmd": "raw", "hex": frame(command, 7_777_777, b"id\0")})).await;
    }
    assert!(running.submit("fine").await.is_ok());
    assert_eq!(running.carrier.stats().binds, 1);
    running.stop().await;
}
