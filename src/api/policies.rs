//! `/v1/policies`: the deployment's policies, version by version; propose, put into force, take back.
//!
//! Only people of the tenant that keeps the policies get past the permit. What comes back of a proposal that is wrong is
//! file, line and the fault: the one place where words of a request return, because nobody could mend it otherwise. They
//! were searched for numbers before anything else looked at them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::{Answer, Pending};
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields;
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, Outcome, PolicyError, PolicyFiles, PolicySet, PolicyView, Proposal, Ruling};
use crate::clock::Timestamp;
use crate::phone;
use crate::store::{PolicyRow, PolicySource};

/// Policies to be put in the place of those in force: `files`, or a `version` that is kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposePolicies {
    /// Names and texts: `roles.cedar`, `fixtures/roles.toml` and so on; all of them, not only those that change.
    #[schema(example = json!({"roles.cedar": "permit (principal, action, resource);"}))]
    files: Option<BTreeMap<String, String>>,
    /// A version that was in force or proposed before, to go back to it.
    #[schema(example = "9f86d081884c7d65")]
    version: Option<String>,
    /// The version in force that this is meant to replace.
    #[schema(example = "60303ae22b998861")]
    base: String,
}

/// How proposed policies are to come into force.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivatePolicies {
    /// The approval of a second person, once it is given.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// One version of the policies.
#[derive(Serialize, ToSchema)]
pub struct PolicyAnswer {
    /// 16 hexadecimal digits over names and texts of the files; entries of the log name it.
    #[schema(example = "9f86d081884c7d65")]
    version: String,
    /// `proposed`, `active`, `superseded` or `withdrawn`.
    #[schema(example = "proposed")]
    status: &'static str,
    /// `program` (it came with it), `folder` (of the settings, at the first start) or `proposal`.
    #[schema(example = "proposal")]
    source: &'static str,
    /// The version in force when it was proposed; it can only come into force over that one.
    base: Option<String>,
    /// Who proposed it last.
    proposer: String,
    /// Who put it into force last.
    approver: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    proposed_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    activated_at: Option<Timestamp>,
    /// When it was superseded or withdrawn.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

/// One version of the policies with its files, and what it changes.
#[derive(Serialize, ToSchema)]
pub struct PolicyDetail {
    #[serde(flatten)]
    policy: PolicyAnswer,
    /// Names and texts.
    files: BTreeMap<String, String>,
    /// The version in force, which `diff` and `changes` compare with.
    against: String,
    /// From the files in force to these, as `diff -u` shows it; empty if they are the same.
    diff: String,
    /// Cases of the fixtures that these policies decide otherwise than those in force.
    changes: Vec<ChangedCase>,
}

/// A case that is decided otherwise.
#[derive(Serialize, ToSchema)]
pub struct ChangedCase {
    /// Its file and name, the caller and the action.
    #[schema(example = "fixtures/roles.toml: makes tokens (test business, TokenCreate)")]
    case: String,
    /// Whether it would be permitted.
    allowed: bool,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PoliciesQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl From<PolicyRow> for PolicyAnswer {
    fn from(row: PolicyRow) -> Self {
        Self {
            version: row.version,
            status: row.status.as_str(),
            source: match row.source {
                PolicySource::Program => "program",
                PolicySource::Folder => "folder",
                PolicySource::Proposal => "proposal",
            },
            base: row.base,
            proposer: row.proposer,
            approver: row.approver,
            proposed_at: row.proposed_at,
            activated_at: row.activated_at,
            ended_at: row.ended_at,
        }
    }
}

impl From<PolicyView> for PolicyDetail {
    fn from(view: PolicyView) -> Self {
        let changed = |Outcome { case, allowed }| ChangedCase { case, allowed };
        Self {
            policy: view.row.into(),
            files: view.files.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            against: view.against,
            diff: view.diff,
            changes: view.changes.into_iter().map(changed).collect(),
        }
    }
}

/// Propose policies
///
/// They are checked as a whole: every policy against the schema, every fixture, and that somebody could still change
/// them afterwards. Nothing follows them until they are put into force.
#[utoipa::path(post, path = "/v1/policies", tag = "Policies", request_body = ProposePolicies,
    responses((status = 201, description = "Proposed.", body = PolicyDetail)))]
pub async fn propose(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let permit = call.permit(Action::PolicyPropose, PolicySet { version: None }).await?;
        let wish: ProposePolicies = body.read()?;
        let proposal = match (wish.files, wish.version) {
            (Some(files), None) => Proposal::Files(PolicyFiles::of(files)?),
            (None, Some(version)) => Proposal::Version(version),
            (None, None) => return Err(Problem::at(Code::MissingField, "files")),
            (Some(_), Some(_)) => return Err(Problem::at(Code::InvalidField, "version")),
        };
        let view = call.api.access.propose(&permit, proposal, &wish.base).await?;
        Answer::created(&PolicyDetail::from(view))
    })
    .await
}

/// List versions of the policies
#[utoipa::path(get, path = "/v1/policies", tag = "Policies", params(PoliciesQuery),
    responses((status = 200, description = "The last proposed first.", body = List<PolicyAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: PoliciesQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let permit = call.permit(Action::PolicyRead, PolicySet { version: None }).await?;
    let found = call.api.access.policy_versions(&permit, query.after.as_deref(), limit + 1).await?;
    Answer::ok(&List::cut(found.into_iter().map(PolicyAnswer::from).collect(), limit, |p| p.version.clone()))
}

/// Look at one version of the policies
///
/// `active` stands for the one in force.
#[utoipa::path(get, path = "/v1/policies/{version}", tag = "Policies",
    params(("version" = String, Path, description = "16 hexadecimal digits, or `active`")),
    responses((status = 200, description = "The version, and what it changes.", body = PolicyDetail)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let version = Some(call.part("version").to_owned()).filter(|version| version != "active");
    let permit = call.permit(Action::PolicyRead, PolicySet { version }).await?;
    Answer::ok(&PolicyDetail::from(call.api.access.policy_version(&permit).await?))
}

/// Put proposed policies into force
///
/// In every process within a second. Where there is a second person, one of them has to approve.
#[utoipa::path(post, path = "/v1/policies/{version}/activate", tag = "Policies",
    params(("version" = String, Path, description = "16 hexadecimal digits")),
    request_body = Option<ActivatePolicies>,
    responses((status = 200, description = "In force.", body = PolicyAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn activate(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: ActivatePolicies = body.read_or_nothing()?;
        let approval = fields::approval(wish.approval.as_deref())?;
        let reads = call.permit(Action::PolicyRead, named(call)).await?;
        let bound = call.api.access.bound_activation(&reads, approval).await?;
        match call.rule(Action::PolicyActivate, named(call), bound).await? {
            Ruling::Permitted(permit) => Answer::ok(&PolicyAnswer::from(call.api.access.activate(&permit).await?)),
            Ruling::Pending(view) => Answer::pending(&view),
        }
    })
    .await
}

/// Take proposed policies back
#[utoipa::path(post, path = "/v1/policies/{version}/withdraw", tag = "Policies",
    params(("version" = String, Path, description = "16 hexadecimal digits")),
    responses((status = 200, description = "No longer proposed.", body = PolicyAnswer)))]
pub async fn withdraw(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        let permit = call.permit(Action::PolicyPropose, named(call)).await?;
        Answer::ok(&PolicyAnswer::from(call.api.access.withdraw(&permit).await?))
    })
    .await
}

fn named(call: &Call) -> PolicySet {
    PolicySet { version: Some(call.part("version").to_owned()) }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::NumberInText { file, line } => Self::in_file(Code::NumberInText, &file, Some(line), None),
            PolicyError::Unreadable { .. } => Self::internal(error),
            PolicyError::Empty(_) => Self::in_file(Code::PolicyInvalid, "", None, Some("needs a *.cedar file")),
            PolicyError::Invalid { file, line, message } => {
                Self::in_file(Code::PolicyInvalid, &file, Some(line), Some(&message))
            }
            PolicyError::File { file, message } => Self::in_file(Code::PolicyInvalid, &file, None, Some(&message)),
            PolicyError::OtherSchema => {
                let mend = "is not the schema of this version; leave it out";
                Self::in_file(Code::PolicyInvalid, "bauta.cedarschema", None, Some(mend))
            }
            PolicyError::Fixture(failure) => {
                let told = failure.to_string();
                Self::in_file(Code::PolicyFixture, &failure.file, Some(failure.line), Some(&told))
            }
            PolicyError::Unsafe(why) => Self::in_file(Code::PolicyUnsafe, "", None, Some(&why)),
        }
    }
}

impl Problem {
    /// A fault in a file of a proposal. What it says may quote the proposal, so it is searched for numbers once more.
    fn in_file(code: Code, file: &str, line: Option<usize>, detail: Option<&str>) -> Self {
        let field = if file.is_empty() { "files".to_owned() } else { format!("files.{file}") };
        let detail = detail.filter(|detail| !phone::contains_number(detail)).map(str::to_owned);
        Self::at(code, field).explained(line, detail)
    }
}
