//! Policies that change while the service runs: proposed, compared, approved, followed everywhere, and taken back.

use std::path::Path;
use std::process::Output;

use serde_json::{Map, Value, json};

use super::{ANNA, Shop};
use crate::service::{Answer, Service, eventually};

/// Nobody but the shop's own back end makes tokens any more: no fixture tells these two apart.
const ONE_SHOP: &str = "@id(\"one-shop\")\nforbid (principal, action == Bauta::Action::\"TokenCreate\", resource)\nwhen { principal.person == \"business one\" };\n";

/// The admin of the first start, whose tenant is the oldest and keeps the policies.
fn keeper(service: &Service) -> String {
    std::fs::read_to_string(service.folder().join("data/admin.credential")).unwrap().trim().to_owned()
}

async fn in_force(shop: &Shop, key: &str) -> Value {
    shop.get("/v1/policies/active", key).await.expect(200).json()
}

/// What is in force, and one file more.
async fn with(shop: &Shop, key: &str, name: &str, text: &str) -> Value {
    let active = in_force(shop, key).await;
    let mut files = active["files"].as_object().unwrap().clone();
    files.insert(name.into(), text.into());
    json!({"files": files, "base": active["version"]})
}

async fn tokenizes(shop: &Shop) -> bool {
    let answer = shop.post("/v1/tokens", &shop.business, json!({"number": ANNA.0})).await;
    assert!(matches!(answer.status, 201 | 403), "{}", answer.text);
    answer.status == 201
}

fn cli(shop: &Shop, key: &str, arguments: &[&str]) -> Output {
    shop.service.command(arguments).env("BAUTA_CREDENTIAL", key).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[actix_web::test]
async fn a_change_is_followed_in_every_process_and_named_in_what_it_decided() {
    let shop = Shop::open().await;
    let admin = keeper(&shop.service);
    let first = in_force(&shop, &admin).await;
    assert_eq!((&first["status"], &first["source"], &first["diff"]), (&json!("active"), &json!("program"), &json!("")));
    assert!(tokenizes(&shop).await);

    let wish = with(&shop, &admin, "more.cedar", ONE_SHOP).await;
    let proposed = shop.post("/v1/policies", &admin, wish.clone()).await.expect(201);
    let version = proposed.text_at("/version");
    assert_eq!((proposed.text_at("/status"), proposed.text_at("/changes")), ("proposed".into(), "[]".into()));
    assert!(proposed.text_at("/diff").contains("+++ more.cedar\n@@ -0,0 +1,3 @@\n+@id(\"one-shop\")"));
    assert_eq!(shop.post("/v1/policies", &admin, wish).await.expect(409).code(), "policy_conflict");
    assert!(tokenizes(&shop).await, "a proposal decides nothing");

    let path = format!("/v1/policies/{version}/activate");
    assert_eq!(shop.post(&path, &admin, json!({})).await.expect(200).text_at("/status"), "active");
    assert!(!tokenizes(&shop).await);
    let denied = shop.get("/v1/audit/entries?action=denied&limit=100", &shop.auditor).await.expect(200).json();
    let denied = denied["data"].as_array().unwrap().iter().map(|row| row["entry"]["policy"].clone());
    assert!(denied.collect::<Vec<_>>().contains(&json!(version)), "the entry names what decided it");

    // Back to the first, from another process.
    let first = first["version"].as_str().unwrap();
    let told = done(&cli(&shop, &admin, &["policy", "propose", "--kept", first]));
    assert!(told.contains(&format!("proposed {first} over {version}")), "{told}");
    done(&cli(&shop, &admin, &["policy", "approve", first]));
    eventually("the service follows", 10, async || tokenizes(&shop).await.then_some(())).await;

    let listed = shop.get("/v1/policies?limit=1", &admin).await.expect(200).json();
    assert_eq!(listed["data"][0]["version"], json!(first));
    let next = format!("/v1/policies?after={}", listed["next"].as_str().unwrap());
    let rest = shop.get(&next, &admin).await.expect(200).json();
    assert_eq!((&rest["data"][0]["version"], &rest["data"][0]["status"]), (&json!(version), &json!("superseded")));
    assert_eq!(shop.get("/v1/policies/0123456789abcdef", &admin).await.expect(404).code(), "not_found");
    shop.leaves_no_trace_of(&[ANNA]);
}

#[actix_web::test]
async fn others_than_the_keeping_tenants_people_neither_read_nor_change_policies() {
    let shop = Shop::open().await;
    let version = in_force(&shop, &keeper(&shop.service)).await["version"].as_str().unwrap().to_owned();
    let wish = json!({"version": version, "base": version});
    for key in [&shop.admin, &shop.business, &shop.operator, &shop.auditor, &shop.custodian, &shop.partner] {
        for path in ["/v1/policies".to_owned(), format!("/v1/policies/{version}")] {
            assert_eq!(shop.get(&path, key).await.expect(403).code(), "forbidden");
        }
        assert_eq!(shop.post("/v1/policies", key, wish.clone()).await.expect(403).code(), "forbidden");
        for verb in ["activate", "withdraw"] {
            let path = format!("/v1/policies/{version}/{verb}");
            assert_eq!(shop.post(&path, key, json!({})).await.expect(403).code(), "forbidden");
        }
    }
    let refused = cli(&shop, &shop.admin, &["policy", "list"]);
    assert_eq!(refused.status.code(), Some(1), "the key of another tenant");
    let wish = with(&shop, &keeper(&shop.service), "more.cedar", ONE_SHOP).await;
    let proposed = shop.post("/v1/policies", &keeper(&shop.service), wish).await.expect(201).text_at("/version");
    let refused = shop.service.cli(&["policy", "approve", &proposed]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "the terminal, where there is an admin");
    assert!(told.contains("BAUTA_CREDENTIAL"), "{told}");
    done(&shop.service.cli(&["policy", "list"]));
}

#[actix_web::test]
async fn where_there_is_a_second_person_policies_wait_for_its_word() {
    let shop = Shop::open().await;
    let admin = keeper(&shop.service);
    let hire = json!({"role": "approver", "person": "second person"});
    let second = shop.service.post("/v1/credentials", &admin, hire).await.expect(201).text_at("/key");
    let wish = with(&shop, &admin, "more.cedar", ONE_SHOP).await;
    let version = shop.post("/v1/policies", &admin, wish).await.expect(201).text_at("/version");
    let path = format!("/v1/policies/{version}/activate");

    let approval = shop.post(&path, &admin, json!({})).await.expect(202).text_at("/approval/id");
    assert!(tokenizes(&shop).await);
    let bring = json!({"approval": approval});
    assert_eq!(shop.post(&path, &admin, bring.clone()).await.expect(409).code(), "approval_pending");
    let summary = shop.get(&format!("/v1/approvals/{approval}"), &second).await.expect(200);
    assert_eq!(summary.text_at("/summary/policies"), version);
    let waiting = shop.get(&format!("/v1/policies/{version}"), &second).await.expect(200);
    assert!(waiting.text_at("/diff").contains("one-shop"), "the second person sees what it is about");
    assert_eq!(shop.post(&path, &second, json!({})).await.expect(403).code(), "forbidden");

    shop.post(&format!("/v1/approvals/{approval}/approve"), &second, json!({})).await.expect(200);
    let active = shop.post(&path, &admin, bring).await.expect(200);
    assert_eq!(active.text_at("/approver"), "second person");
    assert!(!tokenizes(&shop).await);
    let entries = shop.get("/v1/audit/entries?limit=100", &admin).await.expect(200).text;
    for action in ["policy.proposed", "policy.approved", "policy.activated", "approval.used"] {
        assert!(entries.contains(&format!("\"action\":\"{action}\"")), "{action}");
    }
}

#[actix_web::test]
async fn a_wrong_proposal_says_file_line_and_mend_and_leaves_nothing() {
    let shop = Shop::open().await;
    let admin = keeper(&shop.service);
    let active = in_force(&shop, &admin).await;
    let refused = async |name: &str, text: &str, status: u16| -> (String, Answer) {
        let wish = with(&shop, &admin, name, text).await;
        let answer = shop.post("/v1/policies", &admin, wish).await.expect(status);
        (answer.code(), answer)
    };
    let (code, answer) =
        refused("more.cedar", "\npermit (principal, action, resource) when { principal.shoe == 43 };", 422).await;
    assert_eq!((code.as_str(), answer.text_at("/errors/0/field")), ("policy_invalid", "files.more.cedar".into()));
    assert!(answer.text_at("/errors/0/line") == "2" && answer.text_at("/errors/0/detail").contains("shoe"));

    let case = "[[case]]\nname = \"operators reveal\"\nprincipal = { role = \"operator\" }\naction = \"TokenReveal\"\nexpect = \"allow\"\n";
    let (code, answer) = refused("fixtures/more.toml", case, 422).await;
    assert_eq!((code.as_str(), answer.text_at("/errors/0/line")), ("policy_fixture", "1".into()));
    assert!(answer.text_at("/errors/0/detail").contains("operators reveal"));

    let (code, _) =
        refused("more.cedar", "forbid (principal, action == Bauta::Action::\"PolicyActivate\", resource);", 422).await;
    assert_eq!(code, "policy_fixture", "a case that ships holds the way back");
    let lock = "forbid (principal, action == Bauta::Action::\"PolicyActivate\", resource)\nwhen { principal is Bauta::Credential && principal.person != \"somebody\" };";
    assert_eq!(refused("more.cedar", lock, 422).await.0, "policy_unsafe");

    let (code, answer) = refused("more.cedar", "// ask +12025550143\n", 422).await;
    assert_eq!((code.as_str(), answer.text_at("/errors/0/line")), ("number_in_text", "1".into()));
    for (name, text) in [
        ("budget.toml", ""),
        ("../more.cedar", ""),
        ("notes.txt", ""),
        ("bauta.cedarschema", "namespace Bauta {}"),
        ("more.cedar", &*"// ".repeat(200_000)),
    ] {
        assert_eq!(refused(name, text, 422).await.0, "policy_invalid", "{name}");
    }
    let post = async |body: Value, status| shop.post("/v1/policies", &admin, body).await.expect(status).code();
    let base = active["version"].clone();
    assert_eq!(post(json!({"files": {}, "base": base}), 422).await, "policy_invalid");
    assert_eq!(post(json!({"files": {"a.cedar": "x".repeat(1_000_001)}, "base": base}), 413).await, "body_too_large");
    assert_eq!(post(json!({"base": base}), 400).await, "missing_field");
    assert_eq!(post(json!({"files": {}, "version": "x", "base": base}), 400).await, "invalid_field");
    assert_eq!(post(json!({"files": {"a.cedar": 7}, "base": base}), 400).await, "invalid_field");
    assert_eq!(post(json!({"files": active["files"]}), 400).await, "missing_field");
    assert_eq!(post(json!({"version": "0123456789abcdef", "base": base}), 404).await, "not_found");
    assert_eq!(post(json!({"files": active["files"], "base": "0123456789abcdef"}), 409).await, "policy_conflict");
    let bytes = b"{\"files\":{\"a.cedar\":\"\xff\"},\"base\":\"x\"}".to_vec();
    let raw =
        shop.service.request("POST", "/v1/policies").bearer_auth(&admin).header("content-type", "application/json");
    assert_eq!(crate::service::answer(raw.body(bytes)).await.expect(400).code(), "malformed_json");

    let listed = shop.get("/v1/policies", &admin).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "nothing was kept");
    shop.leaves_no_trace_of(&[ANNA]);
}

fn write(folder: &Path, files: &Map<String, Value>) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.as_str().unwrap()).unwrap();
    }
}

#[actix_web::test]
async fn files_of_a_folder_are_a_proposal_until_somebody_approves_them() {
    let mut shop = Shop::open().await;
    let admin = keeper(&shop.service);
    done(&cli(&shop, &admin, &["policy", "show", "-o", "policies"]));
    let folder = shop.service.folder().join("policies");
    let same = done(&cli(&shop, &admin, &["policy", "diff", "policies"]));
    assert!(same.contains("no difference"), "{same}");
    let again = cli(&shop, &admin, &["policy", "show", "-o", "policies"]);
    assert_eq!(again.status.code(), Some(1), "what somebody works on is not overwritten");

    let settings = std::fs::read_to_string(shop.service.folder().join("bauta.toml")).unwrap();
    std::fs::write(shop.service.folder().join("bauta.toml"), format!("{settings}[policies]\ndir = \"policies\"\n"))
        .unwrap();
    let text = "@id(\"no-freezing\")\nforbid (principal, action == Bauta::Action::\"Freeze\", resource);\n";
    write(&folder, json!({"more.cedar": text}).as_object().unwrap());
    let failing = cli(&shop, &admin, &["policy", "check"]);
    assert_eq!(failing.status.code(), Some(1));
    let told = String::from_utf8_lossy(&failing.stderr).into_owned();
    assert!(
        told.contains("fixtures/roles.toml:") && told.contains("freezes and thaws (test operator, Freeze)"),
        "{told}"
    );
    let shown = cli(&shop, &admin, &["policy", "diff"]);
    assert_eq!(shown.status.code(), Some(1), "it could not be proposed");
    assert!(String::from_utf8_lossy(&shown.stdout).contains("+@id(\"no-freezing\")"));

    // The case goes with the policy, and everybody sees which ones are decided otherwise.
    let case =
        "[[case]]\nname = \"freezes\"\nprincipal = { role = \"operator\" }\naction = \"Freeze\"\nexpect = \"deny\"\n";
    let fixtures = std::fs::read_to_string(folder.join("fixtures/roles.toml")).unwrap();
    let kept =
        fixtures.split("[[case]]").filter(|case| !case.contains("\"Freeze\"")).collect::<Vec<_>>().join("[[case]]");
    write(&folder, json!({"fixtures/roles.toml": kept, "fixtures/more.toml": case}).as_object().unwrap());
    let checked = done(&cli(&shop, &admin, &["policy", "check"]));
    let version = checked.split_whitespace().nth(1).unwrap().to_owned();
    let shown = done(&cli(&shop, &admin, &["policy", "diff"]));
    assert!(shown.contains("now denied   fixtures/roles.toml: freezes and thaws (test operator, Freeze)"), "{shown}");

    shop.service.stop();
    shop.service.restart().await;
    let active = in_force(&shop, &admin).await;
    assert_ne!(active["version"], json!(version), "files decide nothing");
    assert!(shop.service.log().contains("not in force but a proposal"));
    done(&cli(&shop, &admin, &["policy", "propose"]));
    let list = done(&cli(&shop, &admin, &["policy", "list"]));
    assert!(list.contains(&format!("{version}  proposed")), "{list}");
    done(&cli(&shop, &admin, &["policy", "withdraw", &version]));
    assert_eq!(cli(&shop, &admin, &["policy", "approve", &version]).status.code(), Some(1), "withdrawn");
    done(&cli(&shop, &admin, &["policy", "propose"]));
    done(&cli(&shop, &admin, &["policy", "approve", &version]));
    let follows = async || (in_force(&shop, &admin).await["version"] == json!(version)).then_some(());
    eventually("the service follows", 10, follows).await;
    let target = json!({"target": shop.tenant});
    assert_eq!(shop.post("/v1/freeze", &shop.operator, target).await.expect(403).code(), "forbidden");
}

#[actix_web::test]
async fn a_folder_that_cannot_be_read_is_told_by_check_with_file_and_line() {
    let service = Service::start().await;
    let folder = service.folder().join("policies");
    let check = |name: &str, text: &[u8]| {
        let _ = std::fs::remove_dir_all(&folder);
        write(&folder, json!({"a.cedar": "permit (principal, action, resource);\n"}).as_object().unwrap());
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        let output = service.cli(&["policy", "check", "policies"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (name, text, says) in [
        ("b.cedar", b"// fine\n\xff\n".as_slice(), "b.cedar:2: is not UTF-8"),
        ("bauta.cedarschema", b"namespace Bauta {}", "not the schema of this version"),
        ("budget.toml", b"", "budget.toml: is no file of a set"),
        ("fixtures/x.toml", b"\n[[case]\n", "x.toml:2:"),
        ("huge.cedar", &vec![b'/'; 600 * 1024], "512 KiB"),
    ] {
        let told = check(name, text);
        assert!(told.contains(says), "{name}: {told}");
    }
}

#[actix_web::test]
async fn the_keeping_tenant_is_named_by_the_settings() {
    let mut shop = Shop::open().await;
    let first = keeper(&shop.service);
    let path = shop.service.folder().join("bauta.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    let name = |tenant: &str| std::fs::write(&path, format!("{settings}[policies]\ntenant = \"{tenant}\"\n")).unwrap();
    shop.service.stop();
    name(&shop.tenant);
    shop.service.restart().await;
    assert_eq!(in_force(&shop, &shop.admin).await["status"], json!("active"));
    assert_eq!(shop.get("/v1/policies", &first).await.expect(403).code(), "forbidden");
    for wrong in ["ten_01k8q3v6r5e9x8wz7m4n2b1c0d", "Rialto"] {
        name(wrong);
        let refused = shop.service.cli(&["policy", "list"]);
        assert_eq!(refused.status.code(), Some(64));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("policies.tenant"));
    }
}
