//! `bauta approval list|approve|deny`, in the name of whoever holds the key in `BAUTA_CREDENTIAL`.

use clap::{Subcommand, ValueEnum};

use super::{CommandError, Place, holder};
use crate::access::{Action, ApprovalRef, ApprovalState, ApprovalView, Approvals, Principal};
use crate::app::App;
use crate::event::Role;
use crate::ids::ApprovalId;
use crate::store::ApprovalStatus;

/// What waits for a second person
#[derive(Subcommand)]
pub enum Approval {
    /// List approvals, newest first
    List {
        /// Only of this status
        #[arg(long, value_enum)]
        status: Option<Status>,
    },
    /// Say yes: what was asked for can be done once, within an hour
    Approve {
        /// The approval's id, apr_…
        id: ApprovalId,
    },
    /// Say no
    Deny {
        /// The approval's id, apr_…
        id: ApprovalId,
    },
}

/// Where an approval stands.
#[derive(Clone, Copy, ValueEnum)]
pub enum Status {
    /// Nobody decided yet
    Pending,
    /// It may be used, once
    Approved,
    /// Somebody said no
    Denied,
    /// Its time ran out
    Expired,
    /// It was used
    Used,
}

impl From<Status> for ApprovalStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Approved => Self::Approved,
            Status::Denied => Self::Denied,
            Status::Expired => Self::Expired,
            Status::Used => Self::Used,
        }
    }
}

impl Approval {
    /// Runs it beside a service that may be running.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        place.with_app(async |app| {
            let person = holder(&app).await?;
            match self {
                Self::List { status } => list(&app, &person, status.map(ApprovalStatus::from)).await,
                Self::Approve { id } => decide(&app, &person, id, true).await,
                Self::Deny { id } => decide(&app, &person, id, false).await,
            }
        })
    }
}

async fn list(app: &App, person: &Principal, status: Option<ApprovalStatus>) -> Result<(), CommandError> {
    let own = !matches!(person.role, Role::Approver | Role::Auditor);
    let permit = app.access.authorize(person, Action::ApprovalRead, Approvals { own }).await;
    let permit = permit.map_err(CommandError::failed)?;
    let mut after = None;
    loop {
        let page = app.access.approvals(&permit, status, after, 100).await.map_err(CommandError::failed)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        page.iter().for_each(show);
    }
}

fn show(view: &ApprovalView) {
    let purpose = view.purpose.as_deref().map(|purpose| format!("  for {purpose}")).unwrap_or_default();
    let note = view.reference.as_deref().map(|note| format!("  ({note})")).unwrap_or_default();
    let status = name(view.status);
    say!("{}  {status:<8}  {}  {}{purpose}{note}  until {}", view.id, view.action, view.person, view.expires_at);
    say!("    {}", view.summary);
}

const fn name(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "pending",
        ApprovalState::Approved => "approved",
        ApprovalState::Denied => "denied",
        ApprovalState::Expired => "expired",
        ApprovalState::Used => "used",
        ApprovalState::Void => "void",
    }
}

async fn decide(app: &App, person: &Principal, id: ApprovalId, yes: bool) -> Result<(), CommandError> {
    let permit = app.access.authorize(person, Action::ApprovalDecide, ApprovalRef { id }).await;
    let permit =
        permit.map_err(|_| CommandError::Failed("refused: it takes an approver's key of this tenant".into()))?;
    let decided = if yes { app.access.approve(&permit).await } else { app.access.deny(&permit).await };
    let view = decided.map_err(CommandError::failed)?;
    let (word, action) = (name(view.status), &view.action);
    say!("{word} {id}: {action}, asked for by {}", view.person);
    Ok(())
}
