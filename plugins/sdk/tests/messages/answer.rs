//! An answer that is no record.

use logsmith_plugin::{Reject, transform};

#[transform]
fn shout(line: &str) -> Result<String, Reject> {
    Ok(line.to_uppercase())
}

fn main() {}
