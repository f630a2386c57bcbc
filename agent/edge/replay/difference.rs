//! What a replay would change, found without writing anything: also while an agent runs.

use std::collections::HashMap;
use std::fmt::Write;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::range::{Range, entry};
use super::{Chosen, Places, ReplayError, Request, decoded, find, identities};
use crate::config::Edge;
use crate::edge::judge::{self, JudgedLines};
use crate::edge::{EdgeError, open_chains};
use crate::silver::columns::reserved;
use crate::silver::{Counts, Live, Scope};
use crate::store::Place;
use crate::table::TableVersion;
use crate::transform::Engine;

/// How many lines of which something else would become are shown.
const SHOWN_MAX: usize = 10;

/// What a replay would change.
#[derive(Debug)]
pub struct Difference {
    /// What would be replayed.
    pub range: Range,
    /// What became of its lines.
    pub was: Counts,
    /// What would become of them.
    pub would: Counts,
    /// Of how many lines something else would become, of those for which it is known what became of them.
    pub changed: u64,
    /// The first of these.
    pub shown: Vec<Changed>,
    /// Of how many lines the rows have expired, so that only their number can be compared.
    pub expired: u64,
}

/// A line of which something else would become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The file that it was read from, and its offset there.
    pub line: String,
    /// What became of it.
    pub was: String,
    /// What would.
    pub would: String,
}

/// Judges lines as a replay would, and compares. Writes nothing, and needs no lock.
///
/// # Errors
/// See [`ReplayError`]; an agent that runs meanwhile may take lines away that are to be read.
pub async fn difference(edge: &Edge, request: &Request) -> Result<Difference, ReplayError> {
    let (index, pipeline) = find(edge, request)?;
    let mut chains = open_chains(edge, &Engine::try_new(None).map_err(ReplayError::Plugin)?)?;
    let places = Places::of(edge, pipeline)?;
    let Some(chain) = chains.get_mut(index) else { return Err(super::unknown(edge, request)) };
    places.refuse_changed_type(chain).await?;
    let range = Range::find(&places, request).await?;
    let mut again = Counts::default();
    let (mut changed, mut shown, mut expired) = (0, Vec::new(), 0);
    for live in &range.live {
        if range.scope == Scope::DeadLetters && live.dead_letters.is_empty() {
            continue;
        }
        let Some(chosen) = Chosen::of(&places, live, range.scope, &pipeline.sources).await? else {
            expired += live.counts.dead;
            continue;
        };
        let old = fates(&places, live).await?;
        for version in (live.bronze.first.0..=live.bronze.last.0).map(TableVersion) {
            let entry = entry(&places, version).await?;
            for judged in judge::version(&places.bronze, &entry, &|batch| chosen.lines(batch), chain).await? {
                again = again.plus(counts(&judged));
                let Some(old) = &old else {
                    expired += judged.lines.num_rows() as u64;
                    continue;
                };
                for changed_line in compare(&judged, old).map_err(EdgeError::Rows)? {
                    changed += 1;
                    if shown.len() < SHOWN_MAX {
                        shown.push(changed_line);
                    }
                }
            }
        }
    }
    let was = range.counts();
    Ok(Difference { would: range.scope.after(was, again), range, was, changed, shown, expired })
}

fn counts(judged: &JudgedLines) -> Counts {
    let verdicts = &judged.verdicts;
    Counts {
        lines: judged.lines.num_rows() as u64,
        rows: verdicts.source_rows.len() as u64,
        dropped: verdicts.dropped.len() as u64,
        dead: verdicts.dead.len() as u64,
    }
}

/// What became of a line, in words; a line that is not among these was dropped.
type Fates = HashMap<(i64, i64), String>;

const DROPPED: &str = "dropped";

/// What became of the lines of a run; `None` where some of it has expired.
async fn fates(places: &Places, live: &Live) -> Result<Option<Fates>, ReplayError> {
    let mut fates = Fates::new();
    let rows = live.rows.iter().map(|file| (&places.silver, file));
    let dead = live.dead_letters.iter().map(|file| (&places.dead_letters, file));
    for (place, file) in rows.chain(dead) {
        let Some(batches) = read(place, &file.path).await? else { return Ok(None) };
        for batch in batches {
            let texts =
                match batch.column_by_name("reason").filter(|_| std::ptr::eq(place, &places.dead_letters)) {
                    Some(reasons) => reasons_in_words(reasons.as_string::<i32>()),
                    None => rows_in_words(&batch).map_err(EdgeError::Rows)?,
                };
            identities(&batch).zip(texts).for_each(|(line, text)| add(fates.entry(line).or_default(), &text));
        }
    }
    Ok(Some(fates))
}

async fn read(place: &Place, path: &str) -> Result<Option<Vec<RecordBatch>>, ReplayError> {
    let bytes = place.get(path).await?;
    Ok(bytes.map(|bytes| decoded(place, path, bytes)).transpose()?)
}

fn reasons_in_words(reasons: &StringArray) -> Vec<String> {
    reasons.iter().map(|reason| dead(reason.unwrap_or_default())).collect()
}

fn dead(reason: &str) -> String {
    format!("dead letter: {reason}")
}

/// Several rows of one line are told one after the other.
fn add(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push_str(" | ");
    }
    text.push_str(more);
}

/// The plugins' own columns of each row, by name; those that are null are left out.
fn rows_in_words(batch: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    let mut own: Vec<_> = fields.filter(|(field, _)| !reserved().any(|name| name == field.name())).collect();
    own.sort_by_key(|(field, _)| field.name().clone());
    let mut texts = vec![String::new(); batch.num_rows()];
    for (field, column) in own {
        let values = ArrayFormatter::try_new(column.as_ref(), &options)?;
        for (row, text) in texts.iter_mut().enumerate().filter(|(row, _)| column.is_valid(*row)) {
            let divider = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{divider}{}={}", field.name(), values.value(row));
        }
    }
    Ok(texts)
}

/// The lines of which something else became.
fn compare(judged: &JudgedLines, old: &Fates) -> Result<Vec<Changed>, ArrowError> {
    let verdicts = &judged.verdicts;
    let mut would = vec![String::new(); judged.lines.num_rows()];
    let mut sources = verdicts.source_rows.iter();
    for rows in &verdicts.rows {
        for (text, source) in rows_in_words(rows)?.iter().zip(&mut sources) {
            if let Some(fate) = would.get_mut(*source as usize) {
                add(fate, text);
            }
        }
    }
    for letter in &verdicts.dead {
        if let Some(fate) = would.get_mut(letter.row as usize) {
            *fate = dead(&letter.reason);
        }
    }
    for row in &verdicts.dropped {
        if let Some(fate) = would.get_mut(*row as usize) {
            *fate = DROPPED.to_owned();
        }
    }
    let paths = judged.lines.column_by_name("path").and_then(|paths| paths.as_string_opt::<i32>());
    let path = |row: usize| paths.map_or("", |paths| paths.value(row));
    let lines = identities(&judged.lines).zip(would).enumerate();
    let differs = lines.filter_map(|(row, (line, would))| {
        let was = old.get(&line).map_or(DROPPED, String::as_str);
        let line = format!("{}:{}", path(row), line.1);
        (was != would).then(|| Changed { line, was: was.to_owned(), would })
    });
    Ok(differs.collect())
}
