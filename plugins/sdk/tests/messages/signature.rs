//! Functions that are no transforms.

use logsmith_plugin::{Record, Reject, transform};
use serde::Deserialize;

#[derive(Record)]
struct Row {
    text: String,
}

#[derive(Deserialize)]
struct Settings {}

#[transform]
fn no_answer(line: &str) {}

#[transform]
fn no_column() -> Result<Row, Reject> {
    Err(Reject::new("nothing to read"))
}

#[transform]
fn settings_first(settings: &Settings, line: &str) -> Result<Row, Reject> {
    Ok(Row { text: line.into() })
}

#[transform]
async fn waits(line: &str) -> Result<Row, Reject> {
    Ok(Row { text: line.into() })
}

#[transform]
fn generic<T: AsRef<str>>(line: T) -> Result<Row, Reject> {
    Ok(Row { text: line.as_ref().into() })
}

#[transform]
fn of_a_string(line: &String) -> Result<Row, Reject> {
    Ok(Row { text: line.into() })
}

#[transform]
fn of_an_option(line: &Option<String>) -> Result<Row, Reject> {
    Ok(Row { text: line.clone().unwrap_or_default() })
}

#[transform]
fn taken_apart((a, b): (i64, i64)) -> Result<Row, Reject> {
    Ok(Row { text: format!("{a}{b}") })
}

fn main() {}
