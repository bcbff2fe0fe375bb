//! Many at once: batches, and reservations of sealed tokens.

use std::sync::atomic::Ordering;

use super::*;

impl House {
    fn settled(&self) -> Vec<u64> {
        let settled = self.store.told("token.seal_settled").into_iter();
        settled.map(|what| if let What::SealSettled { sealed, .. } = what { sealed } else { 0 }).collect()
    }
}

#[tokio::test]
async fn sealing_is_reserved_durably_first_and_shared_by_callers() {
    let house = Arc::new(house().await);
    house.store.refuses.store(true, Ordering::SeqCst);
    let refused = house.vault.tokenize(&house.making(None), sealed(1)).await;
    assert!(matches!(refused, Err(VaultError::Store(_))));
    house.store.refuses.store(false, Ordering::SeqCst);
    let mut sealing = Vec::new();
    for n in 0..50 {
        let house = Arc::clone(&house);
        sealing.push(tokio::spawn(async move { house.sealed(None, n).await }));
    }
    for task in sealing {
        task.await.unwrap();
    }
    assert_eq!(house.store.told("token.seal_reserved").len(), 1);
    assert!(house.store.with(|state| state.tokens.is_empty()));
    house.vault.settle().await.unwrap();
    assert_eq!(house.settled(), [50]);
    house.vault.settle().await.unwrap();
    assert_eq!(house.settled(), [50]);
}

#[tokio::test]
async fn a_used_up_reservation_is_settled_with_the_next_and_an_idle_one_after_a_minute() {
    let house = house().await;
    for n in 0..10_001 {
        house.sealed(None, n % 1_000).await;
    }
    assert_eq!(house.store.told("token.seal_reserved").len(), 2);
    assert_eq!(house.settled(), [10_000]);
    house.store.advance(Duration::from_secs(59));
    house.vault.settle_idle().await.unwrap();
    assert_eq!(house.settled(), [10_000]);
    house.store.advance(Duration::from_secs(1));
    house.vault.settle_idle().await.unwrap();
    assert_eq!(house.settled(), [10_000, 1]);
    house.sealed(None, 1).await;
    assert_eq!(house.store.told("token.seal_reserved").len(), 3);
}

#[tokio::test]
async fn a_count_that_could_not_be_settled_is_settled_later() {
    let house = house().await;
    house.sealed(None, 1).await;
    house.store.refuses.store(true, Ordering::SeqCst);
    assert!(house.vault.settle().await.is_err());
    assert!(house.vault.tokenize(&house.making(None), sealed(2)).await.is_err());
    house.store.refuses.store(false, Ordering::SeqCst);
    house.sealed(None, 2).await;
    house.vault.settle().await.unwrap();
    assert_eq!(house.settled(), [1, 1]);
}

#[tokio::test]
async fn sealed_tokens_refuse_what_they_cannot_keep() {
    let house = house().await;
    let with_metadata = NewToken { metadata: Some("{}".into()), ..sealed(1) };
    let refused = house.vault.tokenize(&house.making(None), with_metadata).await;
    assert_eq!(refusal(refused), "metadata_not_supported_for_sealed");
    let refused = house.vault.tokenize(&house.making(None), NewToken { fresh: true, ..sealed(1) }).await;
    assert_eq!(refusal(refused), "fresh_not_supported_for_sealed");
    assert_eq!(house.sealed(None, 1).await, house.sealed(None, 1).await);
}

#[tokio::test]
async fn a_batch_answers_each_item_in_order_with_one_commit_and_one_event() {
    let house = house().await;
    let known = house.token(None, 1).await;
    let before = house.store.with(|state| state.commits);
    let items = vec![
        Ok(vaulted(2)),
        Err("number_invalid"),
        Ok(vaulted(1)),
        Ok(vaulted(2)),
        Ok(NewToken { fresh: true, ..vaulted(2) }),
        Ok(NewToken { metadata: Some("call 0044 7700 900123".into()), ..vaulted(3) }),
        Ok(vaulted(4)),
    ];
    let answers = house.vault.tokenize_batch(&house.making(None), items).await.unwrap();
    assert_eq!(house.store.with(|state| state.commits) - before, 1);
    let tokens: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|view| &view.token)).collect();
    assert_eq!(tokens[1], Err(&ItemError::Given("number_invalid")));
    assert_eq!(tokens[5], Err(&ItemError::Refused("number_in_text")));
    assert_eq!(tokens[2], Ok(&known));
    assert_eq!(tokens[0], tokens[3]);
    assert_ne!(tokens[0], tokens[4]);
    assert_eq!(*tokens[6].unwrap(), house.token(None, 4).await);
    let told = house.store.told("token.batch_created");
    assert!(matches!(told[..], [What::TokenBatchCreated { created: 3, known: 2, fpe: 0, refused: 2 }]));
    for (last, at) in [(2, 0), (1, 2), (2, 4), (4, 6)] {
        let revealed = house.vault.reveal(&house.about(tokens[at].unwrap()), None).await.unwrap();
        assert_eq!(&**revealed.number, format!("+{}", 447_700_900_000_u64 + last));
    }
}

#[tokio::test]
async fn a_batch_of_sealed_tokens_needs_its_reservation_alone() {
    let house = house().await;
    let items: Vec<Result<_, ()>> = (0..MAX_BATCH as u64).map(|n| Ok(sealed(n % 1_000))).collect();
    let answers = house.vault.tokenize_batch(&house.making(Some("shop")), items).await.unwrap();
    assert_eq!(answers[7].as_ref().unwrap().token, house.sealed(Some("shop"), 7).await);
    assert!(house.store.told("token.batch_created").is_empty());
    house.vault.settle().await.unwrap();
    assert_eq!(house.settled(), [MAX_BATCH as u64, 1]);
    let too_many: Vec<Result<_, ()>> = (0..=MAX_BATCH as u64).map(|n| Ok(sealed(n % 1_000))).collect();
    assert_eq!(refusal(house.vault.tokenize_batch(&house.making(None), too_many).await), "batch_too_large");
}

#[tokio::test]
async fn racing_batches_over_the_same_numbers_agree() {
    let house = house().await;
    let other = house.other_process();
    let items = || (0..100).map(|n| Ok::<_, ()>(vaulted(n))).collect();
    let permit = house.making(None);
    let (a, b) = tokio::join!(house.vault.tokenize_batch(&permit, items()), other.tokenize_batch(&permit, items()));
    let tokens = |answers: Vec<Result<TokenView, ItemError<()>>>| -> Vec<Token> {
        answers.into_iter().map(|answer| answer.unwrap().token).collect()
    };
    assert_eq!(tokens(a.unwrap()), tokens(b.unwrap()));
    assert_eq!(house.store.with(|state| state.tokens.len()), 100);
}
