//! What the config says about the files to tail, checked.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};

use super::encoding::Encoding;
use super::multiline::Multiline;

/// Folders below a `**` are followed to this depth.
const DEPTH_MAX: usize = 64;

/// One group of files, read with the same settings.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name in the config and in the `source` column.
    pub name: String,
    /// Files that match one of these are read.
    pub include: Vec<FileGlob>,
    /// Files that match one of these are not.
    pub exclude: Vec<Exclude>,
    /// Where reading starts in files that stand there when the source is started for the first time.
    pub start_at: StartAt,
    /// How the text in the files is encoded.
    pub encoding: Encoding,
    /// Longer lines are cut to this many bytes.
    pub line_bytes_max: usize,
    /// A last line without newline is taken after this long without growth.
    pub last_line_timeout: Duration,
    /// How lines make records; none if each is one.
    pub multiline: Option<Multiline>,
}

impl Source {
    /// A source with the default settings: from the beginning, UTF-8, lines of up to 1 MiB, 5 seconds for a last line.
    pub fn new(name: impl Into<String>, include: Vec<FileGlob>) -> Self {
        Self {
            name: name.into(),
            include,
            exclude: Vec::new(),
            start_at: StartAt::Beginning,
            encoding: Encoding::UTF_8,
            line_bytes_max: 1 << 20,
            last_line_timeout: Duration::from_secs(5),
            multiline: None,
        }
    }

    /// Whether this source reads the file at `path`.
    pub fn matches(&self, path: &Path) -> bool {
        self.include.iter().any(|glob| glob.matches(path)) && !self.excludes(path)
    }

    /// How long to wait before what ends like this, and is no complete line or record, is taken all the same.
    pub(super) fn wait_behind(&self, end: RestEnd) -> Duration {
        match (&self.multiline, end) {
            (Some(multiline), RestEnd::Newline) => multiline.timeout,
            _ => self.last_line_timeout,
        }
    }

    /// Whether an exclude keeps the file at `path` out.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|exclude| exclude.matches(path))
    }
}

/// How ends what stands in a file behind its last complete line or record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestEnd {
    /// With a newline: it is a record that may go on.
    Newline,
    /// Within a line.
    InLine,
}

/// Where reading starts in a file that was there before its source was first started. Files that come later are
/// always read from their beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the first byte.
    Beginning,
    /// With the first line that is not yet complete.
    End,
}

/// Why a pattern in the config is refused.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// The pattern does not name a place from the root on.
    #[error("`{0}` must be an absolute path, such as /var/log/app/*.log")]
    NotAbsolute(String),
    /// A `{..}` or `[..]` holds a slash.
    #[error("`{0}`: braces and brackets cannot hold a slash; write one pattern for each folder")]
    SlashInGroup(String),
    /// `..` would make one file appear under two paths.
    #[error("`{0}`: `..` is not allowed in a pattern")]
    Parent(String),
    /// The pattern is malformed.
    #[error("`{text}`: {source}")]
    Malformed {
        /// The pattern.
        text: String,
        /// What is wrong with it.
        source: globset::Error,
    },
}

/// An absolute path whose components may hold `*`, `?`, `[..]`, `{..}`, or be `**` for any number of folders.
#[derive(Clone, Debug)]
pub struct FileGlob {
    parts: Vec<Part>,
    whole: GlobMatcher,
}

#[derive(Clone, Debug)]
enum Part {
    Name(OsString),
    Pattern(GlobMatcher),
    AnyFolders,
}

impl FileGlob {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let Some(inner) = text.strip_prefix('/') else { return Err(GlobError::NotAbsolute(text.to_owned())) };
        let whole = compile(&plain(text))?;
        let mut parts = Vec::new();
        for part in parts_of(inner) {
            parts.push(match part {
                ".." => return Err(GlobError::Parent(text.to_owned())),
                "**" => Part::AnyFolders,
                _ if !part.contains(['*', '?', '[', '{', '\\']) => Part::Name(part.into()),
                _ => Part::Pattern(compile(part).map_err(|error| match text.contains(['{', '[']) {
                    true => GlobError::SlashInGroup(text.to_owned()),
                    false => error,
                })?),
            });
        }
        Ok(Self { parts, whole })
    }

    /// Whether `path` is one that this pattern names.
    pub fn matches(&self, path: &Path) -> bool {
        self.whole.is_match(path)
    }

    /// Whether this is a path, and no pattern for several.
    pub fn is_one_path(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Name(_)))
    }

    /// Whether a path may match both patterns; where it says no, none does.
    pub fn may_meet(&self, other: &Self) -> bool {
        let is_any = |part: &Part| matches!(part, Part::AnyFolders);
        let fixed = |parts: &[Part]| parts.iter().position(is_any).unwrap_or(parts.len());
        let (fixed, other_fixed) = (fixed(&self.parts), fixed(&other.parts));
        let has_any = fixed < self.parts.len() || other_fixed < other.parts.len();
        let beginning = self.parts.iter().take(fixed).zip(other.parts.iter().take(other_fixed));
        (has_any || self.parts.len() == other.parts.len()) && beginning.into_iter().all(|(a, b)| a.may_be(b))
    }

    /// Adds the paths that stand under this pattern to `walk`, in the order of their names.
    pub(super) fn walk(&self, walk: &mut Walk) {
        walk.descend(Path::new("/"), &self.parts, 0);
    }
}

impl PartialEq for FileGlob {
    fn eq(&self, other: &Self) -> bool {
        self.whole.glob() == other.whole.glob()
    }
}

impl Part {
    /// Whether a name may match both.
    fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(name), Self::Name(other)) => name == other,
            (Self::Name(name), Self::Pattern(pattern)) | (Self::Pattern(pattern), Self::Name(name)) => {
                pattern.is_match(name)
            }
            _ => true,
        }
    }
}

/// A pattern for files to leave out: of the whole path if it starts with a slash, of the file name if not.
#[derive(Clone, Debug)]
pub struct Exclude {
    matcher: GlobMatcher,
    of: ExcludeOf,
}

impl PartialEq for Exclude {
    fn eq(&self, other: &Self) -> bool {
        self.matcher.glob() == other.matcher.glob()
    }
}

#[derive(Clone, Copy, Debug)]
enum ExcludeOf {
    Path,
    Name,
}

impl Exclude {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let of = match (text.starts_with('/'), text.contains('/')) {
            (true, _) => ExcludeOf::Path,
            (false, false) => ExcludeOf::Name,
            (false, true) => return Err(GlobError::NotAbsolute(text.to_owned())),
        };
        let matcher = match of {
            ExcludeOf::Path => compile(&plain(text))?,
            ExcludeOf::Name => compile(text)?,
        };
        Ok(Self { matcher, of })
    }

    fn matches(&self, path: &Path) -> bool {
        match self.of {
            ExcludeOf::Path => self.matcher.is_match(path),
            ExcludeOf::Name => path.file_name().is_some_and(|name| self.matcher.is_match(name)),
        }
    }
}

/// What stands between slashes, as paths are looked up: `//` and `/./` are one slash.
fn parts_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// An absolute pattern as the paths that it matches are written.
fn plain(text: &str) -> String {
    parts_of(text).fold(String::new(), |text, part| text + "/" + part)
}

fn compile(text: &str) -> Result<GlobMatcher, GlobError> {
    match GlobBuilder::new(text).literal_separator(true).build() {
        Ok(glob) => Ok(glob.compile_matcher()),
        Err(source) => Err(GlobError::Malformed { text: text.to_owned(), source }),
    }
}

/// What a walk over the globs came across.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Paths that match; whether they are files is for the caller to find out.
    pub(super) paths: Vec<PathBuf>,
    /// Folders whose change may change the result.
    pub(super) folders: Vec<PathBuf>,
}

impl Walk {
    fn descend(&mut self, folder: &Path, parts: &[Part], depth: usize) {
        let Some((part, rest)) = parts.split_first() else { return };
        match part {
            Part::Name(name) if rest.is_empty() => {
                self.folders.push(folder.to_owned());
                self.paths.push(folder.join(name));
            }
            Part::Name(name) => self.descend(&folder.join(name), rest, depth),
            Part::Pattern(pattern) => {
                for (name, kind) in self.list(folder) {
                    if !pattern.is_match(&name) {
                        continue;
                    }
                    let path = folder.join(&name);
                    match (rest.is_empty(), kind) {
                        (true, Kind::File | Kind::Link) => self.paths.push(path),
                        (false, Kind::Folder | Kind::Link) if path.is_dir() => {
                            self.descend(&path, rest, depth)
                        }
                        _ => {}
                    }
                }
            }
            Part::AnyFolders => self.descend_any(folder, parts, rest, depth),
        }
    }

    fn descend_any(&mut self, folder: &Path, parts: &[Part], rest: &[Part], depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        self.descend(folder, rest, depth);
        for (name, kind) in self.list(folder) {
            let path = folder.join(&name);
            match kind {
                // A link to a folder is not followed below `**`: it could lead back up.
                Kind::Folder => self.descend(&path, parts, depth + 1),
                Kind::File | Kind::Link if rest.is_empty() => self.paths.push(path),
                _ => {}
            }
        }
    }

    /// The names in a folder, sorted; none if it cannot be read.
    fn list(&mut self, folder: &Path) -> Vec<(OsString, Kind)> {
        self.folders.push(folder.to_owned());
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.flatten().map(|entry| (entry.file_name(), Kind::of(entry.file_type().ok()))).collect();
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        names
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    Folder,
    Link,
    Other,
}

impl Kind {
    fn of(kind: Option<std::fs::FileType>) -> Self {
        match kind {
            Some(kind) if kind.is_file() => Self::File,
            Some(kind) if kind.is_dir() => Self::Folder,
            Some(kind) if kind.is_symlink() => Self::Link,
            _ => Self::Other,
        }
    }
}

/// The path of the file that was compressed to `path` by gzip; `path` itself if it is no compressed file, none if it was
/// compressed otherwise.
pub(super) fn uncompressed(path: &Path) -> Option<PathBuf> {
    match path.extension().and_then(OsStr::to_str) {
        Some("gz") => Some(path.with_extension("")),
        _ => (!is_compressed(path)).then(|| path.to_owned()),
    }
}

/// Whether a file name says that its content is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    const ENDINGS: [&str; 8] = ["gz", "bz2", "xz", "zst", "lz4", "Z", "zip", "lzma"];
    path.extension().and_then(OsStr::to_str).is_some_and(|ending| ENDINGS.contains(&ending))
}
