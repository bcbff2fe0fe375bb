//! `bauta tokens tokenize|reveal|rewrap`: one column of a CSV or NDJSON file, from numbers to tokens or back.
//!
//! A run reads rows in order, has a chunk of them worked on at once ([`desk`]: on the store itself, or by a service's API),
//! and writes the same rows with that one field replaced. What it has done is noted beside the output ([`journal`]), so
//! that the same command goes on where a signal, a crash or a power cut left it, and gives the same octets. A row that
//! cannot be done is left out and told of in a file of its own, by line and reason.

mod csv;
mod desk;
mod http;
mod journal;
mod ndjson;
mod progress;
mod rows;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::credential::span;
use super::{CommandError, Place, runtime};
use crate::app::App;
use crate::clock::{Clock as _, SystemClock};
use crate::ids::ApprovalId;
use crate::token::Kind;
use desk::Desk;

/// Many tokens at once
#[derive(Subcommand)]
pub enum Tokens {
    /// Replace the numbers of a column by tokens
    Tokenize {
        #[command(flatten)]
        files: Files,
        /// Which kind of token
        #[arg(long, value_enum, default_value = "vaulted")]
        kind: KindName,
        /// Whose national form to understand: ISO 3166-1 alpha-2
        #[arg(long)]
        region: Option<String>,
        /// For whom [default: your own audience]
        #[arg(long)]
        audience: Option<String>,
        /// How long the tokens are to live, 90d say [default: for ever]
        #[arg(long, value_parser = span)]
        ttl: Option<Duration>,
    },
    /// Replace the tokens of a column by numbers; for custodians
    Reveal {
        #[command(flatten)]
        files: Files,
        /// Why: one that the policies know
        #[arg(long)]
        purpose: String,
        /// Your own note for the log, without numbers
        #[arg(long)]
        reference: Option<String>,
        /// The approval of a second person, where policies ask for one; each 10,000 rows are a request of their own
        #[arg(long)]
        approval: Option<ApprovalId>,
    },
    /// Replace the sealed tokens of a column by those of the newest key version
    Rewrap {
        #[command(flatten)]
        files: Files,
        /// For whom the tokens are [default: your own audience]
        #[arg(long)]
        audience: Option<String>,
    },
}

/// What is read and written.
#[derive(Args)]
pub struct Files {
    /// A CSV or NDJSON file; `-` reads standard input
    file: PathBuf,
    /// The column: its name, or for CSV without a header its number from 1; for NDJSON a key, or a path a.b.c
    #[arg(long)]
    column: String,
    /// Where the rows go; `-` writes to standard output, and then a run cannot be resumed
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// What kind of file [default: by its name]
    #[arg(long, value_enum)]
    format: Option<FormatName>,
    /// Between the fields of a CSV file
    #[arg(long, default_value = ",")]
    delimiter: char,
    /// The first row of the CSV file is data
    #[arg(long)]
    no_header: bool,
    /// Ask the service at this address instead of working on the store
    #[arg(long, value_name = "https://…")]
    url: Option<String>,
}

/// A kind of token.
#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum KindName {
    /// `tok_…`, kept in the store
    Vaulted,
    /// `tks_…`, needs no store
    Sealed,
    /// `+999…`, looks like a number
    Lookalike,
}

impl From<KindName> for Kind {
    fn from(name: KindName) -> Self {
        match name {
            KindName::Vaulted => Self::Vaulted,
            KindName::Sealed => Self::Sealed,
            KindName::Lookalike => Self::Lookalike,
        }
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum FormatName {
    /// RFC 4180
    Csv,
    /// A JSON object on each line
    Ndjson,
}

/// What is done to a field.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Tokenize { kind: KindName, region: Option<String>, audience: Option<String>, ttl_s: Option<u64> },
    Reveal { purpose: String, reference: Option<String> },
    Rewrap { audience: Option<String> },
}

impl Tokens {
    /// Runs it, on the store beside a service that may be running or through a service's API.
    pub fn run(self, place: &Place) -> Result<(), CommandError> {
        let (files, work, approval) = self.parts();
        if matches!(work, Work::Reveal { .. }) {
            eprintln!(
                "bauta: real numbers go to {}; keep it where its readers are few, and not for long",
                files.shown()
            );
        }
        let key = zeroize::Zeroizing::new(std::env::var("BAUTA_CREDENTIAL").map_err(|_| {
            CommandError::Usage(
                "put your key into BAUTA_CREDENTIAL: tokens are made and shown in somebody's name".into(),
            )
        })?);
        let settings = place.settings();
        runtime()?.block_on(async {
            let mut desk = match &files.url {
                Some(url) => Desk::at(url, &key, approval)?,
                None => Desk::of(App::open(settings?).await?, approval).await?,
            };
            let done = run::run(&files, &work, &mut desk, SystemClock.now()).await;
            desk.close().await;
            done
        })
    }

    fn parts(self) -> (Files, Work, Option<ApprovalId>) {
        match self {
            Self::Tokenize { files, kind, region, audience, ttl } => {
                let ttl_s = ttl.map(|ttl| ttl.as_secs());
                (files, Work::Tokenize { kind, region, audience, ttl_s }, None)
            }
            Self::Reveal { files, purpose, reference, approval } => {
                (files, Work::Reveal { purpose, reference }, approval)
            }
            Self::Rewrap { files, audience } => (files, Work::Rewrap { audience }, None),
        }
    }
}

impl Files {
    fn shown(&self) -> String {
        if self.output.as_os_str() == "-" { "standard output".into() } else { self.output.display().to_string() }
    }
}
