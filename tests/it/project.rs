//! A plugin from its first line to rows: what `plugin new` makes is built, tested and run as the README says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::readme::blocks;
use crate::support::{fail, logsmith, succeed, text};

/// The folder that `plugins/build.sh` makes a compiler in, where one is needed.
fn toolchain() -> PathBuf {
    let beside = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("wasm-toolchain");
    std::env::var_os("LOGSMITH_WASM_TOOLCHAIN").map_or_else(beside, PathBuf::from)
}

/// Whether plugins can be built here; if not, that is said aloud.
fn can_build() -> bool {
    let target = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
    let libraries = succeed(Command::new("rustc").args(target));
    let can = Path::new(libraries.trim()).is_dir() || toolchain().join("env").is_file();
    if !can {
        eprintln!("skipped: no compiler for wasm32-unknown-unknown; `bash plugins/build.sh` makes one");
    }
    can
}

/// The command in a folder, with build results that the next run finds again.
fn at(folder: &Path, mut command: Command) -> Command {
    command
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-projects"))
        .env("LOGSMITH_WASM_TOOLCHAIN", toolchain());
    command
}

fn plugin(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = logsmith();
    command.arg("plugin").args(arguments);
    at(folder, command)
}

#[test]
fn an_afternoon_goes_as_the_readme_tells_it() {
    if !can_build() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A path that has to be quoted, and is no part of what is built.
    let folder = folder.path().join("my plugins");
    fs::create_dir(&folder).unwrap();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut blocks = blocks(&readme).into_iter();
    let (_, commands) = blocks.find(|(_, body)| body.starts_with("logsmith plugin new ")).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_logsmith")).parent().unwrap().display().to_string();
    let path = format!("{binaries}:{}", std::env::var("PATH").unwrap());
    let mut said = String::new();
    for command in commands.lines() {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).env("PATH", &path);
        said += &succeed(&mut at(&folder, shell));
    }
    assert!(said.contains("sales.wasm: ") && said.contains(", sha256 "), "{said}");
    assert!(said.contains("    part                 string, may be null"), "{said}");
    assert!(said.contains("1 passed, 0 failed"), "{said}");
    assert!(said.contains("5 lines: 3 rows, 1 dropped, 1 rejected"), "{said}");
    assert!(said.contains("plugin sales 0.1.0"), "{said}");

    let built = folder.join("sales/dist/sales.wasm");
    let component = fs::read(&built).unwrap();
    let tells = |path: &str| component.windows(path.len()).any(|window| window == path.as_bytes());
    assert!(!tells(folder.to_str().unwrap()) && !tells(&std::env::var("HOME").unwrap()), "a path is inside");
    succeed(at(&folder, Command::new("cargo")).args([
        "test",
        "--quiet",
        "--manifest-path",
        "sales/Cargo.toml",
    ]));

    // What does not compile leaves the component alone; what is no component is told.
    let source = folder.join("sales/src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, good.replace("fn sales", "fn sales(")).unwrap();
    assert!(fail(&mut plugin(&folder, &["build", "sales"])).ends_with("logsmith: cargo build failed\n"));
    assert_eq!(fs::read(&built).unwrap(), component);
    fs::write(&source, good).unwrap();
    let manifest = folder.join("sales/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"cdylib\", ", "")).unwrap();
    let said = fail(&mut plugin(&folder, &["build", "sales"]));
    assert!(said.contains("write crate-type = [\"cdylib\"]"), "{said}");
}

#[test]
fn a_project_harms_none_that_is_there_and_has_a_name_that_compiles() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sales")).unwrap();
    assert!(fail(&mut plugin(folder.path(), &["new", "sales"])).contains("sales is there already"));
    let long = "x".repeat(65);
    for (name, reason) in [
        ("Sales", "write small letters, digits and `_`, a letter first"),
        ("my-plugin", "write small letters, digits and `_`, a letter first"),
        ("..", "write small letters, digits and `_`, a letter first"),
        ("self", "it is a word of Rust; write `self_lines` or the like"),
        ("core", "it is the name of a crate that plugins are made of; write `core_lines` or the like"),
        ("serde", "it is the name of a crate that plugins are made of; write `serde_lines` or the like"),
        ("logsmith_plugin", "it is the name of a crate that plugins are made of"),
        (&long, "it has 65 letters, and may have 64"),
    ] {
        let said = fail(&mut plugin(folder.path(), &["new", name]));
        assert!(said.contains(&format!("`{name}` is no name for a plugin: {reason}")), "{said}");
    }
    let said = fail(&mut plugin(folder.path(), &["build"]));
    assert!(said.contains(". holds no plugin") && said.contains("logsmith plugin new NAME"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_a_machine_lacks_is_named_with_the_commands_that_bring_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let nothing = |command: &mut Command| {
        text(&command.env("PATH", here).env("LOGSMITH_WASM_TOOLCHAIN", here.join("none")).output().unwrap())
    };
    let said = nothing(&mut plugin(here, &["new", "sales"]));
    assert!(
        said.contains("something is missing: cannot run rustc") && said.contains("https://rustup.rs"),
        "{said}"
    );

    // A compiler without a standard library for plugins.
    let rustc = here.join("rustc");
    fs::write(&rustc, format!("#!/bin/sh\necho {}\n", here.display())).unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let said = nothing(&mut plugin(here, &["build", "sales"]));
    for words in ["rustup target add wasm32-unknown-unknown", "logsmith plugin build --fetch-compiler"] {
        assert!(said.contains(words), "{said}");
    }
    fs::create_dir_all(here.join("lib/rustlib/wasm32-unknown-unknown/lib")).unwrap();
    let said = nothing(&mut plugin(here, &["build", "sales"]));
    assert!(said.contains("there is no wasm-component-ld"), "{said}");

    for (language, program, words) in [
        ("js", "npm", "https://nodejs.org"),
        ("python", "python3 -m pip", "python3-pip"),
        ("c", "python3 -m pip", "python3-pip"),
    ] {
        let new = &["new", language, "--lang", language];
        let said = nothing(plugin(here, new).env("XDG_CACHE_HOME", here));
        let expected = format!("something is missing: cannot run {program}");
        assert!(said.contains(&expected) && said.contains(words), "{said}");
        let said = nothing(plugin(here, &["build", language]).env("XDG_CACHE_HOME", here));
        assert!(said.contains(&format!("logsmith: cannot run {program}")), "{said}");
    }
}
