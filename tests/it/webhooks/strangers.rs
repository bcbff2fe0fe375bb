//! What an endpoint learns of messages, and what becomes of those that it is asked about.

use serde_json::{Value, json};

use super::{Call, Manner, OPEN, Receiver};
use crate::http::{ANNA, BEN, CAM, Shop};

/// The next question, past the events that come besides.
async fn question(receiver: &mut Receiver) -> Call {
    loop {
        let call = receiver.call().await;
        if call.json()["data"]["question"] == json!(true) {
            return call;
        }
    }
}

#[actix_web::test]
async fn an_endpoint_decides_what_becomes_of_a_message_from_a_stranger() {
    let shop = Shop::open_with(OPEN).await;
    let mut receiver = Receiver::open(Manner::Says(r#"{"action":"relay"}"#)).await;
    let (_, secret) = shop.hook(&shop.business, &receiver.url(), &["alias.unknown_sender"]).await;
    let (anna, ben, cam) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let wish = json!({"mode": "axb", "a": anna, "b": ben, "unknown": "webhook", "disclose": "masked_code"});
    let alias = shop.post("/v1/aliases", &shop.business, wish).await.expect(201);
    let x = alias.text_at("/number");

    shop.write(&cam, &x, "Your code is 877344").await;
    let asked = question(&mut receiver).await;
    let data = asked.json()["data"].clone();
    assert_eq!((asked.kind().as_str(), asked.signed_by(&secret)), ("alias.unknown_sender", 1));
    assert_eq!((&data["alias"], &data["sender"]), (&json!(alias.text_at("/id")), &json!("number")));
    assert!(!asked.body.contains("877344") && !asked.body.contains(x.trim_start_matches('+')), "{}", asked.body);
    assert!(shop.handset(&anna, 1).await[0].1.contains("877344"), "carried on the endpoint's word");

    receiver.behaves(Manner::Says(r#"{"action":"reply","text":"Nobody reads this."}"#));
    shop.write(&cam, &x, "is it you?").await;
    question(&mut receiver).await;
    assert_eq!(shop.handset(&cam, 1).await[0], (x.clone(), "Nobody reads this.".to_owned()));

    for manner in [Manner::Says(r#"{"action":"drop"}"#), Manner::Status(500), Manner::Says("relay it")] {
        receiver.behaves(manner);
        shop.write(&cam, &x, "and now?").await;
        question(&mut receiver).await;
    }
    // Whoever is known is not asked about, and comes behind what was dropped.
    assert_eq!(shop.write(&ben, &x, "hello").await, "carried");
    let texts: Vec<String> = shop.handset(&anna, 2).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert_eq!(texts[1], "hello");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn an_endpoint_learns_of_a_text_what_the_alias_discloses() {
    let shop = Shop::open_with(OPEN).await;
    let mut receiver = Receiver::open(Manner::Status(204)).await;
    shop.hook(&shop.business, &receiver.url(), &["message.received"]).await;
    let anna = shop.token(ANNA.0).await;
    for (disclose, code, text) in [
        ("none", Value::Null, false),
        ("masked_code", json!("••••44"), false),
        ("code", json!("877344"), false),
        ("text", Value::Null, true),
    ] {
        let wish = json!({"mode": "ax", "a": anna, "disclose": disclose});
        let x = shop.post("/v1/aliases", &shop.business, wish).await.expect(201).text_at("/number");
        assert_eq!(shop.write("Bank", &x, "Your code is 877344, call 020 7946 0018 if in doubt").await, "carried");
        let data = receiver.call().await.json()["data"].clone();
        assert_eq!((&data["code"], &data["from"]), (&code, &json!("name")), "{disclose}: {data}");
        assert_eq!((data.get("text").is_some(), data["token"].clone()), (text, json!(anna)), "{disclose}: {data}");
    }
    shop.leaves_no_trace_of(&[ANNA]);
}
