//! Each mode of aliases: who reaches whom, and what each sees.

use std::time::Duration;

use super::X;
use super::house::*;
use crate::alias::{AliasView, Bind};
use crate::carrier::Accepted;

/// Binds `mode` with a team.
async fn team(house: &House, a: &str, members: &[&str], b: Option<&str>) -> AliasView {
    let mut wish = house.wish("axg", a, b).await;
    for member in members {
        wish.members.push(house.holder(member).await);
    }
    house.bind(wish).await.unwrap()
}

/// What devices got, whatever came first.
async fn got(house: &House) -> Vec<Seen> {
    sorted(house.outbox().await)
}

fn sorted(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.sort();
    seen
}

fn seen(to: &str, from: impl ToString, text: &str) -> Seen {
    (shown(to), from.to_string(), text.to_owned())
}

#[tokio::test]
async fn a_hotline_answers_whoever_wrote_last_or_the_fixed_person() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1]).await;
    let x = house.bound("axn", ANN, None).await.number;
    assert_eq!(house.write(ANN, x, "anybody?").await, Accepted::Dropped);
    house.write(BEN, x, "from ben").await;
    house.clock.advance(Duration::from_secs(1));
    house.write(CAT, x, "from cat").await;
    house.write(ANN, x, "[1] to the last").await;
    let got = got(&house).await;
    assert!(got[0].2.contains("Nobody who can be answered"), "{got:?}");
    assert_eq!(got[1..], [seen(ANN, x, "from ben"), seen(ANN, x, "from cat"), seen(CAT, x, "[1] to the last")]);

    let y = house.bound("axn", DAN, Some(BEN)).await.number;
    house.write(CAT, y, "hello").await;
    house.write(DAN, y, "to ben").await;
    assert_eq!(self::got(&house).await, [seen(BEN, y, "to ben"), seen(DAN, y, "hello")]);
}

#[tokio::test]
async fn each_of_two_sees_a_number_of_the_own_area() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1]).await;
    let alias = house.bound("axyb", ANN, Some(BEN)).await;
    let (x, y) = (alias.number, alias.number_y.unwrap());
    assert_eq!(house.write(BEN, x, "to ann").await, Accepted::Carried);
    assert_eq!(house.write(ANN, y, "to ben").await, Accepted::Carried);
    assert_eq!(house.write(ANN, x, "wrong side").await, Accepted::Dropped);
    let mut got = got(&house).await;
    got.retain(|(.., text)| !text.starts_with("Not delivered"));
    assert_eq!(got, [seen(ANN, y, "to ann"), seen(BEN, x, "to ben")]);
}

#[tokio::test]
async fn a_team_reaches_a_who_reaches_the_member_that_is_named() {
    let house = House::new().await;
    house.pool("p", &[X, X + 1, X + 2]).await;
    let x = team(&house, ANN, &[BEN, CAT], Some(CAT)).await.number;
    house.write(BEN, x, "from ben").await;
    house.write(ANN, x, "to cat").await;
    assert_eq!(got(&house).await, [seen(ANN, x, "from ben"), seen(CAT, x, "to cat")]);

    let x = team(&house, DAN, &[BEN], None).await.number;
    house.write(DAN, x, "to the only one").await;
    assert_eq!(house.outbox().await, [seen(BEN, x, "to the only one")]);

    let x = team(&house, DAN, &[ANN, CAT], None).await.number;
    assert_eq!(house.write(DAN, x, "to whom?").await, Accepted::Dropped);
    let got = house.outbox().await;
    assert!(got.len() == 1 && got[0].0 == shown(DAN) && got[0].2.contains("not set"), "{got:?}");
}

async fn extension(house: &House, a: &str) -> (crate::phone::VirtualNumber, String) {
    let alias = house.bind(Bind::of("axe", house.holder(a).await)).await.unwrap();
    (alias.number, alias.extension.unwrap())
}

#[tokio::test]
async fn an_extension_opens_a_conversation_that_needs_it_no_more() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let (x, ext) = extension(&house, ANN).await;
    assert_eq!(house.write(BEN, x, "hello?").await, Accepted::Dropped);
    assert_eq!(house.write(BEN, x, "hello again?").await, Accepted::Dropped);
    let help = house.outbox().await;
    assert!(help.len() == 1 && help[0].0 == shown(BEN) && help[0].2.contains("extension"), "{help:?}");

    assert_eq!(house.write(BEN, x, &format!("{ext} hello")).await, Accepted::Carried);
    assert_eq!(house.write(BEN, x, "and more").await, Accepted::Carried);
    assert_eq!(house.write(ANN, x, "yes?").await, Accepted::Carried);
    assert_eq!(got(&house).await, [seen(ANN, x, "and more"), seen(ANN, x, "hello"), seen(BEN, x, "yes?")]);

    house.clock.advance(Duration::from_secs(25 * 3_600));
    assert_eq!(house.write(BEN, x, "a day later").await, Accepted::Dropped);
}

#[tokio::test]
async fn another_extension_moves_the_conversation_and_a_house_number_does_not() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let (x, anns) = extension(&house, ANN).await;
    let (also_x, dans) = extension(&house, DAN).await;
    assert_eq!(x, also_x, "one number for many");
    house.write(BEN, x, &format!("{anns}: for ann")).await;
    house.write(BEN, x, &format!("{dans} main street")).await;
    house.write(BEN, x, &format!("{dans}: for dan")).await;
    house.write(BEN, x, "dan again").await;
    let expected = [
        seen(ANN, x, "for ann"),
        seen(ANN, x, &format!("{dans} main street")),
        seen(DAN, x, "for dan"),
        seen(DAN, x, "dan again"),
    ];
    assert_eq!(got(&house).await, sorted(expected.to_vec()));
}

#[tokio::test]
async fn who_is_behind_two_extensions_names_the_one_that_is_answered() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let (x, first) = extension(&house, ANN).await;
    let (_, second) = extension(&house, ANN).await;
    house.write(BEN, x, &format!("{first}: from ben")).await;
    house.write(ANN, x, "to the only one").await;
    house.write(CAT, x, &format!("{second}: from cat")).await;
    house.write(ANN, x, "to whom?").await;
    house.write(ANN, x, &format!("{second}: to cat")).await;
    let got = house.outbox().await;
    assert!(got.contains(&seen(ANN, x, &format!("{first}: from ben"))));
    assert!(got.contains(&seen(BEN, x, "to the only one")));
    assert!(got.contains(&seen(ANN, x, &format!("{second}: from cat"))));
    assert!(got.contains(&seen(CAT, x, "to cat")));
    assert!(
        got.iter().any(|(to, _, text)| *to == shown(ANN) && text.contains(&format!("{first}: {second}:"))),
        "{got:?}"
    );
    assert_eq!(got.len(), 5);
}

#[tokio::test]
async fn guessing_extensions_ends_after_five_misses_also_for_a_right_guess() {
    let house = House::new().await;
    house.pool("p", &[X]).await;
    let (x, ext) = extension(&house, ANN).await;
    for guess in ["1: x", "2: x", "3: x", "4: x", "5: x"] {
        assert_eq!(house.write(BEN, x, guess).await, Accepted::Dropped);
    }
    assert_eq!(house.write(BEN, x, &format!("{ext}: hello")).await, Accepted::Dropped);
    assert_eq!(house.drops().await.last().unwrap(), "extension_guessing");
    assert_eq!(house.write(CAT, x, &format!("{ext}: hello")).await, Accepted::Carried, "somebody else");
    house.clock.advance(Duration::from_secs(3_600));
    assert_eq!(house.write(BEN, x, &format!("{ext}: hello")).await, Accepted::Carried, "an hour later");
}
