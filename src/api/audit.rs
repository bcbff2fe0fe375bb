//! `/v1/audit/entries`: the log of the caller's tenant, by role.
//!
//! The tenant is the credential's, always: entries of the deployment itself are not served here. Roles that may see only
//! what they did themselves are narrowed to their credential. Each reading is an entry of its own.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::body;
use super::code::Code;
use super::extract::Call;
use super::fields;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, AuditLog, Permit};
use crate::clock::Timestamp;
use crate::event::Role;
use crate::ids::{RecordRef, SubjectId};
use crate::store::{EntryFilter, EntryRow};
use crate::token::{Kind, Token};
use crate::vault::VaultError;

/// Which entries.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntriesQuery {
    /// Only by this person or credential id.
    actor: Option<String>,
    /// Only of this action, `token.revealed` say.
    action: Option<String>,
    /// Only those that name this `sub_…`.
    subject: Option<String>,
    /// Only those about the record behind this token.
    token: Option<String>,
    /// `allowed` or `denied`.
    outcome: Option<String>,
    /// From this moment on, RFC 3339.
    from: Option<String>,
    /// Before this moment, RFC 3339.
    to: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<u64>,
}

/// An entry in its place.
#[derive(Serialize, ToSchema)]
pub struct EntryAnswer {
    /// Position in the log.
    index: u64,
    /// SHA-256(salt ‖ entry's text), hexadecimal.
    leaf: String,
    /// Hexadecimal.
    salt: String,
    /// What was written. Its text is canonical JSON: keys sorted, no white space.
    #[schema(value_type = Object)]
    entry: serde_json::Value,
}

/// Read the log
#[utoipa::path(get, path = "/v1/audit/entries", tag = "Audit", params(EntriesQuery),
    responses((status = 200, description = "In order.", body = List<EntryAnswer>)))]
pub async fn entries(call: Call) -> Result<Answer, Problem> {
    let query: EntriesQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let own = matches!(call.caller.role, Role::Business | Role::Custodian);
    let permit = call.permit(Action::AuditRead, AuditLog { own }).await?;
    let rows = match filter(&call, &permit, query, limit).await? {
        Some(filter) => call.api.log.read(&permit, filter).await?,
        None => Vec::new(),
    };
    let page = List::cut(rows, limit, |row| row.index.to_string());
    let data = page.data.into_iter().map(entry).collect::<Result<_, _>>()?;
    Answer::ok(&List { data, next: page.next })
}

/// What to ask the store for; none if nothing can match.
async fn filter(
    call: &Call,
    permit: &Permit<AuditLog>,
    query: EntriesQuery,
    limit: u32,
) -> Result<Option<EntryFilter>, Problem> {
    let Some(actor) = actor(call, permit, query.actor) else { return Ok(None) };
    let Some(names) = names(call, permit, query.token, query.subject).await? else { return Ok(None) };
    if query.outcome.as_deref().is_some_and(|outcome| !matches!(outcome, "allowed" | "denied")) {
        return Err(Problem::at(Code::InvalidField, "outcome"));
    }
    Ok(Some(EntryFilter {
        tenant: Some(permit.tenant()),
        actor,
        action: query.action,
        names,
        outcome: query.outcome,
        from: moment("from", query.from)?,
        to: moment("to", query.to)?,
        after: query.after,
        limit: limit + 1,
    }))
}

/// Whose entries; none if the caller may see only its own and asks for another's.
fn actor(call: &Call, permit: &Permit<AuditLog>, wanted: Option<String>) -> Option<Option<String>> {
    if !permit.resource().own {
        return Some(wanted);
    }
    let own = call.caller.credential.to_string();
    let fits = wanted.is_none_or(|wanted| wanted == own || wanted == call.caller.person);
    fits.then_some(Some(own))
}

/// The keyed id to look for; none if token and subject contradict each other, or there is no such token.
async fn names(
    call: &Call,
    permit: &Permit<AuditLog>,
    token: Option<String>,
    subject: Option<String>,
) -> Result<Option<Option<String>>, Problem> {
    let Some(token) = token else { return Ok(Some(subject)) };
    let Some((record, named)) = record_of(call, permit, &fields::token(&fields::plus(&token))?).await? else {
        return Ok(None);
    };
    let agrees = subject.is_none_or(|subject| subject == named.to_string());
    Ok(agrees.then(|| Some(record.to_string())))
}

/// How the log names a token's record and person. A sealed token has no record; reading the log must not make one.
async fn record_of(
    call: &Call,
    permit: &Permit<AuditLog>,
    token: &Token,
) -> Result<Option<(RecordRef, SubjectId)>, Problem> {
    let keys = call.api.keyring.tenant(permit.tenant()).await?;
    if token.kind() == Kind::Sealed {
        let opened = keys.open_sealed(token, permit.audience());
        return Ok(opened.map(|it| (keys.sealed_ref(token), keys.subject(keys.index(&it.number)))));
    }
    match call.api.vault.resolve(permit, token).await {
        Ok(holder) => Ok(Some((keys.record_ref(holder.record), holder.subject))),
        Err(VaultError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn moment(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    // In a query the plus of a zone's offset reads as a space.
    let read = |text: String| Timestamp::parse(&text.replace(' ', "+"));
    text.map(|text| read(text).ok_or_else(|| Problem::at(Code::InvalidField, field))).transpose()
}

fn entry(row: EntryRow) -> Result<EntryAnswer, Problem> {
    Ok(EntryAnswer {
        index: row.index,
        leaf: row.leaf.to_hex(),
        salt: data_encoding::HEXLOWER.encode(&row.salt),
        entry: serde_json::from_str(&row.text).map_err(Problem::internal)?,
    })
}
