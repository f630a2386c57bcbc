//! Values that stand in no file of the configuration, and are shown nowhere.

use std::fmt;

/// Values that the configuration has from its surroundings, each with the words that stand for it there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Secret>);

#[derive(Clone, PartialEq, Eq)]
struct Secret {
    reference: String,
    value: String,
}

impl Secrets {
    /// Adds a value, for which `reference` is shown.
    pub fn add(&mut self, reference: &str, value: &str) {
        let secret = Secret { reference: reference.to_owned(), value: value.to_owned() };
        if !value.is_empty() && !self.0.contains(&secret) {
            self.0.push(secret);
            // What is part of another value must not tear it apart.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
        }
    }

    /// `text`, with its reference in place of each value, also of one that is quoted or stands in a URL.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for Secret { reference, value } in &self.0 {
            let quoted = format!("{value:?}");
            let quoted = quoted.trim_matches('"');
            let json = serde_json::Value::from(value.as_str()).to_string();
            let json = json.trim_matches('"');
            let encoded = percent_encoded(value);
            for form in [value, quoted, json, &encoded] {
                masked = masked.replace(form, reference);
            }
        }
        masked
    }
}

/// As it stands in a URL.
fn percent_encoded(text: &str) -> String {
    let byte = |b: u8| match b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The references alone.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|secret| &secret.reference)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_masked_in_every_form() {
        let mut secrets = Secrets::default();
        secrets.add("${SHORT}", "k\"1");
        secrets.add("${LONG}", "k\"1 and more");
        secrets.add("${NONE}", "");
        let text = r#"k"1; k"1 and more; "k\"1 and more"; ?key=k%221%20and%20more"#;
        assert_eq!(secrets.mask(text), r#"${SHORT}; ${LONG}; "${LONG}"; ?key=${LONG}"#);
        assert_eq!(format!("{secrets:?}"), r#"["${LONG}", "${SHORT}"]"#);
    }
}
