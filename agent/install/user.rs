//! The user that a service runs as.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{InstallError, Role, Target};

/// Somebody that `/etc/passwd` or `/etc/group` names.
fn id(file: &Path, name: &str) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        fields.nth(1)?.parse().ok()
    })
}

/// The numbers of the user and its group, if they are there.
pub(super) fn ids(role: Role, target: &Target) -> Option<(u32, u32)> {
    let user = id(&target.place(Path::new("/etc/passwd")), role.name())?;
    Some((user, id(&target.place(Path::new("/etc/group")), role.name())?))
}

/// Whether there are users at all; in a folder that files are gathered in there are none.
pub(super) fn has_users(target: &Target) -> bool {
    target.place(Path::new("/etc/passwd")).exists()
}

/// Makes the user, who cannot log in, with a group of the same name, and in those groups of the host that let it read logs.
///
/// # Errors
/// `useradd` fails.
pub(super) fn make(role: Role, target: &Target) -> Result<(), InstallError> {
    let there = |group: &&&str| id(&target.place(Path::new("/etc/group")), group).is_some();
    let groups: Vec<&str> = role.groups().iter().filter(there).copied().collect();
    let mut useradd = Command::new("useradd");
    if !target.is_running() {
        useradd.arg("--prefix").arg(&target.root);
    }
    useradd.args(["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]);
    useradd.args(["--home-dir", &format!("/var/lib/{}", role.name())]);
    useradd.args(["--groups", &groups.join(",")]).arg(role.name());
    run(&mut useradd)
}

/// Runs another program.
///
/// # Errors
/// It cannot be run, or fails.
pub(super) fn run(command: &mut Command) -> Result<(), InstallError> {
    let called = format!("{command:?}").replace('"', "");
    let failed = |reason: String| InstallError::Command { command: called.clone(), reason };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
