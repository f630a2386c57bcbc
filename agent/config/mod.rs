//! Configuration: its files are read whole, every mistake in them is told at once, and what comes out is checked.

mod anew;
pub mod central;
pub mod edge;
mod environment;
mod excerpt;
mod explain;
mod files;
mod globs;
mod keys;
mod limits;
mod mistake;
mod multiline;
pub mod pipeline;
mod reader;
mod schema;
mod source;

use crate::metrics::Address;
use crate::store::{Place, StoreOptions};

pub use anew::anew_for;
pub use central::{Central, Days, Rename, Retention, Running, View};
pub use edge::{Edge, Rhythm};
pub use environment::Surroundings;
pub use explain::{Explained, explain};
pub use files::{ConfigFiles, PARTS, Part, Unreadable};
pub use mistake::{Mistake, Mistakes};
pub use pipeline::{Pipeline, WrongPlugin};
pub use schema::schema;
pub use source::STDIN;

use reader::{Document, Section};

/// Whether `text` can name a table: letters, digits and `_`, not empty, at most 64 bytes.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The keys `url` and `options` of a section, opened as a place.
fn store<'a>(doc: &mut Document<'a>, section: &mut Section<'a>) -> Option<(Place, StoreOptions)> {
    let url = section.string(doc, "url");
    let options: StoreOptions = section.string_map(doc, "options").into();
    let Some(url) = url else {
        section.missing(doc, "url", "url = \"s3://bucket/prefix\", gs://…, az://… or file:///folder");
        return None;
    };
    match Place::open(&url.value, &options) {
        Ok(place) => Some((place, options)),
        Err(error) => {
            doc.mistake(url.at, &url.key, error.to_string());
            None
        }
    }
}

/// The key `listen` of the table `[metrics]`; `Some(None)` where there is none.
fn metrics<'a>(doc: &mut Document<'a>, section: &mut Section<'a>) -> Option<Option<Address>> {
    let Some(mut metrics) = section.section(doc, "metrics") else { return Some(None) };
    let listen = metrics.string(doc, "listen");
    if listen.is_none() {
        metrics.missing(doc, "listen", "listen = \"127.0.0.1:9465\"");
    }
    metrics.finish(doc);
    let listen = listen?;
    match listen.value.parse() {
        Ok(address) => Some(Some(address)),
        Err(reason) => {
            doc.mistake(listen.at, &listen.key, reason);
            None
        }
    }
}
