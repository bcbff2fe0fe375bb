//! The policies: read from a folder or as they ship, validated strictly against the schema, named by a version.
//!
//! The schema is part of this program, since the program makes the entities that it describes; a copy beside the
//! policies is for editors and has to be the same. Warnings of the validator (a policy that can never apply, text that
//! looks like other text) are errors here. Nothing is loaded in part.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use ring::digest;
use serde::Serialize;

const SCHEMA: &str = include_str!("../../policies/bauta.cedarschema");
const SCHEMA_FILE: &str = "bauta.cedarschema";
const ROLES: &str = include_str!("../../policies/roles.cedar");
const ROLES_FILE: &str = "roles.cedar";

/// The most that is read of one file.
const MAX_BYTES: u64 = 1 << 20;

/// A validated set of policies.
#[derive(Debug)]
pub struct Policies {
    pub(super) set: PolicySet,
    pub(super) schema: Schema,
    version: String,
    summaries: Vec<PolicySummary>,
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

/// Why policies were not loaded, and what to do.
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
    /// The folder holds no policy, so that nobody could do anything.
    #[error("{path}: holds no *.cedar file; copy roles.cedar there or leave [policies] dir out", path = .0.display())]
    Empty(PathBuf),
    /// A policy does not parse or does not agree with the schema.
    #[error("{file}:{line}: {message}; mend the policy, nothing was loaded")]
    Invalid {
        /// The file's path, or its name if it came with the program.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A copy of the schema that is not this version's.
    #[error("{file}: is not the schema of this version; delete it or copy this version's there")]
    OtherSchema {
        /// The file's path.
        file: String,
    },
}

/// A file and its text.
struct Source {
    name: String,
    path: String,
    text: String,
}

impl Policies {
    /// Reads `*.cedar` of a folder, or the policies that come with the program.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and mend.
    pub fn load(folder: Option<&Path>) -> Result<Self, PolicyError> {
        let sources = match folder {
            Some(folder) => read(folder)?,
            None => vec![Source { name: ROLES_FILE.into(), path: ROLES_FILE.into(), text: ROLES.into() }],
        };
        Self::of(&sources)
    }

    /// The first 16 hex digits of the SHA-256 over the files' names and contents, schema included.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every policy, by file and line.
    pub fn summaries(&self) -> &[PolicySummary] {
        &self.summaries
    }

    fn of(sources: &[Source]) -> Result<Self, PolicyError> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|e| {
            let schema = Source { name: SCHEMA_FILE.into(), path: SCHEMA_FILE.into(), text: SCHEMA.into() };
            invalid(&schema, &DetailedError::from(&e))
        })?;
        let validator = Validator::new(schema.clone());
        let mut set = PolicySet::new();
        let mut summaries = Vec::new();
        for source in sources {
            let parsed = parse(source)?;
            validate(&validator, source, &parsed)?;
            for policy in in_order(&parsed) {
                let summary = summary(source, &policy);
                set.add(policy.new_id(PolicyId::new(&summary.id))).map_err(|_| PolicyError::Invalid {
                    file: source.path.clone(),
                    line: summary.line,
                    message: format!("the @id {:?} is used twice", summary.id),
                })?;
                summaries.push(summary);
            }
        }
        Ok(Self { set, schema, version: version(sources), summaries })
    }
}

/// The folder's policies by name, its copy of the schema checked.
fn read(folder: &Path) -> Result<Vec<Source>, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        if path.file_name().is_some_and(|name| name == SCHEMA_FILE) {
            if read_file(&path)?.text != SCHEMA {
                return Err(PolicyError::OtherSchema { file: path.display().to_string() });
            }
        } else if path.extension().is_some_and(|extension| extension == "cedar") {
            sources.push(read_file(&path)?);
        }
    }
    if sources.is_empty() { Err(PolicyError::Empty(folder.to_owned())) } else { Ok(sources) }
}

fn read_file(path: &Path) -> Result<Source, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(unreadable(std::io::Error::other("larger than 1 MiB")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Source { name, path: path.display().to_string(), text })
}

fn parse(source: &Source) -> Result<PolicySet, PolicyError> {
    let set = PolicySet::from_str(&source.text).map_err(|e| invalid(source, &DetailedError::from(&e)))?;
    if let Some(template) = set.templates().next() {
        let line = line_of(&source.text, source.text.find(&template.to_string()));
        let message = "a template, of which nothing makes policies here".to_owned();
        return Err(PolicyError::Invalid { file: source.path.clone(), line, message });
    }
    Ok(set)
}

fn validate(validator: &Validator, source: &Source, set: &PolicySet) -> Result<(), PolicyError> {
    let result = validator.validate(set, ValidationMode::Strict);
    let errors = result.validation_errors().map(DetailedError::from);
    let warnings = result.validation_warnings().map(DetailedError::from);
    errors.chain(warnings).next().map_or(Ok(()), |fault| Err(invalid(source, &fault)))
}

fn invalid(source: &Source, fault: &DetailedError) -> PolicyError {
    let at = fault.source_locations.iter().map(|label| label.loc.start).min();
    let help = fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    PolicyError::Invalid {
        file: source.path.clone(),
        line: line_of(&source.text, at),
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

fn summary(source: &Source, policy: &Policy) -> PolicySummary {
    let line = line_of(&source.text, source.text.find(&policy.to_string()));
    let id = policy.annotation("id").map_or_else(|| format!("{}:{line}", source.name), str::to_owned);
    PolicySummary { id, file: source.path.clone(), line, effect: policy.effect().to_string() }
}

fn version(sources: &[Source]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    let schema = (SCHEMA_FILE, SCHEMA);
    for (name, text) in sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).chain([schema]) {
        for part in [name, text] {
            // The length before each part, so that no two sets of files read alike.
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let digest = data_encoding::HEXLOWER.encode(hash.finish().as_ref());
    digest.chars().take(16).collect()
}
