//! Settings that cannot be read from a configuration.

use logsmith_plugin::{Record, Reject, transform};

#[derive(Record)]
struct Row {
    text: String,
}

struct Settings {
    prefix: String,
}

#[transform]
fn prefixed(line: &str, settings: &Settings) -> Result<Row, Reject> {
    Ok(Row { text: format!("{}{line}", settings.prefix) })
}

fn main() {}
