//! Messages handed over by the real rooms: failover, routes in force, complaints, what is explained and told.

use std::time::Duration;

use super::{Line, rule, *};
use crate::access::{Action, Bound, RouteSet, Ruling, TokenRef};
use crate::event::What;
use crate::ids;
use crate::phone::VirtualNumber;
use crate::relay::tests::house::*;
use crate::store::{BlindIndex, Change, Class, ComplaintRow, DeliveryStatus, Lane, OutboxRow, Task, Write};

const X: u64 = 15_550_000_001;

pub(super) struct World {
    pub(super) house: House,
    pub(super) lines: Vec<Arc<Line>>,
    pub(super) dispatch: Dispatch,
}

impl World {
    pub(super) async fn new(names: &[&'static str]) -> Self {
        let house = House::new().await;
        let lines: Vec<_> = names.iter().map(|name| Arc::new(Line::new(name))).collect();
        let carriers = lines.iter().map(|line| Arc::clone(line) as _).collect();
        let House { store, vault, keyring, access, .. } = &house;
        let dispatch = Dispatch::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers);
        Self { house, lines, dispatch }
    }

    pub(super) async fn send(&self, to: &str, from: From, class: Class) -> Result<Sent, DispatchError> {
        let row = OutboxRow {
            id: ids::fresh(),
            tenant: self.house.tenant,
            task: Task::Code(ids::fresh(), 0),
            lane: Lane::Notice,
            conversation: BlindIndex([1; 16]),
            credential: None,
            policy: "test".into(),
            due: self.house.store.now(),
            attempts: 0,
        };
        let permit = self.house.access.for_delivery(row).await.unwrap();
        let to = To::Person(self.house.holder(to).await.record);
        self.dispatch.send(&permit, &Parcel { to, from, text: "hello", life: None, class, registration: None }).await
    }

    pub(super) async fn code(&self) -> Result<String, DispatchError> {
        self.send(ANN, From::House, Class::Code).await.map(|sent| sent.carrier)
    }

    pub(super) async fn set(&self, rules: Vec<RouteRule>) -> Result<RoutesView, RoutesError> {
        let permit = self.house.operate(Action::RouteRead, RouteSet {}).await;
        let (routes, bound) = self.dispatch.bound_routes(&permit, rules, None, None).await?;
        let terminal = self.house.access.terminal("root", self.house.tenant).unwrap();
        match self.house.access.rule(&terminal, Action::RouteManage, RouteSet {}, bound).await.unwrap() {
            Ruling::Permitted(permit) => self.dispatch.set_routes(&permit, routes).await,
            Ruling::Pending(_) => panic!("nobody could approve"),
        }
    }

    fn answers(&self, line: usize, errors: impl IntoIterator<Item = SubmitError>) {
        self.lines[line].answers.lock().unwrap().extend(errors);
    }

    pub(super) async fn explain(&self, to: &str, class: Class, from: Option<VirtualNumber>) -> Explanation {
        let holder = self.house.holder(to).await;
        let token = self.house.keyring.tenant(self.house.tenant).await.unwrap().vaulted(holder.record, None);
        let reads = self.house.may(&self.house.business, Action::TokenRead, TokenRef { token, purpose: None }).await;
        let (bearing, index, subject) = self.house.vault.bearing_of(&reads).await.unwrap();
        let permit = self.house.may(&self.house.business, Action::RouteRead, RouteSet {}).await;
        let to = Receiver { bearing, person: Some((index, subject)) };
        self.dispatch.explain(&permit, &Trial { to, class, from }).await.unwrap()
    }
}

fn throttled(ms: u64) -> SubmitError {
    SubmitError::Throttled { retry_after: Duration::from_millis(ms) }
}

#[tokio::test]
async fn a_carrier_that_took_nothing_is_followed_by_the_next() {
    let world = World::new(&["one", "two"]).await;
    world.answers(0, [SubmitError::Unavailable]);
    assert_eq!(world.code().await.unwrap(), "two");
    world.answers(0, [throttled(500)]);
    assert_eq!(world.code().await.unwrap(), "two");
    world.answers(0, [throttled(500)]);
    world.answers(1, [throttled(100)]);
    let Err(DispatchError::Throttled { retry_after }) = world.code().await else { panic!("both are too busy") };
    assert_eq!(retry_after, Duration::from_millis(100), "whoever may be asked again first");
    assert_eq!(world.code().await.unwrap(), "one");
}

#[tokio::test]
async fn what_may_have_been_taken_is_given_to_nobody_else_and_a_refusal_is_final() {
    let world = World::new(&["one", "two"]).await;
    world.answers(0, [SubmitError::Unconfirmed, SubmitError::Refused { reason: "no".into() }]);
    assert!(matches!(world.code().await, Err(DispatchError::Unconfirmed)));
    assert!(matches!(world.code().await, Err(DispatchError::Refused { .. })));
    assert_eq!(world.lines[1].took(), 0);
}

#[tokio::test]
async fn routes_are_in_force_once_they_are_set_and_their_sender_is_shown() {
    let world = World::new(&["one", "two"]).await;
    assert_eq!(world.code().await.unwrap(), "one", "no routes: the order of the settings");
    let british = RouteRule { prefix: Some("44".into()), sender: Some("Rialto".into()), ..rule(&[("two", 1)]) };
    let view = world.set(vec![british]).await.unwrap();
    assert_eq!((view.version, view.author.as_deref()), (Some(1), Some("root")));
    assert_eq!(world.code().await.unwrap(), "two");
    assert_eq!(*world.lines[1].seen.lock().unwrap(), [Address::Name("Rialto".into())]);
    world.send(ANN, From::Sender("10690".into()), Class::Notice).await.unwrap();
    assert_eq!(world.lines[1].seen.lock().unwrap()[1], Address::ShortCode("10690".into()), "its own sender stays");
    assert_eq!(world.set(Vec::new()).await.unwrap().version, Some(2));
    assert_eq!(world.code().await.unwrap(), "one");
    let told = world.house.entries("routes.set").await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["carriers"], serde_json::json!(["two"]));
}

#[tokio::test]
async fn another_process_follows_a_change_and_only_one_of_two_changes_wins() {
    let world = World::new(&["one", "two"]).await;
    let House { store, vault, keyring, access, .. } = &world.house;
    let carriers = world.lines.iter().map(|line| Arc::clone(line) as _).collect();
    let other = Dispatch::new(store.clone(), vault.clone(), keyring.clone(), access.clone(), carriers);
    other.refresh().await.unwrap();
    let reads = world.house.operate(Action::RouteRead, RouteSet {}).await;
    let (stale, _) = other.bound_routes(&reads, vec![rule(&[("one", 1)])], None, None).await.unwrap();
    world.set(vec![rule(&[("two", 1)])]).await.unwrap();
    let permit = world.house.operate(Action::RouteManage, RouteSet {}).await;
    assert!(matches!(other.set_routes(&permit, stale).await, Err(RoutesError::Conflict)));
    let base = other.bound_routes(&reads, Vec::new(), Some(0), None).await;
    assert!(matches!(base, Err(RoutesError::Conflict)), "the version that was read is over");
    assert_eq!(other.routes(&reads).version, Some(1), "followed when it was asked");
    assert_eq!(other.routes(&reads), world.dispatch.routes(&reads));
}

#[tokio::test]
async fn an_approval_is_bound_to_the_very_rules_and_version() {
    let world = World::new(&["one", "two"]).await;
    let reads = world.house.operate(Action::RouteRead, RouteSet {}).await;
    let digest = async |rules| -> Bound { world.dispatch.bound_routes(&reads, rules, None, None).await.unwrap().1 };
    let (one, two) = (digest(vec![rule(&[("one", 1)])]).await, digest(vec![rule(&[("one", 2)])]).await);
    assert_ne!(one.digest, two.digest);
    assert_eq!(one.summary["rules"][0]["carriers"][0]["carrier"], "one");
    world.set(vec![rule(&[("two", 1)])]).await.unwrap();
    assert_ne!(digest(vec![rule(&[("one", 1)])]).await.digest, one.digest, "over other routes it is another thing");
}

#[tokio::test]
async fn a_message_of_a_pool_number_leaves_by_its_carrier_alone() {
    let world = World::new(&["one", "line"]).await;
    world.house.pool("p", &[X]).await;
    world.set(vec![rule(&[("one", 1)])]).await.unwrap();
    let x = VirtualNumber::from_digits(X).unwrap();
    assert_eq!(world.send(ANN, From::Pool(x), Class::Relay).await.unwrap().carrier, "line");
    world.answers(1, [SubmitError::Unavailable]);
    assert!(matches!(world.send(ANN, From::Pool(x), Class::Relay).await, Err(DispatchError::Unavailable)));
    assert_eq!(world.lines[0].took(), 0);
    let stray = VirtualNumber::from_digits(X + 1).unwrap();
    assert!(matches!(world.send(ANN, From::Pool(stray), Class::Relay).await, Err(DispatchError::NoRoute)));
}

#[tokio::test]
async fn a_carrier_that_keeps_failing_is_left_alone_until_probes_succeed() {
    let world = World::new(&["bad", "good"]).await;
    world.answers(0, (0..20).map(|_| SubmitError::Unavailable));
    for _ in 0..30 {
        assert_eq!(world.code().await.unwrap(), "good");
    }
    assert_eq!(world.lines[0].answers.lock().unwrap().len(), 0, "asked twenty times, then no more");
    let told = world.house.entries("breaker.opened").await;
    assert_eq!(told.len(), 2, "for the country and altogether");
    assert_eq!((&told[0]["carrier"], told[1]["country"].as_str()), (&"bad".into(), Some("44")));
    world.house.clock.advance(Duration::from_secs(2));
    for _ in 0..3 {
        assert_eq!(world.code().await.unwrap(), "bad", "a probe");
    }
    assert_eq!(world.house.entries("breaker.closed").await.len(), 2);
    assert_eq!(world.code().await.unwrap(), "bad");
}

#[tokio::test]
async fn where_the_only_carrier_is_cut_off_messages_wait_and_are_not_lost() {
    let world = World::new(&["only"]).await;
    world.answers(0, (0..20).map(|_| SubmitError::Unavailable));
    for _ in 0..20 {
        assert!(matches!(world.code().await, Err(DispatchError::Unavailable)));
    }
    let Err(DispatchError::Throttled { retry_after }) = world.code().await else { panic!("it is left alone") };
    assert!(retry_after <= Duration::from_secs(1) && !retry_after.is_zero());
    world.house.clock.advance(retry_after);
    assert_eq!(world.code().await.unwrap(), "only");
}

#[tokio::test]
async fn an_operators_rule_follows_the_table_of_prefixes() {
    let world = World::new(&["one", "two"]).await;
    let fiction = RouteRule { operator: Some("example-gb".into()), ..rule(&[("two", 1)]) };
    world.set(vec![fiction]).await.unwrap();
    assert_eq!(world.code().await.unwrap(), "two");
    let abroad = world.send("+1 202 555 0143", From::House, Class::Code).await.unwrap();
    assert_eq!(abroad.carrier, "one");
}

#[tokio::test]
async fn an_explanation_says_why_without_a_number_and_is_in_the_log() {
    let world = World::new(&["one", "two", "three"]).await;
    let named = RouteRule {
        name: Some("uk".into()),
        prefix: Some("4477".into()),
        class: Some("code".into()),
        ..rule(&[("one", 1), ("two", 0)])
    };
    world.set(vec![rule(&[("three", 1)]), named]).await.unwrap();
    for _ in 0..4 {
        world.code().await.unwrap();
    }
    let sent: Vec<_> = (1..=4).map(|n| format!("one{n}")).collect();
    world.dispatch.health.receipt("one", [sent[0].as_str()], DeliveryStatus::Delivered, world.house.store.now());
    let taken = crate::telemetry::metrics().route_submits.with_label_values(&["one", "44", "taken"]).get();
    assert!(taken >= 4, "counted, with those of other tests");
    let explained = world.explain(ANN, Class::Code, None).await;
    assert_eq!((explained.version, explained.rule.clone()), (Some(1), Some((1, Some("uk".into())))));
    assert_eq!((explained.country_code, explained.region.as_deref()), (Some(44), Some("GB")));
    assert_eq!(explained.operator, Some(("example-gb".into(), false)));
    let told: Vec<_> = explained.carriers.iter().map(|c| (c.carrier.as_str(), c.turn, c.verdict.as_str())).collect();
    assert_eq!(told, [("one", Some(1), "eligible"), ("two", Some(2), "eligible"), ("three", None, "not_in_rule")]);
    assert_eq!((explained.carriers[0].measured.taken, explained.carriers[0].measured.delivered), (4, 1));
    assert!(!format!("{explained:?}").contains("7700"));
    let entries = world.house.entries("route.explained").await;
    assert_eq!((entries.len(), entries[0]["class"].as_str()), (1, Some("code")));
    let other = world.explain(ANN, Class::Notice, None).await;
    assert_eq!(other.rule.map(|(place, _)| place), Some(0));
}

#[tokio::test]
async fn a_way_that_three_people_complain_of_closes_for_that_class_and_tenant_and_opens_in_time() {
    let world = World::new(&["one", "two"]).await;
    let other = world.house.access.create_tenant("root", "Other", Mode::Test, None).await.unwrap().id;
    let complain = async |tenant, n: u8| {
        let row = ComplaintRow {
            id: ids::fresh(),
            tenant,
            index: BlindIndex([n; 16]),
            message: None,
            carrier: Some("one".into()),
            country: Some("GB".into()),
            class: Some(Class::Marketing),
            at: world.house.store.now(),
        };
        let event = world.house.access.upkeep(tenant).event(world.house.store.now(), What::Swept {});
        world.house.store.commit(Change::telling(event).with(Write::Complaint(Box::new(row)))).await.unwrap();
    };
    let carrier = async |class| world.send(ANN, From::House, class).await.unwrap().carrier;
    for n in 0..3 {
        complain(other, n).await;
        world.dispatch.review_complaints().await.unwrap();
    }
    assert_eq!(carrier(Class::Marketing).await, "one", "another tenant's complaints are its own");
    complain(world.house.tenant, 1).await;
    complain(world.house.tenant, 2).await;
    world.dispatch.review_complaints().await.unwrap();
    assert_eq!(carrier(Class::Marketing).await, "one", "two are too few");
    complain(world.house.tenant, 3).await;
    for _ in 0..2 {
        world.dispatch.review_complaints().await.unwrap();
    }
    assert_eq!(carrier(Class::Marketing).await, "two");
    assert_eq!(carrier(Class::Code).await, "one", "codes are another way");
    let explained = world.explain(ANN, Class::Marketing, None).await;
    let one = explained.carriers.iter().find(|candidate| candidate.carrier == "one").unwrap();
    assert_eq!((one.verdict.as_str(), one.turn), ("closed_for_complaints", None));
    let reads = world.house.operate(Action::RouteRead, RouteSet {}).await;
    assert_eq!(world.dispatch.routes(&reads).closed.len(), 1, "its own");
    assert_eq!(world.house.entries("route.closed").await.len(), 2, "told once for each tenant");

    world.house.clock.advance(Duration::from_secs(30 * 24 * 3_600 + 1));
    world.dispatch.review_complaints().await.unwrap();
    assert_eq!(carrier(Class::Marketing).await, "one");
    assert_eq!(world.house.entries("route.opened").await.len(), 2);
}
