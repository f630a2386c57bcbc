//! Whether a landing object may be folded: what it says of itself, against its name and its stream.

use std::collections::BTreeMap;

use super::object::Opened;
use super::plan::Chain;
use crate::sync::landing::{FOOTER_FORMAT, Footer, ObjectName, REPLACING_FORMAT, Replaced, Seq};
use crate::table::Digest;

/// Why an object is put into quarantine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not lie where objects lie.
    #[error("{0}")]
    Name(String),
    /// It is beyond what a pass reads into memory.
    #[error("{0} bytes are more than a landing object may have")]
    Size(u64),
    /// Its rows, or its pages, take more memory than a pass has for them.
    #[error("it unpacks to more than the {0} bytes that a landing object may have")]
    Unpacked(u64),
    /// It has more of something than is read.
    #[error("it has {0}")]
    Layout(String),
    /// Its bytes are not those that its name promises.
    #[error("its bytes have the digest {0}, not the one in its name")]
    Digest(Digest),
    /// It cannot be read as Parquet.
    #[error("it cannot be read as Parquet: {0}")]
    Parquet(String),
    /// Its footer is missing, or cannot be read.
    #[error("its footer cannot be read: {0}")]
    Footer(String),
    /// Its footer and its name contradict each other.
    #[error("its footer says {field} {footer}, its name {name}")]
    Identity {
        /// What both tell.
        field: &'static str,
        /// What the footer says.
        footer: String,
        /// What the name says.
        name: String,
    },
    /// There are several objects for one part of one number.
    #[error("there is another object for its number: {0}")]
    Fork(String),
    /// Its number was passed with another object.
    #[error(
        "there is another object for its number: the cursor has passed {0}, and the log names another. The host's state \
         folder was set back to an older state, or another agent ships under its name. `logsmith fresh -c edge.toml` there \
         begins a new stream, with all that still stands in the files; `requeue` brings in what may be there already"
    )]
    SetBack(u64),
    /// Its number was passed without any object.
    #[error("its number {0} had been given up: `requeue` brings its rows in")]
    Late(u64),
    /// Its rows were replaced before they came.
    #[error("its rows were replaced by those of object {0}, which a replay made")]
    Replaced(u64),
    /// The parts of one number disagree on how many they are.
    #[error("the parts of its number disagree on how many they are")]
    Parts,
    /// It does not follow the object before it.
    #[error(
        "it follows {found}, not the object that was consumed before it in its stream: the host's state folder was set back \
         to an older state, if other objects say so. `requeue` brings its rows in"
    )]
    Chain {
        /// The object that it names as the one before it.
        found: String,
    },
    /// A column is missing, or is of a kind, or has a name, that no table can have.
    #[error("{0}")]
    Column(String),
    /// A column has another type than the table's.
    #[error(
        "column `{column}` has the type {found}; the table has {known}. A [[rename]] with a name for it, and \
         `requeue`, bring it in"
    )]
    Type {
        /// The column.
        column: String,
        /// Its type, in Delta's words.
        found: String,
        /// The table's.
        known: String,
    },
}

impl Refusal {
    /// One word for programs that read the reason.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Size(_) | Self::Unpacked(_) => "size",
            Self::Layout(_) => "layout",
            Self::Digest(_) => "digest",
            Self::Parquet(_) => "parquet",
            Self::Footer(_) => "footer",
            Self::Identity { .. } => "identity",
            Self::Fork(_) | Self::SetBack(_) => "fork",
            Self::Late(_) => "late",
            Self::Replaced(_) => "replaced",
            Self::Parts => "parts",
            Self::Chain { .. } => "chain",
            Self::Column(_) => "column",
            Self::Type { .. } => "type",
        }
    }
}

/// An object of a number, and what became of it.
pub(super) type Judged = (ObjectName, Result<Opened, Refusal>);

/// The verdict on all objects of a number.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A part is not there yet.
    Missing {
        /// Which.
        part: u32,
    },
    /// All parts are there.
    Whole {
        /// Every object, to be folded or refused.
        objects: Vec<Judged>,
        /// What the next number must name.
        chain: Chain,
    },
}

/// Holds a footer against the name of its object.
///
/// # Errors
/// Where they contradict each other.
pub(super) fn agree(footer: &Footer, name: &ObjectName) -> Result<(), Refusal> {
    match (footer.format, &footer.replaces) {
        (FOOTER_FORMAT, None) => {}
        (REPLACING_FORMAT, Some(replaced)) if is_of_before(replaced, footer.seq) => {}
        (FOOTER_FORMAT | REPLACING_FORMAT, _) => {
            return Err(Refusal::Footer("it does not say which objects before it are replaced".to_owned()));
        }
        (format, _) => {
            let known = format!("{FOOTER_FORMAT} or {REPLACING_FORMAT}");
            return Err(Refusal::Footer(format!("its format is {format}, not {known}")));
        }
    }
    let stream = &name.stream;
    let told = [
        ("table", footer.table.clone(), stream.table.clone()),
        ("host", footer.host.clone(), stream.host.clone()),
        ("table id", footer.table_id.clone(), stream.table_id.clone()),
        ("object", footer.seq.to_string(), name.seq.to_string()),
        ("part", footer.part.to_string(), name.part.to_string()),
    ];
    for (field, footer, name) in told {
        if footer != name {
            return Err(Refusal::Identity { field, footer, name });
        }
    }
    if footer.part == 0 || footer.part > footer.parts {
        return Err(Refusal::Footer(format!("it says part {} of {}", footer.part, footer.parts)));
    }
    Ok(())
}

/// Whether what is replaced are objects before `seq`, in ascending runs.
fn is_of_before(replaced: &Replaced, seq: Seq) -> bool {
    let runs = &replaced.objects;
    let ascend = runs.iter().zip(runs.iter().skip(1)).all(|((_, last), (first, _))| last < first);
    ascend && runs.iter().all(|(first, last)| first <= last && *last < seq)
}

/// Judges all objects of one number, sorted by part, by each other and by what was consumed before them.
pub(super) fn judge(objects: Vec<Judged>, chain: Chain) -> Verdict {
    let mut parts: BTreeMap<u32, Vec<Judged>> = BTreeMap::new();
    for object in objects {
        parts.entry(object.0.part).or_default().push(object);
    }
    let stated = |objects: &[Judged]| match objects {
        [(_, Ok(opened))] => Some(opened.footer.parts),
        _ => None,
    };
    let told: Vec<u32> = parts.values().filter_map(|objects| stated(objects)).collect();
    let expected = told.iter().chain(parts.keys()).copied().max().unwrap_or(0);
    if let Some(part) = (1..=expected).zip(parts.keys().copied().chain([0])).find(|(want, have)| want != have)
    {
        return Verdict::Missing { part: part.0 };
    }
    let disagree = told.iter().any(|parts| *parts != expected);
    let (mut judged, mut chain) = (Vec::new(), chain);
    for objects in parts.into_values() {
        match <[Judged; 1]>::try_from(objects) {
            Ok([(name, opened)]) => {
                let verdict = opened.and_then(|opened| {
                    follows(&opened.footer, chain)?;
                    if disagree { Err(Refusal::Parts) } else { Ok(opened) }
                });
                chain = name.digest.parse::<Digest>().map_or(Chain::Open, |d| Chain::After(d.as_cursor()));
                judged.push((name, verdict));
            }
            Err(forks) => {
                let digests: Vec<String> = forks.iter().map(|(name, _)| name.digest.clone()).collect();
                for (name, _) in forks {
                    let other = digests.iter().find(|digest| **digest != name.digest).cloned();
                    judged.push((name, Err(Refusal::Fork(other.unwrap_or_default()))));
                }
                chain = Chain::Open;
            }
        }
    }
    Verdict::Whole { objects: judged, chain }
}

fn follows(footer: &Footer, chain: Chain) -> Result<(), Refusal> {
    let intact = match chain {
        Chain::Open => true,
        Chain::Start => footer.previous.is_none(),
        Chain::After(digest) => footer.previous.is_some_and(|previous| previous.as_cursor() == digest),
    };
    let found = || footer.previous.map_or("nothing".to_owned(), |previous| previous.to_string());
    if intact { Ok(()) } else { Err(Refusal::Chain { found: found() }) }
}
