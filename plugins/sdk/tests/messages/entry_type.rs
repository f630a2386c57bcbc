//! A value that is no text, in a map of texts.

use std::collections::BTreeMap;

use logsmith_plugin::Record;

#[derive(Record)]
struct Row {
    #[record(into = "fields")]
    bytes: Vec<u8>,
    fields: BTreeMap<String, String>,
}

fn main() {}
