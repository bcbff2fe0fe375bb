//! Four eyes over HTTP: a custodian asks, another person approves, the same call reveals, once. And what each person may
//! not do alone; budgets; many at once.

use serde_json::{Value, json};

use super::{ANNA, BEN, CAM};
use crate::leak::Search;
use crate::service::{Answer, Service, eventually};

/// The example of `policies/README.md`.
fn two_persons() -> String {
    let readme = include_str!("../../../policies/README.md");
    let example = readme.split("<!-- two-persons.cedar -->\n```cedar\n").nth(1).expect("the example");
    example.split("```").next().expect("its end").to_owned()
}

/// A service whose policies want two persons for legal reveals, with people of every kind that it takes.
struct Office {
    service: Service,
    tenant: String,
    business: String,
    custodian: String,
    second_custodian: String,
    approver: String,
    approver_id: String,
    /// The custodian's own credential as approver.
    twin: String,
    operator: String,
    auditor: String,
    admin: String,
    shown: std::cell::RefCell<String>,
}

impl Office {
    async fn open(mode: &str, budgets: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("roles.cedar"), include_str!("../../../policies/roles.cedar")).unwrap();
        std::fs::write(folder.path().join("two-persons.cedar"), two_persons()).unwrap();
        std::fs::write(folder.path().join("budgets.toml"), budgets).unwrap();
        let folder = folder.keep();
        let service = Service::start_with(&format!("[policies]\ndir = \"{}\"\n", folder.display())).await;
        let tenant = service.tenant("Rialto", mode);
        let hire = |role: &str, person: &str| service.credential(&tenant, role, person, &[]);
        let (business, operator, auditor) =
            (hire("business", "shop"), hire("operator", "Olga"), hire("auditor", "Aude"));
        let (custodian, second_custodian) = (hire("custodian", "Carla"), hire("custodian", "Cyrus"));
        let (approver, twin) = (hire("approver", "Ines"), hire("approver", " carla "));
        let admin = hire("admin", "Adam");
        let own = service.get("/v1/tenant", &approver).await.expect(200);
        let approver_id = own.text_at("/credential/id");
        let shown = std::cell::RefCell::default();
        Self {
            service,
            tenant,
            business,
            custodian,
            second_custodian,
            approver,
            approver_id,
            twin,
            operator,
            auditor,
            admin,
            shown,
        }
    }

    /// A call whose answer may hold no number.
    async fn call(&self, method: &str, path: &str, key: &str, body: Option<Value>) -> Answer {
        let answer = self.service.call(method, path, key, body).await;
        self.shown.borrow_mut().push_str(&answer.text);
        answer
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call("POST", path, key, Some(body)).await
    }

    async fn token(&self, number: &str) -> String {
        self.post("/v1/tokens", &self.business, json!({"number": number})).await.expect(201).text_at("/token")
    }

    /// Asks for a legal reveal; the answer is not searched for numbers.
    async fn reveal(&self, key: &str, token: &str, approval: Option<&str>) -> Answer {
        let wish = json!({"purpose": "legal", "reference": "case 7", "approval": approval});
        self.service.post(&format!("/v1/tokens/{token}/reveal"), key, wish).await
    }

    async fn asked(&self, token: &str) -> String {
        let pending = self.reveal(&self.custodian, token, None).await.expect(202);
        assert_eq!(pending.text_at("/approval/status"), "pending");
        pending.text_at("/approval/id")
    }

    async fn decide(&self, key: &str, id: &str, word: &str) -> Answer {
        self.call("POST", &format!("/v1/approvals/{id}/{word}"), key, None).await
    }

    async fn approved(&self, token: &str) -> String {
        let id = self.asked(token).await;
        self.decide(&self.approver, &id, "approve").await.expect(200);
        id
    }

    fn leaves_no_trace_of(mut self, numbers: &[(&str, usize)]) {
        let search = Search::for_numbers(numbers.iter().copied());
        assert_eq!(search.in_bytes("answers", self.shown.borrow().as_bytes()), Default::default());
        self.service.stop();
        assert_eq!(search.in_folder(self.service.folder()), Default::default());
    }
}

#[actix_web::test]
async fn a_legal_reveal_takes_another_person_and_works_once() {
    let office = Office::open("test", "").await;
    let (anna, ben) = (office.token(ANNA.0).await, office.token(BEN.0).await);
    let id = office.asked(&anna).await;
    assert_eq!(office.asked(&anna).await, id, "the same question waits once");
    assert_eq!(office.reveal(&office.custodian, &anna, Some(&id)).await.expect(409).code(), "approval_pending");

    let seen = office.call("GET", &format!("/v1/approvals/{id}"), &office.approver, None).await.expect(200);
    assert_eq!(seen.json()["summary"], json!({"tokens": 1, "masks": ["+1 ••• ••• •43"]}), "{}", seen.text);
    assert_eq!((seen.text_at("/person"), seen.text_at("/purpose")), ("Carla".into(), "legal".into()));
    assert_eq!((seen.text_at("/action"), seen.text_at("/reference")), ("TokenReveal".into(), "case 7".into()));
    let waiting = office.call("GET", "/v1/approvals?status=pending", &office.approver, None).await.expect(200);
    assert_eq!(waiting.text_at("/data/0/id"), id);

    for (key, code) in [(&office.custodian, "forbidden"), (&office.admin, "forbidden"), (&office.twin, "same_person")] {
        assert_eq!(office.decide(key, &id, "approve").await.expect(403).code(), code);
    }
    assert_eq!(office.decide(&office.approver, &id, "approve").await.expect(200).text_at("/status"), "approved");
    assert_eq!(office.decide(&office.approver, &id, "deny").await.expect(409).code(), "approval_decided");

    assert_eq!(office.reveal(&office.custodian, &ben, Some(&id)).await.expect(409).code(), "approval_mismatch");
    assert_eq!(office.reveal(&office.second_custodian, &anna, Some(&id)).await.expect(409).code(), "approval_mismatch");
    let revealed = office.reveal(&office.custodian, &anna, Some(&id)).await.expect(200);
    assert_eq!(revealed.text_at("/number"), ANNA.0);
    assert_eq!(revealed.headers["cache-control"], "no-store");
    assert_eq!(office.reveal(&office.custodian, &anna, Some(&id)).await.expect(409).code(), "approval_used");
    let told = office.call("GET", "/v1/audit/entries?limit=100", &office.auditor, None).await.expect(200);
    for action in ["approval.requested", "approval.approved", "approval.used", "token.revealed"] {
        assert!(told.text.contains(&format!("\"action\":\"{action}\"")), "{action}");
    }
    assert_eq!(
        told.json()["data"].as_array().unwrap().iter().filter(|e| e["leaf"] == revealed.text_at("/leaf")).count(),
        1
    );
    office.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn sixty_four_racing_uses_of_one_approval_give_one_reveal() {
    let office = Office::open("test", "").await;
    let token = office.token(ANNA.0).await;
    let id = office.approved(&token).await;
    let tries = (0..64).map(|_| office.reveal(&office.custodian, &token, Some(&id)));
    let answers = futures::future::join_all(tries).await;
    let shown = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(shown, 1);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.code(), "approval_used");
    }
    office.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn an_approval_is_nobody_elses_and_dies_with_either_person() {
    let office = Office::open("test", "").await;
    let token = office.token(ANNA.0).await;
    let id = office.asked(&token).await;
    let elsewhere = office.service.tenant("Elsewhere", "test");
    let stranger = office.service.credential(&elsewhere, "approver", "Iago", &[]);
    for word in ["approve", "deny"] {
        assert_eq!(office.decide(&stranger, &id, word).await.expect(404).code(), "not_found");
    }
    assert_eq!(
        office.call("GET", &format!("/v1/approvals/{id}"), &stranger, None).await.expect(404).code(),
        "not_found"
    );
    assert!(office.call("GET", "/v1/approvals", &stranger, None).await.expect(200).json()["data"][0].is_null());
    let own = format!("/v1/approvals/{id}");
    assert_eq!(office.call("GET", &own, &office.custodian, None).await.expect(200).text_at("/id"), id);
    assert_eq!(office.call("GET", &own, &office.second_custodian, None).await.expect(404).code(), "not_found");
    assert_eq!(office.call("GET", &own, &office.auditor, None).await.expect(200).text_at("/id"), id);

    office.decide(&office.approver, &id, "approve").await.expect(200);
    let freeze = json!({"target": office.approver_id});
    office.post("/v1/freeze", &office.operator, freeze.clone()).await.expect(200);
    assert_eq!(office.reveal(&office.custodian, &token, Some(&id)).await.expect(409).code(), "approval_void");
    office.post("/v1/thaw", &office.operator, freeze).await.expect(200);
    let revoke = format!("/v1/credentials/{}", office.approver_id);
    office.call("DELETE", &revoke, &office.admin, None).await.expect(204);
    assert_eq!(office.reveal(&office.custodian, &token, Some(&id)).await.expect(409).code(), "approval_void");
    office.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn other_policies_ask_again() {
    let office = Office::open("test", "").await;
    let token = office.token(ANNA.0).await;
    let id = office.approved(&token).await;
    let settings = std::fs::read_to_string(office.service.folder().join("bauta.toml")).unwrap();
    let folder = settings.split("dir = \"").nth(1).unwrap().split('"').next().unwrap();
    let file = std::path::Path::new(folder).join("two-persons.cedar");
    std::fs::write(&file, format!("{}// reviewed\n", two_persons())).unwrap();
    // The tenant of the first start keeps the policies; it has one person, who is enough there.
    let keeper = std::fs::read_to_string(office.service.folder().join("data/admin.credential")).unwrap();
    let run = |arguments: &[&str]| {
        let output = office.service.command(arguments).env("BAUTA_CREDENTIAL", keeper.trim()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        said.split_whitespace().last().unwrap().to_owned()
    };
    let version = run(&["policy", "propose"]);
    assert_eq!(run(&["policy", "approve", &version]), version);
    let other = office.token(BEN.0).await;
    eventually("the policies are in force", 10, async || {
        let asked = office.asked(&other).await;
        let seen = office.call("GET", &format!("/v1/approvals/{asked}"), &office.approver, None).await.expect(200);
        (seen.text_at("/policy") == version).then_some(())
    })
    .await;
    assert_eq!(office.reveal(&office.custodian, &token, Some(&id)).await.expect(409).code(), "approval_mismatch");
    office.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn many_are_revealed_in_order_within_the_budget_and_beyond_it_none() {
    let office = Office::open("test", "[role.custodian]\nreveal = 5\n").await;
    let (anna, ben) = (office.token(ANNA.0).await, office.token(BEN.0).await);
    let wish = json!({"tokens": [ben, "tok_nonsense", anna], "purpose": "support", "reference": "file 9"});
    let shown = office.service.post("/v1/tokens/reveal/batch", &office.custodian, wish).await.expect(200);
    let items = &shown.json()["items"];
    assert_eq!((&items[0]["number"], &items[2]["number"]), (&json!(BEN.0), &json!(ANNA.0)));
    assert_eq!(items[1]["error"]["code"], "token_malformed");
    assert_eq!(shown.json()["leaves"].as_array().unwrap().len(), 1);
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert!(shown.headers["ratelimit"].to_str().unwrap().starts_with("\"budget\";r=3;t="), "{:?}", shown.headers);

    let wish =
        json!({"items": [{"token": ben}, {"token": anna}, {"token": ben}, {"token": anna}], "purpose": "support"});
    let refused = office.post("/v1/tokens/reveal/batch", &office.custodian, wish).await.expect(429);
    assert_eq!(refused.code(), "budget_exhausted");
    assert!(refused.headers.contains_key("retry-after") && refused.headers.contains_key("ratelimit"));
    let pair = json!({"tokens": [ben, anna], "purpose": "support"});
    office.service.post("/v1/tokens/reveal/batch", &office.second_custodian, pair.clone()).await.expect(200);
    office.service.post("/v1/tokens/reveal/batch", &office.custodian, pair.clone()).await.expect(200);
    assert_eq!(
        office.post("/v1/tokens/reveal/batch", &office.custodian, pair).await.expect(429).code(),
        "budget_exhausted"
    );
    let path = "/v1/audit/entries?action=budget.exhausted";
    let told = office.call("GET", path, &office.auditor, None).await.expect(200);
    assert_eq!(told.json()["data"].as_array().unwrap().len(), 1, "{}", told.text);
    office.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn a_budget_survives_an_end_without_notice() {
    let mut office = Office::open("test", "[default]\nreveal = 2\n").await;
    let token = office.token(ANNA.0).await;
    let wish = json!({"purpose": "support"});
    let path = format!("/v1/tokens/{token}/reveal");
    for _ in 0..2 {
        office.service.post(&path, &office.custodian, wish.clone()).await.expect(200);
    }
    office.service.kill();
    office.service.restart().await;
    assert_eq!(office.post(&path, &office.custodian, wish).await.expect(429).code(), "budget_exhausted");
    office.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn a_batch_that_needs_two_persons_is_approved_by_masks_for_exactly_those_tokens() {
    let office = Office::open("test", "").await;
    let tokens = [office.token(ANNA.0).await, office.token(BEN.0).await, office.token(CAM.0).await];
    let wish = |count: usize, approval: Option<&str>| json!({"tokens": tokens[..count], "purpose": "legal", "approval": approval});
    let path = "/v1/tokens/reveal/batch";
    let id = office.post(path, &office.custodian, wish(3, None)).await.expect(202).text_at("/approval/id");
    let seen = office.call("GET", &format!("/v1/approvals/{id}"), &office.approver, None).await.expect(200);
    assert_eq!(seen.text_at("/summary/tokens"), "3");
    office.decide(&office.approver, &id, "approve").await.expect(200);
    let fewer = office.post(path, &office.custodian, wish(2, Some(&id))).await.expect(409);
    assert_eq!(fewer.code(), "approval_mismatch");
    let shown = office.service.post(path, &office.custodian, wish(3, Some(&id))).await.expect(200);
    assert_eq!(shown.json()["items"][2]["number"], CAM.0);
    assert_eq!(office.post(path, &office.custodian, wish(3, Some(&id))).await.expect(409).code(), "approval_used");
    let nothing = json!({"tokens": ["tok_nonsense"], "purpose": "legal"});
    assert_eq!(office.post(path, &office.custodian, nothing).await.expect(404).code(), "not_found");
    for wrong in [json!({"purpose": "support"}), json!({"tokens": [], "purpose": "support"})] {
        assert_eq!(office.post(path, &office.custodian, wrong).await.status, 400);
    }
    office.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn a_live_tenants_credentials_take_two_persons_and_revoking_takes_one() {
    let office = Office::open("live", "").await;
    let new = |approval: Option<&str>| json!({"role": "business", "person": "checkout", "approval": approval});
    let id = office.post("/v1/credentials", &office.admin, new(None)).await.expect(202).text_at("/approval/id");
    let seen = office.call("GET", &format!("/v1/approvals/{id}"), &office.approver, None).await.expect(200);
    assert_eq!(
        (seen.text_at("/summary/role"), seen.text_at("/summary/person")),
        ("business".into(), "checkout".into())
    );
    office.decide(&office.approver, &id, "approve").await.expect(200);
    let other = json!({"role": "admin", "person": "checkout", "approval": id});
    assert_eq!(office.post("/v1/credentials", &office.admin, other).await.expect(409).code(), "approval_mismatch");
    let made = office.service.post("/v1/credentials", &office.admin, new(Some(&id))).await.expect(201);
    assert!(made.text_at("/key").starts_with("bk_live_"));
    assert_eq!(office.post("/v1/credentials", &office.admin, new(Some(&id))).await.expect(409).code(), "approval_used");

    let path = format!("/v1/credentials/{}", made.text_at("/id"));
    let rotate = format!("{path}/rotate");
    let id = office.post(&rotate, &office.admin, json!({})).await.expect(202).text_at("/approval/id");
    office.decide(&office.approver, &id, "deny").await.expect(200);
    let denied = office.post(&rotate, &office.admin, json!({"approval": id})).await.expect(409);
    assert_eq!(denied.code(), "approval_denied");
    office.call("DELETE", &path, &office.admin, None).await.expect(204);
}

#[actix_web::test]
async fn the_command_line_passes_the_same_checks() {
    let office = Office::open("live", "").await;
    let run = |key: &str, arguments: &[&str]| {
        let output = office.service.command(arguments).env("BAUTA_CREDENTIAL", key).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let create = ["credential", "create", "--tenant", &office.tenant, "--role", "business", "--person", "checkout"];
    let create = [&create[..], &["--expires", "90d"]].concat();
    let (code, _, said) = run(&office.admin, &create);
    assert_eq!(code, Some(75), "{said}");
    let id = said.split_whitespace().find_map(|word| word.strip_prefix("apr_")).unwrap();
    let id = format!("apr_{}", id.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    let (code, list, _) = run(&office.approver, &["approval", "list", "--status", "pending"]);
    assert!(code == Some(0) && list.contains(&id) && list.contains("checkout"), "{list}");
    assert_eq!(run(&office.admin, &["approval", "approve", &id]).0, Some(1), "an admin never approves");
    let (code, said, _) = run(&office.approver, &["approval", "approve", &id]);
    assert!(code == Some(0) && said.starts_with("approved"), "{said}");
    let again = [&create[..], &["--approval", &id]].concat();
    let (code, key, said) = run(&office.admin, &again);
    assert!(code == Some(0) && key.starts_with("bk_live_"), "{said}");
    assert_eq!(run(&office.admin, &again).0, Some(1), "once");
    let known = eventually("the new key works", 5, async || {
        let answer = office.service.get("/v1/tenant", key.trim()).await;
        (answer.status == 200).then_some(())
    });
    known.await;
}
