//! Times out of texts and numbers: in any of several forms, in the zone of those who wrote them, and in the year that
//! they left out.
//!
//! ```toml
//! [[pipeline.then]]
//! plugin = "builtin:time"
//! [pipeline.then.config]
//! column = "when"
//! into = "time"
//! formats = ["rfc3339", "%b %d %H:%M:%S"]
//! zone = "Europe/Berlin"
//! ```
//!
//! | key | |
//! |---|---|
//! | `column` | the column that is read: a text, a number, or with `key` a map |
//! | `key` | the entry of the map that is read |
//! | `into` | the column that is written: the one that is read if nothing is said, or `time` where that is a map |
//! | `formats` | forms that are tried in order, `["rfc3339", "epoch"]` if nothing is said |
//! | `zone` | of times without an offset: a name of the IANA database, or an offset as `+01:00`; `UTC` if nothing is said |
//! | `on_failure` | `"reject"` (if nothing is said) or `"null"`: what becomes of a row without a time that can be read |
//!
//! | form | |
//! |---|---|
//! | `rfc3339` | `2026-11-30T08:05:09.123+01:00`, also with a blank or a comma, also without an offset |
//! | `epoch` | a number since the Unix epoch, in the unit that its size tells |
//! | `epoch_s` `epoch_ms` `epoch_us` `epoch_ns` | such a number in seconds, milli-, micro- or nanoseconds |
//! | anything else | a [`TimeFormat`](logsmith_plugin::TimeFormat), in the letters of `strftime` |
//!
//! - **A year that is missing** is that of `ingested_at`, or the last before in which the time is not in the future: what
//!   December wrote and January reads is of last year. A day is left for clocks that differ.
//! - **An hour that comes twice** when clocks are set back is its first; one that is skipped is counted on from the hour
//!   before. The rules of zones are those known when the plugin was built.
//! - A number in a column is read by the forms `epoch..`, and they are all that it can be read by.
//!
//! Counts: `unreadable`, the rows without a time where `on_failure` is `"null"`.

mod form;
mod settings;
mod zone;

use logsmith_plugin::{
    AnyColumn, Batch, Column, Datum, Fault, Field, Kind, OnFailure, Output, Pairs, Plan, RejectedRow, Rest,
    Timestamp, Transform, View, count, excerpt, input_field, parse_config,
};

use crate::form::{Form, Seen};
pub use crate::settings::Settings;
use crate::zone::Zone;

/// The column that tells the year.
const REFERENCE: &str = "ingested_at";

/// The plugin, as the host sees it.
#[derive(Debug)]
pub struct TimePlugin {
    key: Option<String>,
    forms: Vec<Form>,
    zone: Zone,
    on_failure: OnFailure,
}

impl Transform for TimePlugin {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let settings: Settings = parse_config(config)?;
        let column = settings.column().map_err(Fault::Config)?.to_owned();
        let kind = input_field(&column, input)?.kind;
        let into = settings.target().to_owned();
        let plugin = settings.compile(kind)?;
        let mut reads = vec![column];
        if plugin.forms.iter().any(Form::lacks_year) {
            if input_field(REFERENCE, input)?.kind != Kind::TimestampUs {
                return Err(Fault::Input(format!(
                    "column `{REFERENCE}`, which tells the year, is no timestamp"
                )));
            }
            reads.push(REFERENCE.into());
        }
        let nullable = plugin.on_failure == OnFailure::Null;
        let plan = Plan {
            name: "time",
            version: env!("CARGO_PKG_VERSION"),
            reads,
            writes: vec![Field { name: into, kind: Kind::TimestampUs, nullable }],
            rest: Rest::Keep,
        };
        Ok((plugin, plan))
    }

    fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
        let rows = batch.rows as usize;
        let times = AnyColumn::with_capacity(Kind::TimestampUs, rows, 0);
        let Self { key, forms, zone, on_failure } = self;
        let written = batch.columns.first().and_then(|column| Written::of(column, key.as_deref()));
        let (Some(mut times), Some(written)) = (times, written) else {
            return Err(Fault::Other("the batch has another column than the plan reads".into()));
        };
        let ingested: Option<View<'_, Timestamp>> = batch.columns.get(1).and_then(View::of);
        let mut output = Output { source_rows: Vec::with_capacity(rows), ..Output::default() };
        let mut unreadable = 0;
        for row in 0..batch.rows {
            let seen = written.get(row as usize);
            let reference = || ingested.as_ref()?.get(row as usize);
            let time =
                seen.and_then(|seen| forms.iter().find_map(|form| form.read(seen)?.time(zone, reference)));
            if time.is_none() {
                if *on_failure == OnFailure::Reject {
                    output.rejects.push(RejectedRow { row, reason: reason(seen) });
                    continue;
                }
                unreadable += 1;
            }
            times.push(time.map(Datum::Timestamp));
            output.source_rows.push(row);
        }
        if unreadable > 0 {
            count("unreadable", unreadable);
        }
        output.columns = vec![times.finish()];
        Ok(output)
    }
}

/// Times as they are written, in a column.
enum Written<'b> {
    Text(View<'b, &'b str>),
    Map(View<'b, Pairs<'b>>, &'b str),
    Int32(View<'b, i32>),
    Int64(View<'b, i64>),
    Real(View<'b, f64>),
}

impl<'b> Written<'b> {
    fn of(column: &'b Column, key: Option<&'b str>) -> Option<Self> {
        match key {
            Some(key) => View::of(column).map(|maps| Self::Map(maps, key)),
            None => View::of(column)
                .map(Self::Text)
                .or_else(|| View::of(column).map(Self::Int64))
                .or_else(|| View::of(column).map(Self::Int32))
                .or_else(|| View::of(column).map(Self::Real)),
        }
    }

    #[inline]
    fn get(&self, row: usize) -> Option<Seen<'b>> {
        Some(match self {
            Self::Text(column) => Seen::Text(column.get(row)?),
            Self::Map(column, key) => Seen::Text(column.get(row)?.get(key)?),
            Self::Int32(column) => Seen::Int(column.get(row)?.into()),
            Self::Int64(column) => Seen::Int(column.get(row)?),
            Self::Real(column) => Seen::Real(column.get(row)?),
        })
    }
}

#[cold]
fn reason(seen: Option<Seen<'_>>) -> String {
    match seen {
        None => "there is no time to read".into(),
        Some(Seen::Text(text)) => format!("{:?} is no time in any of the formats", excerpt(text)),
        Some(Seen::Int(number)) => format!("{number} is no time in any of the formats"),
        Some(Seen::Real(number)) => format!("{number} is no time in any of the formats"),
    }
}

logsmith_plugin::export!(TimePlugin);

#[cfg(test)]
mod tests;
