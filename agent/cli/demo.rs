//! `logsmith demo`: the whole way from log files to Gold, in one process, with nothing to set up.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::central;
use crate::clock::SystemClock;
use crate::config::{Central, ConfigFiles, Edge};
use crate::edge::{self, RunMode};
use crate::generate::{Plan, Written, generate};
use crate::query;
use crate::shutdown;
use crate::store::Place;
use crate::table::Snapshot;
use crate::text::Shown;

const LINES: u64 = 12_000;
const RATE: u64 = 2_000;
const BAR_WIDTH: i64 = 40;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Work in this folder, which must be new or empty, and keep it.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(super) async fn main(args: Args) -> anyhow::Result<ExitCode> {
    let temporary = if args.dir.is_none() { Some(tempfile::tempdir()?) } else { None };
    let folder = match (&args.dir, &temporary) {
        (Some(folder), _) => std::path::absolute(folder)?,
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => bail!("no folder to work in"),
    };
    let (edge, central) = lay_out(&folder)?;
    println!(
        "logs in {}/logs:\nJSON lines, 3 files, rotated while they are read, 1 % of the lines broken",
        folder.display()
    );

    let written = Arc::new(AtomicU64::new(0));
    let total: Arc<OnceLock<Written>> = Arc::default();
    let plan = Plan {
        folder: folder.join("logs"),
        files: 3,
        lines: LINES,
        rate: RATE,
        levels: [("DEBUG", 10), ("INFO", 70), ("WARN", 15), ("ERROR", 5)]
            .map(|(l, w)| (l.to_owned(), w))
            .into(),
        broken_permille: 10,
        rotate_lines: LINES / 3 / 2,
        seed: 1,
    };
    let (counter, result) = (Arc::clone(&written), Arc::clone(&total));
    let generator = tokio::task::spawn_blocking(move || {
        let done = generate(&plan, &SystemClock, |so_far| counter.store(so_far.lines, Ordering::Relaxed))?;
        result.get_or_init(|| done);
        Ok::<_, std::io::Error>(())
    });

    let (stopper, shutdown) = shutdown::channel();
    let agent_edge = edge.clone();
    let agent = tokio::spawn(async move {
        let (succession, _) = edge::succession(None);
        let clock = Arc::new(SystemClock);
        edge::run(&agent_edge, RunMode::Follow, clock, shutdown, Arc::default(), succession).await
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let compactor = tokio::spawn(compact_until(central.clone(), Arc::clone(&is_over)));
    let mut screen = Screen::new();
    while !generator.is_finished() && !agent.is_finished() {
        screen.show(&Progress::look(&folder, &central, written.load(Ordering::Relaxed)).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    generator.await?.context("cannot write the sample logs")?;
    let stop = tokio::spawn(async move { stopper.drain(Duration::from_secs(20)).await });
    agent.await??;
    stop.abort();
    is_over.store(true, Ordering::Relaxed);
    compactor.await??;
    central::run_once(&central, &SystemClock).await?;
    screen.show(&Progress::look(&folder, &central, written.load(Ordering::Relaxed)).await);
    screen.end();

    let total = total.get().context("the generator did not say what it wrote")?;
    let code = show_result(&central, total).await?;
    match &args.dir {
        Some(_) => show_next(&folder),
        None => println!("\nThe folder is removed now. To keep it and look around: logsmith demo --dir demo"),
    }
    Ok(code)
}

/// Writes the two configurations, which a user can go on with, and reads them back.
fn lay_out(folder: &Path) -> anyhow::Result<(Edge, Central)> {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; name a new folder", folder.display());
    }
    std::fs::create_dir_all(folder.join("logs"))?;
    let root = folder.display();
    let lake = url::Url::from_directory_path(folder.join("lake"))
        .map_err(|()| anyhow::anyhow!("{root} cannot be written as a URL"))?;
    let edge_text = format!(
        "[agent]\nstate_dir = \"state\"\nhost = \"demo\"\nbronze_interval = \"200ms\"\nsilver_interval = \"1s\"\n\n\
         [central]\nurl = \"{lake}\"\n\n\
         [[source]]\nname = \"app\"\ninclude = [\"{root}/logs/*.log*\"]\n\n\
         [[pipeline]]\nname = \"app\"\nsources = [\"app\"]\nplugin = \"builtin:json\"\n"
    );
    let central_text = format!(
        "url = \"{lake}\"\n\n[[view]]\nname = \"levels\"\n\
         sql = \"SELECT level AS log_level, count(*) AS log_count FROM app GROUP BY level\"\n"
    );
    let (edge_file, central_file) = (folder.join("edge.toml"), folder.join("central.toml"));
    std::fs::write(&edge_file, &edge_text)?;
    std::fs::write(&central_file, &central_text)?;
    Ok((
        Edge::parse(&ConfigFiles::alone(&edge_file, &edge_text))?,
        Central::parse(&central_file, &central_text)?,
    ))
}

async fn compact_until(central: Central, is_over: Arc<AtomicBool>) -> Result<(), central::CentralError> {
    while !is_over.load(Ordering::Relaxed) {
        central::run_once(&central, &SystemClock).await?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    Ok(())
}

/// How many rows have come how far.
struct Progress {
    written: u64,
    bronze: u64,
    silver: u64,
    fleet: u64,
}

impl Progress {
    async fn look(folder: &Path, central: &Central, written: u64) -> Self {
        let state = Place::local(&folder.join("state")).ok();
        let (mut bronze, mut silver) = (0, 0);
        if let Some(state) = state {
            bronze = rows(&state.join("bronze")).await;
            silver = rows(&state.join("silver/app")).await;
        }
        Self { written, bronze, silver, fleet: rows(&central.place.join("silver/app")).await }
    }
}

/// The rows of a table, 0 while there is none.
async fn rows(place: &Place) -> u64 {
    let Ok(Some(snapshot)) = Snapshot::load(place).await else { return 0 };
    let files = snapshot.files().unwrap_or_default();
    files.iter().filter_map(crate::table::datafile::row_count).sum()
}

/// The progress line: rewritten in place on a terminal, a line each time elsewhere.
struct Screen {
    is_terminal: bool,
}

impl Screen {
    fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal() }
    }

    fn show(&mut self, progress: &Progress) {
        let Progress { written, bronze, silver, fleet } = progress;
        let line = format!(
            "lines written {written:>6}  ▶ bronze {bronze:>6}  ▶ silver {silver:>6}  ▶ fleet silver {fleet:>6}"
        );
        let mut out = std::io::stdout();
        // A screen that cannot be written to is no reason to stop.
        let _ = if self.is_terminal { write!(out, "\r{line}") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    fn end(&self) {
        if self.is_terminal {
            println!();
        }
    }
}

async fn show_result(central: &Central, written: &Written) -> anyhow::Result<ExitCode> {
    let gold =
        query::answer(&central.place, "SELECT log_level, log_count FROM gold.levels ORDER BY log_count DESC")
            .await?;
    let gold = counts(&gold)?;
    let most = gold.iter().map(|(_, count)| *count).max().unwrap_or(1);
    println!("\nGold: SELECT log_level, log_count FROM gold.levels\n");
    for (level, count) in &gold {
        let bar = "█".repeat(usize::try_from((count * BAR_WIDTH / most).max(1)).unwrap_or(1));
        println!("  {:<8} {count:>7}  {bar}", Shown(level));
    }
    let reasons = query::answer(
        &central.place,
        "SELECT reason, count(*) FROM silver.dead_letter GROUP BY reason ORDER BY 2 DESC LIMIT 5",
    )
    .await?;
    println!("\nDead letters, by reason");
    for (reason, count) in &counts(&reasons)? {
        println!("  {count:>7}  {}", Shown(reason));
    }
    let dead = query::answer(&central.place, "SELECT 'all', count(*) FROM silver.dead_letter").await?;
    let dead = counts(&dead)?.iter().map(|(_, count)| *count).sum::<i64>();
    let counted: i64 = gold.iter().map(|(_, count)| *count).sum();
    let is_right = dead.unsigned_abs() == written.broken
        && gold
            .iter()
            .map(|(level, count)| (level.as_str(), count.unsigned_abs()))
            .collect::<std::collections::BTreeMap<_, _>>()
            == written.levels.iter().map(|(level, count)| (level.as_str(), *count)).collect();
    println!(
        "\ngenerated {} lines = counted {counted} + dead letters {dead}: {}",
        written.lines,
        if is_right { "right" } else { "WRONG" }
    );
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Rows of a text and a count.
fn counts(batches: &[RecordBatch]) -> anyhow::Result<Vec<(String, i64)>> {
    let mut rows = Vec::new();
    for batch in batches {
        let text = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
        let (text, counts) = (text.as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        rows.extend((0..batch.num_rows()).map(|row| (text.value(row).to_owned(), counts.value(row))));
    }
    Ok(rows)
}

fn show_next(folder: &Path) {
    let folder = folder.display();
    println!(
        "\nTables\n  on the host   {folder}/state/{{bronze,silver/app,dead_letter}}\n  \
         central       {folder}/lake/{{silver/app,silver/dead_letter,gold/levels}}\n\n\
         Next\n  \
         logsmith query -c {folder}/central.toml \"SELECT log_level, log_count FROM gold.levels\"\n  \
         logsmith status -c {folder}/edge.toml\n  \
         logsmith show -c {folder}/edge.toml dead_letter --columns line,reason --limit 5"
    );
}
