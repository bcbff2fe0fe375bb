//! Which carriers may take a message, and in which order.

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::dispatch::check::stored;
use crate::dispatch::choose::{Closed, order, weigh};
use crate::store::Class;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// A question about a message to the United Kingdom.
struct Asked<'a> {
    mode: Mode,
    region: Option<&'a str>,
    homes: Option<Vec<Arc<str>>>,
    rule: Option<RouteRule>,
    closed: Closed,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self { mode: Mode::Live, region: None, homes: None, rule: None, closed: Closed::default() }
    }
}

impl Asked<'_> {
    fn with<T>(&self, work: impl FnOnce(&Question<'_>) -> T) -> T {
        let routes = self.rule.clone().map(|rule| stored(vec![rule], 1));
        work(&Question {
            mode: self.mode,
            region: self.region,
            homes: self.homes.as_deref(),
            rule: routes.as_ref().and_then(|routes| routes.rules.first()),
            country: 44,
            iso: Some("GB"),
            class: Class::Marketing,
            closed: &self.closed,
        })
    }

    fn order(&self, lines: &[Arc<dyn Carrier>], health: &Health, draw: impl FnMut() -> f64) -> Vec<String> {
        self.with(|asked| {
            let weighed = weigh(lines, asked, health, NOW);
            order(weighed, asked.rule.is_some(), draw).into_iter().map(|line| line.name().to_owned()).collect()
        })
    }

    fn verdicts(&self, lines: &[Arc<dyn Carrier>], health: &Health) -> Vec<&'static str> {
        self.with(|asked| weigh(lines, asked, health, NOW).iter().map(|one| one.verdict.as_str()).collect())
    }
}

/// The same numbers every time, spread evenly over (0, 1].
fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        // Knuth's MMIX generator; only its upper half is looked at.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (f64::from((state >> 32) as u32) + 1.0) / (f64::from(u32::MAX) + 1.0)
    }
}

/// How often each carrier comes first in a thousand choices.
fn firsts(asked: &Asked<'_>, lines: &[Arc<dyn Carrier>], health: &Health, name: &str) -> usize {
    let mut draw = draws(7);
    (0..1_000).filter(|_| asked.order(lines, health, &mut draw)[0] == name).count()
}

fn busy(health: &Health, carrier: &str, count: usize, outcome: Handed) {
    for _ in 0..count {
        let handing = health.begin(carrier, 44, NOW).ok().unwrap();
        health.end(carrier, handing, NOW, outcome);
    }
}

#[test]
fn without_a_rule_the_settings_say_the_order_and_who_is_down_comes_last() {
    let lines = carriers([
        Line::new("first").live().down(),
        Line::new("second").live(),
        Line::new("third").live(),
        Line::new("sandbox"),
    ]);
    let asked = Asked::default();
    assert_eq!(asked.order(&lines, &Health::default(), || panic!("nothing to draw")), ["second", "third", "first"]);
    let test = Asked { mode: Mode::Test, ..Asked::default() };
    assert_eq!(test.order(&lines, &Health::default(), || 1.0), ["sandbox"], "test and live never share a carrier");
    assert_eq!(asked.verdicts(&lines, &Health::default()), ["link_down", "eligible", "eligible", "other_mode"]);
}

#[test]
fn a_pool_number_leaves_only_by_its_own_carriers_whatever_the_rule_says() {
    let lines = carriers([Line::new("one").live(), Line::new("two").live(), Line::new("three").live()]);
    let homes = || Some(vec!["two".into(), "three".into()]);
    let at_home = Asked { homes: homes(), ..Asked::default() };
    assert_eq!(at_home.order(&lines, &Health::default(), || 1.0), ["two", "three"]);
    let ruled = Asked { homes: homes(), rule: Some(rule(&[("one", 1), ("three", 1)])), ..Asked::default() };
    assert_eq!(ruled.order(&lines, &Health::default(), || 1.0), ["three"]);
    assert_eq!(ruled.verdicts(&lines, &Health::default()), ["not_at_number", "not_in_rule", "eligible"]);
    let stranded = Asked { homes: homes(), rule: Some(rule(&[("one", 1)])), ..Asked::default() };
    assert_eq!(stranded.order(&lines, &Health::default(), || 1.0), ["two", "three"], "the rule gives way");
    let kept = RouteRule { residency: true, ..rule(&[("one", 1)]) };
    let kept = Asked { homes: homes(), rule: Some(kept), region: Some("eu"), ..Asked::default() };
    assert!(kept.order(&lines, &Health::default(), || 1.0).is_empty(), "but residency does not");
    let nowhere = Asked { homes: Some(vec!["gone".into()]), ..Asked::default() };
    assert!(nowhere.order(&lines, &Health::default(), || 1.0).is_empty());
}

#[test]
fn a_rule_shares_messages_out_by_weight() {
    let lines = carriers([Line::new("one").live(), Line::new("three").live(), Line::new("spare").live()]);
    let asked = Asked { rule: Some(rule(&[("spare", 0), ("one", 1), ("three", 3)])), ..Asked::default() };
    let health = Health::default();
    let (one, three) = (firsts(&asked, &lines, &health, "one"), firsts(&asked, &lines, &health, "three"));
    assert_eq!(one + three, 1_000, "who stands in is never first while another can");
    assert!((700..800).contains(&three), "{three}");
    assert_eq!(asked.order(&lines, &health, draws(1)).last().map(String::as_str), Some("spare"));
}

#[test]
fn what_is_measured_takes_messages_from_a_carrier_that_does_badly() {
    let lines = carriers([Line::new("good").live(), Line::new("poor").live()]);
    let asked = Asked { rule: Some(rule(&[("good", 1), ("poor", 1)])), ..Asked::default() };
    let health = Health::default();
    assert!((450..550).contains(&firsts(&asked, &lines, &health, "poor")));
    let fast = Handed::Taken(Duration::from_millis(10));
    busy(&health, "good", 200, fast);
    busy(&health, "poor", 100, fast);
    busy(&health, "poor", 90, Handed::Failed);
    let refused = firsts(&asked, &lines, &health, "poor");
    assert!((300..400).contains(&refused), "{refused}");
    for n in 0..100 {
        health.submitted("poor", 44, &[format!("{n}")]);
        health.receipt("poor", [n.to_string().as_str()], crate::store::DeliveryStatus::Undelivered, NOW);
    }
    assert!(firsts(&asked, &lines, &health, "poor") < 100, "what never arrives counts too");
}

#[test]
fn a_breaker_that_is_open_sends_messages_elsewhere() {
    let lines = carriers([Line::new("broken").live(), Line::new("spare").live()]);
    let asked = Asked { rule: Some(rule(&[("broken", 100), ("spare", 0)])), ..Asked::default() };
    let health = Health::default();
    busy(&health, "broken", 20, Handed::Failed);
    assert_eq!(asked.order(&lines, &health, || 1.0), ["spare"]);
    assert_eq!(asked.verdicts(&lines, &health), ["breaker_open", "eligible"]);
}

#[test]
fn a_way_closed_for_complaints_is_closed_for_that_class_alone() {
    let lines = carriers([Line::new("main").live(), Line::new("other").live()]);
    let closed = |class| Closed([("main".to_owned(), "GB".to_owned(), class)].into());
    let marketing = Asked { closed: closed(Class::Marketing), ..Asked::default() };
    assert_eq!(marketing.order(&lines, &Health::default(), || 1.0), ["other"]);
    assert_eq!(marketing.verdicts(&lines, &Health::default()), ["closed_for_complaints", "eligible"]);
    let codes = Asked { closed: closed(Class::Code), ..Asked::default() };
    assert_eq!(codes.order(&lines, &Health::default(), || 1.0), ["main", "other"]);
}

#[test]
fn residency_keeps_messages_at_carriers_of_the_tenants_region() {
    let lines = carriers([Line::new("abroad").live().within("us"), Line::new("home").live().within("EU")]);
    let kept = RouteRule { residency: true, ..rule(&[("abroad", 9), ("home", 1)]) };
    let asked = Asked { rule: Some(kept), region: Some("eu"), ..Asked::default() };
    assert_eq!(asked.order(&lines, &Health::default(), || 1.0), ["home"]);
    assert_eq!(asked.verdicts(&lines, &Health::default()), ["other_region", "eligible"]);
}
