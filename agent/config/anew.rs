//! What of a changed configuration a running agent takes by starting its stages anew.

use toml::{Table, Value};

use super::files::ConfigFiles;

/// What differs between two states of a configuration beside the plugins of pipelines that are in both, in words: what stages are started anew for.
pub fn anew_for(was: &ConfigFiles, is: &ConfigFiles) -> Vec<String> {
    let [was, is] = [was, is].map(merged);
    let mut others = Vec::new();
    for (key, name) in
        [("agent", "[agent]"), ("central", "[central]"), ("metrics", "[metrics]"), ("source", "[[source]]")]
    {
        if without_owner(was.get(key)) != without_owner(is.get(key)) {
            others.push(name.to_owned());
        }
    }
    let [was, is] = [&was, &is].map(pipelines);
    for (name, sources) in &is {
        match was.iter().find(|(earlier, _)| earlier == name) {
            None => others.push(format!("the new pipeline `{name}`")),
            Some((_, earlier)) if earlier != sources => {
                others.push(format!("the sources of pipeline `{name}`"))
            }
            Some(_) => {}
        }
    }
    let gone = was.iter().filter(|(name, _)| is.iter().all(|(later, _)| later != name));
    others.extend(gone.map(|(name, _)| format!("the pipeline `{name}`, which is gone")));
    others
}

/// All parts as one table.
fn merged(written: &ConfigFiles) -> Table {
    // Whoever asks has read them without a mistake.
    let parts = written.parts().map(|part| part.text.parse::<Table>().unwrap_or_default());
    parts.fold(Table::new(), |mut all, part| {
        add(&mut all, part);
        all
    })
}

fn add(all: &mut Table, part: Table) {
    for (key, value) in part {
        match (all.get_mut(&key), value) {
            (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
            (Some(Value::Table(all)), Value::Table(more)) => add(all, more),
            (_, value) => drop(all.insert(key, value)),
        }
    }
}

/// Whose the files of plugins must be is asked whenever they are opened.
fn without_owner(section: Option<&Value>) -> Option<Value> {
    let mut section = section.cloned();
    if let Some(Value::Table(table)) = &mut section {
        table.remove("plugins_owned_by_root");
    }
    section
}

/// Names and sources.
fn pipelines(config: &Table) -> Vec<(String, Option<Value>)> {
    let pipelines = config.get("pipeline").and_then(Value::as_array).into_iter().flatten();
    let of = |pipeline: &Value| {
        let name = pipeline.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        (name, pipeline.get("sources").cloned())
    };
    pipelines.map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn plugins_are_taken_and_all_else_is_told() {
        let alone = |text: &str| ConfigFiles::alone(Path::new("edge.toml"), text);
        let anew_for = |was: &str, is: &str| anew_for(&alone(was), &alone(is));
        let was = "[agent]\nhost = \"a\"\n[[source]]\nname = \"s\"\n[[pipeline]]\nname = \"p\"\nplugin = \"builtin:json\"\n";
        let none: [&str; 0] = [];
        assert_eq!(anew_for(was, was), none);
        let plugin =
            was.replace("json", "access").replace("[agent]", "[agent]\nplugins_owned_by_root = true");
        assert_eq!(anew_for(was, &(plugin + "[pipeline.config]\nlevel = 1\n")), none);
        let host = was.replace("\"a\"", "\"b\"").replace("\"s\"", "\"t\"");
        assert_eq!(anew_for(was, &host), ["[agent]", "[[source]]"]);
        assert_eq!(anew_for(was, &(was.to_owned() + "sources = []\n")), ["the sources of pipeline `p`"]);
        let other = was.replace("\"p\"", "\"q\"");
        assert_eq!(anew_for(was, &other), ["the new pipeline `q`", "the pipeline `p`, which is gone"]);
    }
}
