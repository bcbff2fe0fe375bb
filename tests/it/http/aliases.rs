//! Aliases over the sandbox: who reaches whom through X, how numbers are given out and rest, what history tells.

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};

impl Shop {
    async fn bind(&self, body: Value) -> crate::service::Answer {
        self.post("/v1/aliases", &self.business, body).await
    }

    async fn release(&self, id: &str) {
        self.call("DELETE", &format!("/v1/aliases/{id}"), &self.business, None).await.expect(204);
    }
}

#[actix_web::test]
async fn two_people_write_to_one_number_and_each_reaches_the_other() {
    let shop = Shop::open().await;
    let (anna, ben, cam) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let wish = json!({"mode": "axb", "a": anna, "b": ben, "ttl_s": 3600, "unknown": "drop"});
    let alias = shop.bind(wish).await.expect(201);
    let x = alias.text_at("/number");
    let long = "Còn hàng không? ".repeat(20);
    let texts = ["hello", "Xin chào 👋", "[2] not a tag here", "  spaces  and\nlines ", &long];
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(shop.write(&anna, &x, text).await, "carried");
        assert_eq!(shop.handset(&ben, n + 1).await[n], (x.clone(), (*text).to_owned()), "unchanged, from X");
        assert_eq!(shop.write(&ben, &x, text).await, "carried");
        assert_eq!(shop.handset(&anna, n + 1).await[n], (x.clone(), (*text).to_owned()));
    }
    assert_eq!(shop.write(&cam, &x, "let me in").await, "dropped", "whoever has no leg reaches nobody");
    assert_eq!(shop.write("HFM", &x, "820134").await, "dropped");
    let id = alias.text_at("/id");
    let history = shop.get(&format!("/v1/aliases/{id}/messages?limit=100"), &shop.business).await.expect(200);
    let data = history.json()["data"].as_array().unwrap().clone();
    assert_eq!(data.len(), 2 * texts.len());
    assert_eq!((&data[0]["from"], &data[1]["from"]), (&json!("b"), &json!("a")), "newest first");
    for text in ["hello", "chào", "hàng", "820134"] {
        assert!(!history.text.contains(text), "no content: {text}");
    }
    shop.release(&id).await;
    assert_eq!(shop.write(&anna, &x, "too late").await, "dropped");
    assert_eq!(shop.get(&format!("/v1/aliases/{id}"), &shop.business).await.text_at("/status"), "released");
    let over = shop.call("PATCH", &format!("/v1/aliases/{id}"), &shop.business, Some(json!({"ttl_s": 60}))).await;
    assert_eq!((over.status, over.code()), (410, "alias_expired".to_owned()));
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn racing_binds_never_share_a_leg_and_a_released_one_cools() {
    let shop = Shop::open().await;
    let numbers: Vec<String> = (0..4).map(|n| format!("+1604555010{n}")).collect();
    let pool = shop.pool("small", &numbers).await;
    let anna = shop.token(ANNA.0).await;
    let mut others = Vec::new();
    for n in 0..32 {
        others.push(shop.token(&format!("+131255501{n:02}")).await);
    }
    let race = others.iter().map(|b| shop.bind(json!({"mode": "axb", "a": anna, "b": b, "pool": pool})));
    let answers: Vec<_> = futures::stream::iter(race).buffered(32).collect().await;
    let mut given = std::collections::BTreeSet::new();
    for got in &answers {
        match got.status {
            201 => assert!(given.insert(got.text_at("/number")), "twice: {}", got.text),
            409 => assert_eq!(got.code(), "pool_exhausted"),
            _ => panic!("{} {}", got.status, got.text),
        }
    }
    assert_eq!(given, numbers.iter().cloned().collect(), "each number once, none left");
    let bound = answers.iter().position(|got| got.status == 201).unwrap();
    let refused = answers.iter().position(|got| got.status == 409).unwrap();
    let wish = |b: &str| json!({"mode": "axb", "a": anna, "b": b, "pool": pool});
    // Two whom Anna does not concern still fit on the very same numbers.
    let strangers = json!({"mode": "axb", "a": others[refused], "b": shop.token(CAM.0).await, "pool": pool});
    shop.bind(strangers).await.expect(201);
    shop.release(&answers[bound].text_at("/id")).await;
    assert_eq!(shop.bind(wish(&others[refused])).await.expect(409).code(), "pool_exhausted", "it cools");
    let back = shop.bind(wish(&others[bound])).await.expect(201);
    assert_eq!(back.text_at("/number"), answers[bound].text_at("/number"), "the same two may have it back");
    shop.leaves_no_trace_of(&[ANNA, CAM, ("+13125550100", 1), ("+13125550131", 1)]);
}

#[actix_web::test]
async fn a_number_that_anyone_could_write_to_rests_and_carries_nothing_else() {
    let shop = Shop::open().await;
    let pool = shop.pool("one", &["+16045550100".to_owned()]).await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let first = shop.bind(json!({"mode": "ax", "a": anna, "pool": pool})).await.expect(201);
    let cam = shop.token(CAM.0).await;
    for second in
        [json!({"mode": "ax", "a": ben, "pool": pool}), json!({"mode": "axb", "a": ben, "b": cam, "pool": pool})]
    {
        assert_eq!(shop.bind(second).await.expect(409).code(), "pool_exhausted");
    }
    let named = shop.bind(json!({"mode": "ax", "a": ben, "number": "+16045550100"})).await.expect(409);
    assert_eq!(named.code(), "number_occupied");
    shop.release(&first.text_at("/id")).await;
    assert_eq!(shop.bind(json!({"mode": "ax", "a": ben, "pool": pool})).await.expect(409).code(), "pool_exhausted");
    let counts = shop.get(&format!("/v1/pools/{pool}"), &shop.operator).await.expect(200).json();
    assert_eq!((&counts["free"], &counts["cooling"]), (&json!(0), &json!(1)), "{counts}");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn parties_are_two_people_and_no_number_of_a_pool() {
    let shop = Shop::open().await;
    let pool = shop.pool("own", &["+16045550100".to_owned(), "+16045550101".to_owned()]).await;
    let anna = shop.token(ANNA.0).await;
    let twin = shop.post("/v1/tokens", &shop.business, json!({"number": ANNA.0, "fresh": true})).await.expect(201);
    let twin = twin.text_at("/token");
    assert_ne!(anna, twin);
    let same = shop.bind(json!({"mode": "axb", "a": anna, "b": twin})).await.expect(422);
    assert_eq!(same.code(), "same_party");
    let in_pool = shop.token("+16045550101").await;
    assert_eq!(shop.bind(json!({"mode": "ax", "a": in_pool, "pool": pool})).await.expect(422).code(), "number_in_pool");
    let verified = shop.start(json!({"to": {"number": "+1 604 555 0101"}})).await.expect(422);
    assert_eq!(verified.code(), "number_in_pool");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_life_has_an_end_that_can_be_moved() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let alias =
        shop.bind(json!({"mode": "ax", "a": anna, "ttl_s": 60, "metadata": {"order": "4711"}})).await.expect(201);
    let path = format!("/v1/aliases/{}", alias.text_at("/id"));
    let change = async |body: Value| shop.call("PATCH", &path, &shop.business, Some(body)).await;
    let longer = change(json!({"ttl_s": 3600})).await.expect(200).text_at("/expires_at");
    assert!(longer > alias.text_at("/expires_at"));
    assert_eq!(change(json!({"ttl_s": null})).await.expect(200).json()["expires_at"], Value::Null);
    assert_eq!(change(json!({"ttl_s": 59})).await.expect(400).code(), "invalid_field");
    assert_eq!(change(json!({"disclose": "everything"})).await.expect(400).code(), "invalid_field");
    let told = change(json!({"disclose": "masked_code", "unknown": "drop"})).await.expect(200).json();
    assert_eq!((&told["disclose"], &told["unknown"]), (&json!("masked_code"), &json!("drop")));
    let read = shop.get(&path, &shop.auditor).await.expect(200).json();
    assert_eq!((&read["metadata"]["order"], &read["a"]), (&json!("4711"), &json!(anna)));
    let x = alias.text_at("/number").replace('+', "%2B");
    let listed = shop.get(&format!("/v1/aliases?status=active&number={x}"), &shop.business).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn several_strangers_are_told_apart_by_tags_and_none_sees_the_person() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let x = shop.bind(json!({"mode": "ax", "a": anna})).await.expect(201).text_at("/number");
    assert_eq!(shop.write("HFM", &x, "Your code is 820134").await, "carried");
    assert_eq!(shop.write(&anna, &x, "thanks").await, "dropped", "a name cannot be answered");
    assert_eq!(shop.write(BEN.0, &x, "Is it you?").await, "carried");
    let texts = shop.handset(&anna, 3).await;
    assert_eq!((texts[0].1.as_str(), texts[2].1.as_str()), ("Your code is 820134", "Is it you?"));
    assert!(texts[1].1.starts_with("Not sent."), "{}", texts[1].1);
    assert_eq!(shop.write(&anna, &x, "It is me").await, "carried");
    assert_eq!(shop.handset(BEN.0, 1).await, [(x.clone(), "It is me".to_owned())]);
    assert_eq!(shop.write(CAM.0, &x, "And me?").await, "carried");
    assert_eq!(shop.write("106900", &x, "5238").await, "carried");
    assert_eq!(shop.write(BEN.0, &x, "Well?").await, "carried");
    let texts = shop.handset(&anna, 6).await;
    let said: Vec<&str> = texts[3..].iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(said, ["[2] And me?", "5238", "[1] Well?"]);
    assert_eq!(shop.write(&anna, &x, "to whom?").await, "dropped");
    assert!(shop.handset(&anna, 7).await[6].1.contains("[1] [2]"));
    assert_eq!(shop.write(&anna, &x, "[2] you too").await, "carried");
    assert_eq!(shop.handset(CAM.0, 1).await, [(x.clone(), "you too".to_owned())]);
    assert_eq!(shop.handset(BEN.0, 1).await.len(), 1, "not the other");
    assert!(texts.iter().all(|(from, _)| *from == x), "never a raw sender");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}
