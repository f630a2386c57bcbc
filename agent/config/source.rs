//! Where lines come from: files, the journal, syslog.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::edge::checked_name;
use super::globs::{excludes, includes, reader_before};
use super::multiline::multiline;
use super::reader::{Document, Found, Section};
use crate::feed::{Feed, FeedKind, Journal, Listen, Own, Priority};
use crate::tail::{Encoding, Source, StartAt};

/// The source that `logsmith run --stdin` adds.
pub const STDIN: &str = "stdin";

/// What keys say of where lines come from: a source has one of them.
const PLACES: &str = "include = [\"/var/log/app/*.log\"], syslog = [\"udp://127.0.0.1:514\"] or a table [source.journal] or [source.self]";

/// A longer line than this crosses to no plugin, and is held in memory several times over on the way to Bronze.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A line of metrics comes no more often.
const METRICS_INTERVAL_MIN: Duration = Duration::from_secs(10);

/// All sources, by what they read.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) files: Vec<Source>,
    pub(super) feeds: Vec<Feed>,
}

enum Any {
    /// With where each of its patterns stands in the configuration, and under which key.
    Files(Source, Vec<(usize, String)>),
    Feed(Feed),
}

/// The names that sources have, and the sources themselves if nothing is wrong with them.
pub(super) fn sources<'a>(
    doc: &mut Document<'a>,
    root: &mut Section<'a>,
) -> (BTreeSet<String>, Option<Sources>) {
    let mut names = BTreeSet::from([STDIN.to_owned()]);
    let found: Vec<_> =
        root.sections(doc, "source").into_iter().map(|section| source(doc, section, &mut names)).collect();
    names.remove(STDIN);
    let mut sources = Some(Sources::default());
    for source in found {
        match (source, &mut sources) {
            (Some(Any::Files(source, places)), Some(sources)) => {
                for (number, (at, key)) in places.iter().enumerate() {
                    if let Some(reader) = reader_before(&sources.files, &source, number) {
                        let reason = format!(
                            "source `{}` reads these files; a file is read once, by the first source that names it",
                            reader.name
                        );
                        doc.mistake(*at, key, reason);
                    }
                }
                sources.files.push(source);
            }
            (Some(Any::Feed(feed)), Some(sources)) => {
                let is_own = |feed: &Feed| matches!(feed.kind, FeedKind::Own(_));
                if is_own(&feed) && sources.feeds.iter().any(is_own) {
                    doc.mistake(0, "source", "only one source can be [source.self]".to_owned());
                }
                sources.feeds.push(feed);
            }
            (None, _) | (_, None) => sources = None,
        }
    }
    (names, sources)
}

fn source<'a>(doc: &mut Document<'a>, mut section: Section<'a>, names: &mut BTreeSet<String>) -> Option<Any> {
    let name = section.string(doc, "name");
    let name = checked_name(doc, &section, name, names);
    let line_bytes_max = section.bytes(doc, "line_bytes_max").unwrap_or(1 << 20);
    if line_bytes_max > LINE_BYTES_MAX {
        let reason = "is too large; write at most \"64MiB\", since a line is held in memory as a whole";
        section.wrong(doc, "line_bytes_max", reason);
    }
    let line_bytes_max = usize::try_from(line_bytes_max).ok();
    let syslog = section.strings(doc, "syslog");
    let journal = section.section(doc, "journal");
    let own = section.section(doc, "self");
    if let Some(listens) = syslog {
        let listens = parsed(doc, listens, |text| text.parse::<Listen>());
        section.finish(doc);
        return Some(Any::Feed(Feed {
            name: name?,
            kind: FeedKind::Syslog(listens?),
            line_bytes_max: line_bytes_max?,
        }));
    }
    if let Some(journal_section) = journal {
        let start_at = start_at(doc, &mut section);
        let journal = journal_of(doc, journal_section, start_at);
        section.finish(doc);
        return Some(Any::Feed(Feed {
            name: name?,
            kind: FeedKind::Journal(journal?),
            line_bytes_max: line_bytes_max?,
        }));
    }
    if let Some(own_section) = own {
        let own = own_of(doc, own_section);
        section.finish(doc);
        let (name, line_bytes_max) = (name?, line_bytes_max?);
        return Some(Any::Feed(Feed { name, kind: FeedKind::Own(own?), line_bytes_max }));
    }
    files(doc, section, name, line_bytes_max)
}

fn files<'a>(
    doc: &mut Document<'a>,
    mut section: Section<'a>,
    name: Option<String>,
    line_bytes_max: Option<usize>,
) -> Option<Any> {
    let include = section.strings(doc, "include");
    let exclude = section.strings(doc, "exclude").unwrap_or_default();
    let start_at = start_at(doc, &mut section);
    let encoding = encoding(doc, &mut section);
    let last_line_timeout = section.duration(doc, "last_line_timeout").unwrap_or(Duration::from_secs(5));
    let multiline = multiline(doc, &mut section);
    match &include {
        None => section.missing(doc, "include", PLACES),
        Some(globs) if globs.is_empty() => section.wrong(doc, "include", "names no file"),
        Some(_) => {}
    }
    section.finish(doc);
    let include = include?;
    let places = include.iter().map(|found| (found.at, found.key.clone())).collect();
    let include = includes(doc, include);
    let exclude = excludes(doc, exclude, include.as_deref()?);
    let source = Source {
        name: name?,
        include: include?,
        exclude: exclude?,
        start_at: start_at?,
        encoding: encoding?,
        line_bytes_max: line_bytes_max?,
        last_line_timeout,
        multiline: multiline?,
    };
    Some(Any::Files(source, places))
}

fn own_of<'a>(doc: &mut Document<'a>, mut section: Section<'a>) -> Option<Own> {
    let level = section.string(doc, "level");
    let metrics_interval = section.duration(doc, "metrics");
    if metrics_interval.is_some_and(|interval| interval < METRICS_INTERVAL_MIN) {
        section.wrong(doc, "metrics", "is too often; write at least \"10s\", since each line makes a commit");
    }
    section.finish(doc);
    let level = match level {
        None => LevelFilter::INFO,
        Some(Found { value, key, at }) => match value.as_str() {
            "info" => LevelFilter::INFO,
            "warn" => LevelFilter::WARN,
            "error" => LevelFilter::ERROR,
            _ => {
                let reason = "write \"info\", \"warn\" or \"error\"; what is less grave would tell of these lines themselves";
                doc.mistake(at, &key, reason.to_owned());
                return None;
            }
        },
    };
    Some(Own { level, metrics_interval, carriers: HashSet::new() })
}

fn journal_of<'a>(
    doc: &mut Document<'a>,
    mut section: Section<'a>,
    start_at: Option<StartAt>,
) -> Option<Journal> {
    let directory = section.string(doc, "directory").map(|found| doc.resolve(&found.value));
    let units = section.strings(doc, "units").unwrap_or_default();
    let priority = section.string(doc, "priority");
    section.finish(doc);
    let priority = match priority {
        None => Some(Priority::Debug),
        Some(Found { value, key, at }) => match value.parse() {
            Ok(priority) => Some(priority),
            Err(reason) => {
                doc.mistake(at, &key, reason);
                None
            }
        },
    };
    let units = units.into_iter().map(|found| found.value).collect();
    Some(Journal { directory, units, priority: priority?, start_at: start_at? })
}

fn start_at<'a>(doc: &mut Document<'a>, section: &mut Section<'a>) -> Option<StartAt> {
    match section.string(doc, "start_at") {
        None => Some(StartAt::Beginning),
        Some(found) => match found.value.as_str() {
            "beginning" => Some(StartAt::Beginning),
            "end" => Some(StartAt::End),
            _ => {
                doc.mistake(found.at, &found.key, "write \"beginning\" or \"end\"".to_owned());
                None
            }
        },
    }
}

fn encoding<'a>(doc: &mut Document<'a>, section: &mut Section<'a>) -> Option<Encoding> {
    let Some(Found { value, key, at }) = section.string(doc, "encoding") else {
        return Some(Encoding::UTF_8);
    };
    Encoding::for_label(&value).map_err(|error| doc.mistake(at, &key, error.to_string())).ok()
}

/// All of `texts`, if nothing is wrong with any.
pub(super) fn parsed<'a, T>(
    doc: &mut Document<'a>,
    texts: Vec<Found<String>>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let mut all = Some(Vec::new());
    for Found { value, key, at } in texts {
        match (parse(&value), &mut all) {
            (Ok(one), Some(all)) => all.push(one),
            (Ok(_), None) => {}
            (Err(reason), _) => {
                doc.mistake(at, &key, reason);
                all = None;
            }
        }
    }
    all
}
