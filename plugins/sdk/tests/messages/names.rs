//! Fields whose columns cannot be told apart, or are nowhere.

use std::collections::BTreeMap;

use logsmith_plugin::Record;

#[derive(Record)]
struct Twice {
    status: i32,
    #[record(rename = "Status")]
    text: String,
}

#[derive(Record)]
struct Unnamed {
    #[record(rename = "")]
    text: String,
}

#[derive(Record)]
struct NoMap {
    #[record(into = "fields")]
    user: String,
}

#[derive(Record)]
struct NoMapAtTimes {
    #[record(into = "fields")]
    user: String,
    fields: Option<BTreeMap<String, String>>,
}

fn main() {}
