//! The journey of a verification over the real store, keys and vault.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod house;
mod verifier;

use std::sync::atomic::Ordering;

use super::*;
use crate::access::{Delivery, NewVerification, VerificationRef};
use crate::store::{DeliveryStatus, Transaction};
use house::{House, ISSUER, other_than};

fn over<T>(result: Result<T, VerifyError>) -> Option<VerificationStatus> {
    match result {
        Err(VerifyError::Over(status)) => Some(status),
        _ => None,
    }
}

fn retry_after<T>(result: Result<T, VerifyError>) -> Option<Duration> {
    match result {
        Err(VerifyError::Limited { retry_after }) => Some(retry_after),
        _ => None,
    }
}

#[tokio::test]
async fn the_right_code_approves_once_and_its_proof_is_checked_offline() {
    let house = House::new().await;
    let view = house.start_with(|wish| wish.user_ref = Some("user-7".to_owned())).await.unwrap();
    assert_eq!((view.status, view.attempts_left, view.sends.len()), (VerificationStatus::Pending, 5, 1));
    let code = house.code().await;
    let checked = house.check(view.id, &format!(" {}-{} ", &code[..3], &code[3..])).await.unwrap();
    assert!(checked.valid && checked.status == VerificationStatus::Approved);
    assert_eq!(over(house.check(view.id, &code).await), Some(VerificationStatus::Approved));

    let (proof, keys, tenant) = (checked.proof.unwrap(), house.verify.jwks(), house.tenant.to_string());
    let read = verifier::read(&proof, &keys, ISSUER, &tenant).unwrap();
    assert_eq!(read.header.typ.as_deref(), Some(PROOF_TYPE));
    assert_eq!(read.claims.sub, view.to.as_str());
    assert_eq!(read.claims.ver, view.id.to_string());
    assert_eq!((read.claims.purpose.as_str(), read.claims.user_ref.as_deref()), ("login", Some("user-7")));
    assert_eq!(read.claims.exp - read.claims.iat, 600);
    assert_eq!(read.claims.iat, house.store.now().as_secs());

    let dot = proof.rfind('.').unwrap();
    let flipped = if proof.as_bytes()[dot + 1] == b'A' { "B" } else { "A" };
    let forged = format!("{}{flipped}{}", &proof[..=dot], &proof[dot + 2..]);
    assert!(verifier::read(&forged, &keys, ISSUER, &tenant).is_none());
    assert!(verifier::read(&proof, &keys, ISSUER, "ten_other").is_none());
}

#[tokio::test]
async fn every_attempt_is_in_the_log_before_what_came_of_it() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    house.check(id, &other_than(&code)).await.unwrap();
    house.check(id, &code).await.unwrap();
    let expected = ["started", "sent", "attempted", "mismatched", "attempted", "approved"];
    assert_eq!(house.told(id).await, expected.map(|action| format!("verification.{action}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_racing_right_answers_are_approved_once() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    let racers = (0..1_000).map(|_| {
        let (verify, permit, code) = (Arc::clone(&house.verify), house.of(id), code.clone());
        tokio::spawn(async move { verify.check(&permit, &code).await })
    });
    let mut approved = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(checked) => approved += usize::from(checked.valid && checked.proof.is_some()),
            Err(VerifyError::Over(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(approved, 1);
    let told = house.told(id).await;
    assert_eq!(told.iter().filter(|action| *action == "verification.approved").count(), 1);
    assert!(told.iter().filter(|action| *action == "verification.attempted").count() <= 5);
}

#[tokio::test]
async fn five_wrong_answers_exhaust_and_each_counts_against_the_number() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    for left in (0..5).rev() {
        let checked = house.check(id, &other_than(&code)).await.unwrap();
        let status = if left == 0 { VerificationStatus::Exhausted } else { VerificationStatus::Pending };
        assert_eq!((checked.valid, checked.attempts_left, checked.status), (false, left, status));
        assert!(checked.proof.is_none());
    }
    assert_eq!(over(house.check(id, &code).await), Some(VerificationStatus::Exhausted));
    assert_eq!(house.told(id).await.last().map(String::as_str), Some("verification.exhausted"));
    let party = house.wish().await.to.index;
    assert_eq!(house.store.failures_since(house.tenant, party, 0).await.unwrap(), 5);
}

#[tokio::test]
async fn what_cannot_be_a_code_spends_nothing() {
    let house = House::new().await;
    let id = house.start().await;
    for answer in ["", " - ", "12345678901", "12!456"] {
        assert!(matches!(house.check(id, answer).await, Err(VerifyError::Malformed)), "{answer}");
    }
    assert_eq!(house.verify.get(&house.of(id)).await.unwrap().attempts_left, 5);
}

#[tokio::test]
async fn letters_may_be_typed_small() {
    let house = House::new().await;
    let view = house
        .start_with(|wish| {
            wish.alphanumeric = true;
            wish.code_length = Some(10);
            wish.origin = Some("https://shop.example".to_owned());
        })
        .await
        .unwrap();
    let text = house.message().await.unwrap().text;
    let code = text.rsplit_once("\n@shop.example #").unwrap().1;
    assert_eq!(code.len(), 10);
    assert!(house.check(view.id, &code.to_lowercase()).await.unwrap().valid);
}

#[tokio::test]
async fn a_new_one_cancels_the_pending_one_of_the_same_person_purpose_and_requester() {
    let house = House::new().await;
    let first = house.start().await;
    let other = house.start_with(|wish| wish.user_ref = Some("somebody".to_owned())).await.unwrap().id;
    let second = house.start().await;
    assert_eq!(over(house.check(first, "000000").await), Some(VerificationStatus::Canceled));
    for id in [other, second] {
        assert_eq!(house.verify.get(&house.of(id)).await.unwrap().status, VerificationStatus::Pending);
    }
    assert_eq!(house.told(first).await.last().map(String::as_str), Some("verification.canceled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_starts_leave_one_pending() {
    let house = Arc::new(House::new().await);
    let starts = (0..5).map(|_| {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.start_with(|_| {}).await })
    });
    let mut pending = 0;
    let mut started = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        match start.await.unwrap() {
            Ok(view) => started.push(view.id),
            Err(VerifyError::Busy) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    for id in &started {
        pending += usize::from(house.verify.get(&house.of(*id)).await.unwrap().status == VerificationStatus::Pending);
    }
    assert_eq!(pending, 1, "of {}", started.len());
}

#[tokio::test]
async fn time_ends_a_verification_and_upkeep_writes_it_down() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    house.clock.advance(Duration::from_secs(300));
    assert_eq!(over(house.check(id, &code).await), Some(VerificationStatus::Expired));
    assert_eq!(over(house.verify.resend(&house.of(id)).await), Some(VerificationStatus::Expired));
    let upkeep = |tenant| Permit::for_test(tenant, house.credential, None, crate::access::Upkeep {});
    assert_eq!(house.verify.expire_lapsed(10, upkeep).await.unwrap(), 1);
    assert_eq!(house.verify.expire_lapsed(10, upkeep).await.unwrap(), 0);
    assert_eq!(house.told(id).await.last().map(String::as_str), Some("verification.expired"));
}

#[tokio::test]
async fn one_that_lapsed_unseen_is_expired_not_canceled_by_the_next() {
    let house = House::new().await;
    let first = house.start().await;
    house.clock.advance(Duration::from_secs(301));
    house.start().await;
    assert_eq!(house.told(first).await.last().map(String::as_str), Some("verification.expired"));
    assert_eq!(over(house.check(first, "000000").await), Some(VerificationStatus::Expired));
}

#[tokio::test]
async fn a_resend_repeats_the_code_and_changes_nothing_else() {
    let house = House::new().await;
    let before = house.start_with(|_| {}).await.unwrap();
    let code = house.code().await;
    house.check(before.id, &other_than(&code)).await.unwrap();
    house.clock.advance(Duration::from_secs(150));
    let after = house.verify.resend(&house.of(before.id)).await.unwrap();
    assert_eq!((after.attempts_left, after.expires_at, after.sends.len()), (4, before.expires_at, 2));
    assert_eq!(after.sends[0].status, DeliveryStatus::Submitted);
    let text = house.message().await.unwrap().text;
    assert!(text.contains(&code) && text.contains("3 min"), "{}", *text);
}

#[tokio::test]
async fn a_canceled_code_is_neither_sent_nor_taken() {
    let house = House::new().await;
    let id = house.start().await;
    assert_eq!(house.verify.cancel(&house.of(id)).await.unwrap().status, VerificationStatus::Canceled);
    assert!(house.message().await.is_none());
    assert!(house.due().await.is_empty());
    assert_eq!(over(house.check(id, "123456").await), Some(VerificationStatus::Canceled));
    assert_eq!(over(house.verify.cancel(&house.of(id)).await), Some(VerificationStatus::Canceled));
}

#[tokio::test]
async fn a_code_that_no_carrier_takes_fails_the_verification() {
    let house = House::new().await;
    let id = house.start().await;
    let permit = house.due().await.pop().unwrap();
    let row = permit.resource().row.clone();
    house.verify.delivery_failed(&row, &permit, "unroutable").await.unwrap();
    let view = house.verify.get(&house.of(id)).await.unwrap();
    assert_eq!((view.status, view.sends[0].status), (VerificationStatus::Failed, DeliveryStatus::Rejected));
    assert_eq!(over(house.check(id, "123456").await), Some(VerificationStatus::Failed));
    // A second word on the same row changes nothing.
    house.verify.delivery_failed(&row, &permit, "unroutable").await.unwrap();
    assert!(house.due().await.is_empty());
}

#[tokio::test]
async fn a_resend_that_fails_leaves_the_first_code_good() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    house.verify.resend(&house.of(id)).await.unwrap();
    let permit = house.due().await.pop().unwrap();
    let row = permit.resource().row.clone();
    house.verify.delivery_failed(&row, &permit, "unroutable").await.unwrap();
    assert!(house.check(id, &code).await.unwrap().valid);
}

#[tokio::test]
async fn a_delivery_permit_is_good_for_its_own_row_only() {
    let house = House::new().await;
    house.start().await;
    house.start_with(|wish| wish.purpose = Some("payment".to_owned())).await.unwrap();
    let mine = house.due().await.pop().unwrap();
    let mut row = mine.resource().row.clone();
    row.id = crate::ids::fresh();
    assert!(matches!(house.verify.code_message(&row, &mine).await, Err(VerifyError::NotFound)));
}

#[tokio::test]
async fn a_partner_sees_only_its_own_and_others_read_as_unknown() {
    let house = House::new().await;
    let wish = house.wish().await;
    let view = house.verify.start(&house.partner("lender", NewVerification {}), wish).await.unwrap();
    assert!(view.masked.is_none());
    let own = house.verify.get(&house.of(view.id)).await.unwrap();
    assert!(own.masked.is_some() && own.to.as_str() != view.to.as_str());
    let mine = house.partner("lender", VerificationRef { id: view.id });
    assert_eq!(house.verify.get(&mine).await.unwrap().to.as_str(), view.to.as_str());

    let theirs = || house.partner("insurer", VerificationRef { id: view.id });
    assert!(matches!(house.verify.get(&theirs()).await, Err(VerifyError::NotFound)));
    assert!(matches!(house.verify.check(&theirs(), "123456").await, Err(VerifyError::NotFound)));
    assert!(matches!(house.verify.resend(&theirs()).await, Err(VerifyError::NotFound)));
    assert!(matches!(house.verify.cancel(&theirs()).await, Err(VerifyError::NotFound)));
    let unknown = house.of(crate::ids::fresh());
    assert!(matches!(house.verify.check(&unknown, "123456").await, Err(VerifyError::NotFound)));
    assert_eq!(house.verify.get(&mine).await.unwrap().attempts_left, 5);
}

#[tokio::test]
async fn five_codes_a_number_in_ten_minutes_and_not_one_more() {
    let house = House::new().await;
    let id = house.start().await;
    for _ in 0..4 {
        house.clock.advance(Duration::from_secs(60));
        house.verify.resend(&house.of(id)).await.unwrap();
    }
    // The verification itself has had its five sends; a new one meets the number's limit.
    assert!(retry_after(house.verify.resend(&house.of(id)).await).is_some());
    assert_eq!(retry_after(house.start_with(|_| {}).await), Some(Duration::from_secs(360)));
    // A bucket that refills evenly would have let one through by now.
    house.clock.advance(Duration::from_secs(359));
    assert!(retry_after(house.start_with(|_| {}).await).is_some());
    house.clock.advance(Duration::from_secs(1));
    house.start().await;
    assert_eq!(retry_after(house.start_with(|_| {}).await), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_number_guessed_at_too_often_starts_no_more_but_checks_what_is_pending() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    let party = house.wish().await.to.index;
    for _ in 0..100 {
        let write = crate::store::Write::CountFailure {
            tenant: house.tenant,
            party,
            day: crate::guard::day(house.store.now()),
        };
        let told = house.of(id).event(house.store.now(), crate::event::What::AuditRead { entries: 0 });
        house.store.commit(crate::store::Change::telling(told).with(write)).await.unwrap();
    }
    assert!(retry_after(house.start_with(|_| {}).await).is_some());
    assert!(house.check(id, &code).await.unwrap().valid);
    house.clock.advance(Duration::from_secs(31 * 86_400));
    house.start().await;
}

#[tokio::test]
async fn a_limit_that_cannot_be_asked_refuses_and_checks_go_on() {
    let house = House::new().await;
    let id = house.start().await;
    let code = house.code().await;
    house.scratch.down.store(true, Ordering::SeqCst);
    assert!(matches!(house.start_with(|_| {}).await, Err(VerifyError::Scratch(_))));
    assert!(matches!(house.verify.resend(&house.of(id)).await, Err(VerifyError::Scratch(_))));
    assert!(house.check(id, &code).await.unwrap().valid);
}

#[tokio::test]
async fn what_is_refused_counts_no_send() {
    let house = House::new().await;
    for _ in 0..6 {
        let refused = house.start_with(|wish| wish.channel = Some("voice".to_owned())).await;
        assert!(matches!(refused, Err(VerifyError::Refused { field: "channel", code: "channel_unavailable" })));
        let refused = house.start_with(|wish| wish.purpose = Some("+84 90 123 45 67".to_owned())).await;
        assert!(matches!(refused, Err(VerifyError::Refused { field: "purpose", code: "number_in_text" })));
        let refused = house.start_with(|wish| wish.user_ref = Some("tel 0084901234567".to_owned())).await;
        assert!(matches!(refused, Err(VerifyError::Refused { field: "user_ref", code: "number_in_text" })));
    }
    house.start().await;
}

#[tokio::test]
async fn a_payment_is_named_in_the_message() {
    let house = House::new().await;
    let transaction = Transaction { amount: "EUR 12.90".to_owned(), payee: "Café Central".to_owned() };
    house.start_with(|wish| wish.transaction = Some(transaction)).await.unwrap();
    let text = house.message().await.unwrap().text;
    assert!(text.contains("EUR 12.90") && text.contains("Café Central"), "{}", *text);
}
