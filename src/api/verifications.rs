//! `/v1/verifications`: prove that a person holds a number; and the keys that the proof is checked with.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Object, Typed};
use super::idempotency::once;
use super::party::{self, To};
use super::problem::Problem;
use crate::access::{Action, NewVerification, Permit, VerificationRef};
use crate::clock::Timestamp;
use crate::ids::VerificationId;
use crate::phone::Masked;
use crate::store::{self, DeliveryStatus, VerificationStatus};
use crate::token::Token;
use crate::verify::{Checked, StartVerification, VerificationView};

/// A verification to be started.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVerification {
    /// Who is to prove that they hold the number.
    to: Option<To>,
    /// For what; part of what makes two verifications the same undertaking.
    #[schema(example = "login")]
    purpose: Option<String>,
    /// The caller's name for who asks. A new verification of the same person, purpose and name cancels the old one.
    user_ref: Option<String>,
    /// `sms`.
    channel: Option<Channel>,
    /// BCP 47; picks the language of the message.
    #[schema(example = "vi")]
    locale: Option<String>,
    /// 4 to 10; 6 if not said.
    #[schema(minimum = 4, maximum = 10)]
    code_length: Option<u8>,
    /// `digits` if not said.
    alphabet: Option<Alphabet>,
    /// 30 to 600; 300 if not said.
    #[schema(minimum = 30, maximum = 600)]
    ttl_s: Option<u64>,
    /// The site that the code is for; makes the last line that browsers fill in from.
    #[schema(example = "https://shop.example")]
    origin: Option<String>,
    /// The Android app that the code is for: the 11 characters of SMS Retriever.
    app_hash: Option<String>,
    /// The payment that the code confirms; the message shows both.
    #[schema(value_type = Option<Transaction>)]
    transaction: Option<Object<Transaction>>,
    /// Not offered by this version.
    #[schema(value_type = Option<Object>)]
    client: Option<serde::de::IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<Vec<Object>>)]
    workflow: Option<serde::de::IgnoredAny>,
    /// Not offered by this version.
    #[schema(value_type = Option<Object>)]
    hosted: Option<serde::de::IgnoredAny>,
}

/// How a code travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A text message.
    Sms,
    /// Not offered by this version.
    Voice,
}

/// What a code is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// 0 to 9.
    Digits,
    /// Letters too.
    Alphanumeric,
}

/// A payment that a code confirms (PSD2 dynamic linking).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// As shown to the payer.
    #[schema(example = "49.90 EUR")]
    amount: String,
    /// As shown to the payer.
    #[schema(example = "Example Shop")]
    payee: String,
}

/// An answer of the person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckCode {
    /// As typed: spaces, dashes and other scripts' digits are folded.
    #[schema(value_type = String, example = "123 456")]
    code: Typed,
}

/// A verification.
#[derive(Serialize, ToSchema)]
pub struct VerificationAnswer {
    #[schema(value_type = String, example = "ver_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: VerificationId,
    #[schema(value_type = String, example = "pending")]
    status: VerificationStatus,
    /// The person, in the caller's audience.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    to: Token,
    /// Absent for callers who may see no masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "+44 ••• ••• •23")]
    masked: Option<Masked>,
    #[schema(example = "sms")]
    channel: String,
    attempts_left: u8,
    sends: Vec<Send>,
    purpose: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ref: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// One sending of a code.
#[derive(Serialize, ToSchema)]
pub struct Send {
    channel: String,
    #[schema(value_type = String, example = "delivered")]
    status: DeliveryStatus,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What an answer was worth.
#[derive(Serialize, ToSchema)]
pub struct CheckAnswer {
    #[schema(value_type = String, example = "approved")]
    status: VerificationStatus,
    valid: bool,
    /// Guesses left after a wrong one.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_left: Option<u8>,
    /// A signed JWT of type `verification+jwt`, after the right one.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

impl From<VerificationView> for VerificationAnswer {
    fn from(view: VerificationView) -> Self {
        let send = |s: store::SendRecord| Send { channel: s.channel, status: s.status, at: s.at };
        Self {
            id: view.id,
            status: view.status,
            to: view.to,
            masked: view.masked,
            channel: view.channel,
            attempts_left: view.attempts_left,
            sends: view.sends.into_iter().map(send).collect(),
            purpose: view.purpose,
            user_ref: view.user_ref,
            created_at: view.created_at,
            expires_at: view.expires_at,
        }
    }
}

impl CreateVerification {
    fn supported(&self) -> Result<(), Problem> {
        fields::unsupported("hosted", self.hosted.as_ref())?;
        fields::unsupported("workflow", self.workflow.as_ref())?;
        fields::unsupported("client", self.client.as_ref())?;
        match self.channel {
            Some(Channel::Voice) => Err(Problem::at(Code::UnsupportedValue, "channel")),
            Some(Channel::Sms) | None => Ok(()),
        }
    }

    fn wish(self, to: crate::vault::Holder) -> StartVerification {
        StartVerification {
            to,
            purpose: self.purpose,
            user_ref: self.user_ref,
            channel: self.channel.map(|_| "sms".to_owned()),
            locale: self.locale,
            code_length: self.code_length,
            alphanumeric: self.alphabet == Some(Alphabet::Alphanumeric),
            ttl: self.ttl_s.map(Duration::from_secs),
            origin: self.origin,
            app_hash: self.app_hash,
            transaction: self.transaction.map(|Object(t)| store::Transaction { amount: t.amount, payee: t.payee }),
        }
    }
}

/// Start a verification
///
/// A code goes to the person. Status, body and time are the same for known and unknown numbers.
#[utoipa::path(post, path = "/v1/verifications", tag = "Verifications", request_body = CreateVerification,
    responses((status = 201, description = "Started.", body = VerificationAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, created).await
}

async fn created(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let mut wish: CreateVerification = body.read()?;
    wish.supported()?;
    let to = wish.to.take().ok_or_else(|| Problem::at(Code::MissingField, "to"))?;
    let permit = call.permit(Action::VerificationStart, NewVerification {}).await?;
    let holder = party::addressee(call, &permit, &to).await?;
    Answer::created(&VerificationAnswer::from(call.api.verify.start(&permit, wish.wish(holder)).await?))
}

/// Check an answer
///
/// An attempt is spent before anything is compared. The right code works once and gives a signed proof; of racing right
/// answers one is approved. When the verification is over, 410 says how it ended.
#[utoipa::path(post, path = "/v1/verifications/{id}/check", tag = "Verifications", request_body = CheckCode,
    params(("id" = String, Path, description = "`ver_…`")),
    responses((status = 200, description = "What the answer was worth.", body = CheckAnswer)))]
pub async fn check(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, checked).await
}

async fn checked(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: CheckCode = body.read()?;
    let permit = one(call, Action::VerificationCheck).await?;
    let Checked { status, valid, attempts_left, proof } = call.api.verify.check(&permit, wish.code.as_str()).await?;
    let attempts_left = (!valid).then_some(attempts_left);
    let plain = CheckAnswer { status, valid, attempts_left, proof: None };
    match proof {
        None => Answer::ok(&plain),
        proof => Answer::ok(&CheckAnswer { status, valid, attempts_left, proof })?.secret(&plain),
    }
}

/// Send the code again
///
/// The same code; nothing is extended, no counter starts anew.
#[utoipa::path(post, path = "/v1/verifications/{id}/resend", tag = "Verifications",
    params(("id" = String, Path, description = "`ver_…`")),
    responses((status = 200, description = "Queued again.", body = VerificationAnswer)))]
pub async fn resend(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        let permit = one(call, Action::VerificationCheck).await?;
        Answer::ok(&VerificationAnswer::from(call.api.verify.resend(&permit).await?))
    })
    .await
}

/// Give a verification up
#[utoipa::path(post, path = "/v1/verifications/{id}/cancel", tag = "Verifications",
    params(("id" = String, Path, description = "`ver_…`")),
    responses((status = 200, description = "Canceled.", body = VerificationAnswer)))]
pub async fn cancel(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        let permit = one(call, Action::VerificationCancel).await?;
        Answer::ok(&VerificationAnswer::from(call.api.verify.cancel(&permit).await?))
    })
    .await
}

/// Look at a verification
#[utoipa::path(get, path = "/v1/verifications/{id}", tag = "Verifications",
    params(("id" = String, Path, description = "`ver_…`")),
    responses((status = 200, description = "Where it stands.", body = VerificationAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = one(&call, Action::VerificationRead).await?;
    Answer::ok(&VerificationAnswer::from(call.api.verify.get(&permit).await?))
}

/// Leave to do `action` to the verification that the path names.
async fn one(call: &Call, action: Action) -> Result<Permit<VerificationRef>, Problem> {
    call.permit(action, VerificationRef { id: call.id()? }).await
}

/// The keys that proofs are checked with
///
/// A JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037). Public; proofs can be checked offline.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "Verifications", security(()),
    responses((status = 200, description = "The keys.", body = Object)))]
pub async fn jwks(api: actix_web::web::Data<super::Api>) -> Result<Answer, Problem> {
    Answer::ok(&api.verify.jwks())
}
