//! Links of every role, and several of them at once.

use std::time::Duration;

use bauta::carrier::{Carrier, LinkChange};
use bauta::config::{SmppBind, SmppVersion};
use serde_json::json;

use super::{DEVICE, Running, X, config, submission};
use crate::peer::Peer;

async fn bound(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut modes = Vec::new();
    for _ in 0..count {
        modes.push(peer.event("bound").await["mode"].as_str().unwrap().to_owned());
    }
    modes.sort();
    modes
}

#[tokio::test]
async fn a_transmitter_submits_and_a_receiver_receives() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut settings = config(peer.port);
    settings.bind = SmppBind::Separate;
    settings.address_range = "^1202".into();
    let mut running = Running::unbound(settings, Duration::ZERO);
    assert_eq!(bound(&mut peer, 2).await, ["receiver", "transmitter"]);
    running.links(2).await;
    running.submit("out").await.unwrap();
    assert_eq!(peer.event("submit").await["mode"], "transmitter");
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "in"})).await;
    assert_eq!(running.brought().await.text().1, "in");
    assert_eq!(peer.event("deliver_sm_resp").await["mode"], "receiver");
    running.stop().await;
    for _ in 0..2 {
        peer.event("unbind").await;
    }
}

#[tokio::test]
async fn without_its_transmitter_a_carrier_is_down_and_still_receives() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    peer.tell(json!({"cmd": "refuse_binds", "status": 5, "times": 1})).await;
    let mut settings = config(peer.port);
    settings.bind = SmppBind::Separate;
    let running = Running::unbound(settings, Duration::ZERO);
    peer.event("bind_refused").await;
    running.links(2).await;
    let changes = running.inbox.links.lock().unwrap().clone();
    let down = changes.iter().find(|(_, change)| matches!(change, LinkChange::Down(_))).unwrap();
    assert_eq!(down.1, LinkChange::Down("bind_refused_5".into()));
    assert_eq!(changes.iter().filter(|(_, change)| *change == LinkChange::Up).count(), 2, "{changes:?}");
    running.stop().await;
}

#[tokio::test]
async fn several_binds_share_one_window_and_all_carry() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut settings = config(peer.port);
    (settings.binds, settings.window, settings.version) = (3, 4, SmppVersion::V5_0);
    let running = Running::unbound(settings, Duration::ZERO);
    for _ in 0..3 {
        assert_eq!(peer.event("bound").await["version"], 0x50);
    }
    running.links(3).await;
    assert_eq!(running.carrier.counts().unwrap().window, 4);
    peer.tell(json!({"cmd": "mute", "on": true})).await;
    let submits: Vec<_> = (0..9)
        .map(|n| {
            let carrier = running.carrier.clone();
            tokio::spawn(async move { carrier.submit(submission(&n.to_string())).await })
        })
        .collect();
    assert_eq!(peer.count("submit", Duration::from_secs(1)).await, 4, "one window over all binds");
    assert_eq!(running.carrier.counts().unwrap().waiting, 4);
    for submit in submits {
        assert!(submit.await.unwrap().is_err());
    }
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_comes_again_over_another_bind_arrives_once() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut settings = config(peer.port);
    settings.binds = 2;
    let mut running = Running::unbound(settings, Duration::from_millis(30));
    running.links(2).await;
    for n in 0..120 {
        let source = format!("44770090{:04}", n % 7);
        peer.tell(json!({"cmd": "deliver", "id": n, "source": source, "dest": X, "text": n.to_string()})).await;
        if n == 40 || n == 80 {
            peer.tell(json!({"cmd": "cut"})).await;
        }
    }
    let mut came = Vec::new();
    for _ in 0..120 {
        came.push(running.brought().await.text().1.parse::<usize>().unwrap());
    }
    for n in 0..120 {
        assert_eq!(peer.next(|event| event["event"] == "delivered" && event["id"] == n).await["id"], n);
    }
    came.sort_unstable();
    assert!(came.iter().copied().eq(0..120), "{came:?}");
    assert!(running.notes.try_recv().is_err(), "something came twice");
    running.stop().await;
}

#[tokio::test]
async fn one_lost_bind_leaves_the_others_carrying() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut settings = config(peer.port);
    settings.binds = 2;
    let running = Running::unbound(settings, Duration::ZERO);
    running.links(2).await;
    // An absurd length ends only the link that it came by.
    peer.tell(json!({"cmd": "raw", "hex": "ffffffff000000050000000000002328"})).await;
    peer.event("closed").await;
    assert!(running.carrier.is_up());
    running.submit("over the other").await.unwrap();
    running.links(2).await;
    let changes = running.inbox.links.lock().unwrap().clone();
    let down = changes.iter().filter(|(_, change)| matches!(change, LinkChange::Down(_))).count();
    assert_eq!((down, running.carrier.stats().losses), (1, 1), "{changes:?}");
    running.stop().await;
}
