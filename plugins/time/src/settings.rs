//! The configuration, and what is made of it.

use logsmith_plugin::{Fault, Kind, OnFailure};
use serde::Deserialize;

use crate::TimePlugin;
use crate::form::Form;
use crate::zone::Zone;

/// The configuration, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    column: Option<String>,
    key: Option<String>,
    into: Option<String>,
    formats: Option<Vec<String>>,
    zone: Option<String>,
    #[serde(default)]
    on_failure: OnFailure,
}

impl Settings {
    /// The column that is read.
    pub(crate) fn column(&self) -> Result<&str, String> {
        self.column
            .as_deref()
            .ok_or_else(|| "`column` is missing: write the name of the column to read".into())
    }

    /// The column that is written.
    pub(crate) fn target(&self) -> &str {
        match (&self.into, &self.key, &self.column) {
            (Some(into), ..) => into,
            (None, None, Some(column)) => column,
            (None, ..) => "time",
        }
    }

    /// The plugin for a column of this type; or what is wrong.
    pub(crate) fn compile(self, kind: Kind) -> Result<TimePlugin, Fault> {
        let Self { column, key, formats, zone, on_failure, .. } = self;
        let column = column.unwrap_or_default();
        let is_number = match (kind, &key) {
            (Kind::Utf8, None) | (Kind::StringMap, Some(_)) => false,
            (Kind::Int32 | Kind::Int64 | Kind::Float64, None) => true,
            (Kind::StringMap, None) => {
                return Err(Fault::Config(format!(
                    "`key` is missing: `{column}` is a map, of which one entry is read"
                )));
            }
            (_, Some(_)) => return Err(Fault::Config(format!("`key`: `{column}` is no map"))),
            (kind, None) => {
                return Err(Fault::Input(format!(
                    "column `{column}` is {kind:?}, and neither text nor a number"
                )));
            }
        };
        let formats = match formats {
            Some(formats) if formats.is_empty() => {
                return Err(Fault::Config(
                    "`formats` is empty: write a form, as in `formats = [\"rfc3339\"]`".into(),
                ));
            }
            Some(formats) => formats,
            None if is_number => vec!["epoch".into()],
            None => vec!["rfc3339".into(), "epoch".into()],
        };
        let mut forms = Vec::with_capacity(formats.len());
        for name in formats {
            let wrong = |error: String| Fault::Config(format!("`formats`: `{name}`: {error}"));
            let form = Form::parse(&name).map_err(wrong)?;
            if is_number && !form.is_number() {
                return Err(wrong(format!(
                    "`{column}` is a number, which is read by epoch, epoch_s, epoch_ms .."
                )));
            }
            forms.push(form);
        }
        let zone = zone.as_deref().unwrap_or("UTC");
        let zone = Zone::parse(zone).map_err(|error| Fault::Config(format!("`zone`: `{zone}`: {error}")))?;
        Ok(TimePlugin { key, forms, zone, on_failure })
    }
}
