//! Pipelines: which sources pass which plugins.

use std::collections::BTreeSet;

use serde_json::Value;

use super::edge::checked_name;
use super::limits::limits;
use super::reader::{Document, Found, Section};
use super::source::STDIN;
use crate::transform::{FileOwner, PluginSource, PluginSpec, Sha256};

/// Sources -> plugins -> one Silver table.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Its name, which is also the name of its Silver table.
    pub name: String,
    /// The names of its sources. [`STDIN`] stands among them where none were chosen.
    pub sources: Vec<String>,
    /// The plugins that its lines pass, in order; at least one.
    pub plugins: Vec<PluginSpec>,
}

/// Says what is wrong with the plugins of a pipeline.
pub type ChainJudge<'a> = dyn FnMut(&[PluginSpec]) -> Result<(), WrongPlugin> + 'a;

/// What is wrong with one plugin of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongPlugin {
    /// Which one, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The pipelines; `sources` are the names that sources have, and plugins' files are those of `owner`.
pub(super) fn pipelines<'a>(
    doc: &mut Document<'a>,
    root: &mut Section<'a>,
    sources: &BTreeSet<String>,
    owner: FileOwner,
    judge: &mut ChainJudge<'_>,
) -> Option<Vec<Pipeline>> {
    let sections = root.sections(doc, "pipeline");
    if sections.is_empty() {
        root.missing(doc, "pipeline", "[[pipeline]] with a name and plugin = \"builtin:json\"");
    }
    let mut names = BTreeSet::from(["dead_letter".to_owned()]);
    let pipelines: Vec<_> = sections
        .into_iter()
        .map(|section| pipeline(doc, section, &mut names, sources, owner, judge))
        .collect();
    pipelines.into_iter().collect()
}

fn pipeline<'a>(
    doc: &mut Document<'a>,
    mut section: Section<'a>,
    names: &mut BTreeSet<String>,
    all: &BTreeSet<String>,
    owner: FileOwner,
    judge: &mut ChainJudge<'_>,
) -> Option<Pipeline> {
    let name = section.string(doc, "name");
    let named = section.strings(doc, "sources").unwrap_or_default();
    let plugins = plugins(doc, &mut section, owner, judge);
    let name = checked_name(doc, &section, name, names);
    section.finish(doc);
    let mut sources = Vec::new();
    for Found { value, key, at } in named {
        if value != STDIN && !all.is_empty() && !all.contains(&value) {
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            doc.mistake(at, &key, format!("there is no source `{value}`; there are {}", known.join(", ")));
        }
        sources.push(value);
    }
    if sources.is_empty() && !all.is_empty() {
        sources = all.iter().cloned().chain([STDIN.to_owned()]).collect();
    }
    Some(Pipeline { name: name?, sources, plugins: plugins? })
}

/// The chain of a pipeline's plugins: the first stands in the pipeline's own table, the others in `then`. Each is found,
/// and all of them are judged.
fn plugins<'a>(
    doc: &mut Document<'a>,
    section: &mut Section<'a>,
    owner: FileOwner,
    judge: &mut ChainJudge<'_>,
) -> Option<Vec<PluginSpec>> {
    let mut found = vec![plugin(doc, section, owner)];
    for mut section in section.sections(doc, "then") {
        found.push(plugin(doc, &mut section, owner));
        section.finish(doc);
    }
    let found: Vec<Found<PluginSpec>> = found.into_iter().collect::<Option<_>>()?;
    let places: Vec<_> = found.iter().map(|Found { key, at, .. }| (key.clone(), *at)).collect();
    let plugins: Vec<PluginSpec> = found.into_iter().map(|found| found.value).collect();
    let Err(WrongPlugin { index, reason }) = judge(&plugins) else { return Some(plugins) };
    if let Some((key, at)) = places.get(index) {
        doc.mistake(*at, key, reason);
    }
    None
}

/// One plugin, with the place of the key that names it.
fn plugin<'a>(
    doc: &mut Document<'a>,
    section: &mut Section<'a>,
    owner: FileOwner,
) -> Option<Found<PluginSpec>> {
    let named = section.string(doc, "plugin");
    let sha256 = section.string(doc, "sha256");
    let config = section.json(doc, "config");
    let limits = limits(doc, section, owner);
    let Some(Found { value, key, at }) = named else {
        section.missing(
            doc,
            "plugin",
            "plugin = \"builtin:json\", \"builtin:access\", \"builtin:container\" or a path to a .wasm file",
        );
        return None;
    };
    let source = match value.strip_prefix("builtin:") {
        Some(name) => PluginSource::Builtin(name.to_owned()),
        None => PluginSource::File { path: doc.resolve(&value), sha256: None },
    };
    let source = match (source, sha256) {
        (source, None) => source,
        (PluginSource::File { path, .. }, Some(Found { value, key, at })) => match value.parse::<Sha256>() {
            Ok(sha256) => PluginSource::File { path, sha256: Some(sha256) },
            Err(error) => {
                doc.mistake(at, &key, format!("{error}: write what sha256sum prints"));
                return None;
            }
        },
        (PluginSource::Builtin(_), Some(Found { key, at, .. })) => {
            doc.mistake(at, &key, "a builtin plugin is part of this binary; leave sha256 out".to_owned());
            return None;
        }
    };
    let config = config.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let secrets = doc.secrets().clone();
    Some(Found { value: PluginSpec { source, config, secrets, limits }, key, at })
}
