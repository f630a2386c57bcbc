//! Takes out of texts what nobody should read: e-mail addresses, IP addresses, card numbers, tokens, and what regular
//! expressions say.
//!
//! ```toml
//! [[pipeline.then]]
//! plugin = "builtin:redact"
//! [pipeline.then.config]
//! columns = ["message", "fields"]
//! rules = ["email", "ip", "card", "token"]
//! custom = { employee = '\bE\d{6}\b' }
//! key = "0f6c1e…"                               # `openssl rand -hex 32`
//! hash = ["email", "ip"]
//! ```
//!
//! | key | |
//! |---|---|
//! | `columns` | the columns that are redacted: texts, and maps, of which the values are |
//! | `rules` | of `email`, `ip`, `card` and `token`; all of them if nothing is said |
//! | `custom` | further rules: a name, and a regular expression in the syntax of the plugin `regex` |
//! | `hash` | rules whose finds are hashed; those of the others are masked |
//! | `key` | the secret of the hashes, 32 letters at least |
//!
//! A find is replaced: `ann@example.org` by `[email]`, or by `[email:` with 16 hexadecimal digits and `]`, the first of
//! HMAC-SHA-256 of the find under the key. Equal finds have equal hashes wherever the key is the same, so that one can
//! group and join by them; without the key nobody can try which addresses a hash may be of.
//!
//! | rule | finds |
//! |---|---|
//! | `email` | addresses with a domain of two labels at least |
//! | `ip` | IPv4 and IPv6 addresses, also behind a port's colon or a network's slash |
//! | `card` | numbers of payment cards: 13 to 19 digits, also in groups, that begin and are as long as a network's numbers are, and whose check digit is right |
//! | `token` | what follows `Bearer` or `Basic`, JSON web tokens, keys of AWS, GitHub, GitLab, Slack, Stripe and Google, and private keys in PEM |
//!
//! Finds that overlap are replaced as one, by the rule of the longer.
//! The columns are replaced, and keep their types. What the line itself said stays in Bronze on
//! the host, and **in dead letters, which travel**: a line that no plugin before this one could read is not redacted.
//!
//! Counts: `redacted_email`, `redacted_ip` and so on.

mod cards;
mod email;
mod ip;
mod rewrite;
mod rules;
mod settings;
mod tokens;

use logsmith_plugin::{
    Batch, Fault, Field, Kind, Output, Plan, Rest, Transform, count, input_field, parse_config,
};

use crate::rules::Rule;
pub use crate::settings::Settings;

/// The plugin, as the host sees it.
#[derive(Debug)]
pub struct RedactPlugin {
    rules: Vec<Rule>,
}

impl Transform for RedactPlugin {
    fn open(config: &str, input: &[Field]) -> Result<(Self, Plan), Fault> {
        let settings: Settings = parse_config(config)?;
        let mut writes = Vec::with_capacity(settings.columns.len());
        for name in &settings.columns {
            let field = input_field(name, input)?;
            if !matches!(field.kind, Kind::Utf8 | Kind::StringMap) {
                return Err(Fault::Input(format!(
                    "column `{name}` is {:?}, and neither text nor a map",
                    field.kind
                )));
            }
            writes.push(field.clone());
        }
        let plan = Plan {
            name: "redact",
            version: env!("CARGO_PKG_VERSION"),
            reads: settings.columns.clone(),
            writes,
            rest: Rest::Keep,
        };
        Ok((Self { rules: settings.compile().map_err(Fault::Config)? }, plan))
    }

    fn apply(&mut self, batch: Batch) -> Result<Output, Fault> {
        let Batch { rows, columns } = batch;
        let columns = columns.into_iter().map(|column| rewrite::column(column, &mut self.rules)).collect();
        for rule in &mut self.rules {
            let finds = std::mem::take(&mut rule.finds);
            if finds > 0 {
                count(&rule.counter, finds);
            }
        }
        Ok(Output { columns, source_rows: (0..rows).collect(), ..Output::default() })
    }
}

logsmith_plugin::export!(RedactPlugin);

#[cfg(test)]
mod tests;
