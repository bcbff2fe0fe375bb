//! `/v1/templates`: texts that a tenant sends again and again, by locale, with `{placeholders}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::body::{self, Body};
use super::extract::Call;
use super::fields::{self, Object};
use super::idempotency::once;
use super::list::{self, List};
use super::messages::Asked;
use super::problem::Problem;
use crate::access::{Action, Permit, Templates};
use crate::clock::Timestamp;
use crate::ids::TemplateId;
use crate::outreach::NewTemplate;
use crate::store::{Class, Registration, TemplateRow};

/// A template to be kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTemplate {
    /// Its name, by which messages use it.
    #[schema(example = "parcel-ready")]
    name: String,
    /// What its messages are.
    class: Asked,
    /// One text for each locale (BCP 47). `{name}` stands for a variable, `{brand}` for the tenant's name.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    texts: BTreeMap<String, String>,
    /// What carriers of some countries ask for.
    #[schema(value_type = Option<RegistrationFields>)]
    registration: Option<Object<RegistrationFields>>,
}

/// Under what a sender or a text is registered.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrationFields {
    /// The campaign of The Campaign Registry (10DLC, United States).
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_id: Option<String>,
    /// The principal entity (DLT, India).
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<String>,
    /// The content template (DLT, India).
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
}

impl From<RegistrationFields> for Registration {
    fn from(fields: RegistrationFields) -> Self {
        let RegistrationFields { campaign_id, entity_id, template_id } = fields;
        Self { campaign_id, entity_id, template_id }
    }
}

impl From<Registration> for RegistrationFields {
    fn from(registration: Registration) -> Self {
        let Registration { campaign_id, entity_id, template_id } = registration;
        Self { campaign_id, entity_id, template_id }
    }
}

/// A template.
#[derive(Serialize, ToSchema)]
pub struct TemplateAnswer {
    #[schema(value_type = String, example = "tpl_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: TemplateId,
    name: String,
    #[schema(value_type = String, example = "notice")]
    class: Class,
    #[schema(value_type = std::collections::HashMap<String, String>)]
    texts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationFields>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<TemplateRow> for TemplateAnswer {
    fn from(row: TemplateRow) -> Self {
        let TemplateRow { id, name, class, texts, registration, created_at, .. } = row;
        Self { id, name, class, texts, registration: registration.map(RegistrationFields::from), created_at }
    }
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TemplatesQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Keep a template
///
/// Every locale's text has to use the same placeholders.
#[utoipa::path(post, path = "/v1/templates", tag = "Messages", request_body = CreateTemplate,
    responses((status = 201, description = "Kept.", body = TemplateAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let CreateTemplate { name, class, texts, registration } = body.read()?;
        let registration = registration.map(|Object(fields)| Registration::from(fields));
        let permit = one(call, Action::TemplateManage).await?;
        let new = NewTemplate { name, class: class.into(), texts, registration };
        Answer::created(&TemplateAnswer::from(call.api.outreach.create_template(&permit, new).await?))
    })
    .await
}

/// Look at a template
#[utoipa::path(get, path = "/v1/templates/{id}", tag = "Messages",
    params(("id" = String, Path, description = "`tpl_…`")),
    responses((status = 200, description = "The template.", body = TemplateAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = one(&call, Action::TemplateRead).await?;
    Answer::ok(&TemplateAnswer::from(call.api.outreach.template(&permit, call.id()?).await?))
}

/// List templates
#[utoipa::path(get, path = "/v1/templates", tag = "Messages", params(TemplatesQuery),
    responses((status = 200, description = "Newest first.", body = List<TemplateAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: TemplatesQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let permit = one(&call, Action::TemplateRead).await?;
    let after = fields::after(query.after.as_deref())?;
    let rows = call.api.outreach.templates(&permit, after, limit + 1).await?;
    let templates = rows.into_iter().map(TemplateAnswer::from).collect();
    Answer::ok(&List::cut(templates, limit, |template: &TemplateAnswer| template.id.to_string()))
}

/// Forget a template
///
/// Messages that were accepted keep what they say.
#[utoipa::path(delete, path = "/v1/templates/{id}", tag = "Messages",
    params(("id" = String, Path, description = "`tpl_…`")), responses((status = 204, description = "Gone.")))]
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = one(&call, Action::TemplateManage).await?;
    call.api.outreach.delete_template(&permit, call.id()?).await?;
    Ok(Answer::nothing())
}

async fn one(call: &Call, action: Action) -> Result<Permit<Templates>, Problem> {
    call.permit(action, Templates {}).await
}
