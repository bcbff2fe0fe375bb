//! The same wire against an encoder and decoder of other hands.

use std::time::Duration;

use bauta::config::{Concat, SmppBind, SmppLink, SubmitCommand};
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
            Brought::Receipt(id, status, _) => {
                assert_eq!((&id, status), (&submitted.ids[0], DeliveryStatus::Delivered))
            }
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

#[tokio::test]
async fn smpplib_reads_every_way_of_writing_a_long_text() {
    let Some(mut peer) = Peer::smpplib(&[]).await else { return };
    let text = "Ваш код 123456. ".repeat(7);
    for (concat, command, parts) in [
        (Concat::Udh16, SubmitCommand::SubmitSm, 2),
        (Concat::Sar, SubmitCommand::SubmitSm, 2),
        (Concat::Payload, SubmitCommand::SubmitSm, 1),
        (Concat::Sar, SubmitCommand::DataSm, 2),
    ] {
        let change = |link: &mut SmppLink| (link.concat, link.command) = (concat, command);
        let running = Running::with(&mut peer, Duration::ZERO, change).await;
        let ids = running.submit(&text).await.unwrap().ids;
        assert_eq!(ids.len(), parts, "{concat:?} {command:?}");
        let mut joined = String::new();
        for (number, id) in (1..).zip(ids) {
            let submit = peer.event("submit").await;
            assert_eq!(submit["message_id"], json!(id));
            match concat {
                Concat::Sar => assert_eq!((&submit["sar"][1], &submit["sar"][2]), (&json!(parts), &json!(number))),
                Concat::Payload => assert_eq!(submit["payload"], json!(true)),
                _ => assert!(submit["udh"].as_str().unwrap().starts_with("060804"), "{submit}"),
            }
            joined += submit["text"].as_str().unwrap();
        }
        assert_eq!(joined, text, "{concat:?} {command:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_transmitter_and_a_receiver_of_smpplib_bring_texts_in_every_way() {
    let Some(mut peer) = Peer::smpplib(&[]).await else { return };
    let running = Running::with(&mut peer, Duration::ZERO, |link| link.bind = SmppBind::Separate);
    let mut running = running.await;
    running.links(2).await;
    let text = "Ваш код 123456. ".repeat(7);
    for (by, parts) in [("sar", 2), ("payload", 1), ("data_sm", 1)] {
        peer.tell(json!({"cmd": "deliver", "as": by, "source": DEVICE, "dest": X, "text": text, "encoding": "ucs2"}))
            .await;
        let mut octets = Vec::new();
        for number in 1..=parts {
            let Brought::Message { octets: more, part, .. } = running.brought().await else { panic!("no message") };
            assert_eq!(part.map_or(1, |part| part.number), number, "{by}");
            octets.extend(more);
        }
        assert_eq!(text_of(&octets, Alphabet::Ucs2), text, "{by}");
    }
    let id = running.submit("hello").await.unwrap().ids.remove(0);
    peer.tell(json!({"cmd": "receipt", "message_id": id, "state": "UNDELIV", "style": "tlv", "source": DEVICE})).await;
    let (of, status, more) = running.told().await;
    assert_eq!((of, status, more.to), (id, DeliveryStatus::Undelivered, Some(format!("+{DEVICE}"))));
    running.stop().await;
}
