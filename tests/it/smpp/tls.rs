//! TLS to an SMSC, with an authority of the test's own.

use std::path::Path;
use std::time::Duration;

use bauta::carrier::{Address, LinkChange, SmppCarrier};
use bauta::config::{SmppLink, SmppTlsFiles};
use serde_json::json;
use tokio::time::sleep;

use super::{DEVICE, Running, X, config};
use crate::peer::Peer;
use crate::proofs::Authority;

/// An SMSC that shows a certificate for `localhost` and `127.0.0.1`.
async fn smsc(folder: &Path, authority: &Authority) -> Option<Peer> {
    let cert = authority.issue(folder, "smsc");
    let key = cert.with_extension("key");
    Peer::smsc(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]).await
}

fn settings(port: u16, ca: &Path, name: &str) -> SmppLink {
    let mut settings = config(port);
    settings.tls = Some(SmppTlsFiles { ca: Some(ca.to_owned()), name: name.to_owned() });
    settings
}

fn written(folder: &Path, authority: &Authority) -> std::path::PathBuf {
    let ca = folder.join(format!("ca-{}.pem", authority.pem.len()));
    std::fs::write(&ca, &authority.pem).unwrap();
    ca
}

#[tokio::test]
async fn messages_and_receipts_pass_through_tls() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("Test Root"));
    let Some(mut peer) = smsc(folder.path(), &authority).await else { return };
    let ca = written(folder.path(), &authority);
    let mut running = Running::unbound(settings(peer.port, &ca, "127.0.0.1"), Duration::ZERO);
    peer.event("bound").await;
    running.up().await;
    peer.tell(json!({"cmd": "auto_receipts", "when": "after", "style": "both"})).await;
    let id = running.submit("out").await.unwrap().ids.remove(0);
    assert_eq!(running.told().await.0, id);
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "in"})).await;
    assert_eq!(running.brought().await.text().1, "in");
    peer.tell(json!({"cmd": "cut"})).await;
    peer.event("bound").await;
    running.up().await;
    running.stop().await;
    peer.event("unbind").await;
}

#[tokio::test]
async fn an_smsc_that_cannot_prove_its_name_gets_no_password() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("Test Root"));
    let Some(mut peer) = smsc(folder.path(), &authority).await else { return };
    let (ours, strangers) = (written(folder.path(), &authority), Authority::new("Another Root of the Test"));
    let theirs = folder.path().join("theirs.pem");
    std::fs::write(&theirs, &strangers.pem).unwrap();
    for (ca, name) in [(&theirs, "127.0.0.1"), (&ours, "smsc.example")] {
        let running = Running::unbound(settings(peer.port, ca, name), Duration::ZERO);
        while running.inbox.links.lock().unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        let first = running.inbox.links.lock().unwrap()[0].clone();
        assert_eq!(first, ("transceiver-1".into(), LinkChange::Down("tls_refused".into())), "{name}");
        running.stop().await;
    }
    assert_eq!(peer.count("bound", Duration::from_millis(100)).await, 0);
}

#[tokio::test]
async fn a_plain_smsc_is_not_spoken_to_in_plain() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let ca = written(folder.path(), &Authority::new("Test Root"));
    let running = Running::unbound(settings(peer.port, &ca, "127.0.0.1"), Duration::ZERO);
    while running.inbox.links.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(peer.count("bound", Duration::from_millis(100)).await, 0);
    running.stop().await;
}

#[test]
fn certificates_that_are_none_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    for ca in [empty, folder.path().join("not-there.pem")] {
        let error = SmppCarrier::new(settings(1, &ca, "h"), Address::Name("Bauta".into())).err().unwrap();
        assert_eq!(error.key, "tls_ca");
    }
}
