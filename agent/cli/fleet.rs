//! `logsmith fleet`: what the lake tells of each host.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
    UInt64Array,
};
use bytesize::ByteSize;

use super::format::{Format, Header};
use super::{ConfigArg, central_config};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::compact::{HostReport, survey};
use crate::text::Shown;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Of how long rows, bytes and rejects are counted (`24h`, `7days`).
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration, value_name = "TIME")]
    since: Duration,
    /// How to print the hosts.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// The hosts by name.
type Fleet = BTreeMap<String, HostReport>;

pub(super) async fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let config = central_config(&args.config.config)?;
    let now = SystemClock.now();
    let micros = i64::try_from(args.since.as_micros()).unwrap_or(i64::MAX);
    let since = Timestamp::from_micros(now.micros().saturating_sub(micros).max(0));
    let fleet = survey(&config, since).await?;
    match args.format {
        Format::Table => print(&fleet, now, since),
        format => format.print(&[rows(&fleet)?], Header::Shown)?,
    }
    Ok(ExitCode::SUCCESS)
}

const HEADINGS: [&str; 11] = [
    "HOST",
    "LAST SEEN",
    "LAG",
    "ROWS",
    "BYTES",
    "REJECTS",
    "WAITING",
    "GAPS",
    "QUARANTINE",
    "LOGSMITH",
    "PLUGINS",
];

/// For people: what is wrong first, in a line each, then the hosts, those first that somebody should look at.
fn print(fleet: &Fleet, now: Timestamp, since: Timestamp) {
    let count = |what: fn(&HostReport) -> bool| fleet.values().filter(|host| what(host)).count();
    println!(
        "{} hosts; nothing of {} since {since}; {} with gaps; {} with objects in quarantine",
        fleet.len(),
        count(|host| host.seen.is_none()),
        count(|host| !host.gaps.is_empty()),
        count(|host| host.quarantined > 0),
    );
    for gap in fleet.values().flat_map(|host| &host.gaps) {
        println!("  waiting: {}", Shown(gap));
    }
    if fleet.is_empty() {
        return;
    }
    let mut hosts: Vec<_> = fleet.iter().collect();
    hosts.sort_by_key(|(name, host)| (!host.is_odd(), host.seen.is_some(), *name));
    let lines: Vec<[String; 11]> = hosts.into_iter().map(|(name, host)| line(name, host, now)).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        let heading = HEADINGS.get(column).map_or(0, |heading| heading.len());
        cells.map(|cell| cell.chars().count()).fold(heading, usize::max)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    println!();
    for line in std::iter::once(&HEADINGS.map(str::to_owned)).chain(&lines) {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn line(name: &str, host: &HostReport, now: Timestamp) -> [String; 11] {
    let ago = |then: Timestamp| period(now.micros().saturating_sub(then.micros()));
    let waiting = match host.waiting_since {
        Some(since) => format!("{} ({})", host.waiting, ago(since)),
        None => host.waiting.to_string(),
    };
    [
        Shown(name).to_string(),
        host.seen.map_or_else(|| "-".to_owned(), |seen| format!("{} ago", ago(seen))),
        host.lag_micros.map_or_else(|| "-".to_owned(), period),
        host.rows.to_string(),
        ByteSize(host.bytes).to_string(),
        host.rejects.to_string(),
        waiting,
        host.gaps.len().to_string(),
        host.quarantined.to_string(),
        Shown(host.agent.as_deref().unwrap_or("-")).to_string(),
        plugins(host).into_iter().collect::<Vec<_>>().join(", "),
    ]
}

/// A length of time with its two largest units: `2m 5s`.
fn period(micros: i64) -> String {
    let seconds = micros.max(0).unsigned_abs() / 1_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

fn plugins(host: &HostReport) -> BTreeSet<String> {
    host.plugins.values().flatten().map(|plugin| Shown(plugin).to_string()).collect()
}

/// For programs: a row a host, by name.
fn rows(fleet: &Fleet) -> Result<RecordBatch, arrow::error::ArrowError> {
    let times = |time: fn(&HostReport) -> Option<Timestamp>| {
        let times: TimestampMicrosecondArray =
            fleet.values().map(|host| time(host).map(Timestamp::micros)).collect();
        Arc::new(times.with_timezone("UTC")) as ArrayRef
    };
    let counts = |count: fn(&HostReport) -> u64| {
        Arc::new(UInt64Array::from_iter_values(fleet.values().map(count))) as ArrayRef
    };
    let texts = |texts: fn(&HostReport) -> Vec<String>| {
        let mut list = ListBuilder::new(StringBuilder::new());
        for host in fleet.values() {
            list.append_value(texts(host).into_iter().map(Some));
        }
        Arc::new(list.finish()) as ArrayRef
    };
    let names: StringArray = fleet.keys().map(|name| Some(Shown(name).to_string())).collect();
    let lags: Int64Array = fleet.values().map(|host| host.lag_micros.map(|lag| lag / 1_000)).collect();
    let agents: StringArray =
        fleet.values().map(|host| host.agent.as_ref().map(|agent| Shown(agent).to_string())).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("host", Arc::new(names) as ArrayRef, false),
        ("last_seen", times(|host| host.seen), true),
        ("lag_ms", Arc::new(lags), true),
        ("rows", counts(|host| host.rows), false),
        ("bytes", counts(|host| host.bytes), false),
        ("rejects", counts(|host| host.rejects), false),
        ("waiting", counts(|host| host.waiting), false),
        ("waiting_since", times(|host| host.waiting_since), true),
        ("gaps", texts(|host| host.gaps.iter().map(|gap| Shown(gap).to_string()).collect()), false),
        ("quarantined", counts(|host| host.quarantined), false),
        ("logsmith", Arc::new(agents), true),
        ("plugins", texts(|host| plugins(host).into_iter().collect()), false),
    ])
}
