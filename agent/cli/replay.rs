//! `logsmith replay`: the lines that are kept, through the plugins as they are now.

use std::process::ExitCode;
use std::str::FromStr;

use anyhow::bail;

use super::{ConfigArg, edge_config};
use crate::clock::{Day, SystemClock, Timestamp};
use crate::edge::{self, ReplayError, Request, Since};
use crate::silver::{Counts, Scope};
use crate::state::StateError;
use crate::table::TableVersion;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline.
    pipeline: String,
    #[command(flatten)]
    config: ConfigArg,
    /// Where to begin: a version of Bronze, a day (2026-11-30), or a time (2026-11-30T08:00:00Z). All that is kept, if not given.
    #[arg(long, value_name = "TIME|VERSION")]
    from: Option<From>,
    /// Try only the lines again that are dead letters.
    #[arg(long)]
    dead_letters: bool,
    /// Tell what would change, and change nothing. The agent may run meanwhile.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// Whether nothing is to be changed.
    pub(super) fn only_tells(&self) -> bool {
        self.dry_run
    }
}

#[derive(Clone, Copy, Debug)]
struct From(Since);

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = || Day::parse(text).map(Day::start);
        if let Ok(version) = text.parse().map(TableVersion) {
            return Ok(Self(Since::Version(version)));
        }
        let time = Timestamp::parse(text).or_else(day).map(Since::Time).map(Self);
        time.ok_or_else(|| {
            "write a version (120), a day (2026-11-30) or a time (2026-11-30T08:00:00Z)".to_owned()
        })
    }
}

pub(super) async fn main(args: Args) -> anyhow::Result<ExitCode> {
    let config = edge_config(&args.config.config)?;
    let scope = if args.dead_letters { Scope::DeadLetters } else { Scope::Lines };
    let request = Request { pipeline: args.pipeline, since: args.from.map(|From(since)| since), scope };
    if args.dry_run {
        let found = edge::difference(&config, &request).await?;
        print_range(&found.range);
        print_counts(found.was, found.would, "WOULD BE");
        println!(
            "\n{} lines would change{}",
            found.changed,
            if found.shown.is_empty() { "" } else { "; the first:" }
        );
        for line in found.shown {
            println!("{}\n  - {}\n  + {}", line.line, line.was, line.would);
        }
        if found.expired > 0 {
            println!(
                "of {} lines the rows have expired here, so that they cannot be compared",
                found.expired
            );
        }
        println!("nothing was written");
        return Ok(ExitCode::SUCCESS);
    }
    match edge::replay(&config, &request, &SystemClock).await {
        Ok(done) => {
            print_range(&done.range);
            print_counts(done.was, done.now, "ARE NOW");
            Ok(ExitCode::SUCCESS)
        }
        Err(ReplayError::State(StateError::Taken(folder))) => bail!(
            "{}: the agent runs on this state folder. Stop it first (systemctl stop logsmith): what is written to the \
             logs meanwhile is read when it starts again",
            folder.display()
        ),
        Err(error) => Err(error.into()),
    }
}

fn print_range(range: &edge::Range) {
    let what = match range.scope {
        Scope::Lines => "all lines",
        Scope::DeadLetters => "dead letters",
    };
    println!("{what} of Bronze versions {} to {}", range.bronze.first, range.bronze.last);
    if let Some(left_out) = range.left_out {
        println!("{left_out}");
    }
}

fn print_counts(was: Counts, now: Counts, word: &str) {
    println!("\n{:<12} {:>12} {word:>12}", "", "WERE");
    let rows = [
        ("lines", was.lines, now.lines),
        ("rows", was.rows, now.rows),
        ("dropped", was.dropped, now.dropped),
        ("dead letters", was.dead, now.dead),
    ];
    for (name, was, now) in rows {
        println!("{name:<12} {was:>12} {now:>12}");
    }
}
