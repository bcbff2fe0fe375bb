//! Reveals of many, what they cost, approvals that they stand on, and budgets that hold whatever happens.

#![allow(clippy::panic)]

use futures::future::join_all;

use super::*;
use crate::access::TokenSet;
use crate::store::BudgetKind;

const DAY: Duration = Duration::from_secs(86_400);

impl House {
    fn set(&self, tokens: &[Token]) -> Permit<TokenSet> {
        let resource = TokenSet { tokens: tokens.to_vec(), purpose: Some("support".into()) };
        Permit::for_test(self.tenant, self.credential, None, resource)
    }

    async fn tokens(&self, count: u64) -> Vec<Token> {
        let items = (1..=count).map(|last| Ok::<_, ()>(vaulted(last))).collect();
        let made = self.vault.tokenize_batch(&self.making(None), items).await.unwrap();
        made.into_iter().map(|item| item.unwrap().token).collect()
    }
}

fn is_exhausted<T>(outcome: Result<T, VaultError>) -> Option<Duration> {
    match outcome {
        Err(VaultError::BudgetExhausted { retry_after }) => Some(retry_after),
        _ => None,
    }
}

#[tokio::test]
async fn a_batch_answers_in_order_and_the_log_names_every_one_of_them() {
    let house = house().await;
    let stranger = {
        let mut other = super::house().await;
        other.tenant = other.new_tenant().await;
        other.token(None, 1).await
    };
    let (one, two) = (house.token(None, 1).await, house.sealed(None, 2).await);
    let asked = [two.clone(), stranger, one.clone(), two.clone()];
    let shown = house.vault.reveal_batch(&house.set(&asked), Some("case B".into())).await.unwrap();
    let numbers: Vec<_> = shown.numbers.iter().map(|number| number.as_ref().map(|text| text.as_str())).collect();
    assert_eq!(numbers, [Some("+447700900002"), None, Some("+447700900001"), Some("+447700900002")]);
    assert_eq!((shown.leaves.len(), shown.left), (1, 99_997));
    let told = house.store.told("token.batch_revealed");
    let [What::BatchRevealed { part: 1, parts: 1, count: 3, records, subjects, .. }] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!((records[0], subjects[0]), (records[2], subjects[2]));
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn a_long_list_is_split_into_entries_below_sixty_thousand_bytes_of_one_commit() {
    let house = house().await;
    let tokens = house.tokens(2_000).await;
    let before = house.store.with(|state| state.commits);
    let shown = house.vault.reveal_batch(&house.set(&tokens), None).await.unwrap();
    assert_eq!(house.store.with(|state| state.commits), before + 2, "all of them in one, and the alert");
    let entries: Vec<_> = house.store.with(|state| {
        let revealed = state.events.iter().filter(|event| event.what.action() == "token.batch_revealed");
        revealed.map(|event| event.entry([1; 16])).collect()
    });
    assert_eq!(entries.iter().map(|entry| entry.leaf).collect::<Vec<_>>(), shown.leaves);
    assert_eq!(entries.len(), 3);
    for (at, entry) in entries.iter().enumerate() {
        assert!(entry.text.len() < 60_000, "{}", entry.text.len());
        assert!(entry.text.contains(&format!("\"part\":{},\"parts\":3", at + 1)));
    }
    let mut named = HashSet::new();
    for what in house.store.told("token.batch_revealed") {
        let What::BatchRevealed { records, count: 2_000, .. } = what else { panic!("another count") };
        named.extend(records.iter().map(ToString::to_string));
    }
    assert_eq!(named.len(), 2_000, "every record is named");
}

#[tokio::test]
async fn nothing_of_a_batch_is_revealed_if_its_entry_cannot_be_written() {
    let house = house().await;
    let tokens = house.tokens(3).await;
    house.store.refuses.store(true, Ordering::SeqCst);
    assert!(house.vault.reveal_batch(&house.set(&tokens), None).await.is_err());
    house.store.refuses.store(false, Ordering::SeqCst);
    assert_eq!(house.vault.reveal_batch(&house.set(&tokens), None).await.unwrap().left, 99_997, "nor counted");
}

#[tokio::test]
async fn a_request_beyond_the_budget_reveals_nothing_and_the_log_says_so_once_a_day() {
    let house = house().await;
    let tokens = house.tokens(6).await;
    assert_eq!(house.vault.reveal_batch(&house.set(&tokens[..4]).spending(5), None).await.unwrap().left, 1);
    for _ in 0..3 {
        let refused = house.vault.reveal_batch(&house.set(&tokens[..2]).spending(5), None).await;
        assert!(is_exhausted(refused).is_some_and(|wait| wait <= DAY));
    }
    let again = house.other_process().reveal_batch(&house.set(&tokens).spending(5), None).await;
    assert!(is_exhausted(again).is_some(), "another process counts with us");
    assert_eq!(house.store.told("budget.exhausted").len(), 1);
    assert_eq!(house.store.told("token.batch_revealed").len(), 1);
    assert_eq!(house.vault.reveal(&house.about(&tokens[0]).spending(5), None).await.unwrap().left, 0);
    let wait = is_exhausted(house.vault.reveal(&house.about(&tokens[0]).spending(5), None).await).unwrap();
    house.store.advance(wait);
    assert_eq!(house.vault.reveal(&house.about(&tokens[0]).spending(5), None).await.unwrap().left, 4);
    assert!(is_exhausted(house.vault.reveal_batch(&house.set(&tokens).spending(5), None).await).is_some());
    assert_eq!(house.store.told("budget.exhausted").len(), 2, "another day");
}

#[tokio::test]
async fn an_approval_is_used_up_with_the_reveal_and_has_its_own_entry() {
    let house = house().await;
    let tokens = house.tokens(2_000).await;
    let approval = ids::fresh();
    house.store.with(|state| state.approved.push(approval));
    let shown = house.vault.reveal_batch(&house.set(&tokens).approved(approval), None).await.unwrap();
    let of_reveals: Vec<_> = house.store.with(|state| {
        let revealed = state.events.iter().filter(|event| event.what.action() == "token.batch_revealed");
        revealed.map(|event| event.entry([1; 16]).leaf).collect()
    });
    assert_eq!(shown.leaves, of_reveals, "the leaves of the reveals alone");
    assert_eq!(house.store.told("approval.used").len(), 1);
    let again = house.vault.reveal_batch(&house.set(&tokens).approved(approval), None).await;
    assert!(matches!(again, Err(VaultError::Store(StoreError::Conflict(crate::store::Conflict::ApprovalUsed)))));
}

#[tokio::test]
async fn a_volume_beyond_the_threshold_is_told_once_an_hour() {
    let house = house().await;
    let tokens = house.tokens(60).await;
    for part in tokens.chunks(20) {
        house.vault.reveal_batch(&house.set(part), None).await.unwrap();
    }
    let told = house.store.told("alert.reveal_volume");
    assert!(matches!(told.as_slice(), [What::RevealVolume { revealed: 60, expected: 50, .. }]), "{told:?}");
    house.vault.reveal_batch(&house.set(&tokens), None).await.unwrap();
    assert_eq!(house.store.told("alert.reveal_volume").len(), 1);
    // A day later three times the mean of 120 would be 360; the set threshold of 50 is lower.
    house.store.advance(DAY);
    house.vault.reveal_batch(&house.set(&tokens), None).await.unwrap();
    assert_eq!(house.store.told("alert.reveal_volume").len(), 2);
}

#[tokio::test]
async fn three_times_a_quiet_past_is_unusual() {
    let house = house().await;
    let tokens = house.tokens(20).await;
    house.vault.reveal_batch(&house.set(&tokens[..5]), None).await.unwrap();
    house.store.advance(DAY);
    house.vault.reveal_batch(&house.set(&tokens[..15]), None).await.unwrap();
    assert!(house.store.told("alert.reveal_volume").is_empty(), "three times the mean, not more");
    house.vault.reveal(&house.about(&tokens[0]), None).await.unwrap();
    assert_eq!(house.store.told("alert.reveal_volume").len(), 1);
}

#[tokio::test]
async fn racing_spenders_never_pass_the_limit_and_reach_it() {
    let house = house().await;
    let permit = house.making(None).spending(1_000);
    let other = house.other_process();
    let spend =
        |n: usize| (if n.is_multiple_of(2) { &house.vault } else { &other }).spend(&permit, BudgetKind::Tokenize, 7);
    let done = join_all((0..200).map(spend)).await;
    let granted = done.iter().filter(|outcome| outcome.is_ok()).count();
    // What one process has left of its chunk, the other cannot use.
    assert!((1_000 / 7 - 1..=1_000 / 7).contains(&granted), "{granted}");
    assert_eq!(house.store.told("budget.exhausted").len(), 1);
    house.store.advance(DAY);
    assert!(house.vault.spend(&permit, BudgetKind::Tokenize, 1_000).await.is_ok(), "a day of its own");
}

#[tokio::test]
async fn most_items_cost_no_write_and_a_crash_costs_the_chunk() {
    let house = house().await;
    let permit = house.making(None).spending(100_000);
    for _ in 0..100 {
        house.vault.spend(&permit, BudgetKind::Tokenize, 1).await.unwrap();
    }
    let counted = |state: &mut crate::keyring::double::State| state.budgets.values().copied().collect::<Vec<_>>();
    assert_eq!(house.store.with(counted), [100], "one chunk");
    house.vault.spend(&permit, BudgetKind::Tokenize, 1).await.unwrap();
    assert_eq!(house.store.with(counted), [200], "the next one counts before its first item");
    house.other_process().spend(&permit, BudgetKind::Tokenize, 1).await.unwrap();
    assert_eq!(house.store.with(counted), [300], "whoever starts anew knows nothing of the rest");
    house.store.refuses.store(true, Ordering::SeqCst);
    house.vault.spend(&permit, BudgetKind::Tokenize, 99).await.unwrap();
    assert!(house.vault.spend(&permit, BudgetKind::Tokenize, 1).await.is_err(), "nothing that is not durable");
}

#[tokio::test]
async fn budgets_are_each_credentials_own() {
    let house = house().await;
    let permit = house.making(None).spending(3);
    assert!(house.vault.spend(&permit, BudgetKind::Lookup, 3).await.is_ok());
    assert!(is_exhausted(house.vault.spend(&permit, BudgetKind::Lookup, 1).await).is_some());
    assert!(house.vault.spend(&permit, BudgetKind::Tokenize, 1).await.is_ok(), "another budget");
    let other = Permit::for_test(house.tenant, ids::fresh(), None, NewTokens { audience: None }).spending(3);
    assert!(house.vault.spend(&other, BudgetKind::Lookup, 3).await.is_ok(), "another credential");
}
