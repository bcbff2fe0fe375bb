//! Pools: who may do what to them, pages, numbers set aside, alerts, and the command line beside the service.

use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};
use crate::service::eventually;

impl Shop {
    async fn pool_now(&self, pool: &str) -> Value {
        self.get(&format!("/v1/pools/{pool}"), &self.operator).await.expect(200).json()
    }

    /// Says whether a command beside the service succeeded, and what it said.
    fn said(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.service.command(arguments).env("BAUTA_CREDENTIAL", &self.admin).output().expect("bauta");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.service.folder().join(name), text).expect("a file");
    }
}

#[actix_web::test]
async fn an_operator_sets_a_number_aside_and_takes_it_back() {
    let shop = Shop::open().await;
    let pool = shop.pool("p", &["+16045550100".to_owned()]).await;
    let (a, b, c) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let bind = json!({"mode": "axb", "a": a, "b": b, "pool": pool});
    let alias = shop.post("/v1/aliases", &shop.business, bind).await.expect(201);
    let path = format!("/v1/pools/{pool}/numbers/%2B16045550100/quarantine");
    let reason = json!({"reason": "a carrier marks it as spam"});
    assert_eq!(shop.post(&path, &shop.business, reason.clone()).await.expect(403).code(), "forbidden");
    let numbered = json!({"reason": "ask +1 202 555 0143"});
    assert_eq!(shop.post(&path, &shop.operator, numbered).await.expect(422).code(), "number_in_text");
    shop.post(&path, &shop.operator, reason).await.expect(204);
    let counts = shop.pool_now(&pool).await;
    assert_eq!((&counts["quarantined"], &counts["bound"]), (&json!(1), &json!(0)), "each number counts once");
    let listed = shop.get(&format!("/v1/pools/{pool}/numbers?quarantined=true"), &shop.operator).await.expect(200);
    assert_eq!(listed.json()["data"][0]["quarantined"], "a carrier marks it as spam");
    let more = json!({"mode": "axb", "a": c, "b": shop.token("+12125550199").await, "pool": pool});
    let refused = shop.post("/v1/aliases", &shop.business, more.clone()).await.expect(409);
    assert_eq!(refused.code(), "pool_exhausted");
    assert_eq!(shop.write(&a, &alias.text_at("/number"), "still here").await, "carried", "what is bound stays");
    shop.call("DELETE", &path, &shop.operator, None).await.expect(204);
    shop.post("/v1/aliases", &shop.business, more).await.expect(201);
    let nowhere = format!("/v1/pools/{pool}/numbers/%2B16045550199/quarantine");
    assert_eq!(shop.call("DELETE", &nowhere, &shop.operator, None).await.expect(404).code(), "not_found");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn an_owner_is_told_once_when_few_numbers_are_free_and_when_that_is_over() {
    let shop = Shop::open().await;
    let made = json!({"name": "tight", "carrier": "sandbox", "low_water": 2});
    let pool = shop.post("/v1/pools", &shop.admin, made).await.expect(201).text_at("/id");
    let entries = async |action: &str| {
        let path = format!("/v1/audit/entries?action={action}");
        let found = shop.get(&path, &shop.auditor).await.expect(200).json()["data"].as_array().unwrap().clone();
        found.into_iter().map(|entry| entry["entry"].clone()).collect::<Vec<_>>()
    };
    let low = eventually("an alert", 15, async || entries("alert.pool_low").await.pop()).await;
    assert_eq!((&low["pool"], &low["free"], &low["low_water"]), (&json!(pool), &json!(0), &json!(2)));
    let import = json!({"numbers": ["+16045550100", "+16045550101"]});
    shop.post(&format!("/v1/pools/{pool}/numbers"), &shop.admin, import).await.expect(201);
    eventually("that it is over", 15, async || entries("pool.refilled").await.pop()).await;
    let a = shop.token(ANNA.0).await;
    shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": a, "pool": pool})).await.expect(201);
    eventually("another alert", 15, async || (entries("alert.pool_low").await.len() == 2).then_some(())).await;
    let off = shop.call("PATCH", &format!("/v1/pools/{pool}"), &shop.admin, Some(json!({"low_water": null}))).await;
    assert_eq!(off.expect(200).json()["low_water"], Value::Null);
    assert_eq!(entries("alert.pool_low").await.len(), 2, "told once each time");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn pools_come_in_pages_newest_first() {
    let shop = Shop::open().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(shop.pool(&format!("p{n}"), &[format!("+1604555010{n}")]).await);
    }
    made.reverse();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("/v1/pools?limit=2{after}"), &shop.admin).await.expect(200).json();
        seen.extend(page["data"].as_array().unwrap().iter().map(|pool| pool["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made, "own ones only");
    assert_eq!(shop.get("/v1/pools?limit=0", &shop.admin).await.expect(400).code(), "invalid_field");
    shop.leaves_no_trace_of(&[]);
}

#[actix_web::test]
async fn numbers_are_imported_by_file_whole_and_again() {
    let shop = Shop::open().await;
    let pool = shop.pool("p", &["+16045550100".to_owned()]).await;
    shop.pool("other", &["+16045550150".to_owned()]).await;
    shop.file("bad.csv", "number,region\n+16045550101,CA\n604 555 0102,CA\n+16045550150,CA\n+16045550101,CA\n");
    let (done, said) = shop.said(&["pool", "import", "bad.csv", "--pool", &pool]);
    assert!(!done, "{said}");
    for line in ["line 3: number", "line 4: number", "line 5: number", "nothing was added"] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(!said.contains("0102") && !said.contains("0150"), "no number is repeated: {said}");
    assert_eq!(shop.pool_now(&pool).await["free"], 1, "nothing of a file with faults");

    let rows: String = (10..40).map(|n| format!("+160455501{n},CA,sms voice,+1,sandbox\n")).collect();
    shop.file("good.csv", &format!("number,region,capabilities,reach,carrier\n{rows}"));
    let (done, said) = shop.said(&["pool", "import", "good.csv", "--pool", &pool]);
    assert!(done && said.contains("added 30"), "{said}");
    let (done, said) = shop.said(&["pool", "import", "good.csv", "--pool", &pool]);
    assert!(done && said.contains("added 0") && said.contains("30 were in it"), "{said}");
    shop.file("more.ndjson", "{\"number\":\"+16045550199\",\"capabilities\":[\"sms\"]}\n");
    let (done, said) = shop.said(&["pool", "import", "more.ndjson", "--pool", &pool]);
    assert!(done && said.contains("added 1"), "{said}");
    assert_eq!(shop.pool_now(&pool).await["free"], 32);
    let listed = shop.get(&format!("/v1/pools/{pool}/numbers?limit=100"), &shop.admin).await.expect(200).json();
    let second = &listed["data"][1];
    assert_eq!((&second["capabilities"], &second["reach"]), (&json!(["sms", "voice"]), &json!(["+1"])), "{second}");
    let (done, said) = shop.said(&["pool", "list", "--tenant", &shop.tenant]);
    assert!(done && said.contains(&pool) && said.contains("32 free"), "{said}");
    shop.leaves_no_trace_of(&[]);
}

#[actix_web::test]
async fn a_plan_says_how_many_numbers_pairs_need() {
    let shop = Shop::open().await;
    let numbers: Vec<String> = (0..4).map(|n| format!("+1604555010{n}")).collect();
    let pool = shop.pool("p", &numbers).await;
    let a = shop.token(ANNA.0).await;
    for b in [BEN.0, CAM.0, "+12125550199"] {
        let bind = json!({"mode": "axb", "a": a, "b": shop.token(b).await, "pool": pool});
        shop.post("/v1/aliases", &shop.business, bind).await.expect(201);
    }
    let (done, said) = shop.said(&["pool", "plan", "--pool", &pool]);
    assert!(done && said.contains("has 3 live or cooling"), "{said}");
    assert!(said.contains("5 numbers are always enough") && said.contains("add 1"), "{said}");
    shop.file("pairs.csv", "buyer,seller\ntok_a,tok_b\ntok_a,tok_c\ntok_d,tok_b\n");
    let (done, said) = shop.said(&["pool", "plan", "pairs.csv"]);
    assert!(done && said.contains("3 numbers are always enough"), "{said}");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}
