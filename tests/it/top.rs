//! What people see in a terminal of 80 by 24: looked at by tmux, as a person would.

use std::fs;
use std::process::Command;

use crate::support::{Host, eventually, logsmith, succeed};

/// A terminal of 80 columns and 24 rows, in which a command runs.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// Runs a command of the shell; what it leaves stays on the screen.
    fn run(host: &Host, command: &str) -> Self {
        let terminal = Self { socket: host.path("tmux").display().to_string() };
        let command = format!("{command}; echo ended $?; exec sleep 600");
        let arguments = ["new-session", "-d", "-x", "80", "-y", "24", &command];
        let mut tmux = terminal.tmux(&arguments);
        // What the binary is told by tests, and nothing of the terminal that they run in.
        let binary = logsmith();
        let environment = binary.get_envs().filter_map(|(name, value)| Some((name, value?)));
        tmux.envs(environment).env("LANG", "C.UTF-8").env_remove("TMUX").env("TERM", "screen-256color");
        succeed(&mut tmux);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-f", "/dev/null", "-S", &self.socket]).args(arguments);
        tmux
    }

    /// The rows of the screen.
    fn screen(&self) -> Vec<String> {
        let shown = succeed(&mut self.tmux(&["capture-pane", "-p"]));
        let rows: Vec<String> = shown.lines().map(str::to_owned).collect();
        for row in &rows {
            assert!(row.chars().count() <= 80, "{row}");
        }
        rows
    }

    /// The screen with its attributes, and what has scrolled out of it.
    fn raw(&self) -> String {
        succeed(&mut self.tmux(&["capture-pane", "-p", "-e", "-S", "-100"]))
    }

    fn press(&self, key: &str) {
        succeed(&mut self.tmux(&["send-keys", key]));
    }

    /// Waits until a row of the screen holds a text, and returns the screen.
    fn wait_for(&self, text: &str) -> Vec<String> {
        eventually(&format!("the screen shows {text:?}"), || {
            self.screen().iter().any(|row| row.contains(text))
        });
        self.screen()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).output();
    }
}

/// The row that begins with a text; its words.
fn row<'a>(screen: &'a [String], beginning: &str) -> Vec<&'a str> {
    let row = screen.iter().find(|row| row.starts_with(beginning));
    row.unwrap_or_else(|| panic!("no {beginning:?} in {screen:#?}")).split_whitespace().collect()
}

fn top(host: &Host) -> String {
    let config = host.path("edge.toml").display().to_string();
    format!("{} top -c {config} --interval 300ms", env!("CARGO_BIN_EXE_logsmith"))
}

#[test]
fn top_shows_what_the_agent_does_and_goes_without_a_trace() {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("last_line_timeout = \"300ms\"", "last_line_timeout = \"1h\""));
    crate::metrics::serve(&host);
    // The central store is away: where its folder should be stands a file.
    fs::write(host.path("lake"), "").unwrap();
    host.append("logs/a.log", "{\"message\":\"one\"}\n{\"message\":\"two\"}\nbroken\n");
    host.append("logs/b.log", "{\"message\":\"three\"}\n{\"mess");
    let agent = host.start();
    let terminal = Terminal::run(&host, &top(&host));
    terminal.wait_for("agent is ready");
    eventually("the objects that wait are shown", || {
        let screen = terminal.screen();
        let uploads = screen.iter().skip_while(|row| !row.starts_with("UPLOADS"));
        uploads.filter(|row| row.starts_with("app ")).any(|row| row.split_whitespace().nth(2) == Some("2"))
    });
    eventually("rates are shown", || row(&terminal.screen(), "app ").len() == 8);
    let screen = terminal.screen();
    assert_eq!(row(&screen, "logsmith top"), ["logsmith", "top", "h1", "agent", "is", "ready"]);
    assert!(row(&screen, "disk [").contains(&"1.9"), "{screen:#?}");
    assert_eq!(row(&screen, "FILES"), ["FILES", "2", "SIZE", "TAKEN", "LAG", "READ/S"]);
    // The one that lags comes first; the end of its path is seen.
    let files = screen.iter().position(|row| row.starts_with("FILES")).unwrap();
    assert!(screen[files + 1].contains("/logs/b.log") && screen[files + 1].contains("6 B"), "{screen:#?}");
    assert!(screen[files + 2].contains("/logs/a.log"), "{screen:#?}");
    let pipeline = row(&screen, "app ");
    assert_eq!((pipeline[1], pipeline[3], pipeline[4], pipeline[5]), ("4", "0", "1", "0"), "{screen:#?}");
    assert!(pipeline[6].parse::<f64>().unwrap() > 0.0 && pipeline[7] == "us", "{screen:#?}");
    assert!(screen[23].starts_with("q quit"), "{screen:#?}");
    assert_eq!(screen.len(), 24);

    fs::remove_file(host.path("lake")).unwrap();
    eventually("the queue is empty", || {
        let screen = terminal.screen();
        let uploads = screen.iter().skip_while(|row| !row.starts_with("UPLOADS"));
        uploads.filter(|row| row.starts_with("app ")).any(|row| row.split_whitespace().nth(2) == Some("0"))
    });
    agent.stop();
    terminal.wait_for("agent does not answer");
    terminal.press("q");
    let after = terminal.wait_for("ended 0");
    assert!(!after.iter().any(|row| row.contains("FILES")), "the screen was not given back: {after:#?}");
}

#[test]
fn top_is_read_without_colour_and_does_not_flicker() {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "{\"message\":\"one\"}\n");
    let agent = host.start();
    eventually("the line is judged", || host.added("state/silver/app") == 1);
    host.edit(|edge| edge.replace("include", "exclude = [\"b.log\"]\ninclude"));
    agent.stop();
    host.append("logs/a.log", "behind\n");
    let strace = format!("strace -f -e trace=write -s 200000 -xx -o {}", host.path("writes").display());
    let terminal = Terminal::run(&host, &format!("NO_COLOR=1 {strace} {}", top(&host)));
    let screen = terminal.wait_for("7 B");
    assert!(screen[0].contains("no [metrics]"), "{screen:#?}");
    let raw = terminal.raw();
    let colour = regex::Regex::new("\u{1b}\\[[0-9;]*(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]").unwrap();
    assert!(!colour.is_match(&raw), "{raw:?}");
    for lines in 0..3 {
        host.append("logs/a.log", "more\n");
        terminal.wait_for(&format!("{} B", 12 + 5 * lines));
    }
    terminal.press("q");
    terminal.wait_for("ended 0");
    let writes = fs::read_to_string(host.path("writes")).unwrap();
    let of_frames: Vec<&str> =
        writes.lines().filter_map(|line| line.split_once("write(1, \"")).map(|it| it.1).collect();
    // What clears the screen, in hexadecimal: once at the beginning.
    let clears = of_frames.iter().filter(|write| write.contains("\\x1b\\x5b\\x32\\x4a")).count();
    assert!(clears <= 1, "{clears} in {of_frames:#?}");
    // The first frame draws all of it; of the others each is one write, and a fraction of that.
    let largest = of_frames.iter().map(|write| write.len()).max().unwrap();
    let later = of_frames.iter().skip_while(|write| write.len() < largest).skip(1);
    let later: Vec<usize> = later.map(|write| write.len()).collect();
    assert!(later.len() >= 3 && later.iter().all(|bytes| *bytes < largest / 3), "{largest}, then {later:?}");
}

#[test]
fn one_screen_of_top_is_printed_where_there_is_no_terminal() {
    let host = Host::new("builtin:json");
    let said = succeed(&mut host.edge(&["top", "--interval", "1ms"]));
    assert!(said.contains("the agent has not run here yet"), "{said}");
    host.append("logs/a.log", "{\"message\":\"one\"}\nbroken\n");
    succeed(&mut host.edge(&["run", "--once"]));
    let said = succeed(&mut host.edge(&["top", "--once", "--interval", "1ms"]));
    let screen: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(screen.len(), 24);
    let pipeline = row(&screen, "app ");
    assert_eq!((pipeline[1], pipeline[4]), ("2", "1"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn the_demo_fits_a_small_terminal() {
    let host = Host::new("builtin:json");
    let demo = format!("{} demo --dir {}", env!("CARGO_BIN_EXE_logsmith"), host.path("d").display());
    let terminal = Terminal::run(&host, &demo);
    let screen = terminal.wait_for("▶ fleet silver");
    let progress = screen.iter().filter(|row| row.contains("▶ bronze")).count();
    assert_eq!(progress, 1, "the line of progress is rewritten in its place: {screen:#?}");
    terminal.wait_for("ended 0");
    let shown = terminal.raw();
    for text in ["Gold: SELECT log_level", "  INFO ", "█████", "Dead letters, by reason", ": right"]
    {
        assert!(shown.contains(text), "{text} is not in {shown}");
    }
}
