//! Rows cross as columns, as those of every plugin do: this one is a plugin, and the SDK does the rest.

use logsmith_boundary::{Row, parse};
use logsmith_plugin::{Reject, transform};

/// Reads one line.
#[transform]
pub fn columns(line: &str) -> Result<Row<'_>, Reject> {
    parse(line).ok_or_else(|| Reject::new("it is another line"))
}
