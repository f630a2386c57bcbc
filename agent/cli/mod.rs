//! The command line: one file a subcommand, each thin.

mod adopt;
mod check;
mod format;
mod fresh;
mod generate;
mod install;
mod plugin;
mod replay;
mod run;
mod show;
mod status;
mod top;
mod trace;

#[cfg(feature = "central")]
mod accept;
#[cfg(feature = "central")]
mod compact;
#[cfg(feature = "central")]
mod demo;
#[cfg(feature = "central")]
mod fleet;
#[cfg(feature = "central")]
mod query;
#[cfg(feature = "central")]
mod requeue;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

#[cfg(feature = "central")]
use crate::config::Central;
use crate::config::{ConfigFiles, Edge};
use crate::logging;
use crate::memory;
use crate::text::ShownLines;

/// From log files to Gold tables, each line exactly once.
#[derive(Debug, Parser)]
#[command(name = "logsmith", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: writes logs, ships them, counts them. Needs nothing.
    #[cfg(feature = "central")]
    Demo(demo::Args),
    /// The agent: tail, transform, put.
    Run(run::Args),
    /// Tell every mistake in a configuration.
    Check(check::Args),
    /// Tell how far files, tables and sync are.
    Status(status::Args),
    /// Show what the agent does, live: files, rates, plugins, what waits to be put.
    Top(top::Args),
    /// Print rows of a table in the state folder.
    Show(show::Args),
    /// Tell where a row comes from: its line, its commit, its landing object, the plugins that made it.
    Trace(trace::Args),
    /// The central job: fold what hosts have put into Silver, and keep Gold.
    #[cfg(feature = "central")]
    Compact(compact::Args),
    /// Tell of every host: last seen, lag, volume, rejects, versions, gaps, quarantine.
    #[cfg(feature = "central")]
    Fleet(fleet::Args),
    /// Give up objects of a host that will not arrive, and fold what waits behind them.
    #[cfg(feature = "central")]
    Accept(accept::Args),
    /// Fold objects of the quarantine after all.
    #[cfg(feature = "central")]
    Requeue(requeue::Args),
    /// SQL over Silver and Gold, or over a host's tables.
    #[cfg(feature = "central")]
    Query(query::Args),
    /// Make, try and measure transforms.
    Plugin(plugin::Args),
    /// Set this host up to run logsmith as a service, where no package did.
    Install(install::Args),
    /// Write sample JSON logs.
    Generate(generate::Args),
    /// Judge lines that are kept again, by the plugins as they are now, and replace what was made of them.
    Replay(replay::Args),
    /// Take a state folder that was moved or restored, or lost a table, as this machine's own.
    Adopt(adopt::Args),
    /// Set a state folder aside and begin anew.
    Fresh(fresh::Args),
}

/// Parses the arguments, runs the command, and turns its outcome into an exit code: 0 done, 1 failed, 2 used wrongly.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    memory::settle();
    if matches!(cli.command, Command::Run(_)) {
        memory::share();
    }
    logging::start(log_filter(&cli.command));
    if prints(&cli.command) {
        end_with_a_closed_pipe();
    }
    match block_on(dispatch(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("logsmith: {}", ShownLines(told(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes; a cause that the words before tell already is left out.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        words if words.contains(&cause) => told,
        words => format!("{words}: {cause}"),
    })
}

async fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        #[cfg(feature = "central")]
        Command::Demo(args) => demo::main(args).await,
        Command::Run(args) => run::main(args).await,
        Command::Check(args) => check::main(&args).await,
        Command::Status(args) => status::main(&args).await,
        Command::Top(args) => top::main(&args).await,
        Command::Show(args) => show::main(&args).await,
        Command::Trace(args) => trace::main(&args).await,
        #[cfg(feature = "central")]
        Command::Compact(args) => compact::main(args).await,
        #[cfg(feature = "central")]
        Command::Fleet(args) => fleet::main(&args).await,
        #[cfg(feature = "central")]
        Command::Accept(args) => accept::main(&args).await,
        #[cfg(feature = "central")]
        Command::Requeue(args) => requeue::main(&args).await,
        #[cfg(feature = "central")]
        Command::Query(args) => query::main(&args).await,
        Command::Plugin(args) => tokio::task::block_in_place(|| plugin::main(&args)),
        Command::Install(args) => install::main(&args),
        Command::Generate(args) => generate::main(&args),
        Command::Replay(args) => replay::main(args).await,
        Command::Adopt(args) => adopt::main(&args).await,
        Command::Fresh(args) => fresh::main(&args),
    }
}

/// Whether all that the command does is to print.
fn prints(command: &Command) -> bool {
    match command {
        Command::Check(_)
        | Command::Status(_)
        | Command::Show(_)
        | Command::Trace(_)
        | Command::Plugin(_) => true,
        Command::Replay(args) => args.only_tells(),
        #[cfg(feature = "central")]
        Command::Query(_) | Command::Fleet(_) => true,
        _ => false,
    }
}

/// Has the process end quietly where nobody reads what it prints any more, as in `logsmith status | head`.
#[expect(unsafe_code, reason = "the runtime ignores the signal, and gives no other way to have it back")]
fn end_with_a_closed_pipe() {
    // SAFETY: this sets the default action, and no other thread has been started.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Commands that print for people keep the log quiet; long-running ones tell what they do.
fn log_filter(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "logsmith=info,warn",
        #[cfg(feature = "central")]
        Command::Compact(_) => "logsmith=info,warn",
        _ => "warn",
    }
}

/// Two threads: stages that compute hand their other work over, and a host has other things to do.
fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.spawn(logging::keep_telling_left_out());
    let code = runtime.block_on(command);
    logging::tell_left_out();
    runtime.shutdown_timeout(Duration::from_millis(100));
    code
}

fn read_config(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn edge_config(file: &Path) -> anyhow::Result<Edge> {
    Ok(Edge::parse(&ConfigFiles::read(file)?)?)
}

/// For a command that neither reaches the central store nor runs a plugin.
fn local_config(file: &Path) -> anyhow::Result<Edge> {
    Ok(Edge::parse_local(&ConfigFiles::read(file)?)?)
}

#[cfg(feature = "central")]
fn central_config(file: &Path) -> anyhow::Result<Central> {
    Ok(Central::parse(file, &read_config(file)?)?)
}

/// Whether a configuration is the agent's or the central job's: what `agent`, `source` and `pipeline` are to the
/// one, `url` and `view` are to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Edge,
    Central,
}

fn kind_of(text: &str) -> Kind {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let is_central = table.contains_key("url") || table.contains_key("view");
    if is_central { Kind::Central } else { Kind::Edge }
}

/// The option that names a configuration file.
#[derive(Clone, Debug, clap::Args)]
struct ConfigArg {
    /// The configuration file.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    config: PathBuf,
}
