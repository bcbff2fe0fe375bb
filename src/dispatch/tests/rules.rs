//! What rules say, which of them counts, and what is refused.

use super::*;
use crate::dispatch::check::{Known, World, check};
use crate::dispatch::rules::Aim;
use crate::phone::Operators;
use crate::store::Class;

fn world<'a>(operators: &'a Operators, region: Option<&'a str>) -> World<'a> {
    let known = |name, is_live, region| Known { name, is_live, region };
    let carriers = vec![known("main", true, Some("eu")), known("other", true, None), known("sandbox", false, None)];
    World { carriers, mode: Mode::Live, region, operators, other_operators: false }
}

fn faults(rules: Vec<RouteRule>) -> Vec<(String, String)> {
    let operators = Operators::shipped();
    let found = check(rules, 1, &world(&operators, Some("EU"))).err().unwrap_or_default();
    found.into_iter().map(|fault| (fault.field, fault.detail)).collect()
}

fn fields(rules: Vec<RouteRule>) -> Vec<String> {
    faults(rules).into_iter().map(|(field, _)| field).collect()
}

fn routes(rules: Vec<RouteRule>) -> Routes {
    check(rules, 1, &world(&Operators::shipped(), Some("EU"))).unwrap()
}

fn picked(routes: &Routes, prefix: &str, operator: Option<&str>, class: Class) -> Option<usize> {
    let bearing = Bearing::of_prefix(prefix.parse().unwrap(), None);
    routes.pick(&Aim { bearing: &bearing, operator, class }).map(|(place, _)| place)
}

fn to(prefix: &str) -> RouteRule {
    RouteRule { prefix: Some(prefix.into()), ..rule(&[("main", 1)]) }
}

#[test]
fn the_narrowest_rule_that_fits_counts_wherever_it_stands() {
    let routes = routes(vec![
        RouteRule { class: Some("code".into()), ..rule(&[("main", 1)]) },
        to("44"),
        to("4477"),
        RouteRule { operator: Some("vn-viettel".into()), ..rule(&[("main", 1)]) },
        RouteRule { region: Some("VN".into()), ..rule(&[("main", 1)]) },
        RouteRule { class: Some("code".into()), ..to("4477") },
    ]);
    assert_eq!(picked(&routes, "4477009", None, Class::Notice), Some(2));
    assert_eq!(picked(&routes, "4477009", None, Class::Code), Some(5));
    assert_eq!(picked(&routes, "4420", None, Class::Code), Some(1), "a prefix goes before a class");
    assert_eq!(picked(&routes, "8490", None, Class::Code), Some(4), "a region goes before a class");
    assert_eq!(picked(&routes, "8498", Some("vn-viettel"), Class::Code), Some(3), "an operator before a region");
    assert_eq!(picked(&routes, "33", None, Class::Code), Some(0));
    assert_eq!(picked(&routes, "33", None, Class::Marketing), None, "nothing fits: every carrier in order");
}

#[test]
fn every_fault_is_told_with_its_rule_and_field() {
    let mut wrong = RouteRule {
        name: Some("call +44 7700 900123".into()),
        prefix: Some("44770090".into()),
        operator: Some("nobody".into()),
        class: Some("spam".into()),
        region: Some("gb".into()),
        sender: Some("+447700900123".into()),
        ..rule(&[("main", 5_000), ("main", 1), ("none", 1), ("sandbox", 1)])
    };
    let told = faults(vec![rule(&[("main", 1)]), wrong.clone()]);
    let fields: Vec<_> = told.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "rules[1].prefix",
            "rules[1].class",
            "rules[1].name",
            "rules[1].operator",
            "rules[1].region",
            "rules[1].sender",
            "rules[1].carriers[0].weight",
            "rules[1].carriers[1].carrier",
            "rules[1].carriers[2].carrier",
            "rules[1].carriers[3].carrier",
        ]
    );
    assert!(told.iter().all(|(_, detail)| !detail.contains("7700")), "no number comes back: {told:?}");
    assert!(told[8].1.contains("there are: main, other, sandbox"), "{}", told[8].1);
    wrong = RouteRule { carriers: Vec::new(), ..RouteRule::default() };
    assert_eq!(self::fields(vec![wrong]), ["rules[0].carriers"]);
    assert_eq!(self::fields(vec![rule(&[("main", 0)])]), ["rules[0].carriers"]);
    assert_eq!(self::fields(vec![RouteRule::default(); 201]), ["rules"]);
}

#[test]
fn two_rules_with_the_same_conditions_are_refused_and_crossing_ones_are_told() {
    let told = faults(vec![to("44"), to("33"), RouteRule { name: Some("again".into()), ..to("+44") }]);
    assert_eq!(told.len(), 1);
    assert!(told[0].0 == "rules[2]" && told[0].1.contains("rules[0]"), "{told:?}");
    let routes = routes(vec![
        RouteRule { class: Some("code".into()), ..rule(&[("main", 1)]) },
        to("44"),
        to("4477"),
        RouteRule { region: Some("GB".into()), class: Some("notice".into()), ..rule(&[("main", 1)]) },
    ]);
    let crossed: Vec<_> = routes.crossings().into_iter().map(|crossed| (crossed.rules, crossed.first)).collect();
    assert_eq!(
        crossed,
        [([0, 1], 1), ([0, 2], 2), ([1, 3], 1), ([2, 3], 2)],
        "44 and 4477 do not cross: one is narrower"
    );
}

#[test]
fn a_rule_that_contradicts_itself_is_refused() {
    let nowhere = RouteRule { region: Some("FR".into()), ..to("4477") };
    assert_eq!(fields(vec![nowhere]), ["rules[0].region"]);
    let kept = RouteRule { residency: true, ..rule(&[("main", 1), ("other", 1)]) };
    let told = faults(vec![kept.clone()]);
    assert_eq!(told.len(), 1);
    assert!(told[0].0 == "rules[0].carriers[1].carrier" && told[0].1.contains("no region"), "{told:?}");
    let operators = Operators::shipped();
    let homeless = check(vec![kept], 1, &world(&operators, None)).unwrap_err();
    assert_eq!(homeless[0].field, "rules[0].residency");
    let elsewhere = RouteRule { residency: true, ..rule(&[("main", 1)]) };
    let told = check(vec![elsewhere], 1, &world(&operators, Some("us"))).unwrap_err();
    assert!(told[0].detail.contains("is in eu"), "{told:?}");
}

#[test]
fn test_and_live_rules_never_name_each_others_carriers() {
    let operators = Operators::shipped();
    let test = World { mode: Mode::Test, ..world(&operators, None) };
    assert!(check(vec![rule(&[("sandbox", 1)])], 1, &test).is_ok());
    let told = check(vec![rule(&[("main", 1)])], 1, &test).unwrap_err();
    assert!(told[0].detail.contains("reaches real devices"));
    assert!(faults(vec![rule(&[("sandbox", 1)])])[0].1.contains("reaches no device"));
}

#[test]
fn an_operator_beyond_the_table_may_be_named_where_a_look_up_could_say_it() {
    let operators = Operators::shipped();
    let named = || vec![RouteRule { operator: Some("some-mvno".into()), ..rule(&[("main", 1)]) }];
    let asking = World { other_operators: true, ..world(&operators, None) };
    assert!(check(named(), 1, &asking).is_ok());
    assert_eq!(fields(named()), ["rules[0].operator"]);
}

#[test]
fn what_is_kept_reads_back_as_it_was_checked() {
    let routes = routes(vec![
        RouteRule {
            name: Some("uk".into()),
            sender: Some("Rialto".into()),
            class: Some("notice".into()),
            region: Some("GB".into()),
            operator: Some("example-gb".into()),
            residency: true,
            ..to("4477")
        },
        rule(&[("main", 3), ("other", 0)]),
    ]);
    let text = serde_json::to_string(&routes.written).unwrap();
    let read: Vec<RouteRule> = serde_json::from_str(&text).unwrap();
    assert_eq!(crate::dispatch::check::stored(read, 1), routes);
}
