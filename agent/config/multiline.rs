//! What the configuration says about records of several lines.

use std::time::Duration;

use regex::bytes::Regex;

use super::reader::{Document, Found, Section};
use crate::tail::{Multiline, Rule};

/// Records of a source without settings of their own may have this many lines.
const LINES_MAX: u64 = 1000;

/// Reads the section `multiline` of a source; `None` within if there is none, `None` if something is wrong with it.
pub(super) fn multiline<'a>(doc: &mut Document<'a>, source: &mut Section<'a>) -> Option<Option<Multiline>> {
    let Some(mut section) = source.section(doc, "multiline") else { return Some(None) };
    let rules = ["preset", "start", "continuation"].map(|name| (name, section.string(doc, name)));
    let timeout = section.duration(doc, "timeout").unwrap_or(Duration::from_secs(1));
    let lines_max = section.number(doc, "lines_max", 1).unwrap_or(LINES_MAX);
    let mut given = rules.into_iter().filter_map(|(name, found)| Some((name, found?)));
    let rule = match (given.next(), given.next()) {
        (None, _) => {
            section.missing(
                doc,
                "preset",
                "preset = \"java\" (python, go, rust, indented, container), or start = \"^\\\\d\", or continuation = \"^ \"",
            );
            None
        }
        (Some(_), Some((_, Found { at, key, .. }))) => {
            doc.mistake(at, &key, "write one of preset, start and continuation".to_owned());
            None
        }
        (Some((name, Found { value, key, at })), None) => {
            let expression = || Regex::new(&value).map_err(|error| error.to_string());
            let rule = match name {
                "start" => expression().map(Rule::Start),
                "continuation" => expression().map(Rule::Continuation),
                _ => Rule::preset(&value).map_err(|error| error.to_string()),
            };
            rule.map_err(|reason| doc.mistake(at, &key, reason)).ok()
        }
    };
    section.finish(doc);
    let lines_max = usize::try_from(lines_max).unwrap_or(usize::MAX);
    Some(Some(Multiline { rule: rule?, timeout, lines_max }))
}
