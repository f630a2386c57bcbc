//! Laying down and taking up, or saying what would be done.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::{File, files};
use super::user::{self, run};
use super::{InstallError, Role, Target};
use crate::config::PARTS;

/// One thing, and what became of it, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What became of it.
    pub done: Done,
    /// A path, a user, or a command.
    pub what: String,
}

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was written, and was not there, or was another.
    Written,
    /// It is there, and as it is to be.
    Same,
    /// It is the operator's.
    Kept,
    /// A folder or a user was made.
    Made,
    /// It was taken away.
    Removed,
    /// A command was run.
    Ran,
}

/// Whether anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Real,
    /// It is only said.
    Dry,
}

/// Systemd from this version on knows longer and longer times between starts.
const BACKOFF_SINCE: u32 = 254;

struct Work<'a> {
    role: Role,
    target: &'a Target,
    mode: Mode,
    steps: Vec<Step>,
}

/// Lays everything down, `binary` as the program. What is there already and right is left as it is, so that it may be done
/// again at any time, and with a newer binary is an upgrade; a service that runs is restarted then.
///
/// # Errors
/// See [`InstallError`].
pub fn install(
    role: Role,
    target: &Target,
    command: &clap::Command,
    binary: &Path,
    mode: Mode,
) -> Result<Vec<Step>, InstallError> {
    let mut work = Work { role, target, mode, steps: Vec::new() };
    if user::has_users(target) {
        work.user()?;
    }
    for file in files(role, &target.prefix, command) {
        work.lay(&file, binary)?;
    }
    if target.is_running() && systemd_version().is_some_and(|version| version >= BACKOFF_SINCE) {
        work.lay(&work.backoff(), binary)?;
    }
    let (etc, state) = (Path::new("/etc").join(role.name()), Path::new("/var/lib").join(role.name()));
    work.folder(&etc, Owner::Root)?;
    if role == Role::Agent {
        work.folder(&etc.join(PARTS), Owner::Root)?;
    }
    work.folder(&state, Owner::Service)?;
    let has_changed = work.steps.iter().any(|step| step.done == Done::Written);
    if target.is_running() && is_managed() && has_changed {
        work.systemctl(&["daemon-reload"])?;
        work.systemctl(&["try-restart", &format!("{}.service", role.name())])?;
    }
    Ok(work.steps)
}

/// Takes everything up that [`install`] laid down; the configuration, the state and the user stay.
///
/// # Errors
/// See [`InstallError`].
pub fn uninstall(
    role: Role,
    target: &Target,
    command: &clap::Command,
    mode: Mode,
) -> Result<Vec<Step>, InstallError> {
    let mut work = Work { role, target, mode, steps: Vec::new() };
    let mut files = files(role, &target.prefix, command);
    files.push(work.backoff());
    let is_unit = |name: &str| name.ends_with(".service") || name.ends_with(".timer");
    let names = files.iter().filter_map(|file| file.path.file_name()?.to_str());
    let units: Vec<String> = names.filter(|name| is_unit(name)).map(str::to_owned).collect();
    let is_there = |file: &File| target.place(&file.path).exists();
    if target.is_running() && is_managed() && files.iter().any(is_there) {
        for unit in &units {
            work.systemctl(&["disable", "--now", unit])?;
        }
    }
    for file in files {
        match (is_there(&file), file.is_configuration) {
            (false, _) => {}
            (true, true) => work.note(Done::Kept, &file.path),
            (true, false) => work.take_up(&file.path)?,
        }
    }
    let state = Path::new("/var/lib").join(role.name());
    if target.place(&state).exists() {
        work.note(Done::Kept, &state);
    }
    if target.is_running() && is_managed() {
        work.systemctl(&["daemon-reload"])?;
    }
    Ok(work.steps)
}

/// Whose a folder is. Its group is that of the service in any case, and nobody else enters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Root,
    Service,
}

impl Work<'_> {
    fn note(&mut self, done: Done, what: &Path) {
        self.steps.push(Step { done, what: what.display().to_string() });
    }

    fn user(&mut self) -> Result<(), InstallError> {
        let what = format!("user {}", self.role.name());
        let done = match user::ids(self.role, self.target) {
            Some(_) => Done::Same,
            None => Done::Made,
        };
        if done == Done::Made && self.mode == Mode::Real {
            user::make(self.role, self.target)?;
        }
        self.steps.push(Step { done, what });
        Ok(())
    }

    /// The drop-in for longer and longer times between starts.
    fn backoff(&self) -> File {
        let unit = format!("lib/systemd/system/{}.service.d/backoff.conf", self.role.name());
        let text = include_str!("../../examples/systemd/backoff.conf");
        File {
            path: self.target.prefix.join(unit),
            text: Some(text.as_bytes().to_vec()),
            is_configuration: false,
        }
    }

    fn lay(&mut self, file: &File, binary: &Path) -> Result<(), InstallError> {
        let place = self.target.place(&file.path);
        if file.is_configuration && place.exists() {
            self.note(Done::Kept, &file.path);
            return Ok(());
        }
        let text = match &file.text {
            Some(text) => text.clone(),
            None => fs::read(binary).map_err(failed("read", binary))?,
        };
        if fs::read(&place).is_ok_and(|found| found == text) && mode_of(&place) == Some(file.mode()) {
            self.note(Done::Same, &file.path);
            return Ok(());
        }
        if self.mode == Mode::Real {
            put(&place, &text, file.mode()).map_err(failed("write", &place))?;
            if let Some((_, group)) = user::ids(self.role, self.target).filter(|_| file.is_configuration) {
                chown(&place, None, Some(group)).map_err(failed("give away", &place))?;
            }
        }
        self.note(Done::Written, &file.path);
        Ok(())
    }

    fn folder(&mut self, path: &Path, owner: Owner) -> Result<(), InstallError> {
        const MODE: u32 = 0o750;
        let place = self.target.place(path);
        let ids = user::ids(self.role, self.target);
        if mode_of(&place) == Some(MODE) {
            self.note(Done::Same, path);
            return Ok(());
        }
        if self.mode == Mode::Real {
            fs::create_dir_all(&place).map_err(failed("make", &place))?;
            fs::set_permissions(&place, Permissions::from_mode(MODE)).map_err(failed("close", &place))?;
            if let Some((user, group)) = ids {
                let user = (owner == Owner::Service).then_some(user);
                chown(&place, user, Some(group)).map_err(failed("give away", &place))?;
            }
        }
        self.note(Done::Made, path);
        Ok(())
    }

    /// Takes a file away, and the folders above it that are left empty and are its alone.
    fn take_up(&mut self, path: &Path) -> Result<(), InstallError> {
        let place = self.target.place(path);
        if self.mode == Mode::Real {
            fs::remove_file(&place).map_err(failed("remove", &place))?;
            let is_ours = |folder: &&Path| {
                folder.components().any(|part| {
                    let part = part.as_os_str().to_string_lossy();
                    part == self.role.name() || part.strip_suffix(".service.d") == Some(self.role.name())
                })
            };
            for folder in place.ancestors().skip(1).take_while(is_ours) {
                // One with something else in it stays.
                let _ = fs::remove_dir(folder);
            }
        }
        self.note(Done::Removed, path);
        Ok(())
    }

    fn systemctl(&mut self, arguments: &[&str]) -> Result<(), InstallError> {
        let mut command = Command::new("systemctl");
        if self.mode == Mode::Real {
            run(command.args(arguments))?;
        }
        let what = format!("systemctl {}", arguments.join(" "));
        self.steps.push(Step { done: Done::Ran, what });
        Ok(())
    }
}

/// Puts a file there whole: one that runs is not written into.
fn put(place: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(place)?;
    Ok(())
}

fn mode_of(place: &Path) -> Option<u32> {
    fs::metadata(place).ok().map(|found| found.permissions().mode() & 0o777)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path: PathBuf = path.to_owned();
    move |source| InstallError::File { doing, path, source }
}

/// Whether systemd runs here.
fn is_managed() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn systemd_version() -> Option<u32> {
    let told = match Command::new("systemctl").arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        told => told.ok()?,
    };
    String::from_utf8_lossy(&told.stdout).split_whitespace().nth(1)?.parse().ok()
}
