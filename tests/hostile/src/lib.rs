//! A guest that copies `line` to `text`, and commits the crime that its configuration names when it meets a line
//! with the [`MARKER`] in it: `{"crime": "trap"}`. Every other line is innocent.

mod crimes;
mod puppet;

use logsmith_plugin::{Batch, Column, Fault, Field, Kind, Output, Plan, Rest, Strings, Transform, Values};
use serde::Deserialize;

use crate::crimes::Crime;

/// What a line must contain for the crime to happen.
pub const MARKER: &[u8] = b"POISON";

/// The plugin.
#[derive(Debug)]
pub struct Hostile {
    crime: Crime,
    turns: u64,
    calls: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    crime: Crime,
    /// Of the loop that `loris` makes.
    #[serde(default)]
    turns: u64,
    /// The column that holds the scripts of `puppet`.
    script: Option<String>,
}

impl Transform for Hostile {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let settings: Settings = logsmith_plugin::macros::parse_config(config)?;
        let reads = match settings.script.as_deref().or(crimes::reads(settings.crime)) {
            Some(reads) => reads,
            None => text_or_line(input)?,
        };
        crimes::at_open(settings.crime);
        let plan = Plan {
            name: "hostile",
            version: env!("CARGO_PKG_VERSION"),
            reads: vec![reads.into()],
            writes: crimes::writes(settings.crime),
            rest: Rest::Keep,
        };
        Ok((Self { crime: settings.crime, turns: settings.turns, calls: 0 }, plan))
    }

    fn apply(&mut self, mut batch: Batch) -> Result<Output, Fault> {
        self.calls += 1;
        let rows = batch.rows;
        let column = batch.columns.pop().ok_or_else(|| Fault::Other("no column".into()))?;
        let output = |column| Output {
            columns: vec![column],
            source_rows: (0..rows).collect(),
            dropped: Vec::new(),
            rejects: Vec::new(),
        };
        match self.crime {
            Crime::Loris => crimes::dawdle(self.turns),
            Crime::Creep => crimes::creep(),
            _ => {}
        }
        match self.crime {
            Crime::None => Ok(output(column)),
            Crime::Remember => Ok(output(texts((0..rows).map(|_| self.calls.to_string())))),
            Crime::Puppet => puppet::answer(script(&column), rows),
            Crime::Date => Ok(output(days(rows, poisonous_row(&column)))),
            crime => match poisonous_row(&column) {
                Some(row) => crimes::commit(crime, row, output(column)),
                None => Ok(output(column)),
            },
        }
    }
}

/// What a plugin before this one wrote, or else the line itself.
fn text_or_line(input: &[Field]) -> Result<&'static str, Fault> {
    let has = |name| input.iter().any(|field| field.name == name);
    let column = ["text", "line"].into_iter().find(|name| has(*name));
    column.ok_or_else(|| Fault::Input("there is no column `line`".into()))
}

/// The first value of a column of bytes.
fn script(column: &Column) -> &[u8] {
    let Values::Binary(Strings { offsets, data }) = &column.values else { return &[] };
    &data[..offsets[1] as usize]
}

fn poisonous_row(column: &Column) -> Option<u32> {
    let Values::Utf8(Strings { offsets, data }) = &column.values else { return None };
    let at = data.windows(MARKER.len()).position(|window| window == MARKER)?;
    offsets
        .windows(2)
        .position(|ends| (ends[0] as usize..ends[1] as usize).contains(&at))
        .map(|row| row as u32)
}

/// A column of texts without nulls.
fn texts(values: impl Iterator<Item = String>) -> Column {
    let mut strings = Strings::with_capacity(0, 0);
    values.for_each(|value| strings.push(value.as_bytes()));
    Column { values: Values::Utf8(strings), validity: None }
}

/// A column of days, one of them of no year that a table can hold.
fn days(rows: u32, poisonous: Option<u32>) -> Column {
    let days = (0..rows).map(|row| if Some(row) == poisonous { i32::MAX } else { 0 });
    Column { values: Values::Date32(days.collect()), validity: None }
}

/// The field that this guest writes when it is honest.
fn text_field() -> Field {
    Field { name: "text".into(), kind: Kind::Utf8, nullable: false }
}

logsmith_plugin::export!(Hostile);
