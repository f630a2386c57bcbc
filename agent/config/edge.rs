//! The agent's configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::environment::Surroundings;
use super::files::ConfigFiles;
use super::mistake::Mistakes;
use super::pipeline::{ChainJudge, Pipeline, pipelines};
use super::reader::{Document, Found, Section};
use super::source::{STDIN, Sources, sources};
use super::{is_name, metrics, store};
use crate::feed::{Feed, FeedKind};
use crate::metrics::Address;
use crate::store::Place;
use crate::sync::Pace;
use crate::tail::{Source, TailLimits};
use crate::transform::FileOwner;

/// What `logsmith run` works on, checked.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What this was read from.
    pub written: ConfigFiles,
    /// The state folder, absolute.
    pub state_dir: PathBuf,
    /// The name of this host, as rows and landing prefixes carry it.
    pub host: String,
    /// How many bytes the state folder may hold.
    pub disk_budget_bytes: u64,
    /// When a Bronze commit is made.
    pub bronze_flush: Rhythm,
    /// When a Silver commit is made; the bytes are those that its files have by then.
    pub silver_flush: Rhythm,
    /// How long to wait at most before looking for new files again.
    pub rescan_interval: Duration,
    /// What reading may use.
    pub tail_limits: TailLimits,
    /// Whose the files of plugins must be.
    pub plugin_owner: FileOwner,
    /// Where Silver is put; `None` keeps it on this host.
    pub central: Option<Place>,
    /// How fast Silver is put.
    pub upload_pace: Pace,
    /// Where metrics and health are served; nowhere if `None`.
    pub metrics: Option<Address>,
    /// Files that lines come from.
    pub sources: Vec<Source>,
    /// What else lines come from.
    pub feeds: Vec<Feed>,
    /// What is made of them.
    pub pipelines: Vec<Pipeline>,
}

/// A flush may wait for so many bytes at most: they are held in memory, and what is larger is no landing object.
const FLUSH_BYTES_MAX: u64 = 256 << 20;

/// A flush rule: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// After this time, if there is anything.
    pub interval: Duration,
    /// At this many bytes.
    pub bytes_max: u64,
}

impl Edge {
    /// Reads and checks what is written; relative paths are taken from the folder of the main file.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn parse(written: &ConfigFiles) -> Result<Self, Mistakes> {
        Self::parse_with(written, Surroundings::Needed, &mut |_| Ok(()))
    }

    /// Like [`Edge::parse`], for what neither reaches the central store nor runs a plugin: what it would have of the
    /// process's surroundings for these need not be there, and whoever looks at a host rarely has it.
    ///
    /// # Errors
    /// As [`Edge::parse`].
    pub fn parse_local(written: &ConfigFiles) -> Result<Self, Mistakes> {
        Self::parse_with(written, Surroundings::Local, &mut |_| Ok(()))
    }

    /// Like [`Edge::parse`], and hands the plugins of each pipeline to `judge`, whose words become a mistake of the plugin
    /// that it names.
    ///
    /// # Errors
    /// As [`Edge::parse`].
    pub fn parse_with(
        written: &ConfigFiles,
        surroundings: Surroundings,
        judge: &mut ChainJudge<'_>,
    ) -> Result<Self, Mistakes> {
        Document::read(written, surroundings, |doc, root| {
            let section = root.section(doc, "agent");
            let agent = agent(doc, written, section);
            let mut upload_pace = Pace::default();
            let central = match root.section(doc, "central") {
                None => Some(None),
                Some(mut section) => {
                    let opened = store(doc, &mut section);
                    if let Some(rate) = section.bytes(doc, "upload_rate") {
                        upload_pace = Pace::of(rate);
                    }
                    section.finish(doc);
                    opened.map(|(place, _)| Some(place))
                }
            };
            let metrics = metrics(doc, root);
            let (names, sources) = sources(doc, root);
            let owner = agent.as_ref().map_or_else(FileOwner::default, |agent| agent.plugin_owner);
            let pipelines = pipelines(doc, root, &names, owner, judge);
            let is_piped = |pipeline: &Pipeline| pipeline.sources.iter().any(|source| source == STDIN);
            if names.is_empty() && !pipelines.iter().flatten().any(is_piped) {
                root.missing(doc, "source", "[[source]] with a name and include = [\"/var/log/app/*.log\"]");
            }
            let Sources { files, mut feeds } = sources?;
            for feed in &mut feeds {
                let takes = |pipeline: &&Pipeline| pipeline.sources.contains(&feed.name);
                if let FeedKind::Own(own) = &mut feed.kind {
                    let carriers = pipelines.iter().flatten().filter(takes);
                    own.carriers = carriers.map(|pipeline| pipeline.name.clone()).collect();
                }
            }
            Some(Self {
                central: central?,
                upload_pace,
                metrics: metrics?,
                sources: files,
                feeds,
                pipelines: pipelines?,
                ..agent?
            })
        })
    }
}

fn agent<'a>(doc: &mut Document<'a>, written: &ConfigFiles, section: Option<Section<'a>>) -> Option<Edge> {
    let mut edge = Edge {
        written: written.clone(),
        state_dir: PathBuf::from("/var/lib/logsmith"),
        host: String::new(),
        disk_budget_bytes: 2_000_000_000,
        bronze_flush: Rhythm { interval: Duration::from_secs(1), bytes_max: 8 << 20 },
        silver_flush: Rhythm { interval: Duration::from_secs(60), bytes_max: 32_000_000 },
        rescan_interval: Duration::from_secs(10),
        tail_limits: TailLimits::default(),
        plugin_owner: FileOwner::Anyone,
        central: None,
        upload_pace: Pace::default(),
        metrics: None,
        sources: Vec::new(),
        feeds: Vec::new(),
        pipelines: Vec::new(),
    };
    let Some(mut section) = section else {
        edge.host = host_name();
        return Some(edge);
    };
    if let Some(folder) = section.string(doc, "state_dir") {
        edge.state_dir = doc.resolve(&folder.value);
    }
    let host = section.string(doc, "host");
    if let Some(bytes) = section.bytes(doc, "disk_budget") {
        edge.disk_budget_bytes = bytes;
    }
    rhythm(doc, &mut section, "bronze_interval", "bronze_bytes", &mut edge.bronze_flush);
    rhythm(doc, &mut section, "silver_interval", "silver_bytes", &mut edge.silver_flush);
    if let Some(interval) = section.duration(doc, "rescan_interval") {
        edge.rescan_interval = interval;
    }
    if let Some(files) = section.number(doc, "open_files_max", 1) {
        edge.tail_limits.open_files_max = usize::try_from(files).unwrap_or(usize::MAX);
    }
    if let Some(bytes) = section.bytes(doc, "deleted_bytes_max") {
        edge.tail_limits.deleted_bytes_max = bytes;
    }
    if section.boolean(doc, "plugins_owned_by_root") == Some(true) {
        edge.plugin_owner = FileOwner::Root;
    }
    if edge.disk_budget_bytes < 10_000_000 {
        section.wrong(doc, "disk_budget", "is too small; write at least \"10MB\"");
    }
    section.finish(doc);
    edge.host = match host {
        Some(host) if is_host(&host.value) => host.value,
        Some(Found { value, key, at }) => {
            doc.mistake(at, &key, format!("`{value}`: write letters, digits, `.`, `_` and `-` only"));
            return None;
        }
        None => host_name(),
    };
    Some(edge)
}

fn rhythm<'a>(
    doc: &mut Document<'a>,
    section: &mut Section<'a>,
    interval: &'static str,
    bytes: &'static str,
    rhythm: &mut Rhythm,
) {
    if let Some(interval) = section.duration(doc, interval) {
        rhythm.interval = interval;
    }
    if let Some(size) = section.bytes(doc, bytes) {
        if size > FLUSH_BYTES_MAX {
            section.wrong(
                doc,
                bytes,
                "is too large; write at most \"256MiB\", since so much is held in memory",
            );
        }
        rhythm.bytes_max = size;
    }
}

pub(super) fn checked_name<'a>(
    doc: &mut Document<'a>,
    section: &Section<'a>,
    name: Option<Found<String>>,
    names: &mut BTreeSet<String>,
) -> Option<String> {
    let Some(Found { value, key, at }) = name else {
        section.missing(doc, "name", "name = \"app\"");
        return None;
    };
    if !is_name(&value) {
        doc.mistake(at, &key, format!("`{value}`: write letters, digits and _ only"));
        return None;
    }
    if !names.insert(value.clone()) {
        doc.mistake(at, &key, format!("`{value}` is taken"));
        return None;
    }
    Some(value)
}

/// Whether `text` can stand in a landing prefix.
fn is_host(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The kernel's name of this host, with `-` for what a landing prefix cannot hold.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = name.trim_start_matches('.').chars().map(fit).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
