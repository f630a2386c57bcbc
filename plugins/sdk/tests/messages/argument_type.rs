//! An argument of a type that no column is read as.

use logsmith_plugin::{Record, Reject, transform};

#[derive(Record)]
struct Row {
    large: bool,
}

#[transform]
fn row(line: &str, size: Option<u64>) -> Result<Row, Reject> {
    Ok(Row { large: size > Some(line.len() as u64) })
}

fn main() {}
