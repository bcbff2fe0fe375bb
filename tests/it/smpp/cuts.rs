//! Links cut wherever they can be, and an SMSC that asks to slow down.

use std::time::Duration;

use bauta::carrier::{Carrier, LinkChange, SubmitError};
use bauta::config::{Hidden, SmppBind, SmppOutbind};
use serde_json::json;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::{DEVICE, Running, X, config, deliver_sm_body, frame, submission};
use crate::peer::Peer;

#[tokio::test]
async fn a_link_cut_while_connecting_or_binding_is_tried_again() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    for what in ["connect", "bind"] {
        peer.tell(json!({"cmd": "cut_at", "what": what, "times": 2})).await;
        let running = Running::unbound(config(peer.port), Duration::ZERO);
        peer.event("bound").await;
        running.up().await;
        running.submit("now").await.unwrap();
        let changes = running.inbox.links.lock().unwrap().clone();
        let downs = changes.iter().filter(|(_, change)| *change == LinkChange::Down("closed".into())).count();
        assert_eq!(downs, 1, "two tries without a link are one going down: {changes:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_link_cut_within_a_pdu_loses_nothing() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "cut_in", "hex": frame(5, 9_000, &deliver_sm_body(0, b"half of it", b""))})).await;
    peer.event("bound").await;
    running.up().await;
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "whole"})).await;
    assert_eq!(running.brought().await.text().1, "whole");
    assert!(running.notes.try_recv().is_err());
    running.stop().await;
}

#[tokio::test]
async fn a_link_cut_while_unbinding_still_stops() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "cut_at", "what": "unbind"})).await;
    running.stop().await;
    peer.event("unbind").await;
}

#[tokio::test]
async fn every_submit_before_a_cut_is_taken_or_told_unconfirmed() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    let (mut taken, mut unconfirmed, mut unavailable) = (0, 0, 0);
    for round in 0..6 {
        peer.tell(json!({"cmd": "cut_after", "submits": 1 + round})).await;
        let submits: Vec<_> = (0..8)
            .map(|n| {
                let carrier = running.carrier.clone();
                tokio::spawn(async move { carrier.submit(submission(&format!("{round} {n}"))).await })
            })
            .collect();
        for submit in submits {
            match submit.await.unwrap() {
                Ok(_) => taken += 1,
                Err(SubmitError::Unconfirmed) => unconfirmed += 1,
                Err(SubmitError::Unavailable) => unavailable += 1,
                Err(other) => panic!("{other}"),
            }
        }
        peer.event("bound").await;
        running.up().await;
    }
    assert_eq!(taken + unconfirmed + unavailable, 48);
    let seen = peer.count("submit", Duration::from_millis(200)).await;
    assert!(seen >= taken && seen <= taken + unconfirmed, "{seen} seen, {taken} taken, {unconfirmed} unconfirmed");
    running.stop().await;
}

#[tokio::test]
async fn an_unbinding_smsc_gets_its_answers_first() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::with(&mut peer, Duration::from_millis(300), |_| {}).await;
    peer.tell(json!({"cmd": "deliver", "id": "slow", "source": DEVICE, "dest": X, "text": "slow"})).await;
    peer.tell(json!({"cmd": "enquire"})).await;
    peer.next(|event| event["command"] == "enquire_link_resp").await;
    peer.tell(json!({"cmd": "unbind"})).await;
    assert_eq!(peer.event("delivered").await["id"], "slow");
    assert_eq!(peer.next(|event| event["command"] == "unbind_resp").await["status"], 0);
    assert_eq!(running.brought().await.text().1, "slow");
    peer.event("bound").await;
    running.up().await;
    assert!(running.notes.try_recv().is_err(), "it came twice");
    let changes = running.inbox.links.lock().unwrap().clone();
    assert!(changes.contains(&("transceiver-1".into(), LinkChange::Down("unbound".into()))), "{changes:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_generic_nack_is_an_answer_and_never_a_yes() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "answer", "status": 3, "nack": true})).await;
    let refused = running.submit("what?").await;
    assert!(matches!(refused, Err(SubmitError::Refused { reason }) if reason == "smpp_status_3"));
    peer.tell(json!({"cmd": "answer", "status": 0x58, "nack": true})).await;
    assert!(matches!(running.submit("slower").await, Err(SubmitError::Throttled { .. })));
    running.stop().await;
}

#[tokio::test]
async fn an_outbind_changes_nothing() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "raw", "hex": frame(0x0b, 1, b"smsc\0hush\0")})).await;
    running.submit("fine").await.unwrap();
    assert_eq!((running.carrier.stats().binds, running.carrier.stats().malformed), (1, 0));
    running.stop().await;
}

#[tokio::test]
async fn an_smsc_that_connects_to_us_is_bound_to_once_it_proves_who_it_is() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut settings = config(peer.port);
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], crate::service::free_port()));
    let password = Hidden(Zeroizing::new("hush".into()));
    settings.bind = SmppBind::Separate;
    settings.outbind = Some(SmppOutbind { listen, system_id: "smsc".into(), password });
    let mut running = Running::unbound(settings, Duration::ZERO);
    running.up().await;
    assert_eq!(peer.event("bound").await["mode"], "transmitter");
    for (system_id, password) in [("smsc", "guess"), ("other", "hush")] {
        peer.tell(json!({"cmd": "outbind", "port": listen.port(), "system_id": system_id, "password": password})).await;
        peer.event("closed").await;
    }
    assert_eq!(running.carrier.counts().unwrap().links, 1, "a stranger was bound to");
    peer.tell(json!({"cmd": "outbind", "port": listen.port(), "system_id": "smsc", "password": "hush"})).await;
    assert_eq!(peer.event("bound").await["mode"], "receiver");
    peer.tell(json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "in"})).await;
    assert_eq!(running.brought().await.text().1, "in");
    running.submit("out").await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn an_smsc_of_little_capacity_is_not_pressed_for_long() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "capacity", "per_s": 40})).await;
    let end = Instant::now() + Duration::from_secs(8);
    let mut taken = 0;
    while Instant::now() < end {
        match running.submit("press").await {
            Ok(_) => taken += 1,
            Err(SubmitError::Throttled { retry_after }) => sleep(retry_after).await,
            Err(other) => panic!("{other}"),
        }
    }
    let throttled = running.carrier.stats().throttled;
    assert!(taken > 60, "{taken} taken");
    assert!(throttled * 8 < taken, "{throttled} times asked to slow down, {taken} taken");
    running.stop().await;
}

#[tokio::test]
async fn an_smsc_near_congestion_is_given_less_before_it_throttles() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    for _ in 0..50 {
        running.submit("free").await.unwrap();
    }
    peer.tell(json!({"cmd": "congestion", "hundredths": 100})).await;
    running.submit("busy").await.unwrap();
    peer.tell(json!({"cmd": "congestion", "hundredths": 0})).await;
    let began = Instant::now();
    for _ in 0..10 {
        running.submit("slower").await.unwrap();
    }
    // Half of about 50 a second: ten turns are at least a good part of a second apart.
    assert!(began.elapsed() > Duration::from_millis(100), "{:?}", began.elapsed());
    assert_eq!(running.carrier.stats().throttled, 0);
    assert!(running.carrier.is_up());
    running.stop().await;
}
