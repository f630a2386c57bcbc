//! Plugins in C: compiled and linked by Zig, which brings a C library for WebAssembly along, and made a component here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::build::BuildError;
use super::stage::{Stage, WIT, WORLD};
use super::tools::{self, Installer, Tool, run};

/// A compiler of C, a linker and a C library in one package.
pub(super) const ZIG: Tool = Tool { name: "ziglang", version: "0.17.1", installer: Installer::Pip };

/// Optimised across files, with SIMD and without symbols: no program, but a library that is initialised once. What wants anything of
/// a system is still compiled, and refused as a component.
const FLAGS: [&str; 9] = [
    "-target",
    "wasm32-wasi",
    "-mexec-model=reactor",
    "-O2",
    "-flto",
    "-msimd128",
    "-Wall",
    "-Wl,--strip-all",
    "-I.",
];

/// Makes a component of all C files.
pub(super) fn build(stage: &Stage) -> Result<PathBuf, BuildError> {
    let mut zig = Command::new(ZIG.installed()?.join("ziglang/zig"));
    let cache = tools::folder()?.join("zig-cache");
    zig.current_dir(stage.sources()).env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
    zig.arg("cc").args(FLAGS);
    zig.args(stage.files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "c")));
    let path = stage.component();
    run(zig.arg("-o").arg(&path), "zig cc")?;
    let module = fs::read(&path).map_err(BuildError::io("read", &path))?;
    let component = component(module).map_err(|error| BuildError::NoPlugin(format!("{error:#}")))?;
    fs::write(&path, component).map_err(BuildError::io("write", &path))?;
    Ok(path)
}

/// The component of a core module, which imports and exports what the boundary has.
fn component(mut module: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("transform.wit", WIT)?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}
