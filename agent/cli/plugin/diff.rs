//! `logsmith plugin diff`: lines of which two plugins, or two versions of one, make something else.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::{ConfigValue, PluginArg, engine, excerpt, origin};
use crate::bronze;
use crate::workbench::fixture::told;
use crate::workbench::input::Input;
use crate::workbench::trial::{Fate, Line, Trial, bronze_batch, fates};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The one: `builtin:NAME`, a component, or the folder of a plugin that was built.
    old: String,
    /// The other.
    new: String,
    /// The file; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    config: ConfigValue,
    /// The other's configuration, where it differs: JSON, or `@FILE`.
    #[arg(long, value_name = "JSON")]
    new_config: Option<String>,
    /// How many lines to print at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

/// Lines that are transformed at a time.
const LINES_MAX: usize = 10_000;

/// Exit code 0 where nothing differs, 1 where something does.
pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let engine = engine()?;
    let open = |plugin: &str, config: &ConfigValue| {
        let source = PluginArg { plugin: plugin.to_owned() }.source()?;
        anyhow::Ok(Trial::open(&engine, &source, &config.value()?, &bronze::columns())?)
    };
    let new_config = ConfigValue { config: args.new_config.clone().or_else(|| args.config.config.clone()) };
    let (mut old, mut new) = (open(&args.old, &args.config)?, open(&args.new, &new_config)?);
    let name = || format!("cannot read {}", args.file.display());
    let mut input = Input::open(&args.file).with_context(name)?;
    let mut origin = origin(&args.file);
    let (mut seen, mut differing) = (0, 0);
    let (mut old_counts, mut new_counts) = (Counts::default(), Counts::default());
    loop {
        let lines = input.lines(LINES_MAX).with_context(name)?;
        if lines.is_empty() {
            break;
        }
        let batch = bronze_batch(&lines, &origin)?;
        origin.offset += lines.iter().map(Line::bytes).sum::<u64>();
        let made = |trial: &mut Trial| anyhow::Ok(fates(&trial.apply(&batch)?, lines.len()));
        let (of_old, of_new) = (made(&mut old)?, made(&mut new)?);
        for (at, ((old, new), line)) in of_old.iter().zip(&of_new).zip(&lines).enumerate() {
            old_counts.add(old);
            new_counts.add(new);
            if old == new {
                continue;
            }
            differing += 1;
            if differing <= args.limit {
                println!("line {}: {}", seen + at + 1, excerpt(&line.text));
                println!("  - {}\n  + {}", told(old), told(new));
            }
        }
        seen += lines.len();
    }
    if differing > args.limit {
        println!("and {} more", differing - args.limit);
    }
    println!("{differing} of {seen} lines differ");
    println!("  - {old_counts}\n  + {new_counts}");
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, Default)]
struct Counts {
    rows: usize,
    dropped: usize,
    rejected: usize,
}

impl Counts {
    fn add(&mut self, fate: &Fate) {
        match fate {
            Fate::Rows(rows) => self.rows += rows.len(),
            Fate::Dropped => self.dropped += 1,
            Fate::Dead { .. } => self.rejected += 1,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, dropped, rejected } = self;
        write!(f, "{rows} rows, {dropped} dropped, {rejected} rejected")
    }
}
