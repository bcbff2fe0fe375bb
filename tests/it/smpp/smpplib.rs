//! The same wire against an encoder and decoder of other hands.

use bauta::message::Alphabet;
use bauta::store::DeliveryStatus;
use serde_json::json;

use super::{Brought, DEVICE, Running, X, text_of};
use crate::peer::Peer;

#[tokio::test]
async fn smpplib_reads_what_we_write_and_is_read() {
    let Some(mut peer) = Peer::smpplib(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    for (text, encoding, data_coding) in [("Code 178781 ñ", "gsm7", 0), ("Mã xác thực: 877344 验证码 😀", "ucs2", 8)]
    {
        let submitted = running.submit(text).await.unwrap();
        let submit = peer.event("submit").await;
        assert_eq!((&submit["text"], &submit["data_coding"]), (&json!(text), &json!(data_coding)));
        assert_eq!((&submit["source"], &submit["dest"]), (&json!(X), &json!(DEVICE)));
        assert_eq!(submitted.ids, [submit["message_id"].as_str().unwrap()]);

        peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": text, "encoding": encoding})).await;
        assert_eq!(running.brought().await.text(), (format!("+{DEVICE}"), text.to_owned()));
        assert_eq!(peer.event("deliver_sm_resp").await["status"], 0);

        peer.tell(json!({"cmd": "receipt", "message_id": submitted.ids[0], "state": "DELIVRD"})).await;
        match running.brought().await {
            Brought::Receipt(id, status) => assert_eq!((&id, status), (&submitted.ids[0], DeliveryStatus::Delivered)),
            other => panic!("{other:?}"),
        }
        peer.event("deliver_sm_resp").await;
    }
    running.stop().await;
    peer.event("unbind").await;
}

#[tokio::test]
async fn smpplib_joins_our_parts_and_we_join_its() {
    let Some(mut peer) = Peer::smpplib(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let long = "Ваш код подтверждения 123456. ".repeat(7);
    let ids = running.submit(&long).await.unwrap().ids;
    let mut joined = String::new();
    for number in 1..=ids.len() {
        let submit = peer.event("submit").await;
        assert!(submit["udh"].as_str().unwrap().ends_with(&format!("{:02x}{number:02x}", ids.len())));
        joined += submit["text"].as_str().unwrap();
    }
    assert_eq!(joined, long);

    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": long, "encoding": "ucs2"})).await;
    let mut octets = Vec::new();
    for expected in 1..=u8::try_from(ids.len()).unwrap() {
        let Brought::Message { octets: more, part: Some(part), .. } = running.brought().await else {
            panic!("no part")
        };
        assert_eq!((part.number, usize::from(part.total)), (expected, ids.len()));
        octets.extend(more);
    }
    assert_eq!(text_of(&octets, Alphabet::Ucs2), long);

    peer.tell(json!({"cmd": "cut"})).await;
    peer.event("bound").await;
    running.stop().await;
}
