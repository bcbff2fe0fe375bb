//! Binding in every mode, who is in an alias afterwards, and many bindings at once, over a real service.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};

impl Shop {
    /// A pool of numbers of several areas, each with what it can do.
    async fn varied_pool(&self, name: &str, lots: &[Value]) -> String {
        let made = self.post("/v1/pools", &self.admin, json!({"name": name, "carrier": "sandbox"})).await.expect(201);
        let pool = made.text_at("/id");
        for lot in lots {
            self.post(&format!("/v1/pools/{pool}/numbers"), &self.admin, lot.clone()).await.expect(201);
        }
        pool
    }

    async fn binds(&self, body: Value) -> Value {
        self.post("/v1/aliases", &self.business, body).await.expect(201).json()
    }

    async fn refuses(&self, body: Value) -> (u16, String) {
        let refused = self.post("/v1/aliases", &self.business, body).await;
        (refused.status, refused.code())
    }

    async fn change_to(&self, id: &Value, body: Value) -> crate::service::Answer {
        self.call("PATCH", &format!("/v1/aliases/{}", id.as_str().unwrap()), &self.business, Some(body)).await
    }
}

/// The number of each party, as the answer says.
fn legs(alias: &Value) -> BTreeMap<String, String> {
    let legs = alias["legs"].as_array().unwrap().iter();
    legs.map(|leg| (leg["party"].as_str().unwrap().into(), leg["number"].as_str().unwrap().into())).collect()
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const DAN: (&str, usize) = ("+12125550199", 1);

#[actix_web::test]
async fn every_mode_is_bound_and_says_who_writes_where() {
    let shop = Shop::open().await;
    let british = json!({"numbers": ["+447700900500", "+447700900501", "+447700900502"], "region": "GB"});
    let canadian = json!({"numbers": ["+16045550100", "+16045550101", "+16045550102"], "region": "CA"});
    let pool = shop.varied_pool("both", &[british, canadian]).await;
    let (a, b, c) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let wish = |mode: &str| json!({"mode": mode, "a": a, "pool": pool});
    let with = |mode: &str, more: Value| {
        let mut body = wish(mode);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let two = shop.binds(with("axyb", json!({"b": b, "a_region": "GB", "b_region": "CA"}))).await;
    assert!(two["number"].as_str().unwrap().starts_with("+1604"), "X is what B sees: {two}");
    assert!(two["number_y"].as_str().unwrap().starts_with("+447"), "{two}");
    assert_eq!(legs(&two)["a"], two["number_y"].as_str().unwrap());
    assert_eq!(legs(&two)["b"], two["number"].as_str().unwrap());

    let one = shop.binds(with("axb", json!({"b": b}))).await;
    assert_eq!((&one["number_y"], legs(&one).len()), (&Value::Null, 2));
    let team = shop.binds(with("axg", json!({"members": [b, c], "b": c}))).await;
    assert_eq!(team["members"], json!([b, c]));
    assert_eq!(legs(&team).into_keys().collect::<Vec<_>>(), ["a", "b", "member"]);
    let hotline = shop.binds(with("axn", json!({}))).await;
    assert_eq!(legs(&hotline).into_keys().collect::<Vec<_>>(), ["a"]);
    let first = shop.binds(wish("axe")).await;
    let second = shop.binds(json!({"mode": "axe", "a": b, "pool": pool})).await;
    let third = shop.binds(wish("axe")).await;
    for other in [&second, &third] {
        assert_eq!(first["number"], other["number"], "one number for many");
        assert_ne!(first["extension"], other["extension"]);
    }
    let digits = first["extension"].as_str().unwrap();
    assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()), "{digits}");
    let numbers: BTreeSet<_> =
        [&two, &one, &team, &hotline, &first].iter().map(|it| it["number"].clone().to_string()).collect();
    assert_eq!(numbers.len(), 5, "what anyone may write to and what has extensions shares with nobody");

    for (body, refusal) in [
        (with("ax", json!({"b": b})), refused(400, "invalid_field")),
        (wish("axyb"), refused(400, "missing_field")),
        (wish("axg"), refused(400, "missing_field")),
        (with("axg", json!({"members": [b], "b": c})), refused(400, "invalid_field")),
        (with("axg", json!({"members": [b, b]})), refused(422, "same_party")),
        (with("axb", json!({"b": b, "a_region": "GB"})), refused(400, "invalid_field")),
        (with("axb", json!({"b": b, "members": [c]})), refused(400, "invalid_field")),
        (with("axb", json!({"b": b, "content": "nowhere"})), refused(400, "invalid_field")),
        (with("axb", json!({"b": a})), refused(422, "same_party")),
        (with("axb", json!({"b": c, "region": "VN"})), refused(409, "pool_exhausted")),
        (with("axb", json!({"b": c, "capabilities": ["voice"]})), refused(409, "pool_exhausted")),
        (with("axb", json!({"b": c, "number": "+12125550150"})), refused(422, "unroutable")),
    ] {
        assert_eq!(shop.refuses(body.clone()).await, refusal, "{body}");
    }
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn a_number_is_given_only_to_those_it_reaches_and_for_what_it_can() {
    let shop = Shop::open().await;
    let near = json!({"numbers": ["+16045550100"], "region": "CA", "reach": ["+1"], "capabilities": ["sms"]});
    let far = json!({"numbers": ["+16045550101"], "region": "CA", "capabilities": ["sms", "voice"]});
    let pool = shop.varied_pool("reach", &[near, far]).await;
    let only_near = json!({"numbers": ["+16045550103"], "region": "CA", "reach": ["+1"]});
    let near_pool = shop.varied_pool("near", &[only_near]).await;
    let abroad = shop.token("+447700900123").await;
    let (a, b) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let bind = |a: &str, b: &str, pool: &str| json!({"mode": "axb", "a": a, "b": b, "pool": pool});
    assert_eq!(shop.refuses(bind(&a, &abroad, &near_pool)).await, refused(422, "unroutable"));
    let alias = shop.binds(bind(&a, &abroad, &pool)).await;
    assert_eq!(alias["number"], "+16045550101", "the other one does not reach everybody");
    assert_eq!(alias["capabilities"], json!(["sms", "voice"]), "what the number can");
    let called = json!({"mode": "axb", "a": a, "b": b, "pool": pool, "capabilities": ["voice"]});
    assert_eq!(shop.refuses(called).await, refused(409, "pool_exhausted"), "Anna has that one");
    assert_eq!(shop.binds(bind(&a, &b, &pool)).await["number"], "+16045550100");
    for wrong in [json!({"reach": ["1"]}), json!({"reach": ["+0"]}), json!({"capabilities": ["fax"]})] {
        let mut body = json!({"numbers": ["+16045550109"]});
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let answer = shop.post(&format!("/v1/pools/{pool}/numbers"), &shop.admin, body).await.expect(400);
        assert_eq!(answer.code(), "invalid_field", "{wrong}");
    }
    let elsewhere = json!({"numbers": ["+16045550109"], "carriers": ["nobody"]});
    let answer = shop.post(&format!("/v1/pools/{pool}/numbers"), &shop.admin, elsewhere).await.expect(422);
    assert_eq!(answer.code(), "unroutable");
    shop.leaves_no_trace_of(&[ANNA, BEN, ("+447700900123", 2)]);
}

#[actix_web::test]
async fn whoever_stays_is_told_and_whoever_left_reaches_nobody() {
    let shop = Shop::open().await;
    let pool = shop.pool("p", &["+16045550100".to_owned()]).await;
    let (a, b, c) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let alias = shop.binds(json!({"mode": "axb", "a": a, "b": b, "pool": pool, "disclose": "code"})).await;
    let (id, x) = (&alias["id"], alias["number"].as_str().unwrap().to_owned());
    let other = shop.binds(json!({"mode": "axb", "a": c, "b": shop.token(DAN.0).await, "pool": pool})).await;
    let taken = shop.change_to(id, json!({"b": c, "disclose": "none"})).await.expect(409);
    assert_eq!(taken.code(), "alias_conflict", "she stands there for somebody else");
    let kept = shop.get(&format!("/v1/aliases/{}", id.as_str().unwrap()), &shop.business).await.expect(200).json();
    assert_eq!((&kept["b"], &kept["disclose"]), (&json!(b), &json!("code")), "nothing of a refused change is done");
    assert_eq!(shop.change_to(id, json!({"b": a})).await.expect(422).code(), "same_party");
    assert_eq!(shop.change_to(id, json!({"b": null})).await.expect(400).code(), "missing_field");

    let eve = shop.token("+12125550177").await;
    let changed = shop.change_to(id, json!({"b": eve, "ttl_s": 600})).await.expect(200).json();
    assert_eq!((&changed["b"], &changed["a"]), (&json!(eve), &json!(a)));
    assert_ne!(changed["expires_at"], Value::Null);
    let told = shop.handset(&a, 1).await;
    assert_eq!(told[0].0, x, "from the number that she sees");
    assert!(told[0].1.contains("another person"), "{}", told[0].1);
    assert_eq!(shop.write(&a, &x, "hello?").await, "carried");
    assert_eq!(shop.handset(&eve, 1).await, [(x.clone(), "hello?".to_owned())], "the newcomer was told nothing");
    assert_eq!(shop.write(&b, &x, "I was here").await, "dropped");
    // Ben's place cools: nobody else meets him here for a week, Anna may.
    let path = format!("/v1/aliases/{}", other["id"].as_str().unwrap());
    shop.call("DELETE", &path, &shop.business, None).await.expect(204);
    assert_eq!(
        shop.refuses(json!({"mode": "axb", "a": b, "b": c, "pool": pool})).await,
        refused(409, "pool_exhausted")
    );
    shop.change_to(id, json!({"b": b})).await.expect(200);
    let entries = shop.get("/v1/audit/entries?action=alias.rebound", &shop.auditor).await.expect(200).json();
    let rebound = &entries["data"].as_array().unwrap()[0]["entry"];
    assert_eq!((&rebound["alias"], rebound["subjects"].as_array().map(Vec::len)), (id, Some(2)));
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM, DAN]);
}

#[actix_web::test]
async fn a_team_changes_and_what_anyone_may_write_to_keeps_its_owner() {
    let shop = Shop::open().await;
    let numbers = ["+16045550100", "+16045550101"].map(str::to_owned);
    let pool = shop.pool("p", &numbers).await;
    let (a, b, c) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let team = shop.binds(json!({"mode": "axg", "a": a, "members": [b], "pool": pool})).await;
    let x = team["number"].as_str().unwrap();
    assert_eq!(shop.write(&c, x, "not yet").await, "dropped");
    let grown = shop.change_to(&team["id"], json!({"members": [b, c], "b": c})).await.expect(200).json();
    assert_eq!((&grown["members"], &grown["b"]), (&json!([b, c]), &json!(c)));
    assert_eq!(shop.write(&c, x, "now").await, "carried");
    assert_eq!(
        shop.change_to(&team["id"], json!({"members": [b]})).await.expect(400).code(),
        "invalid_field",
        "b left"
    );
    let star = shop.binds(json!({"mode": "ax", "a": a, "pool": pool})).await;
    let refused = shop.change_to(&star["id"], json!({"a": b})).await.expect(409);
    assert_eq!(refused.code(), "number_occupied", "codes for Anna's accounts go on coming");
    assert_eq!(shop.change_to(&star["id"], json!({"b": b})).await.expect(400).code(), "invalid_field");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn on_a_shared_number_a_conflict_tells_nothing_of_others() {
    let shop = Shop::open().await;
    let shared = json!({"name": "shared", "carrier": "sandbox", "shared": true});
    let pool = shop.post("/v1/pools", &shop.admin, shared).await.expect(201).text_at("/id");
    let import = json!({"numbers": ["+16045550100"]});
    shop.post(&format!("/v1/pools/{pool}/numbers"), &shop.admin, import).await.expect(201);
    let (a, b, c) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let alias = shop.binds(json!({"mode": "axb", "a": a, "b": b, "pool": pool})).await;
    let dan = shop.token(DAN.0).await;
    shop.binds(json!({"mode": "axb", "a": c, "b": dan, "pool": pool})).await;
    assert_eq!(shop.change_to(&alias["id"], json!({"b": c})).await.expect(409).code(), "pool_exhausted");
    let named = json!({"mode": "axb", "a": a, "b": dan, "number": "+16045550100"});
    assert_eq!(shop.refuses(named).await, refused(422, "unroutable"), "nobody chooses a shared number");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM, DAN]);
}

#[actix_web::test]
async fn sixty_four_clients_at_once_never_get_one_place_twice() {
    let shop = Shop::open().await;
    let numbers: Vec<String> = (0..40).map(|n| format!("+160455501{n:02}")).collect();
    let pool = shop.pool("crowded", &numbers).await;
    let hub = shop.token(ANNA.0).await;
    let mut people = Vec::new();
    for n in 0..64 {
        people.push(shop.token(&format!("+131255501{n:02}")).await);
    }
    // Half want a number of their own, half all want one with Anna: there are fewer numbers than that.
    let wishes = people.iter().enumerate().map(|(n, person)| match n % 2 {
        0 => json!({"mode": "ax", "a": person, "pool": pool}),
        _ => json!({"mode": "axb", "a": hub, "b": person, "pool": pool}),
    });
    let race = wishes.map(|wish| shop.post("/v1/aliases", &shop.business, wish));
    let answers: Vec<_> = futures::stream::iter(race).buffer_unordered(64).collect().await;
    let (mut stars, mut pairs, mut without) = (BTreeSet::new(), BTreeSet::new(), 0);
    for got in &answers {
        match (got.status, got.status == 201 && got.text_at("/mode") == "ax") {
            (201, true) => assert!(stars.insert(got.text_at("/number")), "twice: {}", got.text),
            (201, false) => assert!(pairs.insert(got.text_at("/number")), "Anna twice: {}", got.text),
            (409, _) => without += 1,
            _ => panic!("{} {}", got.status, got.text),
        }
    }
    assert!(stars.is_disjoint(&pairs));
    assert_eq!((stars.len() + pairs.len(), without), (40, 24), "every number once");
    let counts = shop.get(&format!("/v1/pools/{pool}"), &shop.operator).await.expect(200).json();
    assert_eq!((&counts["bound"], &counts["free"]), (&json!(40), &json!(0)), "{counts}");
    shop.leaves_no_trace_of(&[ANNA, ("+13125550100", 1), ("+13125550163", 1)]);
}

#[actix_web::test]
async fn of_a_batch_each_is_bound_or_refused_by_itself_and_none_twice() {
    let shop = Shop::open().await;
    let pool = shop.pool("p", &["+16045550100".to_owned(), "+16045550101".to_owned()]).await;
    let (a, b, c) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let items = json!({"items": [
        {"mode": "axb", "a": a, "b": b, "pool": pool},
        {"mode": "axb", "a": a, "b": a, "pool": pool},
        {"mode": "axb", "a": "tok_nonsense", "b": b, "pool": pool},
        {"mode": "axb", "a": a, "b": c, "pool": pool},
        {"mode": "ax", "a": a, "pool": pool, "region": "VN"},
    ]});
    let send = async || {
        let request = shop.service.request("POST", "/v1/aliases/batch").bearer_auth(&shop.business);
        crate::service::answer(request.header("Idempotency-Key", "batch-1").json(&items)).await.expect(200)
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(first.text, again.text, "the same answer, nothing bound twice");
    shop.note(&first.text);
    let answers = first.json()["items"].as_array().unwrap().clone();
    let code = |n: usize| answers[n]["error"]["code"].as_str().unwrap_or("bound").to_owned();
    assert_eq!([0, 1, 2, 3, 4].map(code), ["bound", "same_party", "token_malformed", "bound", "pool_exhausted"]);
    assert_ne!(answers[0]["number"], answers[3]["number"], "Anna has one counterpart on a number");
    let many = json!({"items": vec![json!({"mode": "ax", "a": a}); 1_001]});
    let refused = shop.post("/v1/aliases/batch", &shop.business, many).await.expect(400);
    assert_eq!(refused.code(), "batch_too_large");
    let unknown = json!({"items": [{"mode": "ax", "a": a, "nmber": "+1"}]});
    assert_eq!(shop.post("/v1/aliases/batch", &shop.business, unknown).await.expect(400).code(), "unknown_field");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn a_tenant_writes_to_somebody_of_an_alias_from_the_number_they_see() {
    let shop = Shop::open().await;
    let (a, b) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let numbers = ["+16045550100", "+16045550101"].map(str::to_owned);
    let pool = shop.pool("p", &numbers).await;
    let alias = shop.binds(json!({"mode": "axyb", "a": a, "b": b, "pool": pool})).await;
    let id = alias["id"].as_str().unwrap();
    let path = format!("/v1/aliases/{id}/messages");
    let post = async |to: &str, text: &str| shop.post(&path, &shop.business, json!({"to": to, "text": text})).await;
    for (to, text) in [("a", "one"), ("b", "two"), (b.as_str(), "three")] {
        let sent = post(to, text).await.expect(201);
        assert!(sent.text_at("/id").starts_with("msg_") && sent.text_at("/status") == "queued", "{}", sent.text);
    }
    let own = |party: &str| legs(&alias)[party].clone();
    assert_eq!(shop.handset(&a, 1).await, [(own("a"), "one".to_owned())]);
    assert_eq!(shop.handset(&b, 2).await, [(own("b"), "two".to_owned()), (own("b"), "three".to_owned())]);
    assert_eq!(shop.write(&a, &own("a"), "thanks").await, "carried", "an answer goes to the other");
    let cam = shop.token(CAM.0).await;
    for (to, text, refusal) in [
        ("a", "call +1 202 555 0143", refused(422, "number_in_text")),
        ("a", "  ", refused(400, "invalid_field")),
        (cam.as_str(), "hello", refused(404, "not_found")),
        ("c", "hello", refused(400, "token_malformed")),
        ("a", &"long ".repeat(400), refused(422, "text_too_long")),
    ] {
        let got = post(to, text).await;
        assert_eq!((got.status, got.code()), refusal, "{to}");
    }
    let history = shop.get(&path, &shop.business).await.expect(200).json();
    let from: Vec<_> = history["data"].as_array().unwrap().iter().map(|message| message["from"].clone()).collect();
    assert_eq!(from, [json!("a"), json!("tenant"), json!("tenant"), json!("tenant")]);
    let foreign = shop.post(&path, &shop.partner, json!({"to": "a", "text": "hello"})).await;
    assert_eq!((foreign.status, foreign.code()), refused(404, "not_found"));
    shop.post("/v1/freeze", &shop.operator, json!({"target": id})).await.expect(200);
    assert_eq!(post("a", "hello").await.expect(403).code(), "frozen");
    shop.post("/v1/thaw", &shop.operator, json!({"target": id})).await.expect(200);
    shop.call("DELETE", &format!("/v1/aliases/{id}"), &shop.business, None).await.expect(204);
    assert_eq!(post("a", "hello").await.expect(410).code(), "alias_expired");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}
