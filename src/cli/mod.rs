//! The command line: one file per subcommand. Each prints what it did in a line or two, and what to do next.
//!
//! Exit codes: 0 done, 1 refused or failed, 64 a setting or argument is wrong (`EX_USAGE`), 75 another person has to
//! approve first (`EX_TEMPFAIL`).

/// Prints a line to standard output. Whoever stopped reading (`| head`) ends the command, and is no fault.
macro_rules! say {
    ($($line:tt)*) => {
        crate::cli::say_line(format_args!($($line)*))
    };
}

mod approval;
mod audit;
mod credential;
mod demo;
mod freeze;
mod inspect;
mod keys;
mod policy;
mod pool;
mod route;
mod serve;
mod store;
mod tenant;
mod tokens;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::access::Ruling;
use crate::app::{App, AppError};
use crate::config::{Config, ConfigError, Flags};
use crate::ids::ApprovalId;
use crate::process;

/// A privacy boundary for phone numbers: real numbers in, tokens and virtual numbers out.
#[derive(Parser)]
#[command(name = "bauta", version, propagate_version = true)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where settings and files are; the same for every subcommand.
#[derive(Args, Clone)]
struct Place {
    /// The settings file [default: bauta.toml here, if there is one and no --data]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for the service's files [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service. With nothing else given: SQLite, a key file, the sandbox carrier
    Serve(serve::Serve),
    /// Tell the whole story on the sandbox carrier, with the HTTP calls it makes
    Demo(demo::Demo),
    /// Businesses
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// API keys of named persons and systems
    #[command(subcommand)]
    Credential(credential::Credential),
    /// Many tokens at once: a column of a CSV or NDJSON file
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// What waits for a second person
    #[command(subcommand)]
    Approval(approval::Approval),
    /// The masked, tamper-evident log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Keys, and whoever holds them
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Access policies
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Stocks of virtual numbers
    #[command(subcommand)]
    Pool(pool::Pool),
    /// Which carriers messages take
    #[command(subcommand)]
    Route(route::Route),
    /// Copy the store, and restore it from a copy
    #[command(subcommand)]
    Store(store::Store),
    /// Stop reveal and relay for a tenant, credential or alias at once
    Freeze(freeze::Switch),
    /// Lift a freeze
    Thaw(freeze::Switch),
    /// Try the rules on text of your own
    #[command(subcommand)]
    Inspect(inspect::Inspect),
    /// Print the OpenAPI 3.1 document
    Openapi,
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// A setting or argument is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// An argument is wrong.
    #[error("{0}")]
    Usage(String),
    /// The service's rooms could not be opened.
    #[error("{0}")]
    App(#[from] AppError),
    /// Another person has to approve first.
    #[error("waits for another person: `bauta approval approve {0}`; then repeat the command with --approval {0}")]
    Pending(ApprovalId),
    /// The rules said no, or something broke.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// An error of a room below, told as it stands.
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) => EX_USAGE,
            Self::App(error) if error.is_setting() => EX_USAGE,
            Self::Pending(_) => EX_TEMPFAIL,
            Self::App(_) | Self::Failed(_) => 1,
        }
    }
}

/// `EX_USAGE` of BSD's sysexits.
const EX_USAGE: u8 = 64;
/// `EX_TEMPFAIL` of BSD's sysexits: the same command works once somebody approved.
const EX_TEMPFAIL: u8 = 75;

/// Runs the command and turns its outcome into an exit code and at most one line on standard error.
pub fn run(arguments: Arguments) -> ExitCode {
    let private = process::keep_memory_private().map_err(|error| CommandError::Failed(format!("core dumps: {error}")));
    match private.and_then(|()| dispatch(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bauta: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(Arguments { place, command }: Arguments) -> Result<(), CommandError> {
    match command {
        Command::Serve(serve) => serve.run(&place),
        Command::Demo(demo) => demo.run(),
        Command::Tenant(tenant) => tenant.run(&place),
        Command::Credential(credential) => credential.run(&place),
        Command::Tokens(tokens) => tokens.run(&place),
        Command::Approval(approval) => approval.run(&place),
        Command::Audit(audit) => audit.run(&place),
        Command::Keys(keys) => keys.run(&place),
        Command::Policy(policy) => policy.run(&place),
        Command::Pool(pool) => pool.run(&place),
        Command::Route(route) => route.run(&place),
        Command::Store(store) => store.run(&place),
        Command::Freeze(switch) => switch.run(&place, true),
        Command::Thaw(switch) => switch.run(&place, false),
        Command::Inspect(inspect) => inspect.run(),
        Command::Openapi => {
            say_text(&crate::api::openapi::document());
            Ok(())
        }
    }
}

impl Place {
    fn settings(&self) -> Result<Config, ConfigError> {
        Config::load(&Flags { config: self.config.clone(), data: self.data.clone(), listen: None })
    }

    /// Opens the rooms beside a service that may be running on the same files, and runs `work` in them.
    fn with_app<T, F>(&self, work: impl FnOnce(App) -> F) -> Result<T, CommandError>
    where
        F: Future<Output = Result<T, CommandError>>,
    {
        let config = self.settings()?;
        runtime()?.block_on(async {
            let app = App::open(config).await?;
            work(app).await
        })
    }
}

/// A small runtime for commands that are over soon.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CommandError::failed)
}

/// The runtime of the service: HTTP on actix's threads, carriers and workers on tokio's.
fn service_runtime() -> Result<actix_web::rt::SystemRunner, CommandError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.on_thread_park(process::wipe_stack).on_thread_stop(process::wipe_stack);
    let runtime = builder.enable_all().thread_name("bauta").build().map_err(CommandError::failed)?;
    Ok(actix_web::rt::System::with_tokio_rt(move || runtime))
}

/// The operating system's name for who typed the command.
fn user() -> String {
    ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "terminal".to_owned())
}

/// Who types: the holder of the key in `BAUTA_CREDENTIAL`, else the user of this terminal.
async fn caller(app: &App, tenant: crate::ids::TenantId) -> Result<Caller, CommandError> {
    let Ok(key) = std::env::var("BAUTA_CREDENTIAL") else {
        let terminal = app.access.terminal(&user(), tenant);
        return terminal.map(Caller::Terminal).map_err(|_| CommandError::Failed("there is no such tenant".into()));
    };
    let key = zeroize::Zeroizing::new(key);
    match app.access.identify(&key, std::net::Ipv4Addr::LOCALHOST.into()).await {
        Ok(principal) if principal.tenant == tenant => Ok(Caller::Credential(principal)),
        Ok(_) => Err(CommandError::Failed("the key in BAUTA_CREDENTIAL is of another tenant".into())),
        Err(_) => Err(CommandError::Failed("the key in BAUTA_CREDENTIAL is not valid here".into())),
    }
}

/// The permit, or which approval to wait for.
fn permitted<R>(ruling: Ruling<R>) -> Result<crate::access::Permit<R>, CommandError> {
    match ruling {
        Ruling::Permitted(permit) => Ok(permit),
        Ruling::Pending(view) => Err(CommandError::Pending(view.id)),
    }
}

/// The holder of the key in `BAUTA_CREDENTIAL`, for what a terminal may not do.
async fn holder(app: &App) -> Result<crate::access::Principal, CommandError> {
    let missing = || CommandError::Usage("put your key into BAUTA_CREDENTIAL: this is done in a person's name".into());
    let key = zeroize::Zeroizing::new(std::env::var("BAUTA_CREDENTIAL").map_err(|_| missing())?);
    let known = app.access.identify(&key, std::net::Ipv4Addr::LOCALHOST.into()).await;
    known.map_err(|_| CommandError::Failed("the key in BAUTA_CREDENTIAL is not valid here".into()))
}

/// Either kind of caller, owned.
enum Caller {
    Credential(crate::access::Principal),
    Terminal(crate::access::Terminal),
}

impl<'a> From<&'a Caller> for crate::access::Caller<'a> {
    fn from(caller: &'a Caller) -> Self {
        match caller {
            Caller::Credential(principal) => Self::Credential(principal),
            Caller::Terminal(terminal) => Self::Terminal(terminal),
        }
    }
}

fn say_line(line: std::fmt::Arguments<'_>) {
    say_text(&format!("{line}\n"));
}

fn say_text(text: &str) {
    use std::io::Write as _;
    if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}
