//! The zone of times that are written without one.

use serde::de::{self, Deserialize, Deserializer};

use crate::time::offset_seconds;

/// An offset from UTC, as a configuration writes it: `"Z"`, `"+01:00"`, `"-0530"`.
///
/// ```
/// use logsmith_plugin::{Offset, parse_config};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     zone: Offset,
/// }
///
/// let settings: Settings = parse_config(r#"{"zone": "+01:00"}"#).unwrap();
/// assert_eq!(settings.zone.seconds, 3600);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// East of UTC.
    pub seconds: i32,
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        let seconds = offset_seconds(text.as_bytes()).filter(|_| !text.is_empty());
        let wrong =
            || de::Error::custom(format!("{text:?} is no offset from UTC; write \"+01:00\" or \"Z\""));
        Ok(Self { seconds: seconds.ok_or_else(wrong)? })
    }
}
