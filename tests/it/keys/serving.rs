//! A service whose keys are with a transit engine or a token.

use serde_json::json;

use super::peers::{Bao, LABEL, PIN, SoftHsm, TOKEN, module};
use crate::service::{Service, eventually};

fn settings(bao: &Bao, more: &str) -> String {
    format!("kind = \"transit\"\naddress = \"{}\"\ntoken = \"{TOKEN}\"\n{more}\n", bao.address)
}

struct House {
    service: Service,
    tenant: String,
    business: String,
    custodian: String,
}

impl House {
    fn of(service: Service) -> Self {
        let tenant = service.tenant("Far", "test");
        let business = service.credential(&tenant, "business", "svc", &[]);
        let custodian = service.credential(&tenant, "custodian", "cleo", &[]);
        Self { service, tenant, business, custodian }
    }

    async fn token(&self) -> String {
        let ask = json!({"number": "+447700900001"});
        self.service.post("/v1/tokens", &self.business, ask).await.expect(201).text_at("/token")
    }

    async fn reveal(&self, token: &str) -> crate::service::Answer {
        let body = json!({"purpose": "support"});
        self.service.post(&format!("/v1/tokens/{token}/reveal"), &self.custodian, body).await
    }
}

#[actix_web::test]
async fn an_engine_away_later_is_outlived_for_a_while_then_told_and_served_from_again() {
    let Some(bao) = Bao::start().await else { return };
    let kms = settings(&bao, "timeout_ms = 300\ncache_s = 4\ncheck_s = 1");
    let house = House::of(Service::start_with_kms(&kms, &[]).await);
    let token = house.token().await;
    house.reveal(&token).await.expect(200);
    bao.hang();
    house.reveal(&token).await.expect(200);
    let told = eventually("the end of the cached keys", 30, async || {
        let answer = house.reveal(&token).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(told.code(), "kms_unavailable");
    assert!(told.headers.contains_key("retry-after"));
    bao.wake();
    eventually("service again", 30, async || (house.reveal(&token).await.status == 200).then_some(())).await;
}

#[actix_web::test]
async fn a_kek_destroyed_at_the_engine_itself_ends_its_tenants_keys_and_nobody_elses() {
    let Some(bao) = Bao::start().await else { return };
    let house = House::of(Service::start_with_kms(&settings(&bao, "check_s = 1"), &[]).await);
    let token = house.token().await;
    let other = house.service.tenant("Near", "test");
    let theirs = house.service.credential(&other, "business", "svc", &[]);
    let ask = json!({"number": "+447700900002"});
    house.service.post("/v1/tokens", &theirs, ask.clone()).await.expect(201);
    let kek = format!("transit/keys/bauta-{}", house.tenant);
    assert_eq!(bao.status("POST", &format!("{kek}/config"), Some(json!({"deletion_allowed": true}))).await, 200);
    assert_eq!(bao.status("DELETE", &kek, None).await, 204);
    eventually("the keys' end", 30, async || (house.reveal(&token).await.status == 503).then_some(())).await;
    house.service.post("/v1/tokens", &theirs, ask).await.expect(201);
}

#[actix_web::test]
async fn an_engine_away_or_foreign_at_the_start_stops_it_and_says_what_to_look_at() {
    let (Some(bao), Some(foreign)) = (Bao::start().await, Bao::start().await) else { return };
    let mut service = Service::start_with_kms(&settings(&bao, "timeout_ms = 500"), &[]).await;
    service.tenant("Far", "live");
    service.stop();
    let (code, said) = service.refused(&[("BAUTA__KMS__ADDRESS", &foreign.address)]);
    assert!(code == Some(1) && said.contains("there is no key-encryption key for system"), "{said}");
    // The same name, another key.
    assert_eq!(foreign.status("POST", "transit/keys/bauta-system", Some(json!({"type": "aes256-gcm96"}))).await, 200);
    let (code, said) = service.refused(&[("BAUTA__KMS__ADDRESS", &foreign.address)]);
    assert!(code == Some(1) && said.contains("is this the KMS that the store was made with?"), "{said}");
    let (code, said) = service.refused(&[("BAUTA__KMS__TOKEN", "s.wrong")]);
    assert!(code == Some(1) && said.contains("refuses our token") && !said.contains("s.wrong"), "{said}");
    bao.hang();
    let (code, said) = service.refused(&[]);
    assert!(code == Some(1) && said.contains("does not answer in time"), "{said}");
    bao.wake();
    service.restart().await;
}

#[actix_web::test]
async fn keys_turn_and_are_wrapped_anew_at_an_engine_and_its_old_version_is_gone() {
    let Some(bao) = Bao::start().await else { return };
    let house = House::of(Service::start_with_kms(&settings(&bao, ""), &[]).await);
    let token = house.token().await;
    for arguments in [&["--kek"][..], &["--key", "seal"]] {
        let output = house.service.cli(&[&["keys", "rotate", "--tenant", &house.tenant], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    house.reveal(&token).await.expect(200);
    let described = bao.json("GET", &format!("transit/keys/bauta-{}", house.tenant), None).await;
    assert_eq!(
        (&described["data"]["latest_version"], &described["data"]["min_available_version"]),
        (&json!(2), &json!(2))
    );
    let output = house.service.cli(&["keys", "rotate", "--root"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("KMS's own commands"));
    let output = house.service.cli(&["keys", "backup", "-o", "names.json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("raft snapshot save"));
    let names = std::fs::read_to_string(house.service.folder().join("names.json")).unwrap();
    assert!(names.contains(&house.tenant) && names.contains("system"));
}

#[actix_web::test]
async fn a_service_on_a_softhsm_token_outlives_its_unplugging_for_a_while_and_comes_back() {
    let Some(hsm) = SoftHsm::start() else { return };
    let kms = format!(
        "kind = \"pkcs11\"\nmodule = \"{}\"\ntoken = \"{LABEL}\"\npin = \"{PIN}\"\ncache_s = 4\ncheck_s = 1\n",
        module().display()
    );
    let environment = hsm.environment();
    let mut house = House::of(Service::start_with_kms(&kms, &environment).await);
    let token = house.token().await;
    house.reveal(&token).await.expect(200);
    let aside = hsm.tokens().with_file_name("aside");
    std::fs::rename(hsm.tokens(), &aside).unwrap();
    house.reveal(&token).await.expect(200);
    eventually("the end of the cached keys", 30, async || {
        let answer = house.reveal(&token).await;
        (answer.status == 503).then(|| assert!(matches!(answer.code().as_str(), "kms_unavailable" | "unavailable")))
    })
    .await;
    house.service.stop();
    let (code, said) = house.service.refused(&[]);
    assert!(code == Some(1) && said.contains("pkcs11") && said.contains("does not serve"), "{said}");
    std::fs::rename(&aside, hsm.tokens()).unwrap();
    let (code, said) = house.service.refused(&[("BAUTA__KMS__PIN", "999999")]);
    assert!(code == Some(64) && said.contains("kms.pin") && !said.contains("999999"), "{said}");
    house.service.restart().await;
    house.reveal(&token).await.expect(200);
    let output = house.service.cli(&["keys", "rotate", "--tenant", &house.tenant, "--kek"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    house.reveal(&token).await.expect(200);
}

#[actix_web::test]
async fn a_backup_of_the_file_kms_brings_back_what_a_lost_key_folder_took() {
    let mut house = House::of(Service::start().await);
    let token = house.token().await;
    let folder = house.service.folder().to_owned();
    let cli = |arguments: &[&str], passphrase: &str| {
        house.service.command(arguments).env("BAUTA_KEY_PASSPHRASE", passphrase).output().unwrap()
    };
    let short = cli(&["keys", "backup", "-o", "short.backup"], "short");
    assert!(!short.status.success() && !folder.join("short.backup").exists());
    let made = cli(&["keys", "backup", "-o", "keys.backup"], "correct horse battery");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let root = std::fs::read_to_string(folder.join("kms/root.key")).unwrap();
    assert!(!std::fs::read_to_string(folder.join("keys.backup")).unwrap().contains(root.trim()));
    assert!(!cli(&["keys", "restore", "keys.backup"], "correct horse battery").status.success(), "never over keys");
    house.service.stop();
    std::fs::rename(folder.join("kms"), folder.join("lost")).unwrap();
    let (code, said) = house.service.refused(&[]);
    assert!(code == Some(64) && said.contains("restore it from the key backup"), "{said}");
    let cli = |passphrase: &str| {
        let mut command = house.service.command(&["keys", "restore", "keys.backup"]);
        command.env("BAUTA_KEY_PASSPHRASE", passphrase).output().unwrap()
    };
    assert!(String::from_utf8_lossy(&cli("wrong horse battery").stderr).contains("passphrase is another"));
    let restored = cli("correct horse battery");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    house.service.restart().await;
    house.reveal(&token).await.expect(200);
}
