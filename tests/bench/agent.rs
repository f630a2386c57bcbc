//! A real agent, for the benches that need one.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

/// An agent with its folder; it reads `logs/**/*.log`.
pub struct Host(tempfile::TempDir);

impl Host {
    /// With this time between Bronze commits.
    pub fn new(bronze_interval: &str) -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        let root = host.0.path().display();
        let config = format!(
            "[agent]\nstate_dir = \"state\"\nbronze_interval = \"{bronze_interval}\"\n[[source]]\nname = \"app\"\n\
             include = [\"{root}/logs/**/*.log\"]\n[[pipeline]]\nname = \"app\"\nplugin = \"builtin:json\"\n"
        );
        fs::create_dir(host.path("logs")).unwrap();
        fs::write(host.path("edge.toml"), config).unwrap();
        host
    }

    /// A path below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A subcommand with the agent's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logsmith"));
        command.args(arguments).arg("-c").arg(self.path("edge.toml")).env("LOGSMITH_LOG", "error");
        command
    }

    /// Versions of Bronze.
    pub fn versions(&self) -> u64 {
        (0..).find(|version| !self.entry(*version).exists()).unwrap_or_default()
    }

    /// The log entry of a version of Bronze.
    pub fn entry(&self, version: u64) -> PathBuf {
        self.path(&format!("state/bronze/_delta_log/{version:020}.json"))
    }

    /// Waits for a version of Bronze that adds lines, from this one on.
    pub fn wait_for_lines(&self, mut version: u64) {
        loop {
            match fs::read_to_string(self.entry(version)) {
                Ok(entry) if entry.contains("\"add\":") => return,
                Ok(_) => version += 1,
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// Stops an agent, which ends when it has committed what it read.
pub fn stop(mut agent: Child) {
    let pid = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    agent.wait().unwrap();
}
