//! Vonage: the whole way over HTTP, signed by PyJWT.

use serde_json::{Value, json};

use super::{ANNA, BEN, Cast, JSON, Provider};
use crate::peer::Peer;
use crate::service::Answer;

pub const SECRET: &str = "vonage signature secret, 32 bytes";

pub fn section(base: &str) -> String {
    format!(
        "kind = \"vonage\"\nbase_url = \"{base}\"\napi_key = \"abcd1234\"\napi_secret = \"api secret\"\n\
         signature_secret = \"{SECRET}\"\nsender = \"Rialto\"\n"
    )
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

impl Cast {
    /// Vonage calls `path`, signed.
    pub async fn vonage(&self, signer: &mut Peer, path: &str, body: &Value) -> Answer {
        let claims = json!({"iat": now(), "api_key": "abcd1234", "iss": "Vonage", "jti": "a"});
        self.vonage_with(signer, path, &claims, SECRET, body).await
    }

    async fn vonage_with(&self, signer: &mut Peer, path: &str, claims: &Value, secret: &str, body: &Value) -> Answer {
        let text = body.to_string();
        let ask = json!({"cmd": "jwt", "secret": secret, "claims": claims, "body": text});
        let token = format!("Bearer {}", signer.ask(ask).await["token"].as_str().unwrap());
        self.calls(path, &[("authorization", &token)], JSON, &text).await
    }
}

const MADE: &str = r#"{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-{n}"}"#;

#[actix_web::test]
async fn a_text_crosses_by_vonage_and_its_receipt_comes_back() {
    let Some(mut signer) = Peer::signer().await else { return };
    let mut provider = Provider::start(202, MADE).await;
    let mut cast = Cast::hire("vg", &section(&provider.base)).await;
    let (alias, x) = cast.pair().await;
    let text = "Số \"1\" & 2\n验证";
    let bare = |number: &str| number.trim_start_matches('+').to_owned();
    let came = json!({
        "channel": "sms", "message_type": "text", "message_uuid": "in-1", "to": bare(&x), "from": bare(ANNA.0),
        "timestamp": "2026-01-01T00:00:00Z", "text": text, "sms": {"num_messages": "1"},
    });
    cast.vonage(&mut signer, "/carriers/vg/inbound", &came).await.expect(200);
    let seen = provider.next().await;
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/messages"));
    assert_eq!(seen.authorization, format!("Basic {}", data_encoding::BASE64.encode(b"abcd1234:api secret")));
    let wish = json!({"channel": "sms", "message_type": "text", "to": bare(BEN.0), "from": bare(&x), "text": text});
    let mut sent = seen.json();
    let ttl = sent.as_object_mut().unwrap().remove("ttl").and_then(|ttl| ttl.as_u64()).unwrap();
    assert_eq!(sent, wish);
    assert!((86_000..=86_400).contains(&ttl), "as long as the body is kept: {ttl}");

    cast.settles(&alias, "submitted").await;
    let status = json!({
        "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-1", "to": bare(BEN.0), "from": bare(&x), "channel": "sms",
        "status": "rejected", "error": {"type": "https://developer.example/api-errors/messages#1220", "title": 1220},
    });
    cast.vonage(&mut signer, "/carriers/vg/status", &status).await.expect(200);
    cast.settles(&alias, "rejected").await;
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}

#[actix_web::test]
async fn a_token_of_another_secret_account_time_or_body_moves_nothing() {
    let Some(mut signer) = Peer::signer().await else { return };
    let mut provider = Provider::start(202, MADE).await;
    let mut cast = Cast::hire("vg", &section(&provider.base)).await;
    let (_, x) = cast.pair().await;
    let came = json!({"message_uuid": "in-1", "message_type": "text", "to": x, "from": ANNA.0, "text": "let me in"});
    let good = json!({"iat": now(), "api_key": "abcd1234"});
    for (claims, secret) in [
        (good.clone(), "another signature secret 32 bytes!!"),
        (json!({"iat": now() - 3_600, "api_key": "abcd1234"}), SECRET),
        (json!({"iat": now() + 3_600, "api_key": "abcd1234"}), SECRET),
        (json!({"iat": now(), "api_key": "efgh5678"}), SECRET),
    ] {
        let refused = cast.vonage_with(&mut signer, "/carriers/vg/inbound", &claims, secret, &came).await;
        assert_eq!(refused.expect(403).code(), "carrier_unproven");
    }
    let ask = json!({"cmd": "jwt", "secret": SECRET, "claims": good, "body": "{}"});
    let token = format!("Bearer {}", signer.ask(ask).await["token"].as_str().unwrap());
    let body = came.to_string();
    for headers in [&[("authorization", token.as_str())][..], &[][..]] {
        cast.calls("/carriers/vg/inbound", headers, JSON, &body).await.expect(403);
    }
    assert!(provider.is_silent(std::time::Duration::from_millis(300)).await);
    cast.leaves_no_trace_of(&[ANNA, BEN]);
}
