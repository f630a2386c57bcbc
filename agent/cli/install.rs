//! `logsmith install`: a host's service without a package.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::CommandFactory;

use super::Cli;
use crate::install::{Done, Mode, Role, Step, Target, install, uninstall};
use crate::text::Shown;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take everything away again; the configuration, the state and the user stay.
    #[arg(long)]
    uninstall: bool,
    /// The central job, in place of the agent.
    #[cfg(feature = "central")]
    #[arg(long)]
    central: bool,
    /// A folder to take for the file system.
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    root: PathBuf,
    /// Where programs lie in it.
    #[arg(long, value_name = "FOLDER", default_value = "/usr/local")]
    prefix: PathBuf,
}

impl Args {
    fn role(&self) -> Role {
        #[cfg(feature = "central")]
        if self.central {
            return Role::Central;
        }
        Role::Agent
    }
}

pub(super) fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let role = args.role();
    ensure!(args.prefix.is_absolute(), "--prefix is an absolute path, seen from the root");
    let root = std::path::absolute(&args.root)?;
    let target = Target { root, prefix: args.prefix.clone() };
    let mode = if args.dry_run { Mode::Dry } else { Mode::Real };
    let binary = std::env::current_exe().context("cannot tell which binary runs")?;
    let command = Cli::command();
    let steps = match args.uninstall {
        true => uninstall(role, &target, &command, mode)?,
        false => install(role, &target, &command, &binary, mode)?,
    };
    for Step { done, what } in &steps {
        println!("{:<10}{}", word(*done), Shown(what));
    }
    match (args.uninstall, mode) {
        (_, Mode::Dry) => println!("\nNothing was done."),
        (true, Mode::Real) => println!("\nWhat was kept is yours, and so is the user."),
        (false, Mode::Real) => tell_next(role),
    }
    Ok(ExitCode::SUCCESS)
}

fn word(done: Done) -> &'static str {
    match done {
        Done::Written => "write",
        Done::Same => "is there",
        Done::Kept => "keep",
        Done::Made => "make",
        Done::Removed => "remove",
        Done::Ran => "run",
    }
}

fn tell_next(role: Role) {
    let name = role.name();
    let (configuration, unit) = match role {
        Role::Agent => ("edge.toml", "logsmith.service"),
        #[cfg(feature = "central")]
        Role::Central => ("central.toml", "logsmith-central.timer"),
    };
    let configuration = Path::new("/etc").join(name).join(configuration);
    let configuration = configuration.display();
    println!(
        "\nSay in {configuration} what it is to do, if it does not yet, then:\n\n    {name} check -c {configuration}\n    \
         systemctl enable --now {unit}"
    );
}
