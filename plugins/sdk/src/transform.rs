//! A plugin as the host sees it: opened once, then applied to batches. `#[transform]` makes one of a function.

use serde::de::DeserializeOwned;

use crate::column::{Batch, Column, Fault, Field, Output, Plan};
use crate::read::{Argument, Reader};
use crate::view::input_field;

/// A plugin.
pub trait Transform: Sized {
    /// Prepares an instance for a configuration (a JSON text) and the fields that it may read.
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault>;

    /// Transforms one batch.
    fn apply(&mut self, batch: Batch) -> Result<Output, Fault>;
}

/// The state of a plugin that takes no configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoState;

/// Refuses any configuration but an empty one.
pub fn no_config(config: &str) -> Result<NoState, Fault> {
    match config.trim() {
        "" | "null" | "{}" => Ok(NoState),
        other => Err(Fault::Config(format!("this plugin takes no configuration, but was given {other}"))),
    }
}

/// Reads a configuration, which is a JSON object. An empty one is `{}`.
///
/// ```
/// use logsmith_plugin::{Fault, parse_config};
/// use serde::Deserialize;
///
/// #[derive(Debug, Deserialize, PartialEq)]
/// #[serde(default, deny_unknown_fields)]
/// struct Settings {
///     levels: Vec<String>,
/// }
///
/// impl Default for Settings {
///     fn default() -> Self {
///         Self { levels: vec!["ERROR".into()] }
///     }
/// }
///
/// assert_eq!(parse_config(""), Ok(Settings::default()));
/// let wrong = parse_config::<Settings>(r#"{"levels": ["INFO", 3]}"#);
/// let reason = "`levels[1]`: invalid type: integer `3`, expected a string";
/// assert_eq!(wrong, Err(Fault::Config(reason.into())));
/// ```
///
/// # Errors
/// What is wrong, and with which key.
pub fn parse_config<T: DeserializeOwned>(config: &str) -> Result<T, Fault> {
    let config = match config.trim() {
        "" | "null" => "{}",
        other if other.starts_with('{') => other,
        other => return Err(Fault::Config(format!("expected an object, found {other}"))),
    };
    let mut json = serde_json::Deserializer::from_str(config);
    let parsed =
        serde_path_to_error::deserialize(&mut json).map_err(|error| Fault::Config(explain(&error)))?;
    json.end().map_err(|error| Fault::Config(error.to_string()))?;
    Ok(parsed)
}

/// The key, and what is wrong with it. Where that stands in the JSON text is left out: people write TOML.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let text = error.inner().to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    match error.path().iter().next() {
        Some(_) => format!("`{}`: {reason}", error.path()),
        None => reason.to_owned(),
    }
}

/// Checks that the input has a column that can be read as `T`.
pub fn check_input<'b, T: Argument<'b>>(name: &str, input: &[Field]) -> Result<(), Fault> {
    let kind = input_field(name, input)?.kind;
    if kind != T::KIND {
        return Err(Fault::Input(format!("column `{name}` is {kind:?}, but is read as {:?}", T::KIND)));
    }
    Ok(())
}

/// The reader of the column at `index` of a batch.
pub fn reader<'b, T: Argument<'b>>(
    columns: &'b [Column],
    index: usize,
) -> Result<Reader<'b, T::Values>, Fault> {
    let column =
        columns.get(index).ok_or_else(|| Fault::Other(format!("the batch has no column {index}")))?;
    T::reader(column).ok_or_else(|| Fault::Other(format!("column {index} of the batch is not {:?}", T::KIND)))
}
