//! An error that is none.

use logsmith_plugin::{Record, transform};

#[derive(Record)]
struct Row<'a> {
    text: &'a str,
}

#[transform]
fn row(line: &str) -> Result<Row<'_>, String> {
    line.strip_prefix('>').map(|text| Row { text }).ok_or_else(|| "there is no >".to_string())
}

fn main() {}
