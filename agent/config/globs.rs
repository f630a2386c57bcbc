//! Patterns for files, and what in them cannot be meant.

use std::path::Path;

use super::reader::{Document, Found};
use super::source::parsed;
use crate::tail::{Exclude, FileGlob, Source};

/// The patterns of files to read.
pub(super) fn includes<'a>(
    doc: &mut Document<'a>,
    mut patterns: Vec<Found<String>>,
) -> Option<Vec<FileGlob>> {
    patterns.iter_mut().for_each(|pattern| resolve(doc, pattern));
    parsed(doc, patterns, |pattern| {
        let glob = FileGlob::parse(pattern).map_err(|error| error.to_string())?;
        let is_folder = pattern.ends_with('/') || (glob.is_one_path() && Path::new(pattern).is_dir());
        match is_folder {
            true => Err(format!("`{pattern}` is a folder; write `{}/*`", pattern.trim_end_matches('/'))),
            false => Ok(glob),
        }
    })
}

/// The patterns of files to leave out. One with a slash is of the whole path, so that a relative one, of which more may
/// be hoped, must be able to name a file that an include does.
pub(super) fn excludes<'a>(
    doc: &mut Document<'a>,
    mut patterns: Vec<Found<String>>,
    includes: &[FileGlob],
) -> Option<Vec<Exclude>> {
    let mut may_match = true;
    for pattern in &mut patterns {
        let written = pattern.value.clone();
        if !written.contains('/') {
            // Of the file's name alone, wherever it stands.
            continue;
        }
        resolve(doc, pattern);
        let Ok(glob) = FileGlob::parse(&pattern.value) else { continue };
        if pattern.value != written && !includes.iter().any(|include| include.may_meet(&glob)) {
            let reason = format!(
                "`{written}` means `{}`, where no include reads; write `/**/{}` for such files anywhere",
                pattern.value,
                written.trim_start_matches("./")
            );
            doc.mistake(pattern.at, &pattern.key, reason);
            may_match = false;
        }
    }
    let parsed = parsed(doc, patterns, |pattern| Exclude::parse(pattern).map_err(|error| error.to_string()));
    parsed.filter(|_| may_match)
}

/// A relative pattern is one from the configuration's folder.
fn resolve(doc: &Document<'_>, pattern: &mut Found<String>) {
    if !pattern.value.starts_with('/') {
        let is_folder = pattern.value.ends_with('/');
        pattern.value = doc.resolve(&pattern.value).to_string_lossy().into_owned();
        if is_folder {
            pattern.value.push('/');
        }
    }
}

/// The first of `earlier` that leaves nothing to the pattern number `at` of `source`: a file is read by the first source
/// that names it.
pub(super) fn reader_before<'a>(
    earlier: impl IntoIterator<Item = &'a Source>,
    source: &Source,
    at: usize,
) -> Option<&'a Source> {
    let glob = source.include.get(at)?;
    earlier.into_iter().find(|other| {
        let leaves_none = other.exclude.iter().all(|exclude| source.exclude.contains(exclude));
        leaves_none && other.include.contains(glob)
    })
}
