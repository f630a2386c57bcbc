//! The files of a role.

use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

use super::Role;

/// A file to lay down.
#[derive(Clone, Debug)]
pub struct File {
    /// Where, as an absolute path.
    pub path: PathBuf,
    /// What stands in it; `None` for the binary.
    pub text: Option<Vec<u8>>,
    /// Whether it is the operator's from then on.
    pub is_configuration: bool,
}

impl File {
    /// Its permissions. What configures holds keys, perhaps: its group, that of the service, reads it and nobody else.
    pub fn mode(&self) -> u32 {
        match (&self.text, self.is_configuration) {
            (None, _) => 0o755,
            (_, true) => 0o640,
            (_, false) => 0o644,
        }
    }
}

/// All files of a role, whose programs lie below `prefix`. `command` is the command line that manual pages and completions
/// describe.
pub fn files(role: Role, prefix: &Path, command: &Command) -> Vec<File> {
    let (name, share) = (role.name(), prefix.join("share"));
    let command = command.clone().name(name).bin_name(name).display_name(name);
    let mut files = vec![File { path: prefix.join("bin").join(name), text: None, is_configuration: false }];
    let mut add = |path: PathBuf, text: Vec<u8>| {
        files.push(File { path, text: Some(text), is_configuration: false });
    };
    for (unit, text) in units(role) {
        let text = text.replace("/usr/bin/", &format!("{}/", prefix.join("bin").display()));
        add(prefix.join("lib/systemd/system").join(unit), text.into_bytes());
    }
    for (example, text) in examples(role) {
        add(share.join("doc").join(name).join("examples").join(example), text.as_bytes().to_vec());
    }
    for (page, text) in pages(&command) {
        add(share.join("man/man1").join(page), text);
    }
    for (shell, path) in [
        (Shell::Bash, format!("bash-completion/completions/{name}")),
        (Shell::Zsh, format!("{}/_{name}", zsh_folder(prefix))),
        (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), name, &mut text);
        add(share.join(path), text);
    }
    let (configuration, text) = configuration(role);
    files.push(File {
        path: Path::new("/etc").join(name).join(configuration),
        text: Some(text.replace("/usr/share", &share.display().to_string()).into_bytes()),
        is_configuration: true,
    });
    files
}

fn units(role: Role) -> &'static [(&'static str, &'static str)] {
    match role {
        Role::Agent => &[("logsmith.service", include_str!("../../examples/systemd/logsmith.service"))],
        #[cfg(feature = "central")]
        Role::Central => &[
            ("logsmith-central.service", include_str!("../../examples/systemd/logsmith-central.service")),
            ("logsmith-central.timer", include_str!("../../examples/systemd/logsmith-central.timer")),
        ],
    }
}

fn examples(role: Role) -> &'static [(&'static str, &'static str)] {
    match role {
        Role::Agent => &[
            ("edge.toml", include_str!("../../examples/edge.toml")),
            ("edge.schema.json", include_str!("../../examples/edge.schema.json")),
            ("read-all.conf", include_str!("../../examples/systemd/read-all.conf")),
            ("backoff.conf", include_str!("../../examples/systemd/backoff.conf")),
        ],
        #[cfg(feature = "central")]
        Role::Central => &[("central.toml", include_str!("../../examples/central.toml"))],
    }
}

/// What an operator begins with: nothing of it is read or shipped until it was edited.
fn configuration(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Agent => ("edge.toml", include_str!("../../examples/packages/edge.toml")),
        #[cfg(feature = "central")]
        Role::Central => ("central.toml", include_str!("../../examples/packages/central.toml")),
    }
}

/// Where Debian's packages have theirs, and where zsh itself looks.
fn zsh_folder(prefix: &Path) -> &'static str {
    if prefix == Path::new("/usr") { "zsh/vendor-completions" } else { "zsh/site-functions" }
}

/// The manual: a page for the command and one for each that it has below, as `git-log(1)` is one.
fn pages(command: &Command) -> Vec<(String, Vec<u8>)> {
    let mut pages = Vec::new();
    let mut left = vec![command.clone().disable_help_subcommand(true)];
    while let Some(mut command) = left.pop() {
        command.build();
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = clap_mangen::Man::new(command.clone()).render(&mut text);
        let below = command.get_subcommands().filter(|below| !below.is_hide_set());
        left.extend(below.map(|below| {
            let name = format!("{name}-{}", below.get_name());
            below.clone().display_name(name)
        }));
        pages.push((format!("{name}.1"), text));
    }
    pages.sort();
    pages
}
