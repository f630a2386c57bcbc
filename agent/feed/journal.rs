//! The system's journal, read by `journalctl`: the journal's format is systemd's own, and its library would tie the
//! binary to one C library's systems. The tool writes an entry a line as JSON, with the cursor to go on from.
//!
//! Entries are filtered here and not by the tool, so that the cursor moves past those that are left out too.

use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tracing::warn;

use super::framing::{Framing, Limit, next_frame};
use super::pipe::OwnThread;
use super::{Closed, Follow, Inlet, place};
use crate::tail::StartAt;

/// Entries that are left out before their cursor is handed on all the same.
const LEFT_OUT_MAX: usize = 1_000;
/// How long to wait before the tool is started again.
const RESTART_DELAY: Duration = Duration::from_secs(2);
/// An entry longer than this, in bytes, is passed over.
const ENTRY_BYTES_MAX: usize = 64 << 20;

/// Which entries of which journal.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The journal's folder; the system's own where none is given.
    pub directory: Option<PathBuf>,
    /// Entries of these units only, if there are any.
    pub units: Vec<String>,
    /// Entries of this priority, and more urgent ones.
    pub priority: Priority,
    /// Where reading starts at the very first start.
    pub start_at: StartAt,
}

/// How urgent an entry is: syslog(3)'s levels, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the meanings")]
pub enum Priority {
    Emerg,
    Alert,
    Crit,
    Err,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Priority {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Emerg, "emerg"),
        (Self::Alert, "alert"),
        (Self::Crit, "crit"),
        (Self::Err, "err"),
        (Self::Warning, "warning"),
        (Self::Notice, "notice"),
        (Self::Info, "info"),
        (Self::Debug, "debug"),
    ];

    /// The level that an entry's field `PRIORITY` names by its number.
    fn of_number(number: &str) -> Option<Self> {
        let at: usize = number.parse().ok()?;
        Self::ALL.get(at).map(|(priority, _)| *priority)
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(_, name)| *name == text);
        found.map(|(priority, _)| priority).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name);
            format!("`{text}` is no priority; write one of {}", names.join(", "))
        })
    }
}

/// What is looked at in an entry. A field may stand there several times, or be no text: then it is an array.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
}

impl Journal {
    fn takes(&self, entry: &Entry) -> bool {
        let priority = entry.priority.as_str().and_then(Priority::of_number).unwrap_or(Priority::Debug);
        let unit = entry.unit.as_str();
        priority <= self.priority
            && (self.units.is_empty() || self.units.iter().any(|wanted| Some(wanted.as_str()) == unit))
    }

    fn tool(&self) -> Command {
        let mut tool = Command::new("journalctl");
        tool.args(["--output=json", "--all", "--no-pager", "--quiet"]);
        if let Some(directory) = &self.directory {
            tool.arg("--directory").arg(directory);
        }
        tool.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        tool
    }

    /// The cursor of the newest entry.
    fn newest(&self) -> io::Result<Option<String>> {
        let output = self.tool().arg("--lines=1").output()?;
        Ok(serde_json::from_slice::<Entry>(&output.stdout).ok().map(|entry| entry.cursor))
    }

    fn start(&self, cursor: Option<&str>, follow: Follow) -> io::Result<Child> {
        let mut tool = self.tool();
        if let Some(cursor) = cursor {
            tool.arg(format!("--after-cursor={cursor}"));
        }
        if follow == Follow::On {
            tool.args(["--follow", "--no-tail"]);
        }
        tool.spawn()
    }
}

/// The tool that reads a journal; it ends with this.
#[derive(Debug)]
pub(super) struct Reader {
    running: Arc<Mutex<Running>>,
}

#[derive(Debug)]
struct Running {
    tool: Child,
    is_stopped: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.is_stopped = true;
        // One that has ended already is as good.
        let _ = running.tool.kill();
        let _ = running.tool.wait();
    }
}

/// Reads a journal from `cursor` on; without one, from where the journal says.
pub(super) fn read(
    journal: &Journal,
    cursor: Option<String>,
    follow: Follow,
    inlet: Inlet,
) -> io::Result<Reader> {
    let first = match (cursor, journal.start_at) {
        (Some(cursor), _) => Some(cursor),
        (None, StartAt::Beginning) => None,
        (None, StartAt::End) => journal.newest()?,
    };
    let tool = journal.start(first.as_deref(), follow)?;
    let running = Arc::new(Mutex::new(Running { tool, is_stopped: false }));
    let reader = Reader { running: Arc::clone(&running) };
    let (journal, runtime) = (journal.clone(), Handle::current());
    thread::spawn(move || {
        let mut reached = first;
        // Where reading starts counts from now on, also if nothing comes before the next start.
        if let Some(cursor) = reached.clone()
            && runtime.block_on(inlet.send(&place("journal"), Vec::new(), 0, Some(cursor))).is_err()
        {
            return;
        }
        loop {
            let output = running.lock().unwrap_or_else(PoisonError::into_inner).tool.stdout.take();
            let Some(output) = output else { return };
            if runtime.block_on(forward(output, &journal, &inlet, &mut reached)).is_err()
                || follow == Follow::UpToNow
            {
                return;
            }
            thread::sleep(RESTART_DELAY);
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.is_stopped {
                return;
            }
            warn!("journalctl ended, and is started again");
            let _ = running.tool.wait();
            match journal.start(reached.as_deref(), follow) {
                Ok(tool) => running.tool = tool,
                Err(error) => return warn!(%error, "journalctl cannot be started again"),
            }
        }
    });
    Ok(reader)
}

/// Hands on what the tool writes, up to its end.
async fn forward(
    output: ChildStdout,
    journal: &Journal,
    inlet: &Inlet,
    reached: &mut Option<String>,
) -> Result<(), Closed> {
    let path = place("journal");
    let mut input = OwnThread(BufReader::with_capacity(64 << 10, output));
    let mut left_out = 0;
    let limit = Limit { bytes_max: ENTRY_BYTES_MAX, long: None, stall_max: Duration::MAX };
    loop {
        let frame = match next_frame(&mut input, Framing::Lines, &limit).await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => {
                warn!(%error, "what journalctl writes cannot be read");
                break;
            }
        };
        let Ok(entry) = serde_json::from_slice::<Entry>(&frame.bytes) else {
            warn!(
                bytes = frame.bytes.len() as u64 + frame.left_out,
                "journalctl wrote no entry; passed over"
            );
            continue;
        };
        *reached = Some(entry.cursor.clone());
        if journal.takes(&entry) {
            left_out = 0;
            inlet.send(&path, frame.bytes, 0, Some(entry.cursor)).await?;
        } else {
            left_out += 1;
            if left_out == LEFT_OUT_MAX {
                left_out = 0;
                inlet.send(&path, Vec::new(), 0, Some(entry.cursor)).await?;
            }
        }
    }
    match reached.clone().filter(|_| left_out > 0) {
        Some(cursor) => inlet.send(&path, Vec::new(), 0, Some(cursor)).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(units: &[&str], priority: Priority) -> Journal {
        let units = units.iter().map(|unit| (*unit).to_owned()).collect();
        Journal { directory: None, units, priority, start_at: StartAt::Beginning }
    }

    fn entry(json: &str) -> Entry {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn entries_are_taken_by_unit_and_priority() {
        let of_web = journal(&["nginx.service"], "warning".parse().unwrap());
        let of = |unit: &str, priority: &str| {
            entry(&format!(
                r#"{{"__CURSOR":"c","_SYSTEMD_UNIT":{unit},"PRIORITY":{priority},"MESSAGE":"m"}}"#
            ))
        };
        assert!(of_web.takes(&of("\"nginx.service\"", "\"4\"")));
        assert!(of_web.takes(&of("\"nginx.service\"", "\"0\"")));
        assert!(!of_web.takes(&of("\"nginx.service\"", "\"5\"")));
        assert!(!of_web.takes(&of("\"cron.service\"", "\"0\"")));
        assert!(!of_web.takes(&of("[110,103]", "\"0\"")));
        assert!(!of_web.takes(&entry(r#"{"__CURSOR":"c"}"#)));
        assert!(journal(&[], Priority::Debug).takes(&entry(r#"{"__CURSOR":"c"}"#)));
    }

    #[test]
    fn priorities_are_those_of_syslog() {
        assert_eq!("err".parse(), Ok(Priority::Err));
        assert_eq!(Priority::of_number("3"), Some(Priority::Err));
        assert!("error".parse::<Priority>().unwrap_err().contains("err, warning"));
        assert_eq!(Priority::of_number("8"), None);
    }
}
