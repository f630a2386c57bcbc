//! `logsmith plugin run`: the rows that a plugin makes of a file, and why it rejects what it rejects.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};

use super::super::format::{Format, Header};
use super::{ConfigValue, PluginArg, engine, excerpt, origin};
use crate::bronze;
use crate::transform::Verdicts;
use crate::workbench::input::Input;
use crate::workbench::trial::{Line, Trial, bronze_batch};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    plugin: PluginArg,
    /// The file; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigValue,
    /// How to print the rows. Rejects go to standard error unless it is a table.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Go on as the file grows, until it is interrupted.
    #[arg(long)]
    tail: bool,
}

/// Lines that go into one table.
const LINES_MAX: usize = 10_000;

/// How often a file is looked at again.
const TAIL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Totals {
    lines: usize,
    rows: usize,
    dropped: usize,
    rejected: usize,
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let engine = engine()?;
    let mut trial = Trial::open(&engine, &args.plugin.source()?, &args.config.value()?, &bronze::columns())?;
    let name = || format!("cannot read {}", args.file.display());
    let mut input = Input::open(&args.file).with_context(name)?;
    let mut origin = origin(&args.file);
    let mut totals = Totals::default();
    loop {
        let lines = input.lines(LINES_MAX).with_context(name)?;
        if lines.is_empty() && args.tail {
            std::thread::sleep(TAIL_INTERVAL);
            continue;
        }
        if lines.is_empty() {
            break;
        }
        let batch = bronze_batch(&lines, &origin)?;
        origin.offset += lines.iter().map(Line::bytes).sum::<u64>();
        let verdicts = trial.apply(&batch)?;
        print(args.format, &verdicts, &lines, &totals)?;
        totals.lines += lines.len();
        totals.rows += verdicts.source_rows.len();
        totals.dropped += verdicts.dropped.len();
        totals.rejected += verdicts.dead.len();
    }
    let Totals { lines, rows, dropped, rejected } = totals;
    args.format.say(&format!("{lines} lines: {rows} rows, {dropped} dropped, {rejected} rejected"));
    Ok(ExitCode::SUCCESS)
}

fn print(format: Format, verdicts: &Verdicts, lines: &[Line], before: &Totals) -> anyhow::Result<()> {
    if !verdicts.rows.is_empty() {
        let rows = match format {
            Format::Table => numbered(verdicts, before.lines)?,
            Format::Json | Format::Csv => verdicts.rows.clone(),
        };
        format.print(&rows, if before.rows == 0 { Header::Shown } else { Header::LeftOut })?;
    }
    for dead in &verdicts.dead {
        let line = lines.get(dead.row as usize).map_or("", |line| line.text.as_str());
        let number = before.lines + dead.row as usize + 1;
        format.say(&format!("line {number} {}: {}\n    {}", dead.kind, dead.reason, excerpt(line)));
    }
    Ok(())
}

/// The rows, each with the number of its line.
fn numbered(verdicts: &Verdicts, before: usize) -> anyhow::Result<Vec<RecordBatch>> {
    let mut sources = verdicts.source_rows.iter().map(|row| before as u64 + u64::from(*row) + 1);
    let number = |rows: &RecordBatch| {
        let numbers: ArrayRef = Arc::new(sources.by_ref().take(rows.num_rows()).collect::<UInt64Array>());
        let field = Arc::new(Field::new("#", DataType::UInt64, false));
        let schema = rows.schema();
        let fields: Vec<_> = std::iter::once(field).chain(schema.fields().iter().cloned()).collect();
        let columns = std::iter::once(numbers).chain(rows.columns().iter().cloned()).collect();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    };
    verdicts.rows.iter().map(number).collect()
}

impl Format {
    /// Says something that is no row.
    fn say(self, text: &str) {
        match self {
            Self::Table => println!("{text}"),
            Self::Json | Self::Csv => eprintln!("{text}"),
        }
    }
}
