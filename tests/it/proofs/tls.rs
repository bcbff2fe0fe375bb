//! TLS itself: which versions, which certificate, which refusals.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Authority, Secure, bauta, replace};

#[actix_web::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older_nor_plain() {
    let secure = Secure::start().await;
    for (least, most) in [("--tlsv1.2", "1.2"), ("--tlsv1.3", "1.3")] {
        let got = secure.curl("/healthz", &[least, "--tls-max", most]);
        assert_eq!((got.exit, got.status), (0, 200), "{got:?}");
        assert!(got.head.contains("strict-transport-security: max-age="), "{got:?}");
    }
    for most in ["1.0", "1.1"] {
        let got = secure.curl("/healthz", &["--tlsv1.0", "--tls-max", most, "--ciphers", "DEFAULT@SECLEVEL=0"]);
        assert_eq!((got.exit, got.status), (35, 0), "TLS {most}: {got:?}");
        assert!(got.said.contains("alert"), "it is the service that refuses: {got:?}");
    }
    let plain = reqwest::get(format!("http://127.0.0.1:{}/healthz", secure.port)).await;
    assert!(plain.is_err(), "nothing is answered to who speaks plainly");
    let stranger = Authority::new("strangers");
    replace(&secure.folder.path().join("ca.pem"), &stranger.pem, 0o644);
    assert_eq!(secure.curl("/healthz", &[]).exit, 60, "curl does check certificates here");
}

#[actix_web::test]
async fn a_new_certificate_is_shown_while_requests_run_and_a_broken_one_changes_nothing() {
    let secure = Secure::start().await;
    let (old, new) = (&secure.authority, Authority::new("new servers"));
    replace(&secure.folder.path().join("ca.pem"), &format!("{}{}", old.pem, new.pem), 0o644);
    replace(&secure.folder.path().join("new-ca.pem"), &new.pem, 0o644);
    let shows_new = || secure.curl("/healthz", &["--cacert", &secure.path("new-ca.pem")]).exit == 0;
    assert!(!shows_new());

    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut failed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let got = secure.curl("/healthz", &[]);
                asked.fetch_add(1, Ordering::Relaxed);
                if got.status != 200 {
                    failed.push(got);
                }
            }
            failed
        });
        replace(&secure.folder.path().join("server.pem"), "half of a certif", 0o644);
        wait_for(|| secure.log().contains("cannot be used"));
        new.issue(secure.folder.path(), "server");
        wait_for(&shows_new);
        let before = asked.load(Ordering::Relaxed);
        wait_for(|| asked.load(Ordering::Relaxed) > before + 1);
        stop.store(true, Ordering::Relaxed);
        let failed = asking.join().unwrap();
        assert!(failed.is_empty(), "{failed:?}");
    });
    let told = secure.cli(&["audit", "export"]).join(" ");
    assert!(told.contains("tls.refused") && told.contains("tls.reloaded"), "{told}");
}

fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "not within 30 s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[actix_web::test]
async fn a_key_that_others_can_read_stops_the_start_and_says_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new("servers").issue(folder.path(), "server");
    let key = folder.path().join("server.key");
    replace(&key, &std::fs::read_to_string(&key).unwrap(), 0o640);
    let settings = "[server]\nlisten = \"127.0.0.1:0\"\ntls = { cert = \"server.pem\", key = \"server.key\" }\n";
    std::fs::write(folder.path().join("bauta.toml"), settings).unwrap();
    let refused = bauta(folder.path(), &["serve"]).output().unwrap();
    let line = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(64), "{line}");
    for part in ["server.tls.key", "server.key", "chmod 600"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[actix_web::test]
async fn who_opens_connections_and_says_nothing_does_not_keep_others_out() {
    let secure = Secure::start().await;
    let idle: Vec<_> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", secure.port)).unwrap()).collect();
    assert_eq!(secure.curl("/healthz", &[]).status, 200);
    drop(idle);
}
