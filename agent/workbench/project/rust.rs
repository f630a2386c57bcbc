//! A project in Rust to a component.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::build::{BuildError, Missing};
use super::user_cache;

/// What plugins are compiled for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// Makes a component of a module. It ships with rustup's compiler, off the `PATH`.
pub(super) const LINKER: &str = "wasm-component-ld";
/// Names the folder of a private compiler.
const TOOLCHAIN: &str = "LOGSMITH_WASM_TOOLCHAIN";
/// Makes such a compiler.
const TOOLCHAIN_SCRIPT: &str = include_str!("../../../plugins/wasm-toolchain.sh");

/// Builds the project at `folder`, an absolute path, and returns where cargo put its component.
pub(super) fn build(folder: &Path, missing: Missing) -> Result<PathBuf, BuildError> {
    let manifest = folder.join("Cargo.toml");
    let compiler = compiler(missing)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(folder))
        .env("PATH", with_linker(&compiler)?)
        .stderr(Stdio::inherit());
    if let Some(private) = &compiler.private {
        cargo.env("RUSTC", private);
    }
    let output = cargo.output().map_err(no_rust("cargo"))?;
    if !output.status.success() {
        return Err(BuildError::Failed("cargo build".to_owned()));
    }
    artifact(&output.stdout, &manifest).ok_or(BuildError::NoArtifact { manifest })
}

/// Whether all is there that [`build`] needs.
pub(super) fn check() -> Result<(), BuildError> {
    with_linker(&compiler(Missing::Refuse)?).map(|_| ())
}

/// A compiler for plugins.
struct Compiler {
    /// In place of the one on the `PATH`.
    private: Option<PathBuf>,
    /// The folder with the linkers.
    linkers: PathBuf,
}

fn compiler(missing: Missing) -> Result<Compiler, BuildError> {
    let sysroot = rustc(&["--print", "sysroot"])?;
    let version = rustc(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let linkers = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin");
    let private = if Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        None
    } else {
        Some(private(missing)?)
    };
    Ok(Compiler { private, linkers })
}

/// The compiler that [`TOOLCHAIN_SCRIPT`] makes.
fn private(missing: Missing) -> Result<PathBuf, BuildError> {
    let folder = env::var_os(TOOLCHAIN).map(PathBuf::from);
    let folder = folder.or_else(|| Some(user_cache()?.join("wasm-toolchain")));
    let folder = folder.ok_or(BuildError::NoTarget)?;
    if !folder.join("env").is_file() {
        if missing == Missing::Refuse {
            return Err(BuildError::NoTarget);
        }
        let mut script = Command::new("bash");
        script.args(["-c", TOOLCHAIN_SCRIPT, "wasm-toolchain.sh"]).arg(&folder);
        let status = script.status().map_err(no_rust("bash"))?;
        if !status.success() {
            return Err(BuildError::Failed(format!("making a compiler in {}", folder.display())));
        }
    }
    Ok(folder.join("bin/rustc"))
}

fn rustc(arguments: &[&str]) -> Result<String, BuildError> {
    let mut rustc = Command::new("rustc");
    let output = rustc.args(arguments).stderr(Stdio::inherit()).output().map_err(no_rust("rustc"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
        false => Err(BuildError::Failed("rustc".to_owned())),
    }
}

fn no_rust(program: &'static str) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::Program {
        program: program.to_owned(),
        reason: source.to_string(),
        advice: "plugins in Rust need it, by https://rustup.rs",
    }
}

/// The `PATH` with the linkers.
fn with_linker(compiler: &Compiler) -> Result<OsString, BuildError> {
    let linkers = &compiler.linkers;
    if !linkers.join(LINKER).is_file() {
        return Err(BuildError::NoLinker(linkers.clone()));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(linkers.clone()).chain(env::split_paths(&path));
    env::join_paths(all).map_err(|_| BuildError::NoLinker(linkers.clone()))
}

/// SIMD; and no path of this machine in a panic's message. Divided as cargo wants it, since a path may hold blanks.
fn flags(folder: &Path) -> OsString {
    let mut flags = OsString::from("-Ctarget-feature=+simd128");
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    for (from, to) in [(Some(folder.to_owned()), "/plugin"), (cargo, "/cargo")] {
        let Some(from) = from else { continue };
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push(format!("={to}"));
    }
    flags
}

/// The component among what cargo says that it made.
fn artifact(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let ours = messages.filter(|message| {
        let is = |key: &str| message.get(key).and_then(Value::as_str);
        is("reason") == Some("compiler-artifact") && is("manifest_path").map(Path::new) == Some(manifest)
    });
    let files =
        ours.filter_map(|message| message.get("filenames").and_then(Value::as_array).cloned()).flatten();
    let mut paths = files.filter_map(|file| file.as_str().map(PathBuf::from));
    paths.find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
}
