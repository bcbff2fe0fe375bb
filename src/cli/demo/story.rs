//! The story itself: who is who, a number becomes a token, a person is verified, codes reach a phone through an alias,
//! and what each onlooker saw of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::Caller;
use crate::app::FirstStart;
use crate::cli::CommandError;
use crate::phone;

/// Messages that services really send, each with a sender of its own: `sender TAB text`.
const MESSAGES: &str = include_str!("../messages.txt");

/// A person's number, from the range reserved for fiction.
const PERSON: &str = "+1 202 555 0143";

/// Tells the story against the service at `base`. Every claim is checked before it is printed.
pub async fn tell(base: &str, first: Option<FirstStart>) -> Result<(), CommandError> {
    let Some(first) = first else { return Err(CommandError::Failed("the demo needs a new folder".into())) };
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().map_err(CommandError::failed)?;
    say!("bauta is up at {base}, on SQLite and a key file in a folder of its own.\n");
    say!("1. Who is who. The first start made a tenant and its admin; the admin makes the others.\n");
    let admin = Caller::new(&http, base, "ADMIN", first.key.to_string());
    let cast = Cast::hire(&admin, &http, base).await?;
    let token = tokenize(&cast).await?;
    verify(&cast, &token).await?;
    let alias = bind(&cast).await?;
    forward(&cast, &token, &alias).await?;
    compare(&cast, &token, &alias).await
}

struct Cast<'a> {
    base: &'a str,
    marketplace: Caller<'a>,
    partner: Caller<'a>,
    auditor: Caller<'a>,
}

impl<'a> Cast<'a> {
    async fn hire(admin: &Caller<'a>, http: &'a reqwest::Client, base: &'a str) -> Result<Self, CommandError> {
        let mut keys = Vec::new();
        for body in [
            json!({"role": "business", "person": "shop backend"}),
            json!({"role": "partner", "person": "courier platform", "audience": "courier"}),
            json!({"role": "auditor", "person": "audit desk"}),
        ] {
            let made = admin.post_silently("/v1/credentials", &body).await?;
            say!("  curl -s {base}/v1/credentials -H \"Authorization: Bearer $ADMIN\" --json '{body}'");
            keys.push(text(&made, "key")?);
        }
        say!("");
        let mut keys = keys.into_iter();
        let mut next = |name| Caller::new(http, base, name, keys.next().unwrap_or_default());
        Ok(Self { base, marketplace: next("MARKETPLACE"), partner: next("PARTNER"), auditor: next("AUDITOR") })
    }
}

async fn tokenize(cast: &Cast<'_>) -> Result<String, CommandError> {
    say!("\n2. A number becomes a token: the person types it into the shop, and the shop keeps the token.");
    let made = cast.marketplace.post("/v1/tokens", &json!({"number": PERSON})).await?;
    text(&made, "token")
}

async fn verify(cast: &Cast<'_>, token: &str) -> Result<(), CommandError> {
    say!("\n3. The person proves that the phone is theirs. The code goes to the handset, nowhere else.");
    let started = cast.marketplace.post("/v1/verifications", &json!({"to": token, "locale": "en"})).await?;
    let id = text(&started, "id")?;
    let message = handset(cast, token, 1).await?.into_iter().next().unwrap_or_default();
    say!("\n  The handset rings:  {message}");
    let code: String = message.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let checked = cast.marketplace.post(&format!("/v1/verifications/{id}/check"), &json!({"code": code})).await?;
    if checked.get("status").and_then(Value::as_str) != Some("approved") {
        return Err(CommandError::Failed("the code on the handset was not approved".into()));
    }
    say!("\n  Approved. The proof is a signed JWT; anyone can check it offline: {}/.well-known/jwks.json", cast.base);
    Ok(())
}

async fn bind(cast: &Cast<'_>) -> Result<Value, CommandError> {
    say!("\n4. A partner is to reach the same person. It gets a token of its own, and binds a virtual number to it.");
    let theirs = cast.marketplace.post("/v1/tokens", &json!({"number": PERSON, "audience": "courier"})).await?;
    let theirs = text(&theirs, "token")?;
    cast.partner.post("/v1/aliases", &json!({"mode": "ax", "a": theirs, "ttl_s": 3600})).await
}

async fn forward(cast: &Cast<'_>, token: &str, alias: &Value) -> Result<(), CommandError> {
    let x = text(alias, "number")?;
    say!("\n5. Services write to {x}; the person's phone gets every message, unchanged and in order.\n");
    let sent: Vec<(&str, &str)> = MESSAGES.lines().filter_map(|line| line.split_once('\t')).collect();
    for (sender, body) in &sent {
        let message = json!({"from": sender, "to": x, "text": body});
        cast.marketplace.post_silently("/sandbox/messages", &message).await?;
    }
    let mut received = handset(cast, token, sent.len() + 1).await?;
    received.reverse();
    for (n, ((sender, body), got)) in sent.iter().zip(received.iter().skip(1)).enumerate() {
        if body != got {
            return Err(CommandError::Failed(format!("message {} did not arrive as it was sent", n + 1)));
        }
        say!("  {sender:>7} → {x} → phone   {got}");
    }
    say!("\n  {} of {} arrived, each as it was sent.", received.len() - 1, sent.len());
    let base = cast.base;
    say!("  Read the phone: curl -s '{base}/sandbox/messages?to={token}' -H \"Authorization: Bearer $MARKETPLACE\"");
    Ok(())
}

/// The texts on the person's handset, newest first, as soon as there are `count`.
async fn handset(cast: &Cast<'_>, token: &str, count: usize) -> Result<Vec<String>, CommandError> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let inbox = cast.marketplace.get_silently(&format!("/sandbox/messages?to={token}&limit=100")).await?;
        let messages = inbox.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        if messages.len() >= count {
            return messages.iter().map(|m| text(m, "text")).collect();
        }
        if Instant::now() > deadline {
            return Err(CommandError::Failed(format!("{} of {count} messages reached the handset", messages.len())));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn compare(cast: &Cast<'_>, token: &str, alias: &Value) -> Result<(), CommandError> {
    say!("\n6. What each of them holds of this person.");
    let id = text(alias, "id")?;
    say!("\n  the marketplace");
    let mine = cast.marketplace.get(&format!("/v1/tokens/{token}")).await?;
    line(&format!("token {}  masked {}", text(&mine, "token")?, text(&mine, "masked")?));
    say!("\n  the partner");
    let bound = cast.partner.get(&format!("/v1/aliases/{id}")).await?;
    let history = cast.partner.get(&format!("/v1/aliases/{id}/messages?limit=100")).await?;
    let carried = history.get("data").and_then(Value::as_array).map_or(0, Vec::len);
    line(&format!("alias {id} on {}, {carried} messages carried, no content", text(&bound, "number")?));
    say!("\n  the auditor");
    let log = cast.auditor.get("/v1/audit/entries?limit=100").await?;
    let entries = log.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    line(&format!("{} entries, who did what to which subject, each with its leaf; the last:", entries.len()));
    if let Some(last) = entries.last() {
        line(&last.get("entry").map(Value::to_string).unwrap_or_default());
    }
    say!("");
    for (who, seen) in [("marketplace", &cast.marketplace), ("partner", &cast.partner), ("auditor", &cast.auditor)] {
        // What a tester reads on a sandbox handset is the phone's view, and holds codes, not numbers.
        let shown = seen.seen().replace(&text(alias, "number")?, "X");
        if holds_person(&shown) {
            return Err(CommandError::Failed(format!("an answer to the {who} held the number")));
        }
        say!("  searched {:>6} bytes of answers to the {who:<11}: the number is not among them", shown.len());
    }
    say!("\nThat is the whole of it: the number went in at the edge, came out nowhere, and its own phone rang.");
    Ok(())
}

/// Whether `text` holds the person's number in any spelling that the detector or plain digits would show.
fn holds_person(text: &str) -> bool {
    let digits: String = PERSON.chars().filter(char::is_ascii_digit).collect();
    let national = digits.get(1..).unwrap_or_default();
    let plain: String = text.chars().filter(|c| !" -.()".contains(*c)).collect();
    plain.contains(national)
        || phone::find(text).iter().any(|span| text.get(span.start..span.end).is_some_and(|t| t.contains(national)))
}

fn line(text: &str) {
    say!("    {text}");
}

fn text(value: &Value, field: &str) -> Result<String, CommandError> {
    value
        .get(field)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| CommandError::Failed(format!("an answer had no {field}")))
}
