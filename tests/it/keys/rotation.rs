//! Keys turned beside a service that serves, is killed in the middle, and goes on.

use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde_json::{Value, json};

use crate::service::{Service, eventually};

const SETTINGS: &str = "[keys]\nsettle_s = 0\n";

/// The store's file, to look into.
fn database(service: &Service) -> Connection {
    let path = service.folder().join("data/bauta.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

fn seal_versions(service: &Service, tenant: &str) -> Vec<u16> {
    let database = database(service);
    let mut statement = database
        .prepare("SELECT version FROM wrapped_key WHERE owner = ? AND purpose = 'seal' ORDER BY version")
        .unwrap();
    statement.query_map([tenant], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Ciphertexts that the pass under way has re-encrypted.
fn resealed(service: &Service) -> Option<u64> {
    let count = database(service).query_row("SELECT resealed FROM reseal_pass", [], |row| row.get::<_, i64>(0));
    count.optional().unwrap().map(i64::cast_unsigned)
}

fn sealed_under(service: &Service, version: u16) -> u64 {
    let count = database(service).query_row(
        "SELECT count(*) FROM token WHERE substr(number, 1, 2) = ?",
        [version.to_be_bytes()],
        |row| row.get::<_, i64>(0),
    );
    count.unwrap().cast_unsigned()
}

struct House {
    service: Service,
    tenant: String,
    business: String,
    custodian: String,
}

impl House {
    async fn new(settings: &str) -> Self {
        let service = Service::start_with(settings).await;
        let tenant = service.tenant("Rotating", "test");
        let business = service.credential(&tenant, "business", "svc", &[]);
        let custodian = service.credential(&tenant, "custodian", "cleo", &[]);
        Self { service, tenant, business, custodian }
    }

    /// Tokenizes `count` numbers, afresh so that there are as many records. Gives the tokens.
    async fn tokens(&self, count: usize) -> Vec<String> {
        let numbers: Vec<Value> = (0..count).map(|n| json!({"number": number(n), "fresh": true})).collect();
        let mut tokens = Vec::new();
        for batch in numbers.chunks(5_000) {
            let answer =
                self.service.post("/v1/tokens/batch", &self.business, json!({"items": batch})).await.expect(200);
            let items = answer.json()["items"].as_array().unwrap().clone();
            tokens
                .extend(items.iter().map(|item| item["token"].as_str().unwrap_or_else(|| panic!("{item}")).to_owned()));
        }
        tokens
    }

    async fn reveals(&self, token: &str, n: usize) {
        let body = json!({"purpose": "support"});
        let answer = self.service.post(&format!("/v1/tokens/{token}/reveal"), &self.custodian, body).await.expect(200);
        assert_eq!(answer.json()["number"], number(n), "{token}");
    }

    fn turn(&self, arguments: &[&str]) -> String {
        let base = ["keys", "rotate", "--tenant", &self.tenant];
        let output = self.service.cli(&[&base[..], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn number(n: usize) -> String {
    format!("+447700900{:03}", n % 1_000)
}

#[actix_web::test]
async fn a_rotation_that_is_killed_again_and_again_ends_and_every_token_still_reveals() {
    let mut house = House::new(SETTINGS).await;
    let tokens = house.tokens(15_000).await;
    house.turn(&["--key", "seal"]);
    for _ in 0..3 {
        let seen = resealed(&house.service).unwrap_or_default();
        eventually("another batch", 60, async || {
            let progress = resealed(&house.service).is_some_and(|count| count > seen);
            (progress || sealed_under(&house.service, 1) == 0).then_some(())
        })
        .await;
        house.service.kill();
        house.service.restart().await;
    }
    eventually("the old version's end", 120, async || {
        (seal_versions(&house.service, &house.tenant) == [2]).then_some(())
    })
    .await;
    assert_eq!(sealed_under(&house.service, 1), 0);
    for (n, token) in tokens.iter().enumerate().step_by(500) {
        house.reveals(token, n).await;
    }
    let listed = house.service.cli(&["keys", "list", "--tenant", &house.tenant]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("v2    active") && !listed.contains("old"), "{listed}");
}

#[actix_web::test]
async fn while_keys_turn_the_service_serves_and_writers_go_on() {
    let house = House::new(SETTINGS).await;
    let old = house.tokens(2_000).await;
    for (round, version) in (2..=4).enumerate() {
        house.turn(&["--key", "seal"]);
        house.turn(&["--kek"]);
        let new = house.tokens(50).await;
        house.reveals(&new[7], 7).await;
        house.reveals(&old[round], round).await;
        let settled = async || (seal_versions(&house.service, &house.tenant) == [version]).then_some(());
        eventually("the old version's end", 120, settled).await;
        house.reveals(&new[7], 7).await;
        house.reveals(&old[round], round).await;
    }
    let key = house.service.credential(&house.tenant, "auditor", "ada", &[]);
    for action in ["key.rotated", "key.rewrapped"] {
        let entries = house.service.get(&format!("/v1/audit/entries?action={action}"), &key).await.expect(200);
        assert_eq!(entries.json()["data"].as_array().unwrap().len(), 3, "{action}");
    }
}

#[actix_web::test]
async fn a_new_siv_key_starts_new_sealed_tokens_says_so_and_leaves_the_old_ones_valid() {
    let house = House::new(SETTINGS).await;
    let ask = json!({"number": number(1), "kind": "sealed"});
    let sealed = async || house.service.post("/v1/tokens", &house.business, ask.clone()).await.text_at("/token");
    let old = sealed().await;
    assert_eq!(sealed().await, old);
    assert!(house.turn(&["--key", "siv"]).contains("tokens rewrap"));
    let new =
        eventually("a token under the new key", 20, async || Some(sealed().await).filter(|new| *new != old)).await;
    house.reveals(&old, 1).await;
    house.reveals(&new, 1).await;
}

#[actix_web::test]
async fn keys_that_tokens_hang_on_are_refused_a_new_version_with_the_mend() {
    let house = House::new("").await;
    for key in ["token", "index", "subject", "nothing"] {
        let output = house.service.cli(&["keys", "rotate", "--tenant", &house.tenant, "--key", key]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("never replaced") && said.contains("keys rewrap"), "{said}");
    }
}

#[actix_web::test]
async fn root_and_deployment_keys_turn_beside_the_service() {
    let house = House::new(SETTINGS).await;
    let tokens = house.tokens(3).await;
    let root = std::fs::read(house.service.folder().join("kms/root.key")).unwrap();
    for arguments in [&["--root"][..], &["--kek"], &["--key", "proof"], &["--key", "seal"]] {
        let output = house.service.cli(&[&["keys", "rotate"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_ne!(std::fs::read(house.service.folder().join("kms/root.key")).unwrap(), root);
    assert!(!house.service.folder().join("kms/root.key.next").exists());
    let output = house.service.cli(&["keys", "rewrap", "--system"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    house.reveals(&tokens[1], 1).await;
    let published = async || {
        let jwks = house.service.get("/.well-known/jwks.json", "").await.expect(200).json();
        (jwks["keys"].as_array().unwrap().len() == 2).then_some(())
    };
    eventually("both proof keys", 20, published).await;
    let another = house.service.tenant("Later", "test");
    assert!(another.starts_with("ten_"), "keys are made under the new root");
}

#[actix_web::test]
async fn destroyed_keys_are_noise_within_a_second_also_for_who_kept_the_store() {
    let mut house = House::new("").await;
    let tokens = house.tokens(2).await;
    let destroy = |name: &str| house.service.cli(&["keys", "destroy", "--tenant", &house.tenant, "--name", name]);
    assert_eq!(destroy("Rotatin").status.code(), Some(64));
    house.service.stop();
    std::fs::copy(house.service.folder().join("data/bauta.db"), house.service.folder().join("backup.db")).unwrap();
    house.service.restart().await;
    house.reveals(&tokens[0], 0).await;
    let destroyed = house.service.cli(&["keys", "destroy", "--tenant", &house.tenant, "--name", "Rotating"]);
    assert!(destroyed.status.success(), "{}", String::from_utf8_lossy(&destroyed.stderr));
    let gone = async || {
        let body = json!({"purpose": "support"});
        let path = format!("/v1/tokens/{}/reveal", tokens[0]);
        let answer = house.service.post(&path, &house.custodian, body).await;
        (answer.status != 200).then_some(())
    };
    eventually("nothing reveals", 5, gone).await;
    // The restored store has the wrapped keys again, and nobody can open them.
    house.service.stop();
    for left in ["bauta.db", "bauta.db-wal", "bauta.db-shm"] {
        let _ = std::fs::remove_file(house.service.folder().join("data").join(left));
    }
    std::fs::copy(house.service.folder().join("backup.db"), house.service.folder().join("data/bauta.db")).unwrap();
    house.service.restart().await;
    let path = format!("/v1/tokens/{}/reveal", tokens[0]);
    let answer = house.service.post(&path, &house.custodian, json!({"purpose": "support"})).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    let listed = String::from_utf8(house.service.cli(&["keys", "list"]).stdout).unwrap();
    assert!(listed.contains(&format!("{}: its key-encryption key is gone", house.tenant)), "{listed}");
}

#[actix_web::test]
async fn destroying_keys_takes_a_second_person_once_there_is_one() {
    let house = House::new("").await;
    let admin = house.service.credential(&house.tenant, "admin", "ann", &[]);
    let arguments = ["keys", "destroy", "--tenant", &house.tenant, "--name", "Rotating"];
    let refused = house.service.cli(&arguments);
    assert_eq!(refused.status.code(), Some(1), "a terminal stands back once there is an admin");
    let as_who =
        |key: &str, arguments: &[&str]| house.service.command(arguments).env("BAUTA_CREDENTIAL", key).output().unwrap();
    let approver =
        as_who(&admin, &["credential", "create", "--tenant", &house.tenant, "--role", "approver", "--person", "bob"]);
    assert!(approver.status.success(), "{}", String::from_utf8_lossy(&approver.stderr));
    let approver = String::from_utf8(approver.stdout).unwrap().split_whitespace().last().unwrap().to_owned();
    let pending = as_who(&admin, &arguments);
    assert!(!pending.status.success());
    let said = format!("{}{}", String::from_utf8_lossy(&pending.stdout), String::from_utf8_lossy(&pending.stderr));
    let approval = said.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.starts_with("apr_"));
    let approval = approval.unwrap_or_else(|| panic!("{said}")).to_owned();
    house.tokens(1).await;
    let approved = as_who(&approver, &["approval", "approve", &approval]);
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    let with = [&arguments[..], &["--approval", &approval]].concat();
    let done = as_who(&admin, &with);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
