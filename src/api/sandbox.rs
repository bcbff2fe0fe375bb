//! `/sandbox/messages`: what a test tenant's handsets received, and writing as a handset or a stranger.
//!
//! For test credentials only, and for their own tenant: neither another tenant's handsets nor its aliases are in reach.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Typed};
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, Permit, SandboxHandsets};
use crate::carrier::{Accepted, Address, HandsetMessage, Origin, Sandbox};
use crate::clock::Timestamp;
use crate::phone::PhoneNumber;
use zeroize::Zeroizing;

/// Longest text that can be written: more than any network carries in one message (255 parts of 153 septets).
const LONGEST_TEXT: usize = 39_015;
/// Longest alphanumeric sender (3GPP TS 23.040 §9.1.2.5).
const LONGEST_NAME: usize = 11;

/// Whose handset.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HandsetQuery {
    /// `tok_…`, or a number in international form (`+` as `%2B`).
    #[param(value_type = String, example = "+447700900123")]
    to: Typed,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A message to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteMessage {
    /// Who writes: a number, a token, a short code of 3 to 8 digits, or a name of at most 11 characters.
    #[schema(value_type = String, example = "Facebook")]
    from: Typed,
    /// X.
    #[schema(example = "+12025550143")]
    to: String,
    #[schema(value_type = String, example = "123456 is your confirmation code")]
    text: Typed,
}

/// A message on a handset.
#[derive(Serialize, ToSchema)]
pub struct HandsetAnswer {
    id: String,
    /// As the handset shows the sender.
    #[schema(example = "+12025550143")]
    from: String,
    #[serde(serialize_with = "fields::shown")]
    #[schema(value_type = String)]
    text: Zeroizing<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What became of a written message.
#[derive(Serialize, ToSchema)]
pub struct Written {
    /// `carried`, `awaiting_parts` or `dropped`.
    #[schema(example = "carried")]
    status: &'static str,
}

/// Read a handset
///
/// What the handset of a number received from the caller's tenant, newest first.
#[utoipa::path(get, path = "/sandbox/messages", tag = "Sandbox", params(HandsetQuery),
    responses((status = 200, description = "Newest first.", body = List<HandsetAnswer>)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    let query: HandsetQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let (permit, sandbox) = entered(&call).await?;
    let number = handset(&call, &permit, query.to.as_str()).await?;
    let messages = sandbox.handset(permit.tenant(), &number);
    let begin = match &query.after {
        Some(after) => messages.iter().position(|m| m.id == *after).map_or(messages.len(), |place| place + 1),
        None => 0,
    };
    let page = messages.into_iter().skip(begin).take(fields::count(limit) + 1).map(shown).collect();
    Ok(Answer::ok(&List::cut(page, limit, |m: &HandsetAnswer| m.id.clone()))?.revealing())
}

/// Write as a handset or a stranger
#[utoipa::path(post, path = "/sandbox/messages", tag = "Sandbox", request_body = WriteMessage,
    responses((status = 201, description = "What became of it.", body = Written)))]
pub async fn write(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, written).await
}

async fn written(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: WriteMessage = body.read()?;
    let to = fields::virtual_number("to", &wish.to)?;
    if wish.text.as_str().is_empty() || wish.text.as_str().chars().count() > LONGEST_TEXT {
        return Err(Problem::at(Code::InvalidField, "text"));
    }
    let (permit, sandbox) = entered(call).await?;
    let from = writer(call, &permit, wish.from.as_str()).await?;
    let text = Zeroizing::new(wish.text.as_str().to_owned());
    let accepted = sandbox.write(call.api.inbox.as_ref(), permit.tenant(), from, to, text).await;
    let status = match accepted.map_err(Problem::unavailable)? {
        Accepted::Carried => "carried",
        Accepted::AwaitingParts => "awaiting_parts",
        Accepted::Dropped => "dropped",
    };
    Answer::created(&Written { status })
}

async fn entered(call: &Call) -> Result<(Permit<SandboxHandsets>, &Sandbox), Problem> {
    let permit = call.permit(Action::SandboxUse, SandboxHandsets {}).await?;
    let sandbox = call.api.sandbox.as_deref().ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok((permit, sandbox))
}

/// The number of a handset, named by itself or by a token.
async fn handset(call: &Call, permit: &Permit<SandboxHandsets>, name: &str) -> Result<PhoneNumber, Problem> {
    let name = fields::plus(name);
    if is_token(&name) {
        return Ok(call.api.vault.handset(permit, &fields::token(&name)?).await?);
    }
    let typed = Typed::from(name.as_ref());
    Ok(fields::number(&typed, None, call.caller.mode, false)?.number)
}

async fn writer(call: &Call, permit: &Permit<SandboxHandsets>, name: &str) -> Result<Origin, Problem> {
    match kind_of(name) {
        Writer::ShortCode => Ok(Origin::ShortCode(name.to_owned())),
        Writer::Name => Ok(Origin::Name(name.to_owned())),
        Writer::Handset => Ok(Origin::Number(handset(call, permit, name).await?)),
        Writer::Nobody => Err(Problem::at(Code::InvalidField, "from")),
    }
}

/// What a sender's text looks like.
#[derive(Debug, PartialEq, Eq)]
enum Writer {
    ShortCode,
    Name,
    Handset,
    Nobody,
}

fn kind_of(name: &str) -> Writer {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if is_token(name) || name.starts_with('+') || digits > 8 {
        Writer::Handset
    } else if digits == name.len() && (3..=8).contains(&digits) {
        Writer::ShortCode
    } else if !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control) {
        Writer::Name
    } else {
        Writer::Nobody
    }
}

fn is_token(text: &str) -> bool {
    ["tok_", "tks_", "+999"].into_iter().any(|prefix| text.starts_with(prefix))
}

fn shown(message: HandsetMessage) -> HandsetAnswer {
    let from = match message.from {
        Address::Number(number) => number.to_string(),
        Address::ShortCode(text) | Address::Name(text) => text,
    };
    HandsetAnswer { id: message.id, from, text: message.text, at: message.at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_told_apart_as_a_network_does() {
        for (name, kind) in [
            ("+447700900123", Writer::Handset),
            ("tok_x", Writer::Handset),
            ("00 44 7700 900123", Writer::Handset),
            ("8069", Writer::ShortCode),
            ("Facebook", Writer::Name),
            ("Viettel 191", Writer::Name),
            ("twelve chars", Writer::Nobody),
            (" ", Writer::Nobody),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }
}
