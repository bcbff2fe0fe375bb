//! What an endpoint learns of the text of messages.

use serde_json::{Value, json};

use super::{Manner, OPEN, Receiver};
use crate::http::{ANNA, Shop};

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
