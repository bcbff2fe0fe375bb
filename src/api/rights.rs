//! What people have a right to: `DELETE /v1/tokens/{token}` and `/v1/subjects/…`: erase, export, change a number.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Typed};
use super::idempotency::once;
use super::problem::Problem;
use crate::access::{Action, Permit, TokenRef};
use crate::phone::Masked;
use crate::rights::{ChangeNumber, Export, NumberChange};
use crate::token::Token;

/// Who is meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseSubject {
    /// Any token of the person.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    token: Typed,
}

/// What went.
#[derive(Serialize, ToSchema)]
pub struct ErasedSubject {
    /// How the log names the person.
    subject: String,
    /// Token records.
    tokens: u64,
    aliases: u64,
    verifications: u64,
    messages: u64,
    /// Deliveries that waited.
    deliveries: u64,
    /// Places as one who wrote to an alias first.
    senders: u64,
    /// Wrong codes that were counted.
    failures: u64,
}

/// Whose data is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportSubject {
    /// Any token of the person.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    token: Typed,
    /// For custodians: why the number itself is to be in it; one that the policies know.
    #[schema(example = "legal")]
    purpose: Option<String>,
    /// The caller's own note for the log; no phone number in it.
    reference: Option<String>,
}

/// All that is held of a person.
#[derive(Serialize, ToSchema)]
pub struct ExportedSubject {
    /// How the log names the person.
    subject: String,
    #[schema(value_type = String, example = "+44 ••• ••• •23")]
    masked: Masked,
    /// E.164; only in an export with a purpose.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    #[schema(value_type = Option<String>)]
    number: Option<Zeroizing<String>>,
    /// The entry's leaf in the log, hexadecimal.
    leaf: String,
    /// `{token, created_at, expires_at, metadata}`
    #[schema(value_type = Vec<Object>)]
    tokens: Vec<serde_json::Value>,
    /// `{id, mode, number, party, status, created_at, expires_at, metadata}`
    #[schema(value_type = Vec<Object>)]
    aliases: Vec<serde_json::Value>,
    /// `{id, alias, from, status, parts, created_at}`, without content.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<serde_json::Value>,
    /// `{id, status, purpose, user_ref, channel, sends, created_at, expires_at}`
    #[schema(value_type = Vec<Object>)]
    verifications: Vec<serde_json::Value>,
    /// Wrong codes against the number, of the last weeks.
    failures: u64,
    /// `{index, leaf, entry}`: the log's entries that name the person.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<serde_json::Value>,
    /// Whether there are more messages or entries than are listed.
    truncated: bool,
}

/// A person's new number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSubject {
    /// A token of the old number.
    #[schema(value_type = String)]
    token: Typed,
    /// A token of the new number.
    #[schema(value_type = String)]
    new_token: Typed,
    /// Two proofs of verifications approved within the last ten minutes: one of each number.
    #[schema(value_type = Vec<String>, min_items = 2, max_items = 2)]
    proofs: Vec<Typed>,
    /// Whether everything else that is held of the old number is to be erased.
    erase_old: Option<bool>,
}

/// What became of a change of number.
#[derive(Serialize, ToSchema)]
pub struct ChangedSubject {
    /// The person under the new number.
    #[schema(value_type = String)]
    token: Token,
    /// The aliases that followed.
    aliases: Vec<String>,
    /// Whether the old number's data is gone.
    old_erased: bool,
}

/// Erase a token
///
/// Aliases and verifications that stand on it end. A sealed token takes every sealed token of the person along that was
/// made so far. From then on the token is not found.
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "Tokens",
    params(("token" = String, Path, description = "`tok_…` or `tks_…`")),
    responses((status = 204, description = "Erased.")))]
pub async fn erase_token(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let token = fields::token(call.part("token"))?;
    let permit = call.permit(Action::TokenErase, TokenRef { token, purpose: None }).await?;
    call.api.rights.erase_token(&permit).await?;
    Ok(Answer::nothing())
}

/// Erase a person
///
/// Every token, alias, message, verification and count of the person, and what waits to be delivered. The log keeps
/// what happened, under a keyed id.
#[utoipa::path(post, path = "/v1/subjects/erase", tag = "Subjects", request_body = EraseSubject,
    responses((status = 200, description = "What went.", body = ErasedSubject)))]
pub async fn erase(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, erased).await
}

async fn erased(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: EraseSubject = body.read()?;
    let permit = permitted(call, Action::SubjectErase, &wish.token, None).await?;
    let (subject, erased) = call.api.rights.erase_subject(&permit).await?;
    Answer::ok(&ErasedSubject {
        subject: subject.to_string(),
        tokens: erased.tokens,
        aliases: erased.aliases,
        verifications: erased.verifications,
        messages: erased.messages,
        deliveries: erased.deliveries,
        senders: erased.seats,
        failures: erased.failures,
    })
}

/// Export a person's data
///
/// All that is held, in machine-readable form. For custodians, with a purpose that the policies allow, the number is in
/// it: the audit entry is durable before the answer, and a repetition is authorized and audited afresh.
#[utoipa::path(post, path = "/v1/subjects/export", tag = "Subjects", request_body = ExportSubject,
    responses((status = 200, description = "All that is held.", body = ExportedSubject)))]
pub async fn export(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, exported).await
}

async fn exported(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: ExportSubject = body.read()?;
    fields::optional_text("purpose", wish.purpose.as_deref())?;
    fields::optional_text("reference", wish.reference.as_deref())?;
    let permit = permitted(call, Action::SubjectExport, &wish.token, wish.purpose).await?;
    let export = call.api.rights.export(&permit, wish.reference).await?;
    Ok(Answer::ok(&ExportedSubject::of(export)?)?.revealing())
}

/// Change a person's number
///
/// The person's active aliases follow to the new number; the other parties keep theirs. Each proof works once here.
#[utoipa::path(post, path = "/v1/subjects/change-number", tag = "Subjects", request_body = ChangeSubject,
    responses((status = 200, description = "As it is now.", body = ChangedSubject)))]
pub async fn change_number(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, changed).await
}

async fn changed(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let wish: ChangeSubject = body.read()?;
    let new = fields::token(wish.new_token.as_str())?;
    let proofs: Vec<String> = wish.proofs.iter().map(|proof| proof.as_str().to_owned()).collect();
    let proofs = proofs.try_into().map_err(|_| Problem::at(Code::InvalidField, "proofs"))?;
    let permit = permitted(call, Action::SubjectChange, &wish.token, None).await?;
    let erase_old = wish.erase_old.unwrap_or(false);
    let NumberChange { token, aliases, old_erased } =
        call.api.rights.change_number(&permit, ChangeNumber { new, proofs, erase_old }).await?;
    let aliases = aliases.iter().map(ToString::to_string).collect();
    Answer::ok(&ChangedSubject { token, aliases, old_erased })
}

async fn permitted(
    call: &Call,
    action: Action,
    token: &Typed,
    purpose: Option<String>,
) -> Result<Permit<TokenRef>, Problem> {
    call.permit(action, TokenRef { token: fields::token(token.as_str())?, purpose }).await
}

impl ExportedSubject {
    fn of(export: Export) -> Result<Self, Problem> {
        let entries = export.entries.unwrap_or_default();
        let entries = entries.iter().map(|row| {
            let entry: serde_json::Value = serde_json::from_str(&row.text).map_err(Problem::internal)?;
            Ok(serde_json::json!({"index": row.index, "leaf": row.leaf.to_hex(), "entry": entry}))
        });
        Ok(Self {
            subject: export.subject.to_string(),
            masked: export.masked,
            number: export.number,
            leaf: export.leaf.to_hex(),
            tokens: listed(&export.tokens)?,
            aliases: listed(&export.aliases)?,
            messages: listed(&export.messages)?,
            verifications: listed(&export.verifications)?,
            failures: export.failures,
            entries: entries.collect::<Result<_, Problem>>()?,
            truncated: export.truncated,
        })
    }
}

fn listed<T: Serialize>(items: &[T]) -> Result<Vec<serde_json::Value>, Problem> {
    items.iter().map(|item| serde_json::to_value(item).map_err(Problem::internal)).collect()
}

fn shown<S: serde::Serializer>(number: &Option<Zeroizing<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => fields::shown(number, serializer),
        None => serializer.serialize_none(),
    }
}
