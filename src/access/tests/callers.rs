//! Who is known, who is not, and what the log hears of it.

use std::sync::atomic::Ordering;

use super::*;
use crate::event::Actor;

fn refused(answer: Result<Principal, Denied>) -> Denied {
    answer.expect_err("refused")
}

#[tokio::test]
async fn a_key_is_known_and_anything_else_is_not() {
    let world = World::new().await;
    assert_eq!(world.who(Role::Business).await.person, "business of the house");
    let key = world.key(Role::Business);
    let (most, last) = key.split_at(key.len() - 1);
    let typo = format!("{most}{}", if last == "0" { "1" } else { "0" });
    for text in ["", "bk_test_", &typo, &key.to_uppercase(), &format!("{key} "), &"x".repeat(5_000)] {
        assert!(matches!(refused(world.access.identify(text, HERE).await), Denied::Unauthenticated), "{text:?}");
    }
}

#[tokio::test]
async fn a_key_works_only_from_its_networks_also_by_a_mapped_address() {
    let world = World::new().await;
    let networks = vec!["198.51.100.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
    let new = NewCredential { networks, ..a_credential(Role::Business) };
    let key = world.issue_as(world.other, new).await.unwrap().key;
    for from in ["198.51.100.9", "::ffff:198.51.100.9", "2001:db8:1::5"] {
        assert!(world.access.identify(&key, from.parse().unwrap()).await.is_ok(), "{from}");
    }
    for from in ["198.51.101.9", "::ffff:192.0.2.1", "2001:db8:2::5"] {
        let answer = refused(world.access.identify(&key, from.parse().unwrap()).await);
        assert!(matches!(answer, Denied::AddressNotAllowed), "{from}");
    }
}

#[tokio::test]
async fn a_key_ends_with_its_expiry_also_for_a_principal_known_before() {
    let world = World::new().await;
    let ends_at = Some(world.now().plus(Duration::from_secs(60)));
    let new = NewCredential { ends_at, ..a_credential(Role::Business) };
    let key = world.issue_as(world.other, new).await.unwrap().key;
    let known = world.access.identify(&key, HERE).await.unwrap();
    world.pass(Duration::from_secs(60));
    assert!(matches!(refused(world.access.identify(&key, HERE).await), Denied::Unauthenticated));
    let answer = world.access.authorize(&known, Action::AliasBind, NewAlias {}).await;
    assert!(matches!(answer, Err(Denied::Unauthenticated)));
}

#[tokio::test]
async fn every_denial_of_a_known_caller_is_told_up_to_a_bound_and_the_rest_is_summed() {
    let world = World::new().await;
    let partner = world.who(Role::Partner).await;
    world.told();
    for _ in 0..50 {
        let answer = world.access.authorize(&partner, Action::TokenReveal, a_token(Some("support"))).await;
        assert!(matches!(answer, Err(Denied::Forbidden)));
    }
    let told = world.told();
    assert_eq!(told.len(), 20);
    assert_eq!(denials(&told)[0], ("TokenReveal".into(), "forbidden".into()));
    assert!(matches!(&told[0].actor, Actor::Credential { id, .. } if *id == partner.credential));

    world.pass(Duration::from_secs(1));
    world.access.follow().await;
    assert_eq!(denials(&world.told()), [("*".to_owned(), "further, 30 within the second".to_owned())]);
    let answer = world.access.authorize(&partner, Action::TokenCreate, NewTokens { audience: None }).await;
    assert!(answer.is_err());
    assert_eq!(world.told().len(), 1, "a new second tells again");
}

#[tokio::test]
async fn strangers_are_summed_by_prefix_and_second_and_wait_for_a_store_that_is_down() {
    let world = World::new().await;
    let strangers = ["198.51.100.1", "198.51.100.250", "::ffff:198.51.100.7", "2001:db8:7:1::1", "2001:db8:7:2::2"];
    for from in strangers {
        refused(world.access.identify("bk_test_nobody", from.parse().unwrap()).await);
    }
    world.told();
    world.access.follow().await;
    assert!(world.told().is_empty(), "the second is not over");
    world.pass(Duration::from_secs(1));
    world.store.failing.store(true, Ordering::SeqCst);
    world.access.follow().await;
    world.store.failing.store(false, Ordering::SeqCst);
    world.access.follow().await;
    let mut sums: Vec<_> = world
        .told()
        .into_iter()
        .map(|event| match event.what {
            What::StrangersDenied { prefix, count } => (prefix, count),
            other => panic!("{other:?}"),
        })
        .collect();
    sums.sort();
    assert_eq!(sums, [("198.51.100.0/24".to_owned(), 3), ("2001:db8:7::/48".to_owned(), 2)]);
    world.access.follow().await;
    assert!(world.told().is_empty(), "written once");
}

#[tokio::test]
async fn a_key_used_from_outside_its_networks_is_told_with_its_credential() {
    let world = World::new().await;
    let networks = vec!["198.51.100.0/24".parse().unwrap()];
    let issued = world.issue_as(world.other, NewCredential { networks, ..a_credential(Role::Business) }).await.unwrap();
    refused(world.access.identify(&issued.key, HERE).await);
    world.told();
    world.pass(Duration::from_secs(1));
    world.access.follow().await;
    let told = world.told();
    assert_eq!(denials(&told), [("*".to_owned(), "address, 1 within the second".to_owned())]);
    assert_eq!(told[0].tenant, Some(world.other));
}

#[tokio::test]
async fn a_store_that_is_down_turns_no_denial_into_anything_else() {
    let world = World::new().await;
    let partner = world.who(Role::Partner).await;
    world.store.failing.store(true, Ordering::SeqCst);
    let answer = world.access.authorize(&partner, Action::TokenCreate, NewTokens { audience: None }).await;
    assert!(matches!(answer, Err(Denied::Forbidden)));
    assert!(world.access.authorize(&partner, Action::AliasBind, NewAlias {}).await.is_ok());
}

#[tokio::test]
async fn another_process_change_is_followed_and_stopping_writes_what_is_left() {
    let world = World::new().await;
    let row = world.who(Role::Business).await.credential;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let watching = world.access.watch(stopped);
    let acting = async {
        {
            let mut state = world.store.state();
            state.rows.frozen.push(row.to_string());
            state.rows.version += 1;
        }
        let frozen = async {
            loop {
                let answer =
                    world.access.authorize(&world.who(Role::Business).await, Action::AliasBind, NewAlias {}).await;
                if matches!(answer, Err(Denied::Frozen)) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(1), frozen).await.expect("within a second");
        refused(world.access.identify("bk_test_nobody", HERE).await);
        world.told();
        stop.send(true).unwrap();
    };
    tokio::join!(watching, acting);
    assert!(matches!(world.told()[0].what, What::StrangersDenied { count: 1, .. }));
}

#[tokio::test]
async fn a_remembered_decision_costs_less_than_two_microseconds() {
    let world = World::new().await;
    let business = world.who(Role::Business).await;
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let start = std::time::Instant::now();
        for _ in 0..1_000 {
            world.access.authorize(&business, Action::TokenCreate, NewTokens { audience: None }).await.unwrap();
        }
        best = best.min(start.elapsed() / 1_000);
    }
    println!("{best:?} for one remembered decision");
    // The best batch, so that a busy machine does not decide; unoptimised code is not what is measured.
    assert!(best < Duration::from_micros(2) || cfg!(debug_assertions), "{best:?}");
}
