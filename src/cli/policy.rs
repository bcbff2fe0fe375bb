//! `bauta policy …`: check files, compare them with what is in force, propose, put into force, take back.
//!
//! `check` needs files alone; the others work on the store beside a service that may be running, as the people of the
//! tenant that keeps the policies: with a key in `BAUTA_CREDENTIAL`, else at the terminal.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Caller, CommandError, Place, caller, permitted, say_text};
use crate::access::{Action, Outcome, Permit, Policies, PolicyFiles, PolicySet, PolicyView, Proposal};
use crate::app::App;
use crate::ids::ApprovalId;
use crate::store::PolicyRow;

/// Access policies
#[derive(Subcommand)]
pub enum Policy {
    /// Check a folder of policies: schema, fixtures, and that nobody would be locked out
    Check {
        /// The folder [default: the one of the settings, else the built-in policies]
        dir: Option<PathBuf>,
    },
    /// Show how files differ from the policies in force, and which cases they decide otherwise
    Diff(Files),
    /// Propose files, or a version that is kept. Nothing follows it until it is approved
    Propose {
        #[command(flatten)]
        files: Files,
        /// The version that it is to replace [default: the one in force]
        #[arg(long, value_name = "VERSION")]
        base: Option<String>,
    },
    /// Put a proposal into force, in every process within a second
    Approve {
        /// The proposed version
        #[arg(value_name = "VERSION")]
        which: String,
        /// The approval, once another person approved: apr_…
        #[arg(long)]
        approval: Option<ApprovalId>,
    },
    /// Take a proposal back
    Withdraw {
        /// The proposed version
        #[arg(value_name = "VERSION")]
        which: String,
    },
    /// List versions, the last proposed first
    List,
    /// Show a version, or write its files into a folder
    Show {
        /// The version [default: the one in force]
        #[arg(value_name = "VERSION")]
        which: Option<String>,
        /// A folder to write its files into
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

/// What to compare or propose.
#[derive(Args)]
pub struct Files {
    /// The folder [default: the one of the settings, else the built-in policies]
    dir: Option<PathBuf>,
    /// A version that is kept, instead of files
    #[arg(long, value_name = "VERSION", conflicts_with = "dir")]
    kept: Option<String>,
}

impl Policy {
    /// Runs it.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        match self {
            Self::Check { dir } => check(place, dir),
            Self::Diff(files) => {
                let found = files.read(place)?;
                place.with_app(async |app| diff(&app, found).await)
            }
            Self::Propose { files, base } => {
                let proposal = files.read(place)?;
                place.with_app(async |app| propose(&app, proposal, base).await)
            }
            Self::Approve { which, approval } => place.with_app(async |app| approve(&app, which, approval).await),
            Self::Withdraw { which } => place.with_app(async |app| withdraw(&app, which).await),
            Self::List => place.with_app(async |app| list(&app).await),
            Self::Show { which, output } => place.with_app(async |app| show(&app, which, output.as_deref()).await),
        }
    }
}

impl Files {
    fn read(self, place: &Place) -> Result<Proposal, CommandError> {
        match self.kept {
            Some(version) => Ok(Proposal::Version(version)),
            None => Ok(Proposal::Files(read(place, self.dir)?)),
        }
    }
}

fn read(place: &Place, dir: Option<PathBuf>) -> Result<PolicyFiles, CommandError> {
    let dir = match dir {
        Some(dir) => Some(dir),
        None => place.settings()?.policies,
    };
    dir.map_or_else(|| Ok(PolicyFiles::shipped()), |dir| PolicyFiles::read(&dir)).map_err(CommandError::failed)
}

fn check(place: &Place, dir: Option<PathBuf>) -> Result<(), CommandError> {
    let policies = Policies::of(read(place, dir)?).map_err(CommandError::failed)?;
    let cases = policies.check().map_err(CommandError::failed)?;
    say!("version {}", policies.version());
    for policy in policies.summaries() {
        say!("  {:<6}  {}  {}:{}", policy.effect, policy.id, policy.file, policy.line);
    }
    say!("{cases} cases of the fixtures hold");
    Ok(())
}

async fn diff(app: &App, proposal: Proposal) -> Result<(), CommandError> {
    let permit = permit(app, Action::PolicyRead, None).await?;
    let (against, files) = match proposal {
        Proposal::Files(files) => (app.access.policies().version().to_owned(), files),
        Proposal::Version(version) => {
            let permit = self::permit(app, Action::PolicyRead, Some(version)).await?;
            let view = app.access.policy_version(&permit).await.map_err(CommandError::failed)?;
            (view.against, view.files)
        }
    };
    if files.version() == against {
        say!("no difference from {against}, which is in force");
        return Ok(());
    }
    // The text first: it shows what is wrong where the set could not be proposed.
    say_text(&app.access.policies().files().diff(&files));
    let (_, changes) = app.access.compare(&permit, files).await.map_err(CommandError::failed)?;
    tell_changes(&changes);
    Ok(())
}

async fn propose(app: &App, proposal: Proposal, base: Option<String>) -> Result<(), CommandError> {
    let permit = permit(app, Action::PolicyPropose, None).await?;
    let base = base.unwrap_or_else(|| app.access.policies().version().to_owned());
    let PolicyView { row, changes, .. } =
        app.access.propose(&permit, proposal, &base).await.map_err(CommandError::failed)?;
    say!("proposed {} over {base}", row.version);
    tell_changes(&changes);
    say!("to put it into force: bauta policy approve {}", row.version);
    Ok(())
}

async fn approve(app: &App, version: String, approval: Option<ApprovalId>) -> Result<(), CommandError> {
    let who = keeper(app).await?;
    let named = || PolicySet { version: Some(version.clone()) };
    let failed = CommandError::failed;
    let reads = app.access.authorize(&who, Action::PolicyRead, named()).await.map_err(failed)?;
    let bound = app.access.bound_activation(&reads, approval).await.map_err(CommandError::failed)?;
    let ruling = app.access.rule(&who, Action::PolicyActivate, named(), bound).await;
    let row = match permitted(ruling.map_err(refused)?) {
        Ok(permit) => app.access.activate(&permit).await.map_err(CommandError::failed)?,
        Err(pending) => return Err(pending),
    };
    say!("in force: {}", row.version);
    Ok(())
}

async fn withdraw(app: &App, version: String) -> Result<(), CommandError> {
    let permit = permit(app, Action::PolicyPropose, Some(version)).await?;
    let row = app.access.withdraw(&permit).await.map_err(CommandError::failed)?;
    say!("withdrawn: {}", row.version);
    Ok(())
}

async fn list(app: &App) -> Result<(), CommandError> {
    let permit = permit(app, Action::PolicyRead, None).await?;
    let mut after: Option<String> = None;
    loop {
        let page = app.access.policy_versions(&permit, after.as_deref(), 100).await.map_err(CommandError::failed)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.version.clone());
        page.iter().for_each(tell);
    }
}

fn tell(row: &PolicyRow) {
    let base = row.base.as_deref().map(|base| format!(" over {base}")).unwrap_or_default();
    let approver = row.approver.as_deref().map(|person| format!(", approved by {person}")).unwrap_or_default();
    let status = row.status.as_str();
    say!("{}  {status:<10}  {}  proposed by {}{base}{approver}", row.version, row.proposed_at, row.proposer);
}

async fn show(app: &App, version: Option<String>, output: Option<&Path>) -> Result<(), CommandError> {
    let permit = permit(app, Action::PolicyRead, version).await?;
    let view = app.access.policy_version(&permit).await.map_err(CommandError::failed)?;
    let Some(folder) = output else {
        tell(&view.row);
        for (name, text) in view.files.iter() {
            say!("── {name}");
            say_text(text);
        }
        return Ok(());
    };
    write(folder, &view.files).map_err(|error| CommandError::Failed(format!("{}: {error}", folder.display())))?;
    say!("wrote {} into {}", view.row.version, folder.display());
    Ok(())
}

/// Writes into a folder that has none of these files: what somebody works on is not overwritten.
fn write(folder: &Path, files: &PolicyFiles) -> std::io::Result<()> {
    use std::io::Write as _;
    for (name, text) in files.iter() {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::File::create_new(path)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn tell_changes(changes: &[Outcome]) {
    if changes.is_empty() {
        say!("no case of the fixtures is decided otherwise");
    }
    for Outcome { case, allowed } in changes {
        say!("{}  {case}", if *allowed { "now allowed" } else { "now denied " });
    }
}

/// Who types, of the tenant that keeps the policies.
async fn keeper(app: &App) -> Result<Caller, CommandError> {
    let nobody = "no tenant keeps the policies: make one, or name one of several live ones in [policies] tenant";
    let tenant = app.access.keeper().ok_or_else(|| CommandError::Failed(nobody.into()))?;
    caller(app, tenant).await
}

async fn permit(app: &App, action: Action, version: Option<String>) -> Result<Permit<PolicySet>, CommandError> {
    let who = keeper(app).await?;
    app.access.authorize(&who, action, PolicySet { version }).await.map_err(refused)
}

fn refused(error: impl Into<crate::access::AccessError>) -> CommandError {
    match error.into() {
        crate::access::AccessError::Denied(crate::access::Denied::Forbidden) => CommandError::Failed(
            "refused: put the key of an admin of the tenant that keeps the policies into BAUTA_CREDENTIAL".into(),
        ),
        error => CommandError::failed(error),
    }
}
