//! At least once, told truthfully: many messages across while the link is cut every second.
//!
//! An SMSC hands messages to virtual numbers and takes what comes out for the handsets behind them, over one link that it
//! resets every second, in the middle of a PDU as it may be, with answers unwritten and submits unread. It sends again
//! what it got no answer for, as SMSCs do. Every message has to come out, at its handset, with its text; and what comes
//! out twice may not be more than the submits that had no answer when a link was cut.

mod ledger;

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, sleep_until};

use crate::service::Service;
use crate::smsc::{Came, Smsc};
use ledger::{ALIASES, Ledger};

/// Answers that either side may be owed: the settings of the link have the same.
const WINDOW: usize = 64;
/// Nothing may come after so long a time of rest, and the whole may take no longer than the other.
const REST: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(600);

/// How many messages: the variable says, else as many as the build can carry in about half a minute.
fn messages() -> usize {
    let asked = std::env::var("BAUTA_LOAD").ok().and_then(|count| count.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 1_000 } else { 100_000 })
}

/// A service with a live tenant, its pool at our SMSC, and an `ax` alias on each number.
struct House {
    service: Service,
    listener: TcpListener,
    /// Virtual number and handset of each alias, digits only.
    aliases: Vec<(String, String)>,
}

impl House {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = Service::start_with(&format!(
            "[[carriers]]\nname = \"main\"\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"bauta\"\n\
             password = \"secret\"\nsender = \"Rialto\"\nwindow = {WINDOW}\nreconnect_s = 1\n"
        ))
        .await;
        let mut house = Self { service, listener, aliases: Vec::new() };
        house.bind().await;
        house
    }

    async fn bind(&mut self) {
        let service = &self.service;
        let tenant = service.tenant("Rialto", "live");
        let business = service.credential(&tenant, "business", "shop backend", &[]);
        let admin = service.credential(&tenant, "admin", "shop owner", &[]);
        let pool = service.post("/v1/pools", &admin, json!({"name": "main", "carrier": "main"})).await.expect(201);
        let numbers: Vec<String> = (100..100 + ALIASES).map(|n| format!("+16045550{n}")).collect();
        let import = json!({"numbers": numbers, "capabilities": ["sms"], "region": "CA"});
        let answer = service.post(&format!("/v1/pools/{}/numbers", pool.text_at("/id")), &admin, import).await;
        assert!(answer.status < 300, "{}", answer.text);
        for n in 0..ALIASES {
            let handset = format!("+12025550{}", 100 + n);
            let made = service.post("/v1/tokens", &business, json!({"number": handset})).await.expect(201);
            let wish = json!({"mode": "ax", "a": made.text_at("/token"), "ttl_s": 86_400});
            let alias = service.post("/v1/aliases", &business, wish).await.expect(201);
            self.aliases.push((alias.text_at("/number")[1..].to_owned(), handset[1..].to_owned()));
        }
    }

    /// A count of the carrier, as the service's own metrics have it.
    async fn counted(&self, kind: &str) -> usize {
        let log = self.service.log();
        let admin = log.split("\"admin\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an address");
        let text = reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| {
            line.starts_with("bauta_carrier_traffic_total{carrier=\"main\"") && line.contains(&format!("\"{kind}\""))
        });
        line.and_then(|line| line.rsplit(' ').next()).and_then(|count| count.parse().ok()).unwrap_or_default()
    }
}

#[actix_web::test]
async fn nothing_is_lost_or_led_astray_while_the_link_is_cut_every_second() {
    let house = House::open().await;
    let mut ledger = Ledger::new(messages(), &house.aliases);
    let began = Instant::now();
    let mut ids = 0;
    while !ledger.is_complete() {
        assert!(began.elapsed() < PATIENCE, "{ledger}");
        let Ok(mut smsc) = Smsc::bound(&house.listener, ids).await else { continue };
        ledger.linked();
        // About a second; the first one sooner, so that a short run is cut in its middle too.
        let length = if ledger.cuts() == 0 { 200 } else { 700 + ledger.draw(600) as u64 };
        carry(&mut smsc, &mut ledger, Duration::from_millis(length)).await;
        ids = smsc.ids();
        let octets = ledger.draw(smsc.unwritten() + 1);
        smsc.cut(octets).await;
        ledger.cut(WINDOW);
    }
    let took = began.elapsed();
    rest(&house, &mut ledger, ids).await;
    let unconfirmed = house.counted("errors").await;
    println!("{ledger}; {:.1} s, {:.0}/s", took.as_secs_f64(), messages() as f64 / took.as_secs_f64());
    println!("submits that the service knew to be unconfirmed: {unconfirmed}");
    assert!(ledger.cuts() > 1, "the link was cut");
    assert!(ledger.duplicates() <= ledger.open_at_cuts(), "{ledger}");
    assert!(ledger.duplicates() <= unconfirmed, "{ledger}, {unconfirmed} unconfirmed");
}

/// Carries over one link until its time is up, it breaks, or all is done.
async fn carry(smsc: &mut Smsc, ledger: &mut Ledger, length: Duration) {
    let until = Instant::now() + length;
    while Instant::now() < until && !ledger.is_complete() {
        ledger.send(smsc, WINDOW);
        if smsc.flush().await.is_err() {
            return;
        }
        tokio::select! {
            read = smsc.readable() => if read.is_err() { return },
            // What was refused for now is tried again a little later.
            () = sleep(Duration::from_millis(20)) => ledger.try_again(),
            () = sleep_until(until) => {}
        }
        take(smsc, ledger);
    }
}

fn take(smsc: &mut Smsc, ledger: &mut Ledger) {
    for came in smsc.came() {
        match came {
            Came::Taken { sequence, status } => ledger.answered(sequence, status),
            Came::Submitted { from, to, text, .. } => ledger.arrived(&from, &to, &text),
        }
    }
}

/// A last link that stays: what is still to come twice comes over it.
async fn rest(house: &House, ledger: &mut Ledger, ids: u64) {
    let mut smsc = Smsc::bound(&house.listener, ids).await.unwrap();
    ledger.linked();
    let mut quiet = Instant::now();
    while quiet.elapsed() < REST {
        tokio::select! {
            read = smsc.readable() => {
                read.unwrap();
                take(&mut smsc, ledger);
                quiet = Instant::now();
            }
            () = sleep(REST) => {}
        }
        smsc.flush().await.unwrap();
    }
}
