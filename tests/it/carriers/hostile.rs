//! Whatever bytes come to a carrier's door: without its proof nothing reaches the inbox, with it nothing breaks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bauta::carrier::{
    Accepted, CallPlan, CallProgress, Callback, HttpCarrier, Inbox, InboxError, Incoming, IncomingCall, Place, Receipt,
    Refusal, Reply, TemplateCarrier, TwilioCarrier, VonageCarrier,
};
use bauta::clock::{Clock, SystemClock};
use bauta::config::{
    Hidden, HttpLink, Template, TemplateAuth, TemplateInbound, TemplateStatus, TemplateSubmit, Twilio, Voice, Vonage,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::PUBLIC;

fn hidden(text: &str) -> Hidden {
    Hidden(Zeroizing::new(text.to_owned()))
}

fn link(name: &str) -> HttpLink {
    HttpLink {
        name: name.into(),
        region: Some("GB".into()),
        sender: "Rialto".into(),
        window: 1,
        rate: 0,
        timeout: Duration::from_secs(1),
        ca_file: None,
    }
}

#[allow(clippy::field_reassign_with_default, reason = "two of its fields are its own")]
fn gateway(text: &str) -> TemplateCarrier {
    let mut submit = TemplateSubmit::default();
    submit.url = "http://127.0.0.1:1/send".into();
    let inbound = TemplateInbound {
        from: "/from".into(),
        to: "to".into(),
        text: text.into(),
        id: None,
        only: Default::default(),
    };
    let words = [("1".to_owned(), "delivered".to_owned())].into();
    let status = TemplateStatus { id: "id".into(), status: "/status".into(), words };
    let auth = Some(TemplateAuth::Header { header: "x-secret".into(), secret: hidden("gateway secret") });
    let (inbound, status) = (Some(inbound), Some(status));
    TemplateCarrier::new(Template { link: link("gw"), secrets: Vec::new(), submit, login: None, auth, inbound, status })
        .unwrap()
}

fn carriers() -> Vec<Box<dyn HttpCarrier>> {
    let (base_url, voice) = ("http://127.0.0.1:1".to_owned(), Voice::default());
    let twilio = Twilio {
        link: link("tw"),
        base_url: base_url.clone(),
        account_sid: "AC0123".into(),
        auth_token: hidden("twilio secret"),
        messaging_service_sid: None,
        voice: voice.clone(),
    };
    let vonage = Vonage {
        link: link("vg"),
        base_url,
        api_key: "abcd1234".into(),
        api_secret: hidden("api secret"),
        signature_secret: hidden("signature secret"),
        application_id: None,
        voice,
    };
    vec![
        Box::new(TwilioCarrier::new(twilio, PUBLIC).unwrap()),
        Box::new(VonageCarrier::new(vonage, PUBLIC).unwrap()),
        Box::new(gateway("body")),
        Box::new(gateway("/text")),
    ]
}

/// Counts what reaches it.
#[derive(Default)]
struct Count(AtomicU32);

impl Count {
    fn one(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Inbox for Count {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        let _ = incoming.body.to_text();
        self.one();
        Ok(Accepted::Dropped)
    }
    async fn receipt(&self, _: Receipt) -> Result<(), InboxError> {
        self.one();
        Ok(())
    }
    async fn call(&self, _: IncomingCall) -> Result<CallPlan, InboxError> {
        self.one();
        Ok(CallPlan::Keypad)
    }
    async fn call_progress(&self, _: CallProgress) -> Result<(), InboxError> {
        self.one();
        Ok(())
    }
    async fn malformed(&self, _: &str, _: &str) {}
}

const PLACES: [Place; 4] = [Place::Inbound, Place::Status, Place::Voice, Place::VoiceStatus];

fn called(
    carrier: &dyn HttpCarrier,
    place: Place,
    (query, body): (&str, &[u8]),
    headers: &[(&str, &str)],
    inbox: &Count,
) -> Result<Reply, Refusal> {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()))).collect();
    let url = format!("{PUBLIC}/carriers/x/{}", place.path());
    let (at, is_post) = (SystemClock.now(), !body.is_empty());
    let callback = Callback { at, is_post, url: &url, query, headers: &headers, body };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(carrier.called_back(place, &callback, inbox))
}

/// Twilio's signature over an address and a form, as its documentation has it.
fn twilio(url: &str, query: &str, fields: &[(String, String)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort();
    sorted.dedup();
    let mark = if query.is_empty() { "" } else { "?" };
    let spelled: String = sorted.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"twilio secret");
    data_encoding::BASE64.encode(ring::hmac::sign(&key, format!("{url}{mark}{query}{spelled}").as_bytes()).as_ref())
}

proptest! {
    #[test]
    fn without_its_proof_nothing_reaches_the_inbox(
        place in 0usize..4,
        query in "[ -~]{0,60}",
        body: Vec<u8>,
        signature in "[ -~]{0,80}",
        token in "Bearer [A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,60}",
        kind in prop_oneof![Just("application/json"), Just("application/x-www-form-urlencoded"), Just("text/plain")],
    ) {
        let inbox = Count::default();
        let headers = [("x-twilio-signature", signature.as_str()), ("authorization", &token), ("x-secret", &signature), ("content-type", kind)];
        for carrier in carriers() {
            let refused = called(carrier.as_ref(), PLACES[place], (&query, &body), &headers, &inbox);
            prop_assert!(matches!(refused, Err(Refusal::Forged | Refusal::NowhereHere)));
        }
        prop_assert_eq!(inbox.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_a_gateway_proves_may_hold_anything(
        place in 0usize..2,
        query in "(to|id|from|status)?(=[ -~]{0,20})?(&(to|id)=[0-9+%a-f]{0,16})?",
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "\\{\"from\":(\"[ -~&&[^\"\\\\]]{0,20}\"|[0-9]{1,20}|null),\"status\":\"?[0-9]?\"?\\}".prop_map(String::into_bytes),
        ],
        kind in prop_oneof![Just("text/plain; charset=UTF-16BE"), Just("application/octet-stream"), Just("application/x-www-form-urlencoded"), Just("text/plain; charset=\"iso-8859-1\"")],
    ) {
        let inbox = Count::default();
        let headers = [("x-secret", "gateway secret"), ("content-type", kind)];
        for carrier in [gateway("body"), gateway("/text")] {
            let settled = called(&carrier, PLACES[place], (&query, &body), &headers, &inbox);
            prop_assert!(matches!(settled, Ok(_) | Err(Refusal::Malformed(_))));
        }
    }

    #[test]
    fn what_twilio_proves_may_hold_anything(
        place in 0usize..4,
        step in "(step=(screen|accept|extension|other))?",
        fields in proptest::collection::vec(
            ("(From|To|Body|MessageSid|MessageStatus|ErrorCode|CallSid|ParentCallSid|CallStatus|DialCallStatus|DialCallDuration|Digits|NumMedia)", "\\PC{0,20}|\\+?[0-9]{0,16}|completed|busy|delivered"),
            1..9,
        ),
    ) {
        let inbox = Count::default();
        let place = PLACES[place];
        let body: String = fields.iter().map(|(name, value)| super::form(&[(name, value)])).collect::<Vec<_>>().join("&");
        let signature = twilio(&format!("{PUBLIC}/carriers/x/{}", place.path()), &step, &fields);
        let headers = [("x-twilio-signature", signature.as_str())];
        let carrier = &carriers()[0];
        let settled = called(carrier.as_ref(), place, (&step, body.as_bytes()), &headers, &inbox);
        prop_assert!(matches!(settled, Ok(_) | Err(Refusal::Malformed(_))));
        if let Ok(reply) = settled {
            let is_twiml = reply.body.starts_with("<?xml") && reply.body.ends_with("</Response>");
            prop_assert!(is_twiml, "{}", reply.body.as_str());
        }
    }
}
