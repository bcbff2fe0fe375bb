//! Calls that are not the carrier's: forged, for another address, changed, too large, at the wrong door.

use std::time::Duration;

use super::twilio::{section, signed};
use super::{ANNA, BEN, CAM, Cast, FORM, PUBLIC, Provider, form};
use crate::peer::Peer;
use crate::service::{answer, eventually};

const PATH: &str = "/carriers/tw/inbound";

#[actix_web::test]
async fn only_what_the_carrier_signed_for_our_address_is_taken() {
    let Some(mut signer) = Peer::signer().await else { return };
    let mut provider = Provider::start(201, r#"{"sid":"SM{n}"}"#).await;
    let mut cast = Cast::hire("tw", &section(&provider.base)).await;
    let (_, x) = cast.pair().await;
    let fields = [("From", ANNA.0), ("To", x.as_str()), ("Body", "let me in"), ("MessageSid", "SMin1")];
    let right = signed(&mut signer, &format!("{PUBLIC}{PATH}"), &fields).await;
    let body = form(&fields);

    // Signed by the very account, but for somebody else's server, another door of ours, or our inner address.
    for url in [
        "https://evil.example/carriers/tw/inbound".to_owned(),
        format!("http://bauta.example{PATH}"),
        format!("{PUBLIC}/carriers/tw/status"),
        format!("{PUBLIC}{PATH}?x=1"),
        format!("{}{PATH}", cast.service.base),
    ] {
        let signature = signed(&mut signer, &url, &fields).await;
        let host = url.split('/').nth(2).unwrap();
        let headers =
            [("x-twilio-signature", signature.as_str()), ("x-forwarded-host", host), ("x-forwarded-proto", "https")];
        let refused = cast.calls(PATH, &headers, FORM, &body).await.expect(403);
        assert_eq!(refused.code(), "carrier_unproven", "{url}");
    }
    // Signed right, and changed on the way.
    let changed = form(&[("From", CAM.0), ("To", &x), ("Body", "let me in"), ("MessageSid", "SMin1")]);
    let headers = [("x-twilio-signature", right.as_str())];
    cast.calls(PATH, &headers, FORM, &changed).await.expect(403);
    cast.calls(&format!("{PATH}?From=%2B14155550129"), &headers, FORM, &body).await.expect(403);
    cast.calls(PATH, &[], FORM, &body).await.expect(403);
    cast.calls(PATH, &[("x-twilio-signature", "")], FORM, &body).await.expect(403);
    assert!(provider.is_silent(Duration::from_millis(300)).await, "nothing was carried");

    // And as it was signed.
    cast.calls(PATH, &headers, FORM, &body).await.expect(200);
    provider.next().await;
    cast.leaves_no_trace_of(&[ANNA, BEN, CAM]);
}

#[actix_web::test]
async fn without_an_address_in_the_settings_only_a_trusted_proxy_may_say_what_it_is() {
    let Some(mut signer) = Peer::signer().await else { return };
    let provider = Provider::start(201, r#"{"sid":"SM{n}"}"#).await;
    let fields = [("From", CAM.0), ("To", "+16045550100"), ("Body", "hello"), ("MessageSid", "SMin1")];
    for (trusted, expected) in [("127.0.0.1", 200), ("192.0.2.0/24", 403)] {
        let proxies = format!("[\"{trusted}\"]");
        let variables = [("BAUTA__SERVER__TRUSTED_PROXIES", proxies.as_str())];
        let cast = Cast::hire_with("tw", &section(&provider.base), "", &variables).await;
        let signature = signed(&mut signer, &format!("{PUBLIC}{PATH}"), &fields).await;
        let headers = [
            ("x-twilio-signature", signature.as_str()),
            ("x-forwarded-host", "bauta.example"),
            ("x-forwarded-proto", "https"),
        ];
        cast.calls(PATH, &headers, FORM, &form(&fields)).await.expect(expected);
        let lists = [headers[0], ("x-forwarded-host", "bauta.example, evil.example"), headers[2]];
        cast.calls(PATH, &lists, FORM, &form(&fields)).await.expect(403);
        // Spoken to directly, the address is where it listens, whatever the request calls it.
        let own = signed(&mut signer, &format!("{}{PATH}", cast.service.base), &fields).await;
        cast.calls(PATH, &[("x-twilio-signature", own.as_str())], FORM, &form(&fields)).await.expect(200);
        cast.leaves_no_trace_of(&[CAM]);
    }
}

#[actix_web::test]
async fn too_large_too_often_and_at_the_wrong_door() {
    let Some(mut signer) = Peer::signer().await else { return };
    let provider = Provider::start(201, r#"{"sid":"SM{n}"}"#).await;
    let cast = Cast::hire_with(
        "tw",
        &section(&provider.base),
        "[limits]\nstrangers_per_min = 20\n",
        &[("BAUTA__SERVER__PUBLIC_URL", PUBLIC)],
    )
    .await;
    let large = "x".repeat(70_000);
    let fields = [("From", CAM.0), ("To", "+16045550100"), ("Body", large.as_str()), ("MessageSid", "SMin1")];
    assert_eq!(cast.twilio(&mut signer, PATH, &fields).await.expect(413).code(), "body_too_large");
    for path in ["/carriers/nobody/inbound", "/carriers/sandbox/inbound", "/carriers/+14155550129/voice"] {
        assert_eq!(cast.calls(path, &[], FORM, "a=b").await.expect(404).code(), "not_found");
    }
    cast.calls("/carriers/tw/nowhere", &[], FORM, "a=b").await.expect(404);
    let put = cast.service.request("PUT", PATH);
    assert_eq!(answer(put).await.expect(405).headers["allow"], "GET, POST");
    // A number in the query is nowhere afterwards.
    let get = cast.service.request("GET", "/carriers/tw/inbound?From=%2B14155550129&To=%2B16045550100");
    answer(get).await.expect(403);
    let missing = [("From", CAM.0), ("Body", "no id, no destination")];
    assert_eq!(cast.twilio(&mut signer, PATH, &missing).await.expect(400).code(), "malformed_request");

    let limited = eventually("a limit", 15, async || {
        let refused = cast.calls(PATH, &[("x-twilio-signature", "Zm9yZ2Vk")], FORM, "From=a").await;
        (refused.status == 429).then_some(refused)
    })
    .await;
    assert_eq!(limited.code(), "rate_limited");
    // What is signed is taken all the same: the limit is for those who are not the carrier.
    let known = [("From", CAM.0), ("To", "+16045550100"), ("Body", "hello"), ("MessageSid", "SMin2")];
    cast.twilio(&mut signer, PATH, &known).await.expect(200);
    // Told as strangers of one network and second, and as malformed.
    let log = eventually("the sums", 15, async || {
        let log = String::from_utf8(cast.service.cli(&["audit", "export"]).stdout).unwrap();
        (log.contains("denied.strangers") && log.contains("no_message_id")).then_some(log)
    })
    .await;
    assert!(log.contains("127.0.0.0/24"));
    cast.leaves_no_trace_of(&[CAM]);
}
