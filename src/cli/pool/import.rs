//! `bauta pool import`: everything that could be wrong is looked for before anything is added; then numbers are added some
//! thousand at a time, so that nobody waits. Those that are in the pool already count as done.

use super::read::{Fault, Line, Lines, MAX_FAULTS, MAX_LINES};
use super::{owner, permit};
use crate::access::Action;
use crate::alias::{Import, Standing};
use crate::app::App;
use crate::cli::CommandError;
use crate::ids::PoolId;

pub(super) async fn run(app: &App, pool: PoolId, (lines, mut faults): Lines) -> Result<(), CommandError> {
    let tenant = owner(app, pool).await?;
    let permit = permit(app, tenant, Action::PoolManage).await?;
    if lines.len() >= MAX_LINES {
        return Err(CommandError::Failed(format!("a file has at most {MAX_LINES} numbers; split it")));
    }
    let (mut missing, mut there) = (Vec::new(), 0_usize);
    for line in lines {
        match app.alias.standing(&permit, pool, line.number, &line.traits).await.map_err(CommandError::failed)? {
            Standing::New => missing.push(line),
            Standing::Here => there += 1,
            Standing::Otherwise(what) => faults.push(Fault { at: line.at, what }),
        }
        if faults.len() >= MAX_FAULTS {
            break;
        }
    }
    if !faults.is_empty() {
        return Err(told(faults));
    }
    let mut added = 0;
    for chunk in missing.chunks(CHUNK) {
        let numbers = chunk.iter().map(|Line { number, traits, .. }| (*number, traits.clone())).collect();
        let done = app.alias.import(&permit, pool, Import { numbers }).await;
        added += done.map_err(|error| CommandError::Failed(format!("after {added} numbers: {error}")))?;
    }
    say!("added {added} numbers to {pool}; {there} were in it already");
    Ok(())
}

/// Says what is wrong, line by line.
fn told(mut faults: Vec<Fault>) -> CommandError {
    faults.sort_by_key(|fault| fault.at);
    for fault in &faults {
        eprintln!("line {}: {}", fault.at, fault.what);
    }
    let more = if faults.len() >= MAX_FAULTS { " or more" } else { "" };
    CommandError::Failed(format!("nothing was added: {}{more} lines are wrong", faults.len()))
}

/// Numbers of one commit.
const CHUNK: usize = 2_000;
