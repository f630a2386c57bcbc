//! What editors are told of the agent's configuration.

use serde_json::{Map, Value, json};

use super::keys::{Key, Kind, Without, keys_of};

/// What a time and a size look like.
const TIME: &str = "^\\s*([0-9]+\\s*[a-zA-Zµ]+\\s*)+$";
const BYTES: &str = "^\\s*[0-9]+(\\.[0-9]+)?\\s*([kmgtpKMGTP][iI]?)?[bB]?\\s*$";

/// The JSON schema of a file of the agent's configuration, in which other files may stand for what it leaves out.
pub fn schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The configuration of a logsmith agent",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "agent": table("agent", &[]),
            "central": table("central", &[]),
            "metrics": table("metrics", &[]),
            "source": tables("source", &["name"]),
            "pipeline": tables("pipeline", &["name", "plugin"]),
        },
    })
}

fn tables(name: &str, required: &[&str]) -> Value {
    json!({ "type": "array", "items": table(name, required) })
}

fn table(name: &str, required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        keys_of(name).map(|key| (key.name.to_owned(), property(name, key))).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn property(table_name: &str, key: &Key) -> Value {
    let name = format!("{table_name}.{}", key.name);
    let property = match key.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::OneOf(choices) => json!({ "anyOf": [{ "enum": choices }, named()] }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Number(min) => json!({ "type": "integer", "minimum": min }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Time => json!({
            "anyOf": [{ "type": "string", "pattern": TIME }, named()],
            "examples": ["500ms", "60s", "5min"],
        }),
        Kind::Bytes => json!({
            "anyOf": [{ "type": "string", "pattern": BYTES }, { "type": "integer", "minimum": 1 }, named()],
            "examples": ["64KiB", "32MB", "2GB"],
        }),
        Kind::Options => {
            json!({ "type": "object", "additionalProperties": { "type": ["string", "boolean"] } })
        }
        Kind::Table => table(&name, &[]),
        Kind::Tables => tables(&name, &["plugin"]),
        Kind::Any => json!({}),
    };
    let Value::Object(mut property) = property else { return property };
    let mut tells = key.tells.to_owned();
    match key.without {
        // As TOML writes it, JSON does too.
        Without::Default(value) => {
            property.insert("default".to_owned(), serde_json::from_str(value).unwrap_or_default());
        }
        Without::Words(words) => tells += &format!(". Without it: {words}"),
        Without::Nothing => {}
    }
    property.insert("description".to_owned(), tells.into());
    Value::Object(property)
}

/// A text that names something of the environment, of which nothing more can be said.
fn named() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}
