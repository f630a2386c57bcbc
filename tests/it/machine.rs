//! A small Debian of its own, in a folder, for what changes a host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{numbers, read_back, succeed, user_cache};

/// The version of cargo-deb that packages are tested with.
const CARGO_DEB: &str = "3.7.0";

/// A small Debian, made once and kept for the next run of the tests.
fn debian() -> &'static Path {
    static DEBIAN: OnceLock<PathBuf> = OnceLock::new();
    DEBIAN.get_or_init(|| {
        let folder = user_cache().join("debian-bookworm");
        if !folder.join("complete").exists() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            let mut debootstrap = Command::new("debootstrap");
            succeed(debootstrap.args(["--variant=minbase", "bookworm"]).arg(folder.join("root")));
            fs::write(folder.join("complete"), "").unwrap();
        }
        folder.join("root")
    })
}

/// A host with it, on which systemd seems to run: what it is asked to do is written down.
pub struct Machine(TempDir);

impl Machine {
    /// A new one; or `None`, said aloud, where tests may not make one.
    pub fn new() -> Option<Self> {
        if !is_root() {
            return None;
        }
        fs::create_dir_all(user_cache()).unwrap();
        let machine = Self(tempfile::tempdir_in(user_cache()).unwrap());
        let mut copy = Command::new("cp");
        succeed(copy.args(["-a", "--reflink=auto"]).arg(debian().join(".")).arg(machine.0.path()));
        fs::create_dir_all(machine.path("/run/systemd/system")).unwrap();
        let systemctl = "#!/bin/sh\n\
             if [ \"$1\" = --version ]; then echo 'systemd 254 (254.1-1)'; else echo \"$*\" >>/asked; fi\n";
        machine.write("/usr/bin/systemctl", systemctl);
        fs::set_permissions(machine.path("/usr/bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        Some(machine)
    }

    /// Where one of its paths is found.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file, and makes the folders above it.
    pub fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// A command to run on it. It sees its own processes in `/proc`, as on any host.
    pub fn command(&self, command: &[&str]) -> Command {
        let enter = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "sh", "-c", enter]);
        unshare.arg(self.0.path()).args(command).env_clear();
        unshare.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        unshare.env("DEBIAN_FRONTEND", "noninteractive");
        unshare
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub fn run(&self, command: &[&str]) -> String {
        succeed(&mut self.command(command))
    }

    /// Installs a package.
    pub fn install(&self, package: &Path) {
        fs::copy(package, self.path("/package.deb")).unwrap();
        self.run(&["dpkg", "--install", "/package.deb"]);
    }

    /// Runs a command as the user of a service.
    pub fn run_as(&self, user: &str, command: &[&str]) -> String {
        self.run(&[&as_user(user), command].concat())
    }

    /// Who owns a path, and what its permissions are.
    pub fn access(&self, path: &str) -> String {
        self.run(&["stat", "--format", "%U:%G %a", path]).trim().to_owned()
    }

    /// What systemd was asked to do since this was asked last.
    pub fn asked(&self) -> String {
        let asked = fs::read_to_string(self.path("/asked")).unwrap_or_default();
        self.write("/asked", "");
        asked
    }

    /// Every path that bears the name of a package, beside what dpkg notes.
    pub fn traces(&self, name: &str) -> String {
        let pattern = format!("*{name}*");
        self.run(&["find", "/", "-xdev", "-name", &pattern, "-not", "-path", "/var/lib/dpkg/*"])
    }

    /// The values of `offset` in a table of the host.
    pub fn offsets(&self, table: &str) -> Vec<i64> {
        numbers(&read_back(&[(self.path(table), &["offset"])])[0], "offset")
    }
}

/// Whether users can be made and files given to them; said aloud where not.
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root makes users and gives files away");
    }
    is_root
}

/// What runs a command as a user, with the groups that it is in.
pub fn as_user(user: &str) -> [&str; 7] {
    ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]
}

/// Builds what is installed, out of the binary of these tests, as the README says; returns where it is.
pub fn build(what: &str, more: &[&str]) -> PathBuf {
    let mut build = Command::new("bash");
    build.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/packages/build")).arg(what).args(more);
    build.env("LOGSMITH_BINARY", env!("CARGO_BIN_EXE_logsmith")).env("CARGO_TARGET_DIR", user_cache());
    if what != "tarball" {
        let path = format!("{}/bin:{}", cargo_deb().display(), std::env::var("PATH").unwrap());
        build.env("PATH", path);
    }
    let said = succeed(&mut build);
    PathBuf::from(said.split_whitespace().last().unwrap())
}

/// Where cargo-deb is installed, which is built once and kept for the next run of the tests.
fn cargo_deb() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = user_cache().join(format!("cargo-deb-{CARGO_DEB}"));
        if !folder.join("bin/cargo-deb").exists() {
            let mut install = Command::new(env!("CARGO"));
            install.args(["install", "cargo-deb", "--version", CARGO_DEB, "--locked", "--debug"]);
            install.args(["--no-default-features", "--root"]).arg(&folder);
            install.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "false");
            succeed(install.env_remove("CARGO_TARGET_DIR"));
        }
        folder
    })
}
