//! The life of links: bind, signs of life, breaks, unbind.

use std::time::Duration;

use bauta::carrier::{Carrier, SubmitError};
use bauta::config::Hidden;
use serde_json::json;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::{DEVICE, PATIENCE, Running, X, config, submission};
use crate::peer::Peer;

#[tokio::test]
async fn binds_with_its_credentials_and_unbinds_when_stopped() {
    let Some(mut peer) = Peer::smsc(&["--password", "hush"]).await else { return };
    let mut config = config(peer.port);
    config.password = Hidden(Zeroizing::new("hush".into()));
    let running = Running::unbound(config, Duration::ZERO);
    let bound = peer.event("bound").await;
    assert_eq!((&bound["system_type"], &bound["version"]), (&json!("TEST"), &json!(0x34)));
    running.up().await;
    let carrier = running.carrier.clone();
    running.stop().await;
    peer.event("unbind").await;
    peer.event("closed").await;
    assert!(!carrier.is_up());
    assert!(matches!(carrier.submit(submission("late")).await, Err(SubmitError::Unavailable)));
}

#[tokio::test]
async fn a_refused_bind_is_tried_again() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    peer.tell(json!({"cmd": "refuse_binds", "status": 13, "times": 2})).await;
    let running = Running::unbound(config(peer.port), Duration::ZERO);
    for _ in 0..2 {
        assert_eq!(peer.event("bind_refused").await["status"], 13);
    }
    peer.event("bound").await;
    running.up().await;
    running.stop().await;
}

#[tokio::test]
async fn a_link_cut_in_the_middle_loses_nothing_and_keeps_order() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::with(&mut peer, Duration::from_millis(3), |_| {}).await;
    let (senders, messages) = (7, 210);
    peer.tell(json!({"cmd": "cut_after", "resps": 40})).await;
    for n in 0..messages {
        let source = format!("44770090{:04}", n % senders);
        peer.tell(json!({"cmd": "deliver", "id": n, "source": source, "dest": X, "text": n.to_string()})).await;
    }
    peer.event("bound").await;
    peer.tell(json!({"cmd": "cut_after", "resps": 60})).await;
    peer.event("bound").await;
    let mut came = Vec::new();
    for _ in 0..messages {
        came.push(running.brought().await.text().1.parse::<usize>().unwrap());
    }
    assert!(came.iter().copied().eq(0..messages), "came {came:?}");
    sleep(Duration::from_millis(500)).await;
    assert!(running.notes.try_recv().is_err(), "something came twice");
    assert_eq!((running.carrier.stats().binds, running.carrier.stats().losses), (3, 2));
    running.stop().await;
}

#[tokio::test]
async fn a_message_sent_again_for_want_of_an_answer_arrives_once_and_the_same_text_written_twice_arrives_twice() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::start(&mut peer).await;
    let deliver = json!({"cmd": "deliver", "source": DEVICE, "dest": X, "text": "ok"});
    peer.tell(deliver.clone()).await;
    peer.tell(deliver.clone()).await;
    for _ in 0..2 {
        assert_eq!(running.brought().await.text().1, "ok");
        peer.event("deliver_sm_resp").await;
    }
    // Read and answered by the peer before the break: the two above are settled.
    running.submit("settle").await.unwrap();

    peer.tell(json!({"cmd": "mute_resp", "on": true})).await;
    peer.tell(deliver.clone()).await;
    assert_eq!(running.brought().await.text().1, "ok");
    sleep(Duration::from_millis(100)).await;
    peer.tell(json!({"cmd": "cut"})).await;
    peer.tell(json!({"cmd": "mute_resp", "on": false})).await;
    peer.event("bound").await;
    assert_eq!(peer.event("deliver_sm_resp").await["status"], 0);
    assert_eq!(running.carrier.stats().repeats, 1);
    assert!(running.notes.try_recv().is_err(), "the repeat was brought");

    peer.tell(deliver).await;
    assert_eq!(running.brought().await.text().1, "ok");
    running.stop().await;
}

#[tokio::test]
async fn signs_of_life_are_given_and_their_absence_ends_the_link() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::with(&mut peer, Duration::ZERO, |config| config.enquire_link_s = 1).await;
    peer.event("enquire_link").await;
    peer.tell(json!({"cmd": "enquire"})).await;
    peer.event("enquire_link").await;
    assert!(running.carrier.is_up());
    peer.tell(json!({"cmd": "mute", "on": true})).await;
    peer.event("closed").await;
    peer.tell(json!({"cmd": "mute", "on": false})).await;
    peer.event("bound").await;
    running.up().await;
    running.stop().await;
}

#[tokio::test]
async fn an_unbind_by_the_carrier_is_answered_and_the_link_comes_back() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let running = Running::start(&mut peer).await;
    peer.tell(json!({"cmd": "unbind"})).await;
    assert_eq!(peer.next(|event| event["command"] == "unbind_resp").await["status"], 0);
    peer.event("bound").await;
    running.up().await;
    running.stop().await;
}

#[tokio::test]
async fn stopping_lets_what_is_under_way_end() {
    let Some(mut peer) = Peer::smsc(&[]).await else { return };
    let mut running = Running::with(&mut peer, Duration::from_millis(400), |_| {}).await;
    peer.tell(json!({"cmd": "deliver", "id": "slow", "source": DEVICE, "dest": X, "text": "slow"})).await;
    peer.tell(json!({"cmd": "enquire"})).await;
    peer.next(|event| event["command"] == "enquire_link_resp").await;
    running.stop.send(true).unwrap();
    assert_eq!(peer.event("delivered").await["id"], "slow");
    peer.event("unbind").await;
    assert_eq!(running.brought().await.text().1, "slow");
    timeout(PATIENCE, running.task).await.unwrap().unwrap();
}
