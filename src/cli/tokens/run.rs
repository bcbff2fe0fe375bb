//! One run: rows in, chunks worked on, rows out, a note after each.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use super::desk::{Answer, Chunk, Desk};
use super::journal::{Journal, Note};
use super::progress::{Progress, grouped};
use super::rows::{Fault, Format, Row, Rows};
use super::{CommandError, Files, FormatName, Work, csv, ndjson};
use crate::clock::Timestamp;

type Input = Rows<Box<dyn Read>>;

/// Does all that is left of `files`.
pub(super) async fn run(files: &Files, work: &Work, desk: &mut Desk, now: Timestamp) -> Result<(), CommandError> {
    let mut stop = Stop::watched()?;
    let (mut rows, format, head, size) = opened(files)?;
    let found = size.as_ref().map(|(_, found)| found);
    let mut journal = Journal::open(&files.output, found, told(files, work)?, now)?;
    if journal.resumed {
        eprintln!("going on after row {}", grouped(journal.note.rows));
    }
    if journal.note.offset > 0 {
        let (file, _) = size.as_ref().ok_or_else(|| CommandError::Usage("standard input cannot be resumed".into()))?;
        rows = resumed(file, &format, &journal.note)?;
    } else {
        let mut note = journal.note.clone();
        (note.offset, note.line) = (rows.offset, rows.line);
        journal.write(&head, &[], note)?;
    }
    let ends_at = ends_at(work, &journal.note);
    let mut progress = Progress::start(found.map(std::fs::Metadata::len), rows.offset, journal.note.rows);
    loop {
        let key = format!("bulk-{}-{}", journal.note.run, journal.note.offset);
        let taken = taken(&mut rows, desk.most())?;
        if taken.is_empty() {
            break;
        }
        let texts = wanted(&taken).map(|text| Zeroizing::new(text.to_owned())).collect::<Vec<_>>();
        let chunk = Chunk { texts, key, ends_at };
        let answers = match chunk.texts.is_empty() {
            true => Vec::new(),
            false => match desk.work(work, &chunk).await {
                Ok(answers) => answers,
                Err(error) => return Err(broken_off(&mut journal, error)),
            },
        };
        let (octets, bad, note) = assembled(&format, taken, answers, &journal.note, &rows);
        journal.write(&octets, &bad, note)?;
        progress.at(rows.offset, journal.note.rows);
        if stop.asked().await {
            journal.keep()?;
            progress.end(journal.note.rows, "stopped");
            return Err(CommandError::Failed(format!("stopped; {}", journal.way_on())));
        }
    }
    journal.end()?;
    progress.end(journal.note.rows, &summary(&journal));
    Ok(())
}

/// Keeps what is done before an error is told.
fn broken_off(journal: &mut Journal, error: CommandError) -> CommandError {
    let kept = journal.keep();
    match (error, kept) {
        (CommandError::Failed(what), Ok(())) => CommandError::Failed(format!("{what}; {}", journal.way_on())),
        (error, _) => error,
    }
}

fn summary(journal: &Journal) -> String {
    let note = &journal.note;
    let mut text = format!("{} done", grouped(note.rows - note.refused - note.empty));
    if note.empty > 0 {
        text.push_str(&format!(", {} empty", grouped(note.empty)));
    }
    if note.refused > 0 {
        text.push_str(&format!(", {} left out, see {}", grouped(note.refused), journal.bad_place()));
    }
    text
}

/// What a run is, so that another one is not taken for it.
fn told(files: &Files, work: &Work) -> Result<String, CommandError> {
    let file = (&files.column, files.format, files.delimiter, files.no_header, files.url.is_some());
    serde_json::to_string(&json!({"work": work, "file": file})).map_err(CommandError::failed)
}

/// Lives are counted from the beginning of the run, whichever chunk it is.
fn ends_at(work: &Work, note: &Note) -> Option<Timestamp> {
    let Work::Tokenize { ttl_s: Some(ttl_s), .. } = work else { return None };
    Some(Timestamp::from_millis(note.began).plus(Duration::from_secs(*ttl_s)))
}

type Opened = (Input, Format, Zeroizing<Vec<u8>>, Option<(File, std::fs::Metadata)>);

/// The input behind its header, which row it is cut by, what comes before the first row, and the file if it is one.
fn opened(files: &Files) -> Result<Opened, CommandError> {
    let wrong = |error: io::Error| CommandError::Failed(format!("{}: {error}", files.file.display()));
    let (source, file): (Box<dyn Read>, _) = if files.file.as_os_str() == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(&files.file).map_err(wrong)?;
        let found = file.metadata().map_err(wrong)?;
        (Box::new(file.try_clone().map_err(wrong)?), Some((file, found)))
    };
    let delimiter =
        u8::try_from(files.delimiter).map_err(|_| CommandError::Usage("--delimiter: one ASCII sign".into()))?;
    let mut rows = Rows::new(source, Format::Csv { delimiter, column: usize::MAX }, 0, 1);
    let mut head = Zeroizing::new(rows.mark().map_err(wrong)?);
    let format = match kind(files)? {
        FormatName::Ndjson => Format::Ndjson { path: files.column.split('.').map(str::to_owned).collect() },
        FormatName::Csv => {
            let header = if files.no_header { None } else { rows.next().map_err(wrong)? };
            head.extend_from_slice(header.as_ref().map_or(&[], |row| row.octets.as_slice()));
            Format::Csv { delimiter, column: column(files, header.as_ref(), delimiter)? }
        }
    };
    rows.cut_as(format.clone());
    Ok((rows, format, head, file))
}

fn kind(files: &Files) -> Result<FormatName, CommandError> {
    let end = files.file.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
    files
        .format
        .or(match end.as_deref() {
            Some("csv" | "tsv" | "txt") => Some(FormatName::Csv),
            Some("ndjson" | "jsonl" | "json") => Some(FormatName::Ndjson),
            _ => None,
        })
        .ok_or_else(|| CommandError::Usage("--format: write csv or ndjson, the file's name does not tell".into()))
}

/// Which field of a record it is, from 0: by its name in the header, or by its number where there is none.
fn column(files: &Files, header: Option<&Row>, delimiter: u8) -> Result<usize, CommandError> {
    let Some(header) = header else {
        let number = files.column.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        return number.ok_or_else(|| CommandError::Usage("--column: without a header, write its number from 1".into()));
    };
    let names = (0..).map_while(|place| match csv::record(&header.octets, delimiter, place, true) {
        csv::Record::Whole { field: Some(at), .. } => Some(csv::text(header.octets.get(at).unwrap_or_default())),
        _ => None,
    });
    let places: Vec<usize> = names
        .enumerate()
        .filter(|(_, name)| name.as_ref().is_some_and(|name| name.trim() == files.column))
        .map(|(place, _)| place)
        .collect();
    match places.as_slice() {
        [place] => Ok(*place),
        [] => Err(CommandError::Usage(
            "--column: the header does not have it; for a file without header add --no-header and the column's number"
                .into(),
        )),
        _ => Err(CommandError::Usage("--column: the header has it more than once".into())),
    }
}

/// The input from where an earlier run stopped.
fn resumed(file: &File, format: &Format, note: &Note) -> Result<Input, CommandError> {
    let mut file = file.try_clone().map_err(CommandError::failed)?;
    file.seek(SeekFrom::Start(note.offset)).map_err(CommandError::failed)?;
    Ok(Rows::new(Box::new(file), format.clone(), note.offset, note.line))
}

/// The next rows: as many as make a chunk.
fn taken(rows: &mut Input, most: usize) -> Result<Vec<Row>, CommandError> {
    let (mut taken, mut fields, mut octets) = (Vec::new(), 0, 0);
    while taken.len() < most && fields < FIELDS && octets < OCTETS {
        let Some(mut row) = rows.next().map_err(CommandError::failed)? else { break };
        if row.field.as_ref().is_ok_and(|(_, text)| text.len() > LONGEST) {
            row.field = Err(Fault::FieldTooLong);
        }
        fields += row.field.as_ref().map_or(0, |(_, text)| text.len());
        octets += row.octets.len();
        taken.push(row);
    }
    Ok(taken)
}

/// The fields that need an answer: blank ones hide nothing.
fn wanted(rows: &[Row]) -> impl Iterator<Item = &str> {
    rows.iter().filter_map(|row| row.field.as_ref().ok()).map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
}

/// What is written of a chunk, and how far that is.
fn assembled(
    format: &Format,
    rows: Vec<Row>,
    answers: Vec<Answer>,
    before: &Note,
    input: &Input,
) -> (Zeroizing<Vec<u8>>, Vec<u8>, Note) {
    let (mut octets, mut bad) = (Zeroizing::new(Vec::new()), Vec::new());
    let mut note = before.clone();
    (note.offset, note.line) = (input.offset, input.line);
    let mut answers = answers.into_iter();
    for row in rows {
        note.rows += 1;
        let refusal = match row.field {
            Ok((_, text)) if text.trim().is_empty() => {
                note.empty += 1;
                octets.extend_from_slice(&row.octets);
                continue;
            }
            Ok((at, _)) => match answers.next() {
                Some(Ok(answer)) => {
                    replaced(&mut octets, format, &row.octets, at, &answer);
                    continue;
                }
                Some(Err(refusal)) => (refusal.code, refusal.detail),
                None => ("internal".into(), "".into()),
            },
            Err(fault) => (fault.code().into(), fault.detail().into()),
        };
        note.refused += 1;
        let line = json!({"line": row.line, "row": note.rows, "code": refusal.0, "detail": refusal.1});
        bad.extend_from_slice(format!("{line}\n").as_bytes());
    }
    (octets, bad, note)
}

/// The row with `answer` in the place of its field.
fn replaced(out: &mut Vec<u8>, format: &Format, row: &[u8], at: Range<usize>, answer: &str) {
    let part = |range: Range<usize>| row.get(range).unwrap_or_default();
    let field = match format {
        Format::Csv { delimiter, .. } => csv::written(part(at.clone()), answer, *delimiter),
        Format::Ndjson { .. } => ndjson::written(answer),
    };
    out.extend_from_slice(part(0..at.start));
    out.extend_from_slice(&field);
    out.extend_from_slice(part(at.end..row.len()));
}

/// SIGINT and SIGTERM, which end a run between two chunks.
struct Stop(Signal, Signal);

impl Stop {
    fn watched() -> Result<Self, CommandError> {
        let watched = |kind| signal(kind).map_err(CommandError::failed);
        Ok(Self(watched(SignalKind::interrupt())?, watched(SignalKind::terminate())?))
    }

    async fn asked(&mut self) -> bool {
        // Lets the runtime look whether there was a signal.
        tokio::task::yield_now().await;
        self.0.recv().now_or_never().is_some() || self.1.recv().now_or_never().is_some()
    }
}

/// Octets of fields in a chunk: with names and quotes around them they have to fit in a body of the API.
const FIELDS: usize = 300_000;

/// Octets of rows in a chunk.
const OCTETS: usize = 8 << 20;

/// The longest field: no number and no token is written in so many octets.
const LONGEST: usize = 256;
