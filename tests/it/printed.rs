//! The command lines that our pages print, run as printed, in one shell and in their order.
//!
//! Every `curl` tells its status on the side. A line whose comment names a status (`# 403`) has to get that one; every
//! other line has to succeed.

use std::path::Path;
use std::process::Command;

use crate::leak::Search;
use crate::service::{BAUTA, Service};

/// What stands before the lines of a page: `curl` also says what came back.
const SHELL: &str = r#"
set -eo pipefail
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
curl() { command curl -w '%{stderr}STATUS %{http_code} %{method} %{url}\n' "$@"; }
"#;

/// The blocks of a page that are shell, but for those that start a service or install something.
fn lines(page: &str) -> String {
    let mut blocks = Vec::new();
    for block in page.split("\n```sh\n").skip(1) {
        let block = block.split("\n```").next().expect("split gives one");
        let is_for_elsewhere = ["bauta serve", "cargo ", "apt-get", "docker ", "systemctl"];
        if !is_for_elsewhere.iter().any(|word| block.contains(word)) {
            blocks.push(block.to_owned());
        }
    }
    assert!(!blocks.is_empty(), "no shell on the page");
    blocks.join("\n")
}

/// The status that a line says it gets.
fn promised(line: &str) -> Option<&str> {
    let status = line.rsplit_once("# ")?.1.trim().split([' ', ':', ',']).next()?;
    (status.len() == 3 && status.starts_with(['4', '5']) && status.bytes().all(|b| b.is_ascii_digit()))
        .then_some(status)
}

/// Runs a page against a service that was just started, as its reader would.
async fn run(page: &str) -> String {
    let service = Service::start().await;
    std::fs::create_dir(service.folder().join("try")).expect("a folder");
    let key = service.folder().join("data/admin.credential");
    std::fs::copy(key, service.folder().join("try/admin.credential")).expect("the first key");
    let lines = lines(page)
        .replace("http://127.0.0.1:8080", &service.base)
        .replace("--data try", "--config bauta.toml --data data")
        .replace("ADMIN=bk_test_…", "ADMIN=$(cat try/admin.credential)");
    let output = Command::new("bash")
        .args(["-c", &format!("{SHELL}{lines}")])
        .current_dir(service.folder())
        .env(
            "PATH",
            format!(
                "{}:{}",
                Path::new(BAUTA).parent().expect("a folder").display(),
                std::env::var("PATH").unwrap_or_default()
            ),
        )
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let answers = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "a line failed\n{said}\n{answers}");
    let refused =
        said.lines().filter_map(|line| line.strip_prefix("STATUS ")).filter(|line| line.as_bytes()[0] >= b'4');
    let refused: Vec<&str> = refused.collect();
    let promised: Vec<&str> = lines.lines().filter_map(promised).collect();
    let got: Vec<&str> = refused.iter().map(|line| &line[..3]).collect();
    assert_eq!(got, promised, "refused:\n{}\n{answers}", refused.join("\n"));
    let numbers = Search::for_numbers([("+447700900123", 2), ("+447700900126", 2), ("+447700900200", 2)]);
    assert!(numbers.in_bytes("log", service.log().as_bytes()).is_empty());
    assert!(!numbers.in_bytes("page", lines.as_bytes()).is_empty(), "the page uses none of the numbers searched for");
    answers
}

#[tokio::test]
async fn the_quick_start_of_the_readme_runs_as_printed() {
    let answers = run(include_str!("../../README.md")).await;
    assert!(answers.contains(r#""status":"approved""#), "{answers}");
    assert!(answers.contains("carried"), "{answers}");
}

#[tokio::test]
async fn the_page_on_webhooks_runs_as_printed_after_the_first_steps() {
    let pages = [include_str!("../../README.md"), include_str!("../../docs/webhooks.md")].concat();
    let answers = run(&pages).await;
    assert!(answers.contains("whsec_") && answers.contains(r#""type":"ping""#), "{answers}");
}

#[tokio::test]
async fn the_guide_runs_as_printed() {
    let answers = run(include_str!("../../docs/guide.md")).await;
    assert!(answers.contains(r#""status":"approved""#), "{answers}");
}

#[tokio::test]
async fn the_page_of_aliases_runs_as_printed() {
    let answers = run(include_str!("../../docs/aliases.md")).await;
    assert!(answers.contains(r#""extension":""#) && answers.contains("numbers are always enough"), "{answers}");
}

#[tokio::test]
async fn the_page_on_routes_runs_as_printed() {
    let answers = run(include_str!("../../docs/routes.md")).await;
    assert!(answers.contains(r#""verdict":"eligible""#), "{answers}");
    assert!(answers.contains("in force: version 2"), "{answers}");
}

#[tokio::test]
async fn the_page_on_messages_runs_as_printed() {
    let answers = run(include_str!("../../docs/messages.md")).await;
    assert!(answers.contains(r#""status":"queued""#) && answers.contains(r#""scope":"marketing""#), "{answers}");
    assert!(answers.contains("Ponte Market") && answers.contains(r#""country":"GB""#), "{answers}");
}
