//! What the tests share: a host in a temporary folder, the real binary, and an independent reader.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Versions of the independent reader, so that a run today and one next year read alike.
const READER: [&str; 2] = ["deltalake==1.6.6", "pyarrow==26.0.1"];

/// The real binary. What it keeps for this user is kept for the next run of the tests.
pub fn logsmith() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logsmith"));
    for variable in ["LOGSMITH_KILL_AT", "LOGSMITH_HANG_AT", "NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        command.env_remove(variable);
    }
    command.env("LOGSMITH_LOG", "warn").env("XDG_CACHE_HOME", user_cache());
    command
}

/// What the binary takes for the cache folder of this user.
pub fn user_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Runs a command that must succeed, and returns what it printed.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?} failed:\n{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail, and returns what it said.
pub fn fail(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} succeeded:\n{}", text(&output));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All that a command printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits until `condition` holds, for a minute at most.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A running agent, which ends with the test, however that ends.
pub struct Agent(Child);

impl Agent {
    /// Starts one; what it tells is not heard.
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Starts one as it is.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        self.terminate();
        assert!(self.wait().success());
    }

    /// The most memory that it has held since its start, in bytes.
    pub fn memory_bytes_max(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        most.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A host with its logs and state folder, and a lake beside it, all in one temporary folder.
pub struct Host {
    folder: TempDir,
}

impl Host {
    /// With the built-in plugin `plugin` over `logs/*.log`.
    pub fn new(plugin: &str) -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(host.path("logs")).unwrap();
        host.configure(plugin, "");
        host.views("levels", "SELECT level AS log_level, count(*) AS log_count FROM app GROUP BY level");
        host
    }

    /// Writes `edge.toml`; `more` stands at its end.
    pub fn configure(&self, plugin: &str, more: &str) {
        let root = self.folder.path().display();
        let text = format!(
            "[agent]\nstate_dir = \"state\"\nhost = \"h1\"\nbronze_interval = \"100ms\"\nsilver_interval = \"200ms\"\n\n\
             [central]\nurl = \"file://{root}/lake\"\n\n\
             [[source]]\nname = \"app\"\ninclude = [\"{root}/logs/*.log*\"]\nlast_line_timeout = \"300ms\"\n\n\
             [[pipeline]]\nname = \"app\"\nplugin = \"{plugin}\"\n{more}"
        );
        fs::write(self.path("edge.toml"), text).unwrap();
    }

    /// Writes `central.toml` with one view.
    pub fn views(&self, name: &str, sql: &str) {
        let root = self.folder.path().display();
        let text = format!("url = \"file://{root}/lake\"\n\n[[view]]\nname = \"{name}\"\nsql = \"{sql}\"\n");
        fs::write(self.path("central.toml"), text).unwrap();
    }

    /// Changes `edge.toml`.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.path("edge.toml");
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// Takes the central store out of `edge.toml`.
    pub fn leave_central(&self) {
        self.edit(|edge| {
            let (before, rest) = edge.split_once("[central]").unwrap();
            let (_, sources) = rest.split_once("[[source]]").unwrap();
            format!("{before}[[source]]{sources}")
        });
    }

    /// A path below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes at the end of a file.
    pub fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    /// A subcommand with the agent's configuration.
    pub fn edge(&self, arguments: &[&str]) -> Command {
        let mut command = logsmith();
        let (name, rest) = arguments.split_first().unwrap();
        command.arg(name).arg("-c").arg(self.path("edge.toml")).args(rest);
        command
    }

    /// A subcommand with the central job's configuration.
    pub fn central(&self, arguments: &[&str]) -> Command {
        let mut command = logsmith();
        let (name, rest) = arguments.split_first().unwrap();
        command.arg(name).arg("-c").arg(self.path("central.toml")).args(rest);
        command
    }

    /// Starts the agent.
    pub fn start(&self) -> Agent {
        Agent::spawn(&mut self.edge(&["run"]))
    }

    /// Starts the agent, and has it write what it tells, filtered so, to a file.
    pub fn start_telling(&self, file: &str, filter: &str) -> Agent {
        let log = fs::File::create(self.path(file)).unwrap();
        let mut run = self.edge(&["run"]);
        Agent(run.env("LOGSMITH_LOG", filter).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Everything that stands in the files, to Gold.
    pub fn finish(&self) {
        succeed(&mut self.edge(&["run", "--once"]));
        succeed(&mut self.central(&["compact"]));
    }

    /// Commits in the log of a table: cheap to ask while the agent runs, which makes one when it starts.
    pub fn commits(&self, table: &str) -> usize {
        self.entries(table).len()
    }

    /// Rows that the commits of a table have added, as they say themselves: cheap to ask while the agent runs.
    pub fn added(&self, table: &str) -> u64 {
        let entries =
            self.entries(table).into_iter().map(|path| fs::read_to_string(path).unwrap_or_default());
        let actions = entries.flat_map(|entry| {
            entry.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
        });
        let stats = actions.filter_map(|action| {
            serde_json::from_str::<Value>(action["add"]["stats"].as_str()?).unwrap()["numRecords"].as_u64()
        });
        stats.sum()
    }

    fn entries(&self, table: &str) -> Vec<PathBuf> {
        let Ok(log) = fs::read_dir(self.path(table).join("_delta_log")) else { return Vec::new() };
        // A commit under way has another name.
        let entries = log.map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|x| x == "json")).collect()
    }

    /// Waits until Bronze has at least so many lines, as the agent's own `status` counts them.
    pub fn wait_for_lines(&self, lines: usize) {
        eventually(&format!("{lines} lines are in Bronze"), || {
            let status = succeed(&mut self.edge(&["status"]));
            let bronze = status.lines().find(|line| line.starts_with("bronze "));
            let rows = bronze.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
            rows.unwrap_or(0) >= lines
        });
    }

    /// How many bytes of the file that stands at a path are in Bronze, as the agent's own `status` says.
    pub fn taken(&self, name: &str) -> Option<u64> {
        let path = self.path(name);
        let status = succeed(&mut self.edge(&["status"]));
        let line = status.lines().find(|line| line.split_whitespace().next() == path.to_str())?;
        line.split_whitespace().nth(2)?.parse().ok()
    }

    /// The files whose lines are in Bronze, each with its lines and their offsets, in order of the files' numbers.
    pub fn files(&self) -> Vec<Vec<(u64, String)>> {
        let mut files: BTreeMap<i64, Vec<(u64, String)>> = BTreeMap::new();
        for row in self.read("state/bronze", &["file", "offset", "line"]) {
            let line = row["line"].as_str().unwrap().to_owned();
            let lines = files.entry(row["file"].as_i64().unwrap()).or_default();
            lines.push((row["offset"].as_u64().unwrap(), line));
        }
        files.values_mut().for_each(|lines| lines.sort_unstable());
        files.into_values().collect()
    }

    /// Asserts that files of exactly these contents are in Bronze: each line once, at its own offset.
    pub fn assert_files(&self, contents: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut found: Vec<String> = self.files().iter().map(|lines| content(lines)).collect();
        let mut wanted: Vec<String> =
            contents.into_iter().map(|content| content.as_ref().to_owned()).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        let end = |text: &String| format!("{} bytes, {:?}", text.len(), text.lines().last());
        let strange: Vec<String> = found.iter().filter(|text| !wanted.contains(text)).map(end).collect();
        let missing: Vec<String> = wanted.iter().filter(|text| !found.contains(text)).map(end).collect();
        assert!(found == wanted, "not there: {missing:#?}; there instead: {strange:#?}");
    }

    /// Rows of a table, as the independent reader sees them.
    pub fn read(&self, table: &str, columns: &[&str]) -> Vec<Value> {
        read_back(&[(self.path(table), columns)]).remove(0)
    }
}

/// The text of a file of which each line was found at an offset; what is missing, or twice, shows.
fn content(lines: &[(u64, String)]) -> String {
    let mut text = String::new();
    for (offset, line) in lines {
        if *offset != text.len() as u64 {
            text += &format!("<{offset} where {} was due>", text.len());
        }
        text += &format!("{line}\n");
    }
    text
}

/// Rows of several tables, as the independent reader sees them.
pub fn read_back(tables: &[(PathBuf, &[&str])]) -> Vec<Vec<Value>> {
    let asked: Vec<Value> =
        tables.iter().map(|(table, columns)| json!({"table": table, "columns": columns})).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_back.py");
    let mut child = Command::new(python())
        .arg(script)
        .arg("--json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the Python reader failed:\n{}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Python with the `deltalake` package, in an environment of its own that is made at first use.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| python_with(&READER))
}

/// Python with these packages, in an environment of its own that is made at first use.
pub fn python_with(packages: &[&str]) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{}", packages.join("-")));
    let python = folder.join("bin/python");
    if !folder.join("complete").exists() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        fs::write(folder.join("complete"), "").unwrap();
    }
    python
}

/// Whether what installs the tools of a test is here; if not, that is said aloud.
pub fn can_install(needed: &str) -> bool {
    let can = Command::new(needed).arg("--version").output().is_ok();
    if !can {
        assert!(
            std::env::var_os("LOGSMITH_TEST_LANGUAGES").is_none(),
            "{needed} is not there, and it must be"
        );
        eprintln!("skipped: {needed} is not there");
    }
    can
}

/// The folder of real logs, or `None`, said aloud, where it is not there.
pub fn real_logs() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// The values of an integer column, sorted.
pub fn numbers(rows: &[Value], column: &str) -> Vec<i64> {
    let mut numbers: Vec<i64> = rows.iter().map(|row| row[column].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// A component: a freshly built one where `LOGSMITH_TEST_PLUGINS` names a folder of these, or else the committed one.
pub fn component(name: &str) -> PathBuf {
    let committed = if name == "hostile" { "tests/hostile/dist" } else { "plugins/dist" };
    let committed = || Path::new(env!("CARGO_MANIFEST_DIR")).join(committed);
    std::env::var_os("LOGSMITH_TEST_PLUGINS")
        .map_or_else(committed, PathBuf::from)
        .join(format!("{name}.wasm"))
}
