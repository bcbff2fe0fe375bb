//! What tenants say about themselves, templates, complaints, caps, and what messages came to.

use std::collections::BTreeMap;

use bauta::ids::{TemplateId, TenantId, fresh};
use bauta::store::{
    By, Class, ComplaintRow, Conflict, Conversion, Counted, DeliveryStatus, Failure, NearCap, Payer, Profile,
    ReceiptRow, RegisteredSender, Spending, Task, TemplateRow, UsageFilter, UsageRow, VerificationStatus, Write,
};

use super::messages::message;
use super::verifications::verification;
use super::{World, person};

fn today(world: &World) -> i64 {
    world.now().as_secs().div_euclid(86_400)
}

pub async fn a_profile_takes_the_place_of_the_one_before_and_is_told_to_every_process(world: World) {
    let tenant = world.tenant().await;
    let before = world.store.directory_version().await.unwrap();
    let sender = RegisteredSender {
        sender: "Rialto".into(),
        countries: vec!["GB".into()],
        classes: vec![Class::Notice],
        registration: None,
    };
    let profile = Profile { brand: Some("Rialto Market".into()), senders: vec![sender], ..Profile::default() };
    world.write(Write::SetProfile { tenant, profile: Box::default() }).await.unwrap();
    world.write(Write::SetProfile { tenant, profile: Box::new(profile.clone()) }).await.unwrap();
    let directory = world.store.directory().await.unwrap();
    assert!(directory.version > before);
    assert_eq!(directory.profiles, [(tenant, profile)]);
}

fn template(world: &World, tenant: TenantId, name: &str) -> TemplateRow {
    TemplateRow {
        id: fresh(),
        tenant,
        name: name.into(),
        class: Class::Notice,
        texts: BTreeMap::from([("en".into(), "Hello {name}".into()), ("vi".into(), "Chào {name}".into())]),
        registration: None,
        created_at: world.now(),
    }
}

pub async fn a_templates_name_is_given_once_and_it_is_its_tenants_own(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let rows = [template(&world, tenant, "ready"), template(&world, tenant, "late"), template(&world, other, "ready")];
    for row in &rows {
        world.write(Write::Template(Box::new(row.clone()))).await.unwrap();
    }
    let twice = Write::Template(Box::new(template(&world, tenant, "ready")));
    World::refused(world.write(twice).await, Conflict::Exists);
    assert_eq!(world.store.template(tenant, rows[0].id).await.unwrap(), Some(rows[0].clone()));
    assert_eq!(world.store.template_named(other, "ready").await.unwrap(), Some(rows[2].clone()));
    assert_eq!(world.store.template(tenant, rows[2].id).await.unwrap(), None);
    let page = |after: Option<TemplateId>| world.store.templates(tenant, after, 1);
    let first = page(None).await.unwrap();
    assert_eq!(first, [rows[1].clone()], "newest first");
    assert_eq!(page(Some(first[0].id)).await.unwrap(), [rows[0].clone()]);
    World::refused(world.write(Write::RemoveTemplate { tenant, id: rows[2].id }).await, Conflict::Missing);
    world.write(Write::RemoveTemplate { tenant, id: rows[0].id }).await.unwrap();
    assert_eq!(world.store.template_named(tenant, "ready").await.unwrap(), None);
}

pub async fn a_message_is_complained_of_once(world: World) {
    let tenant = world.tenant().await;
    let complaint = |message| ComplaintRow {
        id: fresh(),
        tenant,
        index: person(1),
        message,
        carrier: Some("main".into()),
        country: Some("GB".into()),
        class: Some(Class::Marketing),
        at: world.now(),
    };
    let of = Some(fresh());
    world.write(Write::Complaint(Box::new(complaint(of)))).await.unwrap();
    World::refused(world.write(Write::Complaint(Box::new(complaint(of)))).await, Conflict::Exists);
    world.write(Write::Complaint(Box::new(complaint(None)))).await.unwrap();
    world.write(Write::Complaint(Box::new(complaint(None)))).await.unwrap();
}

pub async fn a_cap_is_never_passed_and_a_day_starts_anew(world: World) {
    let tenant = world.tenant().await;
    let spend = |payer, parts, cost| {
        let (cap_parts, cap_cost) = (Some(10), Some(1_000));
        world.write(Write::Spending(Spending { tenant, payer, parts, cost, cap_parts, cap_cost, exact: true }))
    };
    let near = |payer| vec![NearCap { payer, share: 80 }];
    assert_eq!(spend(Payer::Tenant, 7, 0).await.unwrap().near, []);
    World::refused(spend(Payer::Tenant, 4, 0).await, Conflict::CapReached);
    assert_eq!(spend(Payer::Tenant, 1, 0).await.unwrap().near, near(Payer::Tenant), "eight of ten");
    assert_eq!(spend(Payer::Tenant, 2, 0).await.unwrap().near, [], "told once a day");
    World::refused(spend(Payer::Tenant, 1, 0).await, Conflict::CapReached);
    assert_eq!(world.store.spent(tenant, Payer::Tenant).await.unwrap(), (10, 0));
    let alias = Payer::Alias(fresh());
    World::refused(spend(alias, 1, 1_001).await, Conflict::CapReached);
    assert_eq!(spend(alias, 1, 900).await.unwrap().near, near(alias), "cost counts as parts do");
    assert_eq!(spend(Payer::Stranger(person(1)), 1, 0).await.unwrap().near, []);
    world.write(Write::TellCap { tenant, payer: Payer::Tenant, share: 100 }).await.unwrap();
    World::refused(world.write(Write::TellCap { tenant, payer: Payer::Tenant, share: 100 }).await, Conflict::Taken);
    world.pass(86_400);
    spend(Payer::Tenant, 7, 0).await.unwrap();
}

pub async fn racing_spenders_never_pass_a_cap(world: World) {
    let world = std::sync::Arc::new(world);
    let tenant = world.tenant().await;
    let spenders: Vec<_> = (0..64)
        .map(|_| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move {
                let payer = Payer::Tenant;
                let what =
                    Spending { tenant, payer, parts: 3, cost: 0, cap_parts: Some(100), cap_cost: None, exact: true };
                world.write(Write::Spending(what)).await.is_ok()
            })
        })
        .collect();
    let mut spent = 0;
    for spender in spenders {
        spent += 3 * u32::from(spender.await.unwrap());
    }
    assert_eq!(spent, 99);
}

async fn usage(world: &World, tenant: TenantId, by: By) -> Vec<UsageRow> {
    let filter = UsageFilter { tenant, from: today(world), to: today(world), by, limit: 100 };
    world.store.usage(&filter).await.unwrap()
}

async fn submit(world: &World, tenant: TenantId, task: Task, country: &str, class: Class) {
    let counted = Counted { class, country: Some(country.into()), parts: 1, price: 40_000 };
    let ids = [1, 2].iter().map(|part| format!("{task:?}-{part}").as_str().into()).collect();
    world.write(Write::RecordSubmission { carrier: "main".into(), tenant, task, ids, counted }).await.unwrap();
}

async fn receipts(world: &World, task: Task, status: DeliveryStatus) {
    for part in 1..=2 {
        let failure = (status == DeliveryStatus::Undelivered).then_some(Failure::AbsentSubscriber);
        let ids = vec![format!("{task:?}-{part}").as_str().into()];
        let receipt = ReceiptRow { carrier: "main".into(), ids, status, failure };
        world.write(Write::RecordReceipt(receipt)).await.unwrap();
    }
}

pub async fn messages_count_where_they_went_and_what_became_of_them(world: World) {
    let tenant = world.tenant().await;
    let mut tasks = Vec::new();
    for country in ["GB", "GB", "VN"] {
        let row = message(&world, tenant, fresh());
        world.write(Write::Message(Box::new(row.clone()))).await.unwrap();
        submit(&world, tenant, Task::Message(row.id), country, Class::Relay).await;
        tasks.push(Task::Message(row.id));
    }
    world.pass(7);
    receipts(&world, tasks[0], DeliveryStatus::Delivered).await;
    receipts(&world, tasks[2], DeliveryStatus::Undelivered).await;
    let Task::Message(failed) = tasks[2] else { panic!("a message") };
    let progress = world.store.message(tenant, failed).await.unwrap().unwrap().progress;
    assert_eq!((progress.carrier.as_deref(), progress.failure.as_deref()), (Some("main"), Some("absent_subscriber")));
    assert!(progress.submitted_at < progress.settled_at);
    let all = usage(&world, tenant, By::default()).await;
    let [whole] = all.as_slice() else { panic!("one row: {all:?}") };
    assert_eq!((whole.day, &whole.country, &whole.carrier), (None, &None, &None));
    let counts = whole.counts;
    assert_eq!((counts.messages, counts.parts, counts.cost), (3, 6, 240_000));
    assert_eq!((counts.delivered, counts.undelivered, counts.unknown), (1, 1, 0));
    assert_eq!((counts.latency_ms, counts.within_5s, counts.within_30s), (7_000, 0, 1));
    let by = usage(&world, tenant, By { country: true, class: true, carrier: true, ..By::default() }).await;
    let told: Vec<_> = by.iter().map(|row| (row.country.as_deref(), row.class, row.counts.messages)).collect();
    assert_eq!(told, [(Some("GB"), Some(Class::Relay), 2), (Some("VN"), Some(Class::Relay), 1)]);
    assert!(usage(&world, world.tenant().await, By::default()).await.iter().all(|row| row.counts.messages == 0));
}

pub async fn codes_count_and_so_does_how_verifications_end(world: World) {
    let tenant = world.tenant().await;
    let row = verification(&world, tenant, 1);
    let (id, task) = (row.id, Task::Code(row.id, 0));
    world.write(Write::StartVerification { row: Box::new(row), supersedes: None }).await.unwrap();
    submit(&world, tenant, task, "GB", Class::Code).await;
    receipts(&world, task, DeliveryStatus::Delivered).await;
    let status = VerificationStatus::Approved;
    world.write(Write::EndVerification { tenant, id, status }).await.unwrap();
    World::refused(world.write(Write::EndVerification { tenant, id, status }).await, Conflict::VerificationOver);
    let counts = usage(&world, tenant, By { class: true, ..By::default() }).await;
    assert_eq!((counts[0].class, counts[0].counts.messages, counts[0].counts.delivered), (Some(Class::Code), 1, 1));
    let day = today(&world);
    let conversion = world.store.conversion(tenant, day, day).await.unwrap();
    assert_eq!(
        conversion,
        Conversion { started: 1, approved: 1, ..Conversion::default() },
        "what failed counts nothing"
    );
}
