//! A stranger's message waits for the tenant's word: dropped, answered or carried on, as its endpoint says.

use serde_json::json;

use super::{Manner, OPEN, Receiver};
use crate::http::{ANNA, BEN, Shop};

const STRANGER: &str = "+447700900777";

#[actix_web::test]
async fn the_endpoint_decides_what_becomes_of_a_strangers_message() {
    let shop = Shop::open_with(OPEN).await;
    let mut endpoint = Receiver::open(Manner::Says(r#"{"action":"relay"}"#)).await;
    let (_, secret) = shop.hook(&shop.business, &endpoint.url(), &["alias.unknown_sender"]).await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let wish = json!({"mode": "axb", "a": anna, "b": ben, "unknown": "webhook", "disclose": "text"});
    let alias = shop.post("/v1/aliases", &shop.business, wish).await.expect(201);
    let (id, x) = (alias.text_at("/id"), alias.text_at("/number"));

    assert_eq!(shop.write(STRANGER, &x, "May I come in? Call +447700900123").await, "carried");
    let (from, text) = shop.handset(&anna, 1).await.remove(0);
    assert_eq!((from.as_str(), text.as_str()), (x.as_str(), "May I come in? Call +447700900123"));
    // One call is the event, the other the question.
    let calls = [endpoint.call().await, endpoint.call().await];
    for call in &calls {
        assert_eq!((call.kind().as_str(), call.signed_by(&secret)), ("alias.unknown_sender", 1));
        assert_eq!(call.json()["data"]["alias"], json!(id));
        shop.note(&call.body);
    }
    let asked = calls.iter().map(super::Call::json).find(|body| body["data"]["text"].is_string()).expect("a question");
    let told = asked["data"]["text"].as_str().unwrap();
    assert!(told.starts_with("May I come in? Call tok_"), "{told}");
    assert_eq!((&asked["data"]["sender"], &asked["data"]["question"]), (&json!("number"), &json!(true)));
    assert_eq!(asked["data"].get("number"), None, "not even one of a pool");

    endpoint.behaves(Manner::Says(r#"{"action":"reply","text":"We are closed."}"#));
    shop.write(STRANGER, &x, "Anybody there?").await;
    let (from, text) = shop.handset(STRANGER, 1).await.remove(0);
    assert_eq!((from.as_str(), text.as_str()), (x.as_str(), "We are closed."));

    endpoint.behaves(Manner::Status(500));
    shop.write(STRANGER, &x, "Hello?").await;
    crate::service::eventually("the drop", 20, || async {
        let entries = shop.get("/v1/audit/entries?action=message.dropped", &shop.auditor).await.expect(200);
        entries.text.contains("unknown_sender").then_some(())
    })
    .await;
    assert_eq!(shop.handset(&anna, 1).await.len(), 1, "nothing more reached her");
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}
