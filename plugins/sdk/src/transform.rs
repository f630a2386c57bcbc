//! A plugin as the host sees it: opened once, then applied to batches. `#[transform]` makes one of a function.

use serde::de::DeserializeOwned;

use crate::column::{Batch, Column, Fault, Field, Output, Plan};
use crate::read::{Argument, Reader};
use crate::view::input_field;

/// A plugin. `#[transform]` makes one of a function; by hand it is written where the configuration says which columns are
/// read and written, or where a column is worked on as a whole.
///
/// A batch has one column for each that the plan reads, and the answer one for each that it writes. **Each row of the
/// batch is exactly once in the answer**: as the source of output rows, as dropped, or as rejected. Anything else is a
/// fault, and so is an `Err`: the host then tries the rows in ever smaller batches. What is kept in `self` may not
/// outlive a batch: the next one finds another instance.
///
/// ```
/// use logsmith_plugin::{
///     AnyColumn, Batch, Datum, Fault, Field, Kind, Output, Plan, RejectedRow, Rest, Transform, View,
///     input_field, parse_config,
/// };
/// use serde::Deserialize;
///
/// /// Writes the length of a column of text, whichever the configuration names.
/// struct LengthPlugin;
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     column: String,
/// }
///
/// impl Transform for LengthPlugin {
///     fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
///         let Settings { column } = parse_config(config)?;
///         if input_field(&column, input)?.kind != Kind::Utf8 {
///             return Err(Fault::Input(format!("column `{column}` is no text")));
///         }
///         let length = Field { name: format!("{column}_length"), kind: Kind::Int64, nullable: false };
///         let plan = Plan {
///             name: "length",
///             version: "1.0.0",
///             reads: vec![column],
///             writes: vec![length],
///             rest: Rest::Keep,
///         };
///         Ok((Self, plan))
///     }
///
///     fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
///         let texts: Option<View<'_, &str>> = batch.columns.first().and_then(View::of);
///         let lengths = AnyColumn::with_capacity(Kind::Int64, batch.rows as usize, 0);
///         let (Some(texts), Some(mut lengths)) = (texts, lengths) else {
///             return Err(Fault::Other("the batch has no column of text".into()));
///         };
///         let mut output = Output::default();
///         for row in 0..batch.rows {
///             match texts.get(row as usize) {
///                 Some(text) => {
///                     lengths.push(Some(Datum::Int64(text.len() as i64)));
///                     output.source_rows.push(row);
///                 }
///                 None => output.rejects.push(RejectedRow { row, reason: "there is no text".into() }),
///             }
///         }
///         output.columns = vec![lengths.finish()];
///         Ok(output)
///     }
/// }
///
/// logsmith_plugin::export!(LengthPlugin);
///
/// // What the host does, in a test.
/// use logsmith_plugin::{Column, Strings, Values};
///
/// let input = [Field { name: "line".into(), kind: Kind::Utf8, nullable: true }];
/// let (mut plugin, plan) = LengthPlugin::open(r#"{"column": "line"}"#, &input).unwrap();
/// assert_eq!(plan.writes[0].name, "line_length");
/// let texts = Strings { offsets: vec![0, 5, 5], data: b"hello".to_vec() };
/// let column = Column { values: Values::Utf8(texts), validity: Some(vec![0b01]) };
/// let output = plugin.apply(Batch { rows: 2, columns: vec![column] }).unwrap();
/// assert_eq!(output.columns[0].values, Values::Int64(vec![5]));
/// assert_eq!((output.source_rows, output.rejects[0].row), (vec![0], 1));
/// ```
pub trait Transform: Sized {
    /// Prepares an instance for a configuration (a JSON text) and the fields that it may read. Instances that are opened
    /// alike must answer the same plan.
    ///
    /// # Errors
    /// The configuration is wrong, or does not suit the fields.
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault>;

    /// Transforms one batch.
    ///
    /// # Errors
    /// The batch as a whole cannot be transformed; what is wrong with single rows are rejects.
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
