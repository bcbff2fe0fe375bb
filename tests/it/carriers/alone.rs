//! The carriers alone: what each answer of a service means, and that nothing is acknowledged that is not durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bauta::carrier::{
    Accepted, Address, Callback, Carrier, HttpCarrier, Inbox, InboxError, Incoming, Place, Receipt, Refusal,
    Submission, SubmitError, TwilioCarrier,
};
use bauta::clock::{Clock, SystemClock};
use bauta::config::{Hidden, HttpLink, Twilio, Voice};
use bauta::ids;
use bauta::phone::VirtualNumber;
use bauta::store::{DeliveryStatus, Failure, Lane};
use serde_json::json;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{PUBLIC, Provider, form};
use crate::peer::Peer;

fn settings(base: &str) -> Twilio {
    Twilio {
        link: HttpLink {
            name: "tw".into(),
            region: None,
            sender: "Rialto".into(),
            window: 4,
            rate: 0,
            timeout: Duration::from_secs(2),
            ca_file: None,
        },
        base_url: base.to_owned(),
        account_sid: "AC0123".into(),
        auth_token: Hidden(Zeroizing::new("secret".into())),
        messaging_service_sid: Some("MG0123".into()),
        voice: Voice::default(),
    }
}

fn submission(from: Address) -> Submission {
    let rules = bauta::phone::Rules { test: true, ..Default::default() };
    let to = bauta::phone::parse(super::ANNA.0, &rules).unwrap().number;
    Submission {
        tenant: ids::fresh(),
        from,
        to,
        text: Zeroizing::new("hello".to_owned()),
        lane: Lane::Notice,
        life: None,
        registration: None,
    }
}

fn number() -> Address {
    Address::Number(VirtualNumber::from_digits(16_045_550_100).unwrap())
}

#[actix_web::test]
async fn each_answer_is_one_decision_and_a_carrier_that_is_away_rests() {
    let mut provider = Provider::start(201, r#"{"sid":"SM{n}"}"#).await;
    let carrier = TwilioCarrier::new(settings(&provider.base), PUBLIC).unwrap();
    assert_eq!(carrier.submit(submission(number())).await.unwrap().ids, ["SM1"]);
    assert_eq!(provider.next().await.field("From").as_deref(), Some("+16045550100"));
    carrier.submit(submission(Address::Name("Rialto".into()))).await.unwrap();
    let house = provider.next().await;
    assert_eq!((house.field("From"), house.field("MessagingServiceSid")), (None, Some("MG0123".into())));

    provider.answers(&[(400, r#"{"code":21211}"#), (500, "oops"), (429, ""), (307, "")]);
    let refused = carrier.submit(submission(number())).await;
    assert!(matches!(refused, Err(SubmitError::Refused { reason }) if reason == "unknown_subscriber:twilio_21211"));
    assert!(matches!(carrier.submit(submission(number())).await, Err(SubmitError::Unconfirmed)));
    let throttled = carrier.submit(submission(number())).await;
    assert!(matches!(throttled, Err(SubmitError::Throttled { retry_after }) if retry_after == Duration::from_secs(2)));
    assert!(carrier.is_up());
    let redirected = loop {
        match carrier.submit(submission(number())).await {
            // Until the pause that was asked for is over.
            Err(SubmitError::Throttled { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            other => break other,
        }
    };
    assert!(matches!(redirected, Err(SubmitError::Unavailable)), "no redirect is followed");
    assert!(!carrier.is_up(), "it rests");
    assert!(matches!(carrier.submit(submission(number())).await, Err(SubmitError::Unavailable)), "and is not asked");

    let paths: Vec<String> =
        vec![provider.next().await, provider.next().await, provider.next().await, provider.next().await]
            .into_iter()
            .map(|seen| seen.path)
            .collect();
    assert!(paths.iter().all(|path| path.ends_with("/Messages.json")), "{paths:?}");
    let base = provider.base.clone();
    provider.stop().await;
    let away = TwilioCarrier::new(settings(&base), PUBLIC).unwrap();
    assert!(matches!(away.submit(submission(number())).await, Err(SubmitError::Unavailable)));
}

#[actix_web::test]
async fn a_service_that_does_not_answer_leaves_the_message_unconfirmed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let carrier = TwilioCarrier::new(settings(&base), PUBLIC).unwrap();
    assert!(matches!(carrier.submit(submission(number())).await, Err(SubmitError::Unconfirmed)));
    // Whoever hangs up after the request may have taken it.
    let hangs_up = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut [0; 64]).await;
        }
    });
    assert!(matches!(carrier.submit(submission(number())).await, Err(SubmitError::Unconfirmed)));
    hangs_up.abort();
}

/// An inbox that takes notes, and fails while it is told to.
struct Notes {
    notes: mpsc::UnboundedSender<(String, Option<String>, DeliveryStatus, Option<Failure>)>,
    is_down: AtomicBool,
}

impl Notes {
    fn up(&self) -> Result<(), InboxError> {
        if self.is_down.load(Ordering::SeqCst) { Err(InboxError("the store is down".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Inbox for Notes {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        self.up()?;
        let text = incoming.body.to_text().map(|text| text.to_string()).unwrap_or_else(|_| "unreadable".into());
        self.notes.send((text, incoming.id, DeliveryStatus::Queued, None)).unwrap();
        Ok(Accepted::Carried)
    }
    async fn receipt(&self, receipt: Receipt) -> Result<(), InboxError> {
        self.up()?;
        self.notes.send((receipt.id, None, receipt.status, receipt.failure)).unwrap();
        Ok(())
    }
    async fn malformed(&self, _: &str, _: &str) {}
}

async fn brought(
    carrier: &TwilioCarrier,
    signer: &mut Peer,
    (place, fields): (Place, &[(&str, &str)]),
    inbox: &Notes,
) -> Result<String, Refusal> {
    let url = format!("{PUBLIC}/carriers/tw/{}", place.path());
    let params: serde_json::Map<_, _> = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let made = signer.ask(json!({"cmd": "twilio", "token": "secret", "url": url, "params": params})).await;
    let signature = made["signature"].as_str().unwrap().to_owned();
    let headers = [("x-twilio-signature".to_owned(), Zeroizing::new(signature))];
    let body = form(fields);
    let (at, query, body) = (SystemClock.now(), "", body.as_bytes());
    let callback = Callback { at, is_post: true, url: &url, query, headers: &headers, body };
    carrier.called_back(place, &callback, inbox).await.map(|reply| reply.body.to_string())
}

#[actix_web::test]
async fn nothing_is_acknowledged_that_is_not_durable() {
    let Some(mut signer) = Peer::signer().await else { return };
    let carrier = TwilioCarrier::new(settings("http://127.0.0.1:1"), PUBLIC).unwrap();
    let (sender, mut notes) = mpsc::unbounded_channel();
    let inbox = Notes { notes: sender, is_down: AtomicBool::new(true) };
    let x = "+16045550100";
    let message: &[(&str, &str)] = &[("From", super::BEN.0), ("To", x), ("Body", "hello"), ("MessageSid", "SM1")];
    let status: &[(&str, &str)] = &[("MessageSid", "SM2"), ("MessageStatus", "undelivered"), ("ErrorCode", "30003")];
    for call in [(Place::Inbound, message), (Place::Status, status)] {
        assert!(matches!(brought(&carrier, &mut signer, call, &inbox).await, Err(Refusal::NotDurable(_))));
    }
    assert!(notes.try_recv().is_err());
    inbox.is_down.store(false, Ordering::SeqCst);
    for call in [(Place::Inbound, message), (Place::Status, status)] {
        assert!(brought(&carrier, &mut signer, call, &inbox).await.unwrap().ends_with("<Response></Response>"));
    }
    assert_eq!(notes.recv().await.unwrap(), ("hello".into(), Some("SM1".into()), DeliveryStatus::Queued, None));
    let absent = Some(Failure::AbsentSubscriber);
    assert_eq!(notes.recv().await.unwrap(), ("SM2".into(), None, DeliveryStatus::Undelivered, absent));
    // A picture without a word is nothing that can be carried.
    let picture = [("From", super::BEN.0), ("To", x), ("Body", ""), ("NumMedia", "1"), ("MessageSid", "MM3")];
    brought(&carrier, &mut signer, (Place::Inbound, &picture), &inbox).await.unwrap();
    assert_eq!(notes.recv().await.unwrap().0, "unreadable");
}
