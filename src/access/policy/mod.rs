//! The policies: a set of files compiled, validated strictly against the schema, named by a version.
//!
//! [`PolicyFiles`] is the set as texts, [`Policies`] the same ready to decide. The schema belongs to this program, since
//! the program makes the entities that it describes; a copy beside the policies is for editors and has to be the same.
//! So does the floor: a few prohibitions that every set stands on and none can lift. Warnings of the validator (a policy
//! that can never apply, text that looks like other text) are errors here. Nothing is loaded in part.
//!
//! `beside` knows the files that are no Cedar, [`fixtures`] tries a set on cases written down, `rails` says which sets
//! may never come into force, `life` leads a set from proposal to force, `begin` finds what a store begins with, `diff`
//! compares two.

mod begin;
mod beside;
mod diff;
mod files;
mod fixtures;
mod life;
mod rails;
mod somebody;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use serde::Serialize;

use super::retention::{RETENTION_FILE, Retention};
use super::{BUDGETS_FILE, Budgets};
use crate::guard::Terms;
use crate::phone::{OPERATORS_FILE, Operators};

pub use begin::{OpenError, Opened};
pub use files::PolicyFiles;
pub use fixtures::{Failure, Outcome};
pub use life::{PolicyView, Proposal};

const SCHEMA: &str = include_str!("../../../policies/bauta.cedarschema");
const SCHEMA_FILE: &str = "bauta.cedarschema";

/// What every set stands on.
const FLOOR: &str = include_str!("floor.cedar");

/// A validated set of policies.
#[derive(Debug)]
pub struct Policies {
    pub(super) set: PolicySet,
    pub(super) schema: Schema,
    version: String,
    summaries: Vec<PolicySummary>,
    files: PolicyFiles,
    fixtures: Vec<fixtures::Fixture>,
    budgets: Budgets,
    retention: Retention,
    operators: Arc<Operators>,
    terms: Arc<Terms>,
}

/// One policy, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicySummary {
    /// Its `@id`, or file and line.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// The line it starts on, from 1.
    pub line: usize,
    /// `permit` or `forbid`.
    pub effect: String,
}

/// Why policies were not taken, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file or the folder could not be read.
    #[error("{path}: cannot be read ({source}); mend its permissions or name another folder in [policies] dir", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// The set holds no policy, so that nobody could do anything.
    #[error("{0}: holds no *.cedar file; copy roles.cedar there or leave [policies] dir out")]
    Empty(String),
    /// A policy does not parse or does not agree with the schema, or a fixture cannot be read.
    #[error("{file}:{line}: {message}; mend the policy, nothing was loaded")]
    Invalid {
        /// The file's name in the set.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A file that no set may have, or that its owner cannot read.
    #[error("{file}: {message}")]
    File {
        /// The file's name in the set.
        file: String,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// A phone number in a policy, a comment or a name.
    #[error("{file}:{line}: holds a phone number; name people and systems instead, nothing was loaded")]
    NumberInText {
        /// The file's name in the set.
        file: String,
        /// From 1.
        line: usize,
    },
    /// A copy of the schema that is not this version's.
    #[error("bauta.cedarschema: is not the schema of this version; delete it or copy this version's there")]
    OtherSchema,
    /// A case decides otherwise than it says.
    #[error("{0}")]
    Fixture(#[from] Failure),
    /// A set that may never come into force, however many agree.
    #[error("{0}")]
    Unsafe(String),
}

impl PolicyError {
    fn file(file: &str, message: impl Into<String>) -> Self {
        Self::File { file: file.to_owned(), message: message.into() }
    }
}

/// A file and its text.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl Policies {
    /// Reads a folder, or the policies that come with the program.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and mend.
    pub fn load(folder: Option<&Path>) -> Result<Self, PolicyError> {
        Self::of(folder.map_or_else(|| Ok(PolicyFiles::shipped()), PolicyFiles::read)?)
    }

    /// Compiles a set.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and mend. Fixtures are read, not run: see [`Self::try_fixtures`].
    pub fn of(files: PolicyFiles) -> Result<Self, PolicyError> {
        Self::on_floor(files, FLOOR)
    }

    /// The first 16 hex digits of the SHA-256 over the files' names and texts.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every policy, by file and line.
    pub fn summaries(&self) -> &[PolicySummary] {
        &self.summaries
    }

    /// What each credential may spend in a day.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// How long each class of data is kept.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Which operator numbers belong to.
    pub fn operators(&self) -> &Arc<Operators> {
        &self.operators
    }

    /// What messages may say and cost.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// The texts.
    pub fn files(&self) -> &PolicyFiles {
        &self.files
    }

    /// Tries all that a set has to pass before it may come into force, on imagined people. Returns how many combinations
    /// of its fixtures hold.
    ///
    /// # Errors
    /// [`PolicyError::Fixture`], [`PolicyError::Unsafe`].
    pub fn check(&self) -> Result<usize, PolicyError> {
        let tried = self.try_fixtures()?;
        rails::check(self, &rails::Keepers::imagined())?;
        Ok(tried)
    }

    /// A set that permits nothing, under the version `version` whose own could not be compiled here.
    fn nothing(version: &str, schema: Schema) -> Self {
        Self {
            set: PolicySet::new(),
            schema,
            version: version.to_owned(),
            summaries: Vec::new(),
            files: PolicyFiles::shipped(),
            fixtures: Vec::new(),
            budgets: Budgets::default(),
            retention: Retention::shipped(),
            operators: Arc::default(),
            terms: Arc::default(),
        }
    }

    fn on_floor(files: PolicyFiles, floor: &str) -> Result<Self, PolicyError> {
        let schema = schema()?;
        let validator = Validator::new(schema.clone());
        let mut set = PolicySet::new();
        let mut summaries = Vec::new();
        let mut retention = Retention::shipped();
        let floor = Source { name: "floor.cedar", text: floor };
        add(&mut set, &validator, &floor)?;
        for (name, text) in files.iter() {
            if name.ends_with(".cedar") {
                summaries.extend(add(&mut set, &validator, &Source { name, text })?);
            } else if !name.contains('/') {
                beside::check(name, text)?;
                if name == RETENTION_FILE {
                    retention = Retention::parse(text).map_err(|message| PolicyError::file(name, message))?;
                }
            }
        }
        let operators = match files.get(OPERATORS_FILE) {
            Some(text) => Operators::parse(text).map_err(|message| PolicyError::file(OPERATORS_FILE, message))?,
            None => Operators::shipped(),
        };
        let terms = Terms::of(|name| files.get(name)).map_err(|(name, fault)| PolicyError::file(name, fault))?;
        let fixtures = fixtures::read(&files)?;
        let budgets = Budgets::parse(files.get(BUDGETS_FILE).unwrap_or_default());
        let budgets = budgets.map_err(|message| PolicyError::file(BUDGETS_FILE, message))?;
        let (version, operators, terms) = (files.version(), Arc::new(operators), Arc::new(terms));
        Ok(Self { set, schema, version, summaries, files, fixtures, budgets, retention, operators, terms })
    }
}

fn schema() -> Result<Schema, PolicyError> {
    let source = Source { name: SCHEMA_FILE, text: SCHEMA };
    let parsed = Schema::from_cedarschema_str(SCHEMA).map_err(|e| invalid(&source, &DetailedError::from(&e)));
    parsed.map(|(schema, _)| schema)
}

/// Adds one file's policies to the set, each under its own id.
fn add(set: &mut PolicySet, validator: &Validator, source: &Source<'_>) -> Result<Vec<PolicySummary>, PolicyError> {
    let parsed = parse(source)?;
    validate(validator, source, &parsed)?;
    let mut summaries = Vec::new();
    for policy in in_order(&parsed) {
        let summary = summary(source, &policy);
        set.add(policy.new_id(PolicyId::new(&summary.id))).map_err(|_| PolicyError::Invalid {
            file: source.name.to_owned(),
            line: summary.line,
            message: format!("the @id {:?} is used twice", summary.id),
        })?;
        summaries.push(summary);
    }
    Ok(summaries)
}

fn parse(source: &Source<'_>) -> Result<PolicySet, PolicyError> {
    let set = PolicySet::from_str(source.text).map_err(|e| invalid(source, &DetailedError::from(&e)))?;
    if let Some(template) = set.templates().next() {
        let line = line_of(source.text, source.text.find(&template.to_string()));
        let message = "a template, of which nothing makes policies here".to_owned();
        return Err(PolicyError::Invalid { file: source.name.to_owned(), line, message });
    }
    Ok(set)
}

fn validate(validator: &Validator, source: &Source<'_>, set: &PolicySet) -> Result<(), PolicyError> {
    let result = validator.validate(set, ValidationMode::Strict);
    let errors = result.validation_errors().map(DetailedError::from);
    let warnings = result.validation_warnings().map(DetailedError::from);
    errors.chain(warnings).next().map_or(Ok(()), |fault| Err(invalid(source, &fault)))
}

fn invalid(source: &Source<'_>, fault: &DetailedError) -> PolicyError {
    let at = fault.source_locations.iter().map(|label| label.loc.start).min();
    let help = fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    PolicyError::Invalid {
        file: source.name.to_owned(),
        line: line_of(source.text, at),
        message: format!("{}{help}", fault.message),
    }
}

/// The line, from 1, of a byte offset; the first if none is known.
fn line_of(text: &str, offset: Option<usize>) -> usize {
    let before = offset.and_then(|offset| text.as_bytes().get(..offset)).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// The policies in the order of their file: the parser numbers them `policy0`, `policy1` …
fn in_order(set: &PolicySet) -> Vec<Policy> {
    let mut policies: Vec<Policy> = set.policies().cloned().collect();
    policies.sort_by_key(|policy| policy.id().to_string().trim_start_matches("policy").parse::<u32>().unwrap_or(0));
    policies
}

fn summary(source: &Source<'_>, policy: &Policy) -> PolicySummary {
    let line = line_of(source.text, source.text.find(&policy.to_string()));
    let id = policy.annotation("id").map_or_else(|| format!("{}:{line}", source.name), str::to_owned);
    PolicySummary { id, file: source.name.to_owned(), line, effect: policy.effect().to_string() }
}
