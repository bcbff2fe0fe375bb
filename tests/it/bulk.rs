//! Files of numbers from the command line: the store and the API give the same, nothing but the column changes, and a run
//! that was broken off goes on to the same end.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::leak::Search;
use crate::service::{Service, eventually};

/// Rows that take long enough to be stopped in between.
const MANY: usize = if cfg!(debug_assertions) { 60_000 } else { 400_000 };

struct Office {
    service: Service,
    tenant: String,
    business: String,
    custodian: String,
}

impl Office {
    async fn open() -> Self {
        let service = Service::start().await;
        let tenant = service.tenant("Rialto", "test");
        let business = service.credential(&tenant, "business", "shop backend", &[]);
        let custodian = service.credential(&tenant, "custodian", "support desk", &[]);
        Self { service, tenant, business, custodian }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.service.folder().join(name)
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), octets).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn tokens(&self, key: &str, arguments: &[&str]) -> Output {
        let mut command = self.service.command(&[&["tokens"], arguments].concat());
        command.env("BAUTA_CREDENTIAL", key).output().expect("bauta")
    }

    #[track_caller]
    fn done(&self, key: &str, arguments: &[&str]) -> String {
        let output = self.tokens(key, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }

    #[track_caller]
    fn refused(&self, key: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.tokens(key, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    async fn token(&self, number: &str, kind: &str) -> String {
        let body = json!({"number": number, "kind": kind});
        self.service.post("/v1/tokens", &self.business, body).await.expect(201).text_at("/token")
    }

    async fn number(&self, token: &str) -> String {
        let path = format!("/v1/tokens/{token}/reveal");
        let body = json!({"purpose": "support"});
        self.service.post(&path, &self.custodian, body).await.expect(200).text_at("/number")
    }

    /// Starts a run, and gives it a signal once it has written something.
    fn stopped(&self, arguments: &[&str], output: &str, signal: &str) -> (Option<i32>, String) {
        let mut command = self.service.command(&[&["tokens"], arguments].concat());
        let mut run = command.env("BAUTA_CREDENTIAL", &self.business).stderr(Stdio::piped()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::fs::metadata(self.path(output)).map_or(0, |found| found.len()) < 100 {
            assert!(run.try_wait().unwrap().is_none() && Instant::now() < deadline, "it wrote nothing");
            std::thread::sleep(Duration::from_millis(2));
        }
        let sent = std::process::Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ended = run.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

/// Every number of a range reserved for fiction, over and over.
fn many() -> String {
    let mut text = String::from("id,phone\n");
    for n in 0..MANY {
        writeln!(text, "{n},+447700900{:03}", n % 1_000).unwrap();
    }
    text
}

const AWKWARD: &str = "\u{feff}name,\"the phone\",note\r\n\
    Ann,+447700900111,\"two\nlines, and \"\"quotes\"\"\"\r\n\
    Ben,\"07700 900112\",\r\n\
    Cam,,no phone\r\n\
    Dee,not a number,x\r\n\
    Eve\r\n\
    \"Fay\",+1 202 555 0143,x";

#[actix_web::test]
async fn a_file_keeps_all_but_its_column_and_the_store_and_the_api_agree() {
    let office = Office::open().await;
    office.write("in.csv", AWKWARD);
    let common = ["tokenize", "in.csv", "--column", "the phone", "--region", "GB"];
    for kind in ["vaulted", "sealed", "lookalike"] {
        let [ann, ben] = [office.token("+447700900111", kind).await, office.token("+447700900112", kind).await];
        let fay = office.token("+12025550143", kind).await;
        let expected = AWKWARD
            .replace("+447700900111", &ann)
            .replace("07700 900112", &ben)
            .replace("+1 202 555 0143", &fay)
            .replace("Dee,not a number,x\r\nEve\r\n", "");
        let (store, api) = (format!("{kind}.store.csv"), format!("{kind}.api.csv"));
        let said = office.done(&office.business, &[&common[..], &["--kind", kind, "-o", &store]].concat());
        assert!(said.contains("3 done, 1 empty, 2 left out"), "{said}");
        let url = ["--kind", kind, "-o", &api, "--url", &office.service.base];
        office.done(&office.business, &[&common[..], &url].concat());
        for output in [&store, &api] {
            assert_eq!(office.read(output), expected, "{output}");
            assert_eq!(std::fs::metadata(office.path(output)).unwrap().permissions().mode() & 0o777, 0o600);
            let bad: Vec<Value> = office
                .read(&format!("{output}.bad.ndjson"))
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let told: Vec<_> = bad.iter().map(|bad| (bad["line"].as_u64(), bad["code"].as_str())).collect();
            assert_eq!(told, [(Some(6), Some("number_invalid")), (Some(7), Some("column_missing"))]);
            assert!(!office.path(&format!("{output}.state")).exists());
        }
    }
}

#[actix_web::test]
async fn bad_rows_are_told_of_by_line_and_reason_and_never_by_number() {
    let office = Office::open().await;
    let rows = [
        r#"{"id":1,"who":{"phone":"+447700900121"},"list":["+x"]}"#,
        r#"{"id":2,"who":{"phone":447700900122}}"#,
        r#"{"id":3,"who":{"phone":"+447700900123""#,
        r#"{"id":4,"who":{"phone":"+4477009001245555555"}}"#,
        r#"{"id":5,"who":{"phone":"07700 900125"}}"#,
        r#"{"id":6,"who":{"phone":"+447700900126","phone":"+447700900127"}}"#,
        r#"{"id":7,"phone":"+447700900128"}"#,
        r#"{"id":8,"who":{"phone":null}}"#,
        r#"{"id":9,"who":{ "phone" : "+447700900129" } }"#,
    ];
    office.write("in.ndjson", rows.join("\n"));
    let said = office.done(
        &office.business,
        &["tokenize", "in.ndjson", "--column", "who.phone", "--kind", "sealed", "-o", "out.ndjson"],
    );
    let one = office.token("+447700900121", "sealed").await;
    let nine = office.token("+447700900129", "sealed").await;
    let expected =
        [rows[0].replace("+447700900121", &one), rows[7].to_owned(), rows[8].replace("+447700900129", &nine)];
    assert_eq!(office.read("out.ndjson"), expected.join("\n"));
    let bad = office.read("out.ndjson.bad.ndjson");
    let codes: Vec<(u64, String)> = bad
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|bad| (bad["line"].as_u64().unwrap(), bad["code"].as_str().unwrap().to_owned()))
        .collect();
    let told = [
        (2, "field_not_text"),
        (3, "row_malformed"),
        (4, "number_invalid"),
        (5, "region_required"),
        (6, "key_twice"),
        (7, "column_missing"),
    ];
    assert_eq!(codes, told.map(|(line, code)| (line, code.to_owned())));
    let numbers: Vec<String> = (121..130).map(|n| format!("+447700900{n}")).collect();
    let search = Search::for_numbers(numbers.iter().map(|number| (number.as_str(), 2)));
    assert!(search.in_bytes("bad rows", bad.as_bytes()).is_empty());
    assert!(search.in_bytes("standard error", said.as_bytes()).is_empty());
}

#[actix_web::test]
async fn a_run_that_was_interrupted_or_killed_goes_on_to_the_same_end() {
    let office = Office::open().await;
    office.write("in.csv", many());
    let run = |output: &'static str| {
        ["tokenize", "in.csv", "--column", "phone", "--kind", "sealed", "--ttl", "30d", "-o", output]
    };
    // Without a life, so that the runs can be compared with each other.
    let plain = |output: &'static str| ["tokenize", "in.csv", "--column", "phone", "--kind", "sealed", "-o", output];
    office.done(&office.business, &plain("whole.csv"));
    assert_eq!(office.read("whole.csv").lines().count(), MANY + 1);
    for (output, signal, code) in [("interrupted.csv", "-INT", Some(1)), ("killed.csv", "-KILL", None)] {
        let (ended, said) = office.stopped(&plain(output), output, signal);
        assert_eq!(ended, code, "{said}");
        if code.is_some() {
            assert!(said.contains("run the same command again"), "{said}");
        }
        assert!(office.path(&format!("{output}.state")).exists());
        let said = office.done(&office.business, &plain(output));
        assert!(said.contains("going on after row"), "{said}");
        assert!(office.read(output) == office.read("whole.csv"), "{output} differs");
        assert!(!office.path(&format!("{output}.state")).exists());
        let (code, said) = office.refused(&office.business, &plain(output));
        assert!(code == Some(64) && said.contains("is there already"), "{said}");
    }
    let _ = office.stopped(&run("lived.csv"), "lived.csv", "-KILL");
    office.done(&office.business, &run("lived.csv"));
    let text = office.read("lived.csv");
    let token = |line: &str| line.split_once(',').map(|(_, token)| token.to_owned()).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), MANY);
    assert_eq!(token(lines[0]), token(lines[MANY - 1_000]), "the same number, the same end, before and after");
}

#[actix_web::test]
async fn a_run_goes_on_only_as_it_was_begun() {
    let office = Office::open().await;
    office.write("in.csv", many());
    let run = ["tokenize", "in.csv", "--column", "phone", "--kind", "sealed", "-o", "out.csv"];
    let _ = office.stopped(&run, "out.csv", "-KILL");
    let other = ["tokenize", "in.csv", "--column", "phone", "--kind", "vaulted", "-o", "out.csv"];
    let (code, said) = office.refused(&office.business, &other);
    assert!(code == Some(64) && said.contains("another command"), "{said}");
    office.write("in.csv", "id,phone\n1,+447700900111\n");
    let (code, said) = office.refused(&office.business, &run);
    assert!(code == Some(64) && said.contains("has changed"), "{said}");
}

#[actix_web::test]
async fn numbers_come_back_for_a_custodian_with_a_purpose_and_for_nobody_else() {
    let office = Office::open().await;
    office.write("in.csv", "id,phone\n1,+447700900111\n2,\"+447700900112\"\n");
    for kind in ["vaulted", "sealed"] {
        let tokens = format!("{kind}.csv");
        office.done(&office.business, &["tokenize", "in.csv", "--column", "phone", "--kind", kind, "-o", &tokens]);
        let mut text = office.read(&tokens);
        text.push_str("3,tok_nonsense\n");
        office.write(&tokens, &text);
        for (more, output) in [(&[][..], "store"), (&["--url", office.service.base.as_str()][..], "api")] {
            let output = format!("{kind}.{output}.csv");
            let reveal = ["reveal", &tokens, "--column", "phone", "--purpose", "support", "-o", &output];
            let (_, said) = office.refused(&office.business, &[&reveal[..], more].concat());
            assert!(!said.contains("7700"), "{said}");
            let said = office.done(&office.custodian, &[&reveal[..], more].concat());
            assert!(said.contains("real numbers go to"), "{said}");
            assert_eq!(office.read(&output), office.read("in.csv"));
            assert!(office.read(&format!("{output}.bad.ndjson")).contains("token_malformed"));
        }
    }
    let entries = office.service.cli(&["audit", "export", "--tenant", &office.tenant]);
    let text = String::from_utf8_lossy(&entries.stdout);
    let told = text.lines().filter(|line| line.contains(r#"\"purpose\":\"support\""#)).count();
    assert!(told >= 4, "an entry for each file: {text}");
}

#[actix_web::test]
async fn rewrapped_tokens_are_of_the_newest_key_version_and_mean_the_same() {
    let office = Office::open().await;
    office.write("in.csv", "id,phone\n1,+447700900111\n2,+447700900112\n");
    office.done(&office.business, &["tokenize", "in.csv", "--column", "phone", "--kind", "sealed", "-o", "old.csv"]);
    let admin = office.service.credential(&office.tenant, "admin", "shop owner", &[]);
    let mut rotate = office.service.command(&["keys", "rotate", "--key", "siv", "--tenant", &office.tenant]);
    let rotated = rotate.env("BAUTA_CREDENTIAL", &admin).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    eventually("the key's new version to begin", 20, async || {
        let _ = std::fs::remove_file(office.path("new.csv"));
        office.done(&office.business, &["rewrap", "old.csv", "--column", "phone", "-o", "new.csv"]);
        (office.read("new.csv") != office.read("old.csv")).then_some(())
    })
    .await;
    office.done(&office.business, &["rewrap", "new.csv", "--column", "phone", "-o", "again.csv"]);
    let (old, new) = (office.read("old.csv"), office.read("new.csv"));
    assert_eq!(office.read("again.csv"), new);
    for (n, (old, new)) in old.lines().zip(new.lines()).enumerate().skip(1) {
        assert_ne!(old, new);
        for line in [old, new] {
            let token = line.split_once(',').unwrap().1.to_owned();
            let number = eventually("the key's new version", 10, || async {
                let path = format!("/v1/tokens/{token}/reveal");
                let body = json!({"purpose": "support"});
                let answer = office.service.post(&path, &office.custodian, body).await;
                (answer.status == 200).then(|| answer.text_at("/number"))
            })
            .await;
            assert_eq!(number, format!("+44770090011{n}"));
        }
    }
}

#[actix_web::test]
async fn what_cannot_be_done_is_refused_before_anything_is_written() {
    let office = Office::open().await;
    office.write("in.csv", "id,phone\n1,+447700900111\n");
    office.write("full.csv", "somebody else's");
    let cases: [(&str, &[&str], &str); 5] = [
        (&office.business, &["tokenize", "in.csv", "--column", "mobile", "-o", "o"], "--column"),
        (&office.business, &["tokenize", "in.csv", "--column", "phone", "-o", "full.csv"], "is there already"),
        (&office.business, &["tokenize", "in.xls", "--column", "phone", "-o", "o"], "in.xls"),
        (&office.business, &["tokenize", "in.csv", "--column", "1", "-o", "o", "--url", "ftp://x"], "--url"),
        ("bk_test_nobody", &["tokenize", "in.csv", "--column", "phone", "-o", "o"], "BAUTA_CREDENTIAL"),
    ];
    for (key, arguments, told) in cases {
        let (_, said) = office.refused(key, arguments);
        assert!(said.contains(told), "{arguments:?}: {said}");
        assert!(!office.path("o").exists(), "{arguments:?}");
    }
    assert_eq!(office.read("full.csv"), "somebody else's");
    assert_eq!(office.number(&office.token("+447700900111", "vaulted").await).await, "+447700900111");
}
