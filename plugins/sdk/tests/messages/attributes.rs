//! Attributes that there are not.

use logsmith_plugin::{Record, Reject, transform};

#[derive(Record)]
struct Unknown {
    #[record(name = "type")]
    kind: String,
}

#[derive(Record)]
struct RenamedTwice {
    #[record(rename = "a", rename = "b")]
    text: String,
}

#[derive(Record)]
struct NamedAndFlattened {
    #[record(flatten, rename = "place")]
    place: Row,
}

#[derive(Record)]
struct Row {
    text: String,
}

#[transform(keep)]
fn argument(line: &str) -> Result<Row, Reject> {
    Ok(Row { text: line.into() })
}

fn main() {}
