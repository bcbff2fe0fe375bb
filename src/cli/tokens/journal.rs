//! What a run has written, and the note from which the same command goes on.
//!
//! Beside OUT lie `OUT.bad.ndjson`, rows that were left out, and while a run is not over `OUT.state`: up to which octet of
//! the input what octets of both files are final. The note is renamed into place after both files are on disk; what stands
//! behind it in them is cut off when a run goes on. So OUT is the same however often a run was broken off, and how. All
//! three are readable by their owner alone. The note holds no field and no key.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::CommandError;
use crate::clock::Timestamp;
use crate::crypto;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// What is done, as JSON: another command does not go on with this run.
    work: String,
    /// The input's length and time of change: another input neither.
    input: Option<(u64, i64, i64)>,
    /// Names the run in idempotency keys.
    pub(super) run: String,
    /// When it began, in Unix milliseconds: lives of tokens are counted from here.
    pub(super) began: i64,
    /// Octets of the input that are done.
    pub(super) offset: u64,
    /// The line on which the next row begins.
    pub(super) line: u64,
    output: u64,
    bad: u64,
    /// Rows that were read.
    pub(super) rows: u64,
    /// Rows that were left out.
    pub(super) refused: u64,
    /// Rows whose field was empty, which went through as they were.
    pub(super) empty: u64,
}

/// The outputs of a run.
pub(super) struct Journal {
    /// How far it is; durable as of the last [`Self::keep`].
    pub(super) note: Note,
    places: Option<Places>,
    output: Box<dyn io::Write>,
    bad: Box<dyn io::Write>,
    kept: Instant,
    /// Whether this run goes on with an earlier one.
    pub(super) resumed: bool,
}

/// The files, where the output is one.
struct Places {
    bad: PathBuf,
    state: PathBuf,
    files: [File; 2],
}

impl Journal {
    /// Begins a run, or goes on with the one that `output` was left by.
    ///
    /// # Errors
    /// If `output` is something else already, or belongs to another command or input; each says what to do.
    pub(super) fn open(
        output: &Path,
        input: Option<&fs::Metadata>,
        work: String,
        now: Timestamp,
    ) -> Result<Self, CommandError> {
        let fresh = Note {
            work,
            input: input.map(|found| (found.size(), found.mtime(), found.mtime_nsec())),
            run: HEXLOWER.encode(&crypto::random::<8>()),
            began: now.as_millis(),
            offset: 0,
            line: 1,
            output: 0,
            bad: 0,
            rows: 0,
            refused: 0,
            empty: 0,
        };
        if output.as_os_str() == "-" {
            let (output, bad) = (Box::new(io::stdout()), Box::new(io::stderr()));
            return Ok(Self { note: fresh, places: None, output, bad, kept: Instant::now(), resumed: false });
        }
        let beside = |end: &str| PathBuf::from(format!("{}{end}", output.display()));
        let (bad, state) = (beside(".bad.ndjson"), beside(".state"));
        let (note, resumed) = match fs::read(&state) {
            Ok(text) => (continued(&text, &fresh, &state)?, true),
            Err(none) if none.kind() == io::ErrorKind::NotFound => (fresh, false),
            Err(error) => return Err(told(&state, error)),
        };
        let files = [open(output, note.output)?, open(&bad, note.bad)?];
        let clone = |file: &File, path: &Path| file.try_clone().map(Box::new).map_err(|error| told(path, error));
        let (writer, bad_writer) = (clone(&files[0], output)?, clone(&files[1], &bad)?);
        let places = Places { bad, state, files };
        let mut journal =
            Self { note, places: Some(places), output: writer, bad: bad_writer, kept: Instant::now(), resumed };
        journal.keep()?;
        Ok(journal)
    }

    /// Writes what comes of a chunk. `note` tells how far that is, but for the outputs.
    pub(super) fn write(&mut self, octets: &[u8], bad: &[u8], note: Note) -> Result<(), CommandError> {
        let wrong = |error: io::Error| CommandError::Failed(format!("the output cannot be written: {error}"));
        self.output.write_all(octets).and_then(|()| self.output.flush()).map_err(wrong)?;
        self.bad.write_all(bad).map_err(wrong)?;
        let (output, refused) = (self.note.output + octets.len() as u64, self.note.bad + bad.len() as u64);
        self.note = Note { output, bad: refused, ..note };
        if self.kept.elapsed() >= EVERY { self.keep() } else { Ok(()) }
    }

    /// Makes everything so far final.
    pub(super) fn keep(&mut self) -> Result<(), CommandError> {
        let Some(places) = &self.places else { return Ok(()) };
        let keep = || {
            places.files.iter().try_for_each(File::sync_data)?;
            let beside = places.state.with_extension("state.new");
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&serde_json::to_vec(&self.note)?)?;
            file.sync_all()?;
            fs::rename(&beside, &places.state)?;
            synced_folder(&places.state)
        };
        keep().map_err(|error| told(&places.state, error))?;
        self.kept = Instant::now();
        Ok(())
    }

    /// Ends a run that is through: the outputs are final, and nothing is left to go on with.
    pub(super) fn end(&mut self) -> Result<(), CommandError> {
        self.keep()?;
        let Some(places) = &self.places else { return Ok(()) };
        let end = || {
            if self.note.bad == 0 {
                fs::remove_file(&places.bad)?;
            }
            fs::remove_file(&places.state)?;
            synced_folder(&places.state)
        };
        end().map_err(|error| told(&places.state, error))
    }

    /// Where rows that were left out are told of.
    pub(super) fn bad_place(&self) -> String {
        self.places.as_ref().map_or_else(|| "above".to_owned(), |places| places.bad.display().to_string())
    }

    /// What to do when a run was broken off.
    pub(super) fn way_on(&self) -> &'static str {
        if self.places.is_some() { "run the same command again to go on from there" } else { "nothing was noted" }
    }
}

/// The note of an earlier run, if this command may go on with it.
fn continued(text: &[u8], fresh: &Note, state: &Path) -> Result<Note, CommandError> {
    let refused =
        |why: &str| CommandError::Usage(format!("{}: {why}; remove it with the output to begin anew", state.display()));
    let note: Note = serde_json::from_slice(text).map_err(|_| refused("not the note of a run"))?;
    if note.work != fresh.work {
        return Err(refused("the note of another command; repeat that one as it was"));
    }
    if note.input != fresh.input {
        return Err(refused("the input has changed since"));
    }
    Ok(note)
}

/// A file of which `length` octets are final. One that holds something though nothing is final is somebody else's.
fn open(path: &Path, length: u64) -> Result<File, CommandError> {
    let open = || {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.try_lock().map_err(|_| io::Error::other("another run writes it"))?;
        let found = file.metadata()?.len();
        if found < length {
            return Err(io::Error::other("it is shorter than the run left it; remove it and its .state to begin anew"));
        }
        Ok((file, found))
    };
    let (mut file, found) = open().map_err(|error| told(path, error))?;
    if length == 0 && found > 0 && !PathBuf::from(format!("{}.state", path.display())).exists() && !is_side(path) {
        return Err(CommandError::Usage(format!("{}: is there already; remove it or name another", path.display())));
    }
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(|error| told(path, error))?;
    file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length))).map_err(|error| told(path, error))?;
    Ok(file)
}

fn is_side(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".bad.ndjson")
}

fn synced_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn told(path: &Path, error: io::Error) -> CommandError {
    CommandError::Failed(format!("{}: {error}", path.display()))
}

/// How much may have to be done again.
const EVERY: Duration = Duration::from_secs(1);
