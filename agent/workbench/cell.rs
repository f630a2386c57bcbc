//! Values of columns as TOML, and back.
//!
//! | type | in TOML |
//! |---|---|
//! | boolean, integer, long, double | as such |
//! | string | a string |
//! | timestamp | a string as in RFC 3339, UTC, with as many digits as it needs: `"2026-11-30T08:05:09.25Z"`; read as a date-time, too |
//! | date | `"2026-11-30"`; read as a date, too |
//! | binary | a string: `hex:` and two digits a byte |
//! | map | a table of strings; a key without a value has `[]` |
//!
//! TOML has no null: a column without a value is left out of its row.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use toml::Value;

use crate::clock::Day;
use crate::table::schema::type_name;

/// What stands before the digits of bytes.
const HEX: &str = "hex:";

/// The value of a row; `None` where it has none.
pub fn cell(array: &dyn Array, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        DataType::Int32 => Value::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Value::String(Day(array.as_primitive::<Date32Type>().value(row)).to_string()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Value::String(timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
        DataType::Utf8 => Value::String(array.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => Value::String(hex(array.as_binary::<i32>().value(row))),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
            let value = |entry| cell(values, entry).unwrap_or(Value::Array(Vec::new()));
            Value::Table((0..keys.len()).map(|entry| (keys.value(entry).to_owned(), value(entry))).collect())
        }
        other => Value::String(format!("a value of type {}", type_name(other))),
    })
}

/// The form that [`cell`] gives to a value that somebody wrote for a column of `data_type`.
///
/// # Errors
/// What to write instead.
pub fn canonical(value: Value, data_type: &DataType) -> Result<Value, String> {
    let wrong = |wanted: &str| format!("the column has the type {}: write {wanted}", type_name(data_type));
    match (data_type, value) {
        (DataType::Boolean, value @ Value::Boolean(_))
        | (DataType::Int32 | DataType::Int64, value @ Value::Integer(_))
        | (DataType::Float64, value @ Value::Float(_))
        | (DataType::Utf8, value @ Value::String(_)) => Ok(value),
        (DataType::Float64, Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
        (DataType::Date32, Value::String(text)) => text
            .parse::<NaiveDate>()
            .map(|date| Value::String(date.to_string()))
            .map_err(|_| wrong("\"2026-11-30\"")),
        (DataType::Date32, Value::Datetime(date)) => canonical(Value::String(date.to_string()), data_type),
        (DataType::Timestamp(..), Value::String(text)) => DateTime::parse_from_rfc3339(&text)
            .map(|time| Value::String(timestamp(time.timestamp_micros())))
            .map_err(|_| wrong("\"2026-11-30T08:05:09Z\"")),
        (DataType::Timestamp(..), Value::Datetime(time)) => {
            canonical(Value::String(time.to_string()), data_type)
        }
        (DataType::Binary, Value::String(text)) => match text.strip_prefix(HEX).and_then(unhex) {
            Some(bytes) => Ok(Value::String(hex(&bytes))),
            None => Err(wrong("\"hex:00ff\"")),
        },
        (DataType::Map(..), Value::Table(table)) => {
            let is_value = |value: &Value| match value {
                Value::String(_) => true,
                Value::Array(items) => items.is_empty(),
                _ => false,
            };
            match table.values().all(is_value) {
                true => Ok(Value::Table(table)),
                false => Err(wrong("a table of strings, and [] for a key without a value")),
            }
        }
        (DataType::Boolean, _) => Err(wrong("true or false")),
        (DataType::Int32 | DataType::Int64, _) => Err(wrong("a whole number")),
        (DataType::Float64, _) => Err(wrong("a number")),
        (DataType::Date32, _) => Err(wrong("\"2026-11-30\"")),
        (DataType::Timestamp(..), _) => Err(wrong("\"2026-11-30T08:05:09Z\"")),
        (DataType::Binary, _) => Err(wrong("\"hex:00ff\"")),
        (DataType::Map(..), _) => Err(wrong("a table of strings")),
        _ => Err(wrong("a string")),
    }
}

/// A value as it stands in one line of a TOML file.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) if table.is_empty() => "{}".to_owned(),
        Value::Table(table) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{} = {}", bare_or_quoted(key), inline(value));
            format!("{{ {} }}", table.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if text.contains('\n') || (text.contains('"') && text.contains('\'')) => {
            quoted(text)
        }
        other => other.to_string(),
    }
}

/// A text on one line, in double quotes: TOML's own writer takes several lines, or three quotes, for some.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn bare_or_quoted(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !key.is_empty() && key.chars().all(is_bare) {
        true => key.to_owned(),
        false => inline(&Value::String(key.to_owned())),
    }
}

fn timestamp(micros: i64) -> String {
    let Some(time) = DateTime::<Utc>::from_timestamp_micros(micros) else { return format!("{micros} µs") };
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(HEX.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_as_it_is_written() {
        let texts =
            ["", "plain", "it's \"both\"", "\"two\"\nlines", "tab\tand \\ and '''", "\u{1b}[31m\n\u{9b}"];
        for text in texts {
            let written = inline(&Value::String(text.to_owned()));
            let read: toml::Table = toml::from_str(&format!("v = {written}")).expect("TOML");
            assert_eq!(read["v"].as_str(), Some(text), "{written}");
            assert!(!written.contains('\n'), "{written}");
        }
        let pairs = [("a b".to_owned(), Value::Integer(1)), ("c".to_owned(), Value::Array(vec![]))];
        let table = Value::Table(pairs.into_iter().collect());
        assert_eq!(inline(&table), r#"{ "a b" = 1, c = [] }"#);
    }

    #[test]
    fn what_is_written_otherwise_means_the_same() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let text = |text: &str| Value::String(text.to_owned());
        assert_eq!(
            canonical(text("2026-11-30T09:05:09.250+01:00"), &utc),
            Ok(text("2026-11-30T08:05:09.250Z"))
        );
        assert_eq!(canonical(Value::Integer(2), &DataType::Float64), Ok(Value::Float(2.0)));
        assert_eq!(canonical(text("hex:00FF"), &DataType::Binary), Ok(text("hex:00ff")));
        let wrong = canonical(text("7"), &DataType::Int32).expect_err("a text is no number");
        assert_eq!(wrong, "the column has the type integer: write a whole number");
    }
}
