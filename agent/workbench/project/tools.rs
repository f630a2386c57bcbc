//! Programs that build plugins in other languages than Rust, each in the one version that is known to work, installed
//! at first use from the registry of its language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::build::BuildError;
use super::user_cache;

/// A package of a registry.
pub(super) struct Tool {
    pub name: &'static str,
    pub version: &'static str,
    pub installer: Installer,
}

/// What installs packages.
pub(super) enum Installer {
    Npm,
    Pip,
}

impl Tool {
    /// The folder of the installed tool, after installing it if it is not there.
    pub fn installed(&self) -> Result<PathBuf, BuildError> {
        let tools = folder()?;
        let place = tools.join(format!("{}-{}", self.name, self.version));
        if place.is_dir() {
            return Ok(place);
        }
        self.installer.check()?;
        fs::create_dir_all(&tools).map_err(BuildError::io("write", &tools))?;
        let part = tempfile::Builder::new().prefix(".part").tempdir_in(&tools);
        let part = part.map_err(BuildError::io("write", &tools))?;
        eprintln!("installing {} {} into {}", self.name, self.version, place.display());
        let mut install = self.installer.install(self, part.path());
        run(install.stdout(Stdio::null()), &format!("installing {}", self.name))?;
        match fs::rename(part.path(), &place) {
            // Another process may have come first.
            Err(_) if place.is_dir() => {}
            renamed => renamed.map_err(BuildError::io("write", &place))?,
        }
        Ok(place)
    }

    /// Whether it is there or can be installed.
    pub fn check(&self) -> Result<(), BuildError> {
        match folder()?.join(format!("{}-{}", self.name, self.version)).is_dir() {
            true => Ok(()),
            false => self.installer.check(),
        }
    }
}

impl Installer {
    fn check(&self) -> Result<(), BuildError> {
        let (program, arguments, advice): (_, &[&str], _) = match self {
            Self::Npm => (
                "npm",
                &["--version"],
                "plugins in JavaScript need it, which comes with Node.js: https://nodejs.org",
            ),
            Self::Pip => (
                "python3",
                &["-m", "pip", "--version"],
                "plugins in Python and in C need Python with pip, which are Debian's python3 and python3-pip",
            ),
        };
        let failed = |reason: String| BuildError::Program {
            program: format!("{program} {}", arguments.join(" ")),
            reason,
            advice,
        };
        let output =
            Command::new(program).args(arguments).output().map_err(|error| failed(error.to_string()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }

    fn install(&self, tool: &Tool, folder: &Path) -> Command {
        match self {
            Self::Npm => {
                let mut npm = Command::new("npm");
                npm.args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"]).arg(folder);
                npm.arg(format!("{}@{}", tool.name, tool.version));
                npm
            }
            Self::Pip => {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
                pip.args(["--root-user-action=ignore", "--target"]).arg(folder);
                pip.arg(format!("{}=={}", tool.name, tool.version));
                pip
            }
        }
    }
}

/// The folder that tools are kept in.
pub(super) fn folder() -> Result<PathBuf, BuildError> {
    user_cache().map(|cache| cache.join("tools")).ok_or(BuildError::NoCache)
}

/// Runs a program that says on standard error what is wrong.
pub(super) fn run(command: &mut Command, what: &str) -> Result<(), BuildError> {
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| BuildError::Failed(format!("{what} ({error})")))?;
    if status.success() { Ok(()) } else { Err(BuildError::Failed(what.to_owned())) }
}
