//! Columns filled with texts, of which a configuration says what types they are.

use serde::Deserialize;

use crate::column::{Batch, Fault, Field, Kind};
use crate::text_type::TextType;
use crate::view::{AnyColumn, Datum, input_field};

/// What becomes of a row whose text is not what it should be: `"reject"`, or `"null"`.
///
/// ```
/// use logsmith_plugin::{OnFailure, parse_config};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     #[serde(default)]
///     on_failure: OnFailure,
/// }
///
/// let settings: Settings = parse_config(r#"{"on_failure": "null"}"#).unwrap();
/// assert_eq!(settings.on_failure, OnFailure::Null);
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is a dead letter.
    #[default]
    Reject,
    /// It has no value there.
    Null,
}

/// A column that is written, filled with texts of one type.
///
/// ```
/// use logsmith_plugin::{Datum, TypedColumn};
///
/// let column = TypedColumn::new("bytes", Some("long".into()))?;
/// assert_eq!(column.read("17"), Some(Datum::Int64(17)));
/// assert_eq!(column.reason("many"), "`bytes` is \"many\", which is no long");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct TypedColumn {
    name: String,
    read_as: TextType,
    /// The type as the configuration writes it.
    type_name: String,
}

impl TypedColumn {
    /// A column of the type that the key `types` gives it: `string` if nothing is said.
    ///
    /// # Errors
    /// There is no such type.
    pub fn new(name: &str, type_name: Option<String>) -> Result<Self, String> {
        let type_name = type_name.unwrap_or_else(|| "string".into());
        let read_as: TextType = type_name.parse().map_err(|error| format!("`types.{name}`: {error}"))?;
        Ok(Self { name: name.into(), read_as, type_name })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a plan says of it: a row may have no value.
    pub fn field(&self) -> Field {
        Field { name: self.name.clone(), kind: self.read_as.kind(), nullable: true }
    }

    /// The value that a text writes; `None` if it writes none of this type.
    #[inline]
    pub fn read<'t>(&self, text: &'t str) -> Option<Datum<'t>> {
        self.read_as.read(text)
    }

    /// Why a row is rejected whose text is no value of this type.
    #[cold]
    pub fn reason(&self, text: &str) -> String {
        format!("`{}` is {:?}, which is no {}", self.name, excerpt(text), self.type_name)
    }

    /// These columns under construction, for rows of `batch`.
    pub fn columns(all: &[Self], batch: &Batch) -> Vec<AnyColumn> {
        let text_bytes = batch.text_bytes() / all.len().max(1);
        let column =
            |one: &Self| AnyColumn::with_capacity(one.read_as.kind(), batch.rows as usize, text_bytes);
        all.iter().filter_map(column).collect()
    }
}

/// Checks that the input has a column of this name, and that it is text.
///
/// # Errors
/// It is not there, or of another type.
pub fn input_text(name: &str, input: &[Field]) -> Result<(), Fault> {
    match input_field(name, input)?.kind {
        Kind::Utf8 => Ok(()),
        kind => Err(Fault::Input(format!("column `{name}` is {kind:?}, and no text"))),
    }
}

/// Of a text in a reason.
const EXCERPT_LETTERS_MAX: usize = 100;

/// The beginning of a text, short enough for a reason.
pub fn excerpt(text: &str) -> &str {
    let end = text.char_indices().nth(EXCERPT_LETTERS_MAX).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_shows_the_beginning_of_a_text() {
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"é".repeat(200)), "é".repeat(100));
    }

    #[test]
    fn a_column_is_filled_as_its_type_says() {
        let columns = [("a", None), ("n", Some("integer".into()))];
        let columns: Vec<TypedColumn> =
            columns.into_iter().map(|(name, as_what)| TypedColumn::new(name, as_what).expect(name)).collect();
        assert_eq!(columns[1].field(), Field { name: "n".into(), kind: Kind::Int32, nullable: true });
        assert_eq!(TypedColumn::columns(&columns, &Batch { rows: 1, columns: Vec::new() }).len(), 2);
        let wrong = TypedColumn::new("n", Some("int".into())).expect_err("no type");
        assert!(wrong.starts_with("`types.n`: `int` is no type"), "{wrong}");
    }
}
