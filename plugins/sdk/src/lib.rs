//! Write a logsmith plugin in Rust: one struct is the Silver schema, one function turns a line into it.
//!
//! ```
//! use logsmith_plugin::{Record, Reject, transform};
//!
//! #[derive(Record)]
//! struct Pair<'a> {
//!     key: &'a str,
//!     value: i64,
//! }
//!
//! #[transform]
//! fn pair(line: &str) -> Result<Pair<'_>, Reject> {
//!     let (key, value) = line.split_once('=').ok_or_else(|| Reject::new("there is no `=`"))?;
//!     Ok(Pair { key, value: value.parse()? })
//! }
//!
//! assert_eq!(pair("answer=42").unwrap().value, 42);
//! ```
//!
//! - **Arguments are columns.** Their names say which, their types how: `line: &str` is the line, `message: &str`
//!   the column that a plugin before this one wrote. `Option<..>` where a value may be missing; a row that lacks
//!   a value which must be there is rejected.
//! - **The answer is what becomes of the row**: a [`Record`]; `Option` of one, where `None` drops the row on
//!   purpose; `Vec` of them; or a `Result` of these, where an error makes the row a dead letter.
//! - **A last argument `&Settings` or `&mut Settings`** is the plugin's own: any type that serde can read from the
//!   configuration, where a wrong key is told by its path. Use it for scratch space too, but let no row depend on the rows
//!   before it.
//! - **Fields are columns**, of the types that [`Kind`] lists, borrowed from the line or owned; [`Record`] tells how they
//!   are renamed, flattened and gathered in a map, and [`Plain`] how a type of your own becomes one.
//! - The function is ordinary Rust: call it in a `#[test]`.
//! - A panic concerns the one row that caused it: that row becomes a dead letter with the panic's message.
//!
//! A plugin with settings, which drops what is not wanted:
//!
//! ```
//! use logsmith_plugin::{Record, Reject, Timestamp, transform};
//! use serde::Deserialize;
//!
//! #[derive(Record)]
//! struct Entry<'a> {
//!     time: Timestamp,
//!     #[record(rename = "type")]
//!     kind: &'a str,
//!     message: Option<&'a str>,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     #[serde(default)]
//!     without: Vec<String>,
//! }
//!
//! #[transform]
//! fn entries<'a>(line: &'a str, settings: &Settings) -> Result<Option<Entry<'a>>, Reject> {
//!     let mut words = line.splitn(3, ' ');
//!     let time = words.next().and_then(Timestamp::parse_rfc3339);
//!     let time = time.ok_or_else(|| Reject::new("the line does not begin with a time"))?;
//!     let kind = words.next().ok_or_else(|| Reject::new("there is no type behind the time"))?;
//!     if settings.without.iter().any(|unwanted| unwanted == kind) {
//!         return Ok(None);
//!     }
//!     Ok(Some(Entry { time, kind, message: words.next() }))
//! }
//!
//! let settings = Settings { without: vec!["debug".into()] };
//! let entry = entries("2026-11-30T08:05:09Z order number 17", &settings).unwrap().unwrap();
//! assert_eq!((entry.kind, entry.message), ("order", Some("number 17")));
//! assert!(entries("2026-11-30T08:05:09Z debug", &settings).unwrap().is_none());
//! ```
//!
//! Where columns are known at run time only, or worked on as a whole, implement [`Transform`] over a [`Batch`].
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown` with the linker `wasm-component-ld`.

extern crate self as logsmith_plugin;

mod build;
mod column;
mod copy;
mod format;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
mod host;
mod names;
mod read;
mod record;
pub mod scan;
mod text_type;
mod time;
mod transform;
mod typed;
mod value;
mod view;
mod year;
mod zone;

#[doc(hidden)]
#[cfg(target_arch = "wasm32")]
pub use wit_bindgen;

pub use crate::build::StringMaps;
pub use crate::column::{
    Batch, Column, Fault, Field, Kind, Maps, Output, Plan, RejectedRow, Rest, Strings, Values,
};
pub use crate::copy::{append_str, same};
pub use crate::format::{ReadTime, TimeFormat, WallTime};
pub use crate::host::{Level, count, log};
pub use crate::names::{Names, name_hash};
pub use crate::read::Pairs;
pub use crate::record::{Columns, Outcome, Record, Reject, Rows};
pub use crate::text_type::TextType;
pub use crate::time::{Date, TimeOfDay, Timestamp, offset_seconds, two_digits};
pub use crate::transform::{Transform, parse_config};
pub use crate::typed::{OnFailure, TypedColumn, excerpt, input_text};
pub use crate::value::Plain;
pub use crate::view::{AnyColumn, Datum, View, input_field};
pub use crate::zone::Offset;
pub use logsmith_plugin_macros::{Record, transform};

/// What the macros write down. Not for use by hand.
#[doc(hidden)]
pub mod macros {
    pub use crate::build::BuildColumn;
    pub use crate::read::Argument;
    pub use crate::transform::{NoState, check_input, no_config, parse_config, reader};
    pub use crate::value::{Entry, Value};
}

/// Makes a [`Transform`] the plugin of this component; natively nothing. `#[transform]` does it by itself.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {};
}
