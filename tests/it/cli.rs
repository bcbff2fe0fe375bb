//! The command line and the process: first start, refusals to start, the demo, ending well and ending badly.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::service::{BAUTA, Service, free_port};

/// `bauta serve` in a folder, which has to refuse to start.
fn refused(folder: &Path, settings: &str) -> (Option<i32>, String) {
    std::fs::write(folder.join("other.toml"), settings).unwrap();
    let mut child = Command::new(BAUTA)
        .args(["serve", "--config", "other.toml", "--data", "data", "--listen", &format!("127.0.0.1:{}", free_port())])
        .current_dir(folder)
        .env("BAUTA__SERVER__ADMIN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it started");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let lines = String::from_utf8(stderr).unwrap();
    // What it logged before it knew are JSON lines; the refusal is the one line that is not.
    let plain: Vec<&str> = lines.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(plain.len(), 1, "{lines}");
    (status.code(), plain[0].to_owned())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[actix_web::test]
async fn the_first_start_leaves_its_key_in_a_file_that_only_its_owner_reads() {
    let mut service = Service::start().await;
    let path = service.folder().join("data/admin.credential");
    assert_eq!(mode(&path), 0o600);
    let key = std::fs::read_to_string(&path).unwrap().trim().to_owned();
    assert!(!service.log().contains(&key));
    let own = service.get("/v1/tenant", &key).await.expect(200).json();
    assert_eq!((&own["mode"], &own["credential"]["role"]), (&json!("test"), &json!("admin")));
    assert_eq!(mode(&service.folder().join("kms/root.key")), 0o600);
    std::fs::remove_file(&path).unwrap();
    service.stop();
    service.restart().await;
    assert!(!path.exists(), "only the first start makes one");
}

#[actix_web::test]
async fn sigterm_ends_it_well() {
    let mut service = Service::start().await;
    assert_eq!(service.stop().and_then(|status| status.code()), Some(0));
    assert!(service.log().contains("\"message\":\"stopped\""));
    assert!(!service.log().contains("\"level\":\"WARN\""), "{}", service.log());
}

#[actix_web::test]
async fn a_key_file_that_others_can_read_stops_the_start_and_says_how_to_mend_it() {
    let mut service = Service::start().await;
    service.stop();
    let key = service.folder().join("kms/root.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, line) = refused(service.folder(), "[kms]\npath = \"kms\"\n");
    assert_eq!(code, Some(64), "{line}");
    assert!(line.contains("root.key") && line.contains("chmod 600"), "{line}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    service.restart().await;
}

#[actix_web::test]
async fn a_missing_or_foreign_key_file_stops_the_start_of_a_store_that_holds_something() {
    let mut service = Service::start().await;
    service.stop();
    let key = service.folder().join("kms/root.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let (code, line) = refused(service.folder(), "[kms]\npath = \"kms\"\n");
    assert!(matches!(code, Some(64 | 1)) && line.contains("root.key"), "{code:?} {line}");
    assert!(!key.exists(), "none is made beside data that it could not open");
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (code, line) = refused(service.folder(), "[kms]\npath = \"kms\"\n");
    assert!(matches!(code, Some(64 | 1)), "{line}");
    let (code, line) = refused(service.folder(), "[kms]\npath = \"elsewhere\"\n");
    assert!(matches!(code, Some(64 | 1)), "{line}");
    std::fs::write(&key, kept).unwrap();
    service.restart().await;
}

#[test]
fn a_wrong_setting_stops_the_start_with_one_line_that_names_file_key_and_mend() {
    for (settings, key, mend) in [
        ("[server]\nlisen = \"127.0.0.1:1\"\n", "server.lisen", "listen"),
        ("[servers]\nlisten = \"127.0.0.1:1\"\n", "servers", "server"),
        ("[store]\ndurable = \"mysql:x\"\n", "store.durable", "sqlite:"),
        ("[[carriers]]\nname = \"m\"\nkind = \"pigeon\"\n", "carriers[0].kind", "smpp"),
        ("[limits]\nburst = 0\n", "limits", "1 or more"),
        ("listen = ", "other.toml", "syntax"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (code, line) = refused(folder.path(), settings);
        assert_eq!(code, Some(64), "{line}");
        assert!(line.contains("other.toml") && line.contains(key) && line.contains(mend), "{line}");
        assert!(!folder.path().join("data/bauta.db").exists(), "nothing was made");
    }
}

#[actix_web::test]
async fn two_services_do_not_share_a_folder() {
    let service = Service::start().await;
    let (code, line) = refused(service.folder(), "[kms]\npath = \"kms\"\n");
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("another bauta") && line.contains("--data"), "{line}");
    service.get("/readyz", "").await.expect(200);
}

#[test]
fn live_tenants_and_keys_beside_the_data_do_not_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let create = |mode: &str, more: &[&str]| {
        let name = format!("the {mode} one");
        let arguments = [&["tenant", "create", &name, "--mode", mode, "--data", "data"], more].concat();
        Command::new(BAUTA).args(arguments).current_dir(folder.path()).output().unwrap()
    };
    assert!(create("test", &[]).status.success());
    let live = create("live", &[]);
    assert_eq!(live.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&live.stderr).contains("kms"), "{}", String::from_utf8_lossy(&live.stderr));
    std::fs::rename(folder.path().join("data/keys"), folder.path().join("keys")).unwrap();
    std::fs::write(folder.path().join("apart.toml"), "[kms]\npath = \"keys\"\n").unwrap();
    assert!(create("live", &["--config", "apart.toml"]).status.success());
    std::fs::rename(folder.path().join("keys"), folder.path().join("data/keys")).unwrap();
    let (code, line) = refused(folder.path(), "");
    assert_eq!(code, Some(64), "{line}");
    assert!(line.contains("kms.path"), "{line}");
}

#[test]
fn the_demo_tells_its_story_with_calls_that_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let told = Command::new(BAUTA).args(["demo", "--once"]).current_dir(folder.path()).output().unwrap();
    let story = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(0), "{story}{}", String::from_utf8_lossy(&told.stderr));
    for part in [
        "becomes a token",
        "The handset rings:",
        "Approved.",
        "virtual number",
        "15 of 15 arrived",
        "the marketplace",
        "the partner",
        "the auditor",
    ] {
        assert!(story.contains(part), "{part}: {story}");
    }
    for message in include_str!("../../src/cli/messages.txt").lines() {
        assert!(story.contains(message.split_once('\t').unwrap().1), "{message}");
    }
    assert_eq!(story.matches("the number is not among them").count(), 3);
    let held = story.lines().filter(|line| line.contains("202 555 0143") || line.contains("2025550143"));
    assert_eq!(held.count(), 2, "the number is typed in twice, once for each audience, and is in no answer");
    let calls: Vec<&str> = story.lines().filter_map(|line| line.find("curl ").map(|at| &line[at..])).collect();
    assert!(calls.len() > 10);
    for call in calls {
        well_formed(call);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing where it ran");
}

/// A shell reads it as a `curl` of one URL, with the key from a variable, and JSON if it has a body.
fn well_formed(call: &str) {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}; ADMIN=a MARKETPLACE=m PARTNER=p AUDITOR=u; {call}");
    let read = Command::new("sh").args(["-eu", "-c", &script]).output().unwrap();
    assert!(read.status.success(), "{call}: {}", String::from_utf8_lossy(&read.stderr));
    let words = String::from_utf8(read.stdout).unwrap();
    let words: Vec<&str> = words.split_terminator('\0').collect();
    assert_eq!(words.iter().filter(|word| word.starts_with("http://127.0.0.1:")).count(), 1, "{call}");
    assert!(words.iter().any(|word| word.starts_with("Authorization: Bearer ") && word.len() == 23), "{call}");
    if let Some(at) = words.iter().position(|word| *word == "--json") {
        serde_json::from_str::<Value>(words[at + 1]).unwrap_or_else(|e| panic!("{call}: {e}"));
    }
}

#[actix_web::test]
async fn what_was_acknowledged_before_a_power_cut_is_there_after_it_and_the_log_is_whole() {
    let mut service = Service::start().await;
    let tenant = service.tenant("Rialto", "test");
    let business = service.credential(&tenant, "business", "shop", &[]);
    let auditor = service.credential(&tenant, "auditor", "desk", &[]);
    let stop = AtomicBool::new(false);
    let acknowledged = std::cell::RefCell::new(Vec::new());
    let load = futures::future::join_all((0..16).map(|_| async {
        while !stop.load(Ordering::Relaxed) {
            let body = json!({"number": "+12025550143", "fresh": true});
            let request = service.request("POST", "/v1/tokens").bearer_auth(&business).json(&body);
            let Ok(response) = request.send().await else { return };
            let Ok(made) = response.json::<Value>().await else { return };
            acknowledged.borrow_mut().push(made["token"].as_str().unwrap().to_owned());
        }
    }));
    let cut = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let pid = service.pid().unwrap().to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        stop.store(true, Ordering::Relaxed);
    };
    futures::future::join(load, cut).await;
    service.kill();
    service.restart().await;
    let tokens = acknowledged.into_inner();
    assert!(tokens.len() > 100, "{}", tokens.len());
    for token in &tokens {
        service.get(&format!("/v1/tokens/{token}"), &business).await.expect(200);
    }
    service.get("/v1/audit/entries", &auditor).await.expect(200);
    service.cli_word(&["audit", "export", "--tenant", &tenant, "-o", "export.ndjson"]);
    let export = std::fs::read_to_string(service.folder().join("export.ndjson")).unwrap();
    let created = whole(&export);
    assert!(created >= tokens.len(), "{created} entries of {} tokens", tokens.len());
}

/// Recomputes every leaf from salt and text, and follows the links; returns how many tokens the log says were made.
fn whole(export: &str) -> usize {
    let (mut last, mut links, mut created) = (None, 0, 0);
    for line in export.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (index, leaf) = (row["index"].as_u64().unwrap(), row["leaf"].as_str().unwrap().to_owned());
        let salt = data_encoding::HEXLOWER.decode(row["salt"].as_str().unwrap().as_bytes()).unwrap();
        let text = row["entry"].as_str().unwrap();
        assert_eq!(sha256(&[&salt, text.as_bytes()]), leaf, "entry {index}");
        if let Some((before, hash)) = last {
            assert!(index > before, "in order");
            if index == before + 1 {
                assert_eq!(row["previous"], json!(hash), "entry {index}");
                links += 1;
            }
        }
        let entry: Value = serde_json::from_str(text).unwrap();
        created += usize::from(entry["action"] == "token.created");
        last = Some((index, leaf));
    }
    assert!(links > 100, "{links}");
    created
}

fn sha256(parts: &[&[u8]]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    data_encoding::HEXLOWER.encode(context.finish().as_ref())
}
