//! People's rights: a token, a person erased and found nowhere; everything exported; a number changed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::{ANNA, BEN, CAM, Shop};
use crate::service::{Answer, eventually};

impl Shop {
    async fn erase(&self, token: &str) -> Answer {
        self.call("DELETE", &format!("/v1/tokens/{token}"), &self.business, None).await
    }

    async fn kind(&self, number: &str, kind: &str, audience: Option<&str>) -> String {
        let wish = json!({"number": number, "kind": kind, "audience": audience});
        self.post("/v1/tokens", &self.business, wish).await.expect(201).text_at("/token")
    }

    /// The status of a look at a token.
    async fn look(&self, token: &str) -> u16 {
        self.get(&format!("/v1/tokens/{token}"), &self.business).await.status
    }

    async fn is_gone(&self, token: &str) {
        let looked = self.get(&format!("/v1/tokens/{token}"), &self.business).await.expect(404);
        assert_eq!(looked.code(), "not_found");
        let purpose = json!({"purpose": "support"});
        self.post(&format!("/v1/tokens/{token}/reveal"), &self.custodian, purpose).await.expect(404);
        self.start(json!({"to": token})).await.expect(404);
    }

    /// A proof that this person holds the number, by the handset.
    async fn proof(&self, token: &str) -> String {
        let id = self.start(json!({"to": token, "code_length": 10})).await.expect(201).text_at("/id");
        let texts = self.handset(token, 1).await;
        let text = &texts[texts.len() - 1].1;
        let code = text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 10).unwrap().to_owned();
        self.check(&id, &code).await.expect(200).text_at("/proof")
    }

    fn database(&self) -> std::path::PathBuf {
        self.service.folder().join("data/bauta.db")
    }

    /// What the store holds of every record, as bytes that must not be found later: ciphertexts and blind indexes.
    fn traces(&self) -> Vec<Vec<u8>> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let conn = rusqlite::Connection::open_with_flags(self.database(), flags).unwrap();
        let mut found = Vec::new();
        for sql in [
            "SELECT number FROM token",
            "SELECT idx FROM token",
            "SELECT party FROM verification",
            "SELECT a_index FROM alias",
            "SELECT party FROM failure",
        ] {
            let mut statement = conn.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
            found.extend(rows.map(Result::unwrap));
        }
        assert!(!found.is_empty());
        found
    }

    /// Waits until the WAL is emptied, which follows an erasure soon.
    async fn settled(&self) {
        let wal = self.service.folder().join("data/bauta.db-wal");
        eventually("an empty WAL", 60, async || {
            std::fs::metadata(&wal).is_ok_and(|found| found.len() == 0).then_some(())
        })
        .await;
    }
}

/// The files below `folder` that hold one of these byte strings.
fn holding(folder: &Path, traces: &[Vec<u8>]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, traces));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        for (n, trace) in traces.iter().enumerate() {
            if bytes.windows(trace.len()).any(|window| window == trace) {
                found.insert(format!("{}: trace {n}", path.display()));
            }
        }
    }
    found
}

#[actix_web::test]
async fn an_erased_token_is_not_found_anywhere_and_what_stood_on_it_ends() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let courier = shop.token_for(ANNA.0, "courier").await;
    let alias = shop.post("/v1/aliases", &shop.business, json!({"mode": "axb", "a": anna, "b": ben})).await.expect(201);
    let (x, id) = (alias.text_at("/number"), alias.text_at("/id"));
    assert_eq!(shop.write(&ben, &x, "are you there?").await, "carried");
    let pending = shop.start(json!({"to": anna})).await.expect(201).text_at("/id");
    shop.erase(&anna).await.expect(204);
    shop.is_gone(&anna).await;
    assert_eq!(shop.look(&courier).await, 404, "one record served all audiences");
    assert_eq!(shop.erase(&anna).await.expect(404).code(), "not_found");
    assert_eq!(shop.check(&pending, "123456").await.status, 404);
    let after = shop.get(&format!("/v1/aliases/{id}"), &shop.business).await.expect(200);
    assert_eq!(after.text_at("/status"), "released");
    assert_eq!(shop.write(&ben, &x, "still there?").await, "dropped");
    for action in ["token.erased", "alias.released", "verification.canceled"] {
        let path = format!("/v1/audit/entries?action={action}");
        assert_eq!(shop.get(&path, &shop.auditor).await.expect(200).json()["data"].as_array().unwrap().len(), 1);
    }
    let again = shop.token(ANNA.0).await;
    assert_ne!(again, anna, "the number gets a token that cannot be joined with the erased one");
    assert_eq!(shop.look(&ben).await, 200);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn an_erased_sealed_token_takes_every_earlier_one_along_and_the_next_is_another() {
    let shop = Shop::open().await;
    let first = shop.kind(ANNA.0, "sealed", None).await;
    let courier = shop.kind(ANNA.0, "sealed", Some("courier")).await;
    let ben = shop.kind(BEN.0, "sealed", None).await;
    assert_eq!(shop.kind(ANNA.0, "sealed", None).await, first);
    shop.erase(&first).await.expect(204);
    for gone in [&first, &courier] {
        shop.is_gone(gone).await;
    }
    assert_eq!(shop.erase(&first).await.status, 404);
    assert_eq!(shop.look(&ben).await, 200);
    let second = shop.kind(ANNA.0, "sealed", None).await;
    assert_ne!(second, first);
    assert_eq!(shop.look(&second).await, 200);
    let batch = json!({"items": [{"number": BEN.0, "kind": "sealed"}, {"number": ANNA.0, "kind": "sealed"}]});
    let batch = shop.post("/v1/tokens/batch", &shop.business, batch).await.expect(200);
    assert_eq!((batch.text_at("/items/0/token"), batch.text_at("/items/1/token")), (ben, second.clone()));
    shop.erase(&second).await.expect(204);
    shop.is_gone(&second).await;
    assert_ne!(shop.kind(ANNA.0, "sealed", None).await, second);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn erasing_is_business_own_tenant_alone_and_no_freeze_holds_it_up() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let other = shop.service.tenant("Elsewhere", "test");
    let foreign = shop.service.credential(&other, "business", "somebody", &[]);
    for key in [&shop.partner, &shop.operator, &shop.auditor, &shop.custodian, &shop.admin] {
        shop.call("DELETE", &format!("/v1/tokens/{anna}"), key, None).await.expect(403);
        shop.post("/v1/subjects/erase", key, json!({"token": anna})).await.expect(403);
    }
    let strange = shop.call("DELETE", &format!("/v1/tokens/{anna}"), &foreign, None).await.expect(404);
    assert_eq!(strange.code(), "not_found");
    shop.post("/v1/subjects/erase", &foreign, json!({"token": anna})).await.expect(404);
    shop.post("/v1/subjects/export", &foreign, json!({"token": anna})).await.expect(404);
    assert_eq!(shop.look(&anna).await, 200);
    shop.post("/v1/freeze", &shop.operator, json!({"target": shop.tenant})).await.expect(200);
    assert_eq!(shop.look(&anna).await, 403);
    shop.erase(&anna).await.expect(204);
    shop.post("/v1/thaw", &shop.operator, json!({"target": shop.tenant})).await.expect(200);
    shop.is_gone(&anna).await;
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn an_erased_person_leaves_neither_number_nor_ciphertext_nor_index_in_any_file() {
    let shop = Shop::open().await;
    let anna = shop.token(ANNA.0).await;
    let fresh = json!({"number": ANNA.0, "fresh": true, "metadata": {"vip": true}});
    let fresh = shop.post("/v1/tokens", &shop.business, fresh).await.expect(201).text_at("/token");
    let sealed = shop.kind(ANNA.0, "sealed", None).await;
    let star = shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": fresh})).await.expect(201);
    assert_eq!(shop.write(CAM.0, &star.text_at("/number"), "parcel at the door").await, "carried");
    let id = shop.start(json!({"to": anna, "code_length": 10})).await.expect(201).text_at("/id");
    shop.check(&id, "0000000000").await.expect(200);
    let traces = shop.traces();
    let body = json!({"token": sealed});
    let erased = shop.post("/v1/subjects/erase", &shop.business, body.clone()).await.expect(200);
    let counted = |name: &str| erased.json()[name].as_u64().unwrap();
    assert_eq!((counted("tokens"), counted("aliases"), counted("verifications")), (2, 1, 1));
    assert_eq!((counted("messages"), counted("failures")), (1, 1));
    for gone in [&anna, &fresh, &sealed] {
        shop.is_gone(gone).await;
    }
    shop.get(&format!("/v1/verifications/{id}"), &shop.business).await.expect(404);
    shop.post("/v1/subjects/erase", &shop.business, body).await.expect(404);
    shop.settled().await;
    assert_eq!(holding(shop.service.folder(), &traces), BTreeSet::new());
    let subject = erased.text_at("/subject");
    let log = shop.get(&format!("/v1/audit/entries?subject={subject}&action=subject.erased"), &shop.auditor).await;
    assert_eq!(log.json()["data"].as_array().unwrap().len(), 1, "the log tells of it");
    shop.leaves_no_trace_of(&[ANNA, CAM]);
}

#[actix_web::test]
async fn an_export_holds_everything_and_the_number_only_for_a_custodian_with_a_purpose() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let alias = shop.post("/v1/aliases", &shop.business, json!({"mode": "axb", "a": ben, "b": anna})).await.expect(201);
    assert_eq!(shop.write(&ben, &alias.text_at("/number"), "hello").await, "carried");
    shop.start(json!({"to": anna, "user_ref": "u-7"})).await.expect(201);
    let body = json!({"token": anna});
    let export = shop.post("/v1/subjects/export", &shop.business, body.clone()).await.expect(200).json();
    assert_eq!((&export["masked"], export.get("number")), (&json!("+1 ••• ••• •43"), None));
    assert_eq!(export["tokens"][0]["token"], json!(anna));
    assert_eq!((&export["aliases"][0]["id"], &export["aliases"][0]["party"]), (&alias.json()["id"], &json!("b")));
    assert_eq!(export["messages"].as_array().unwrap().len(), 1);
    assert_eq!(export["verifications"][0]["user_ref"], json!("u-7"));
    let named = |entry: &Value| entry["entry"].to_string().contains(export["subject"].as_str().unwrap());
    assert!(export["entries"].as_array().unwrap().iter().all(named));
    let with = |purpose: &str| json!({"token": anna, "purpose": purpose, "reference": "case 4711"});
    shop.post("/v1/subjects/export", &shop.business, with("legal")).await.expect(403);
    shop.post("/v1/subjects/export", &shop.custodian, body).await.expect(403);
    shop.post("/v1/subjects/export", &shop.custodian, with("curiosity")).await.expect(403);
    shop.post("/v1/subjects/export", &shop.admin, with("legal")).await.expect(403);
    // Not through `post`, which keeps answers for the search: this one holds the number.
    let full = shop.service.call("POST", "/v1/subjects/export", &shop.custodian, Some(with("legal"))).await.expect(200);
    assert_eq!(full.text_at("/number"), ANNA.0);
    assert_eq!(full.headers["cache-control"], "no-store");
    let leaf = full.text_at("/leaf");
    let log = shop.get("/v1/audit/entries?action=subject.exported", &shop.auditor).await.expect(200);
    assert!(log.json()["data"].as_array().unwrap().iter().any(|row| row["leaf"] == json!(leaf)));
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn aliases_follow_a_changed_number_on_two_proofs_and_each_proof_works_once() {
    let shop = Shop::open().await;
    let (anna, ben, new) = (shop.token(ANNA.0).await, shop.token(BEN.0).await, shop.token(CAM.0).await);
    let bind = json!({"mode": "axb", "a": anna, "b": ben});
    let pair = shop.post("/v1/aliases", &shop.business, bind).await.expect(201);
    let star = shop.post("/v1/aliases", &shop.business, json!({"mode": "ax", "a": anna})).await.expect(201);
    let (x, s) = (pair.text_at("/number"), star.text_at("/number"));
    let (old_proof, new_proof) = (shop.proof(&anna).await, shop.proof(&new).await);
    let wish = |proofs: Value| json!({"token": anna, "new_token": new, "proofs": proofs});
    let path = "/v1/subjects/change-number";
    for proofs in [json!([old_proof, old_proof]), json!([old_proof]), json!([old_proof, "x.y.z"])] {
        assert!((400..=422).contains(&shop.post(path, &shop.business, wish(proofs)).await.status));
    }
    let both = wish(json!([new_proof, old_proof]));
    shop.post(path, &shop.partner, both.clone()).await.expect(403);
    let moved = shop.post(path, &shop.business, both.clone()).await.expect(200);
    assert_eq!(moved.text_at("/token"), new);
    assert_eq!(moved.json()["aliases"].as_array().unwrap().len(), 2);
    assert_eq!(shop.post(path, &shop.business, both).await.expect(409).code(), "proof_used");
    // One code stands on the new handset already.
    assert_eq!(shop.write(&ben, &x, "same number as ever").await, "carried");
    assert_eq!(shop.handset(&new, 2).await[1], (x.clone(), "same number as ever".to_owned()));
    assert_eq!(shop.write(&new, &x, "I moved").await, "carried");
    assert_eq!(shop.handset(&ben, 1).await[0], (x.clone(), "I moved".to_owned()));
    assert_eq!(shop.write("HFM", &s, "820134").await, "carried");
    assert_eq!(shop.handset(&new, 3).await[2], (s, "820134".to_owned()));
    assert_eq!(shop.write(&anna, &x, "from the old phone").await, "dropped");
    assert_eq!(shop.look(&anna).await, 200, "the old token stays unless it is asked to go");
    shop.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn erasing_a_person_while_deliveries_are_under_way_leaves_none_behind() {
    let shop = Shop::open().await;
    let (anna, ben) = (shop.token(ANNA.0).await, shop.token(BEN.0).await);
    let alias = shop.post("/v1/aliases", &shop.business, json!({"mode": "axb", "a": anna, "b": ben})).await.expect(201);
    let x = alias.text_at("/number");
    // Erased while its deliveries are under way: nothing may be left that is delivered or tried for ever.
    for n in 0..20 {
        shop.write(&ben, &x, &format!("text {n}")).await;
    }
    shop.post("/v1/subjects/erase", &shop.business, json!({"token": anna})).await.expect(200);
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(shop.database(), flags).unwrap();
    eventually("an empty outbox", 20, async || {
        let left: i64 = conn.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap();
        (left == 0).then_some(())
    })
    .await;
    let bodies: i64 = conn.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
    assert_eq!(bodies, 0);
    drop(conn);
    shop.leaves_no_trace_of(&[ANNA, BEN]);
}
