//! The pages in a real browser: they render, say nothing on the console, and load nothing from anywhere else.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::service::{Service, free_port};

/// Where a browser may be.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Without its own network chatter, so that what remains is the page's.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
];
/// How long a page may take, the browser's own start included.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser's program; none, said aloud, where there is none.
fn browser() -> Option<&'static str> {
    let found = BROWSERS.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        assert!(std::env::var("BAUTA_TEST_REQUIRE").ok().as_deref() != Some("all"), "not installed: chromium");
        eprintln!("skipped, not installed: chromium");
    }
    found
}

/// What the browser made of a page.
struct Rendered {
    dom: String,
    /// Lines that the page wrote to its console.
    console: Vec<String>,
    /// Hosts and ports that were asked for anything.
    hosts: Vec<String>,
}

fn rendered(browser: &str, url: &str) -> Rendered {
    let folder = tempfile::tempdir().unwrap();
    let (net, dom, log) = (folder.path().join("net.json"), folder.path().join("dom"), folder.path().join("log"));
    let mut child = Command::new(browser)
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--log-net-log={}", net.display()))
        .args(["--dump-dom", url])
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&dom).unwrap())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{url}: the browser did not finish");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = std::fs::read_to_string(&log).unwrap();
    let console = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    Rendered { dom: std::fs::read_to_string(&dom).unwrap(), console, hosts: hosts(&net) }
}

/// The origins of all that pages asked for, in Chromium's own log of its network. What the browser wants for itself has
/// no origin as its initiator.
fn hosts(net: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(&std::fs::read(net).unwrap_or_default()).into_owned();
    let initiator = regex::Regex::new(r#""initiator":"([^"]+)""#).unwrap();
    let url = regex::Regex::new(r#""url":"((?:https?|wss?)://[^/"]+)"#).unwrap();
    let by_a_page = |line: &&str| initiator.captures(line).is_some_and(|found| &found[1] != "not an origin");
    let asked: BTreeSet<String> =
        text.lines().filter(by_a_page).flat_map(|line| url.captures_iter(line)).map(|url| url[1].to_owned()).collect();
    asked.into_iter().collect()
}

#[actix_web::test]
async fn every_page_renders_in_silence_from_this_service_alone() {
    let Some(browser) = browser() else { return };
    let service = Service::start().await;
    for (path, words) in [
        ("/sandbox", vec!["Handsets", "No handset is open.", "Test credential"]),
        ("/docs/", vec!["swagger-ui", "/v1/tokens/{token}/reveal", "/v1/aliases", "Reveal a number"]),
        ("/docs/problems", vec!["number_in_text", "Nothing that was sent is repeated"]),
    ] {
        let page = rendered(browser, &format!("{}{path}", service.base));
        for word in words {
            assert!(page.dom.contains(word), "{path} lacks {word}: {}", page.dom);
        }
        assert_eq!(page.console, Vec::<String>::new(), "{path}");
        assert_eq!(page.hosts, std::slice::from_ref(&service.base), "{path}");
    }
}

/// The test itself: a page that complains and calls abroad is caught at both.
#[test]
fn a_page_that_complains_and_calls_abroad_is_caught() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let abroad = format!("http://127.0.0.1:{}", free_port());
    std::fs::write(&page, format!("<img src='{abroad}/x.png'><script>console.error('ouch')</script>")).unwrap();
    let page = rendered(browser, &format!("file://{}", page.display()));
    assert!(page.console.iter().any(|line| line.contains("ouch")), "{:?}", page.console);
    assert_eq!(page.hosts, [abroad]);
}
