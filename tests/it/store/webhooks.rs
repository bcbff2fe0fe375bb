//! Webhooks: each event put before the endpoints that want it, in the commit that tells of it, and how far it got.

use std::time::Duration;

use bauta::clock::Timestamp;
use bauta::event::{Mode, What};
use bauta::ids::{TenantId, WebhookId, fresh};
use bauta::store::{
    Again, Aging, Asked, Called, Change, Conflict, Kept, MAX_WEBHOOKS, NoticeState, RowKey, TenantRow, Then,
    VerificationStatus, WebhookFilter, WebhookRow, Write,
};

use super::messages::message;
use super::verifications::verification;
use super::{World, person};

fn webhook(world: &World, tenant: TenantId, audience: Option<&str>, events: &[&str]) -> WebhookRow {
    WebhookRow {
        id: fresh(),
        tenant,
        url: "https://hooks.example/x".into(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        audience: audience.map(str::to_owned),
        salt: [7; 16],
        old: None,
        disabled: None,
        failing_since: None,
        created_at: world.now(),
    }
}

async fn added(world: &World, tenant: TenantId, audience: Option<&str>, events: &[&str]) -> WebhookId {
    let row = webhook(world, tenant, audience, events);
    let id = row.id;
    world.write(Write::Webhook(Box::new(row))).await.unwrap();
    id
}

/// Something that tenants are told of.
fn alert(n: u64) -> What {
    What::RevealVolume { credential: fresh(), revealed: n, expected: 1 }
}

async fn happens(world: &World, tenant: TenantId, what: What) -> u64 {
    world.store.commit(Change::telling(world.event(Some(tenant), what))).await.unwrap().index
}

/// The places in the log of what waits or was sent, oldest first.
async fn places(world: &World, tenant: TenantId, of: WebhookId) -> Vec<u64> {
    let mut rows = world.store.notices(tenant, of, None, 1_000).await.unwrap();
    rows.reverse();
    rows.iter().map(|row| row.index).collect()
}

fn called(of: WebhookId, index: u64, at: Timestamp, then: Then) -> Called {
    Called { webhook: of, index, at, code: Some(204), fault: None, then }
}

pub async fn an_endpoint_is_kept_whole_and_is_its_tenants_alone(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let row = webhook(&world, tenant, Some("courier"), &["alias.*", "alert.*"]);
    world.write(Write::Webhook(Box::new(row.clone()))).await.unwrap();
    assert_eq!(world.store.webhook(tenant, row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(world.store.webhook(other, row.id).await.unwrap(), None);
    let until = world.now().plus(Duration::from_secs(60));
    for (tenant, refused) in [(other, true), (tenant, false)] {
        let id = row.id;
        let events = Some(vec!["*".to_owned()]);
        for write in [
            Write::ChangeWebhook { tenant, id, url: None, events },
            Write::RotateWebhook { tenant, id, salt: [8; 16], until },
            Write::SwitchWebhook { tenant, id, disabled: Some("switched_off".into()) },
        ] {
            let done = world.write(write).await;
            if refused { World::refused(done, Conflict::Missing) } else { drop(done.unwrap()) }
        }
    }
    let kept = world.store.webhook(tenant, row.id).await.unwrap().unwrap();
    assert_eq!((kept.salt, kept.old), ([8; 16], Some(([7; 16], until))));
    assert_eq!(
        (kept.url, kept.events, kept.disabled.as_deref()),
        (row.url, vec!["*".to_owned()], Some("switched_off"))
    );
    let again = Write::SwitchWebhook { tenant, id: row.id, disabled: Some("gone".into()) };
    World::refused(world.write(again).await, Conflict::Taken);
    World::refused(world.write(Write::DeleteWebhook { tenant: other, id: row.id }).await, Conflict::Missing);
    world.write(Write::DeleteWebhook { tenant, id: row.id }).await.unwrap();
    assert_eq!(world.store.webhook(tenant, row.id).await.unwrap(), None);
    World::refused(world.write(Write::DeleteWebhook { tenant, id: row.id }).await, Conflict::Missing);
}

pub async fn endpoints_are_listed_newest_first_by_audience_and_bounded(world: World) {
    let tenant = world.tenant().await;
    let mut ids = Vec::new();
    for n in 0..MAX_WEBHOOKS {
        ids.push(added(&world, tenant, (n % 2 == 0).then_some("courier"), &["*"]).await);
    }
    let one_more = Write::Webhook(Box::new(webhook(&world, tenant, None, &["*"])));
    World::refused(world.write(one_more).await, Conflict::TooMany);
    ids.reverse();
    let list = async |filter: WebhookFilter| {
        world.store.webhooks(tenant, &filter).await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(WebhookFilter { limit: 3, ..WebhookFilter::default() }).await, ids[..3]);
    assert_eq!(list(WebhookFilter { limit: 3, after: Some(ids[2]), audience: None }).await, ids[3..6]);
    let couriers: Vec<_> = ids.iter().copied().skip(1).step_by(2).collect();
    assert_eq!(list(WebhookFilter { limit: 1_000, after: None, audience: Some("courier".into()) }).await, couriers);
}

pub async fn an_event_goes_to_those_who_want_it_of_its_tenant(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let all = added(&world, tenant, None, &["*"]).await;
    let aliases = added(&world, tenant, None, &["alias.*"]).await;
    let partner = added(&world, tenant, Some("courier"), &["*"]).await;
    let foreign = added(&world, other, None, &["*"]).await;
    let before = happens(&world, tenant, alert(1)).await;
    happens(&world, tenant, What::AuditRead { entries: 1 }).await;
    let released = happens(&world, tenant, What::AliasReleased { alias: fresh() }).await;
    assert_eq!(places(&world, tenant, all).await, [before, released]);
    assert_eq!(places(&world, tenant, aliases).await, [released]);
    assert!(places(&world, tenant, partner).await.is_empty(), "an alert is the tenant's, and the alias nobody's here");
    assert!(places(&world, other, foreign).await.is_empty());
    let pinged = happens(&world, tenant, What::WebhookPinged { webhook: partner }).await;
    assert_eq!(places(&world, tenant, partner).await, [pinged], "whatever it wants, and nobody else");
    assert_eq!(places(&world, tenant, all).await.len(), 2);
}

pub async fn an_audience_hears_of_its_own_verifications_and_messages(world: World) {
    let tenant = world.tenant().await;
    let own = added(&world, tenant, None, &["*"]).await;
    let (courier, insurer) =
        (added(&world, tenant, Some("courier"), &["*"]).await, added(&world, tenant, Some("insurer"), &["*"]).await);
    let mut heard = Vec::new();
    for (n, audience) in [(1, Some("courier")), (2, None)] {
        let mut row = verification(&world, tenant, n);
        row.audience = audience.map(str::to_owned);
        let id = row.id;
        let started = What::VerificationStarted {
            verification: id,
            subject: fresh(),
            channel: "sms".into(),
            purpose: "login".into(),
        };
        let change = Change::telling(world.event(Some(tenant), started));
        let start = Write::StartVerification { row: Box::new(row), supersedes: None };
        heard.push((audience, world.store.commit(change.with(start)).await.unwrap().index));
        let end = Write::EndVerification { tenant, id, status: VerificationStatus::Expired };
        let expired = What::VerificationExpired { verification: id, subject: fresh() };
        let change = Change::telling(world.event(Some(tenant), expired)).with(end);
        heard.push((audience, world.store.commit(change).await.unwrap().index));
    }
    let mut row = message(&world, tenant, fresh());
    row.alias = None;
    row.asked =
        Some(Asked { credential: fresh(), audience: Some("courier".into()), party: person(1), registration: None });
    let sent = What::MessageSent { message: row.id, subject: fresh(), carrier: "main".into(), parts: 1 };
    let change = Change::telling(world.event(Some(tenant), sent)).with(Write::Message(Box::new(row)));
    heard.push((Some("courier"), world.store.commit(change).await.unwrap().index));
    let of = |wanted: Option<&str>| -> Vec<u64> {
        heard.iter().filter(|(audience, _)| wanted.is_none() || *audience == wanted).map(|(_, at)| *at).collect()
    };
    assert_eq!(places(&world, tenant, own).await, of(None));
    assert_eq!(places(&world, tenant, courier).await, of(Some("courier")));
    assert!(places(&world, tenant, insurer).await.is_empty());
}

pub async fn what_was_taken_back_told_nobody_and_what_another_process_made_counts(world: World) {
    let tenant = world.tenant().await;
    let phantom = webhook(&world, tenant, None, &["*"]);
    let id = phantom.id;
    let change = world.telling().with(Write::Webhook(Box::new(phantom)));
    let broken =
        change.and_telling(world.event(Some(tenant), alert(1))).with(Write::DeleteWebhook { tenant, id: fresh() });
    World::refused(world.store.commit(broken).await, Conflict::Missing);
    happens(&world, tenant, alert(2)).await;
    let real = added(&world, tenant, None, &["*"]).await;
    let first = happens(&world, tenant, alert(3)).await;
    assert!(places(&world, tenant, id).await.is_empty());
    assert_eq!(places(&world, tenant, real).await, [first]);
    let another = world.another();
    let second = webhook(&world, tenant, None, &["*"]);
    let change = world.telling().with(Write::Webhook(Box::new(second.clone())));
    another.commit(change).await.unwrap();
    let seen = happens(&world, tenant, alert(4)).await;
    assert_eq!(places(&world, tenant, second.id).await, [seen], "also where this process had looked before");
    let by_other = another.commit(Change::telling(world.event(Some(tenant), alert(5)))).await.unwrap().index;
    assert_eq!(places(&world, tenant, real).await, [first, seen, by_other]);
}

pub async fn only_the_head_is_given_out_until_it_is_done(world: World) {
    let tenant = world.tenant().await;
    let (one, two) = (added(&world, tenant, None, &["*"]).await, added(&world, tenant, None, &["*"]).await);
    let first = happens(&world, tenant, alert(1)).await;
    world.pass(10);
    let second = happens(&world, tenant, alert(2)).await;
    let head = world.store.next_notice(one).await.unwrap().unwrap();
    assert_eq!((head.row.index, head.endpoint.id), (first, one));
    assert!(head.entry.unwrap().contains("\"revealed\":1"));
    let mut waiting = world.store.waiting_notices().await.unwrap();
    waiting.sort_unstable_by_key(|one| one.webhook);
    let mut both = [one, two];
    both.sort_unstable();
    assert_eq!(waiting.iter().map(|one| one.webhook).collect::<Vec<_>>(), both);
    assert!(waiting.iter().all(|one| one.since == world.now().minus(Duration::from_secs(10))));

    let later = world.now().plus(Duration::from_secs(60));
    let failed =
        Called { code: None, fault: Some("timeout".into()), ..called(one, first, world.now(), Then::Again(later)) };
    world.store.called(failed).await.unwrap();
    let head = world.store.next_notice(one).await.unwrap().unwrap();
    assert_eq!((head.row.index, head.row.due, head.row.attempts), (first, later, 1));
    assert_eq!((head.row.fault.as_deref(), head.endpoint.failing_since), (Some("timeout"), Some(world.now())));
    world.store.called(called(one, first, world.now(), Then::Delivered)).await.unwrap();
    let head = world.store.next_notice(one).await.unwrap().unwrap();
    assert_eq!((head.row.index, head.endpoint.failing_since), (second, None));
    world.store.called(called(one, second, world.now(), Then::Dropped)).await.unwrap();
    assert!(world.store.next_notice(one).await.unwrap().is_none());
    let rows = world.store.notices(tenant, one, None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [NoticeState::Dropped, NoticeState::Delivered]);

    let again = Write::NotifyAgain { tenant, id: one, which: Again::One(first) };
    assert_eq!(world.write(again).await.unwrap().again, [first]);
    assert_eq!(world.store.next_notice(one).await.unwrap().unwrap().row.attempts, 0);
    let nothing = Write::NotifyAgain { tenant, id: one, which: Again::One(first + 100_000) };
    World::refused(world.write(nothing).await, Conflict::Missing);
    let since = Write::NotifyAgain { tenant, id: one, which: Again::Since(world.now(), None, 10) };
    assert_eq!(world.write(since).await.unwrap().again, [second]);
    let foreign = Write::NotifyAgain { tenant: fresh(), id: one, which: Again::One(first) };
    World::refused(world.write(foreign).await, Conflict::Missing);

    let off = Write::SwitchWebhook { tenant, id: two, disabled: Some("gone".into()) };
    world.write(off).await.unwrap();
    assert!(world.store.next_notice(two).await.unwrap().is_none());
    assert_eq!(world.store.waiting_notices().await.unwrap().len(), 1);
}

pub async fn deliveries_go_by_age_and_with_their_tenant(world: World) {
    let tenant = world.tenant().await;
    let mut row = world.tenant_row();
    row = TenantRow { mode: Mode::Live, ..row };
    let live = row.id;
    world.write(Write::Tenant(row)).await.unwrap();
    let (test, kept) = (added(&world, tenant, None, &["*"]).await, added(&world, live, None, &["*"]).await);
    for n in 0..3 {
        happens(&world, tenant, alert(n)).await;
        happens(&world, live, alert(n)).await;
        world.pass(100);
    }
    let (long, short) = (world.now().minus(Duration::from_secs(250)), world.now().minus(Duration::from_secs(150)));
    let class = Aging::Deliveries(long, short);
    let mut gone = 0;
    let mut after: Option<RowKey> = None;
    loop {
        let aged = world.store.aged(class, after, 1).await.unwrap();
        let age = Write::Age { class, keys: aged.keys.clone(), within: Duration::from_secs(5) };
        gone += world.write(age).await.unwrap().aged;
        match aged.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(gone, 3);
    assert_eq!((places(&world, tenant, test).await.len(), places(&world, live, kept).await.len()), (1, 2));

    let at = world.now();
    world.write(Write::EraseTenant { tenant: live, at }).await.unwrap();
    happens(&world, live, alert(9)).await;
    assert_eq!(places(&world, live, kept).await.len(), 2, "nobody is told of what an erased tenant does");
    for of in Kept::ALL {
        assert!(world.store.aged(Aging::Erased(of), None, 10).await.unwrap().keys.is_empty());
    }
    world.write(Write::Clear { tenant: live }).await.unwrap();
    assert!(places(&world, live, kept).await.is_empty());
    assert_eq!(world.store.webhook(live, kept).await.unwrap(), None);
}
