//! Plugins in languages that are interpreted: the component carries the interpreter.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::build::BuildError;
use super::stage::{Stage, WORLD};
use super::tools::{Installer, Tool, run};

/// Puts JavaScript and QuickJS into a component.
pub(super) const QJS: Tool = Tool { name: "componentize-qjs", version: "0.4.5", installer: Installer::Npm };
/// Puts Python and its interpreter into a component.
pub(super) const PY: Tool = Tool { name: "componentize-py", version: "0.25.1", installer: Installer::Pip };

/// Makes a component of `plugin.js`.
pub(super) fn javascript(stage: &Stage) -> Result<PathBuf, BuildError> {
    let mut qjs = Command::new(QJS.installed()?.join("node_modules/.bin/componentize-qjs"));
    qjs.args([
        "--js",
        "plugin.js",
        "--module-root",
        ".",
        "--world",
        WORLD,
        "--stub-wasi",
        "--sync",
        "--opt-size",
    ]);
    qjs.arg("--wit").arg(stage.wit()).arg("--output").arg(stage.component());
    componentize(&mut qjs, &QJS, stage)
}

/// Makes a component of `plugin.py`.
pub(super) fn python(stage: &Stage) -> Result<PathBuf, BuildError> {
    let tool = PY.installed()?;
    let mut py = Command::new("python3");
    py.arg(tool.join("bin/componentize-py")).env("PYTHONPATH", &tool);
    py.arg("--wit-path").arg(stage.wit()).args(["--world", WORLD, "componentize", "--stub-wasi", "plugin"]);
    py.args(["--python-path", ".", "--output"]).arg(stage.component());
    componentize(&mut py, &PY, stage)
}

fn componentize(command: &mut Command, tool: &Tool, stage: &Stage) -> Result<PathBuf, BuildError> {
    run(command.current_dir(stage.sources()).stdout(Stdio::null()), tool.name)?;
    Ok(stage.component())
}
