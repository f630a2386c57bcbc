//! From any row one command leads to its line, its commit, its landing object, and the plugins that made it.

use std::fs;

use serde_json::Value;

use crate::support::{Host, component, eventually, fail, succeed};

/// `sha256` and `config hash` of each plugin, as `check` shows them.
fn plugins(host: &Host) -> Vec<(String, String)> {
    let said = succeed(&mut host.edge(&["check"]));
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix("sha256 "));
    let pairs = lines.filter_map(|line| line.split_once(", config hash "));
    pairs.map(|(sha256, hash)| (sha256.to_owned(), hash.to_owned())).collect()
}

/// Asserts that these plugins are told, one after the other.
#[track_caller]
fn assert_tells(said: &str, plugins: &[(String, String)]) {
    let mut rest = said;
    for (sha256, hash) in plugins {
        for text in [sha256, hash] {
            rest = rest
                .split_once(text.as_str())
                .unwrap_or_else(|| panic!("no {text} in its place in:\n{said}"))
                .1;
        }
    }
    assert!(!rest.contains("config hash"), "another plugin is told:\n{said}");
}

/// The value of the line that begins with this word.
fn told<'a>(said: &'a str, word: &str) -> &'a str {
    said.lines()
        .find_map(|line| line.strip_prefix(word))
        .unwrap_or_else(|| panic!("no {word} in:\n{said}"))
        .trim()
}

fn on_host(host: &Host, offset: u64) -> String {
    succeed(&mut host.edge(&["trace", "app", "--file", "1", "--offset", &offset.to_string()]))
}

#[test]
fn a_row_is_traced_to_its_line_and_its_plugins_on_the_host_and_in_the_central_store() {
    let host = Host::new("builtin:json");
    let then = format!("[[pipeline.then]]\nplugin = \"{}\"\n", component("hostile").display());
    let configure = |message: &str| {
        let config =
            format!("config = {{ message = \"{message}\" }}\n{then}config = {{ crime = \"trap\" }}\n");
        host.configure("builtin:json", &config);
        plugins(&host)
    };
    let first = configure("a");
    let lines = [
        "{\"a\":\"one\",\"b\":\"eins\"}\n",
        "no json\n",
        "{\"a\":\"POISON\"}\n",
        "{\"a\":\"two\",\"b\":\"zwei\"}\n",
    ];
    let offset = |line: usize| lines[..line].iter().map(|line| line.len() as u64).sum::<u64>();
    fs::write(host.path("logs/a.log"), lines[..3].concat()).unwrap();
    host.finish();
    let second = configure("b");
    host.append("logs/a.log", lines[3]);
    host.finish();
    assert_ne!(first, second);

    for (line, plugins) in [(0, &first), (3, &second)] {
        let said = on_host(&host, offset(line));
        assert!(
            told(&said, "line").contains(&format!("logs/a.log, byte {} (file 1)", offset(line))),
            "{said}"
        );
        assert!(said.contains(lines[line].trim()), "{said}");
        assert_eq!(told(&said, "verdict"), "1 row");
        assert!(told(&said, "silver").starts_with("silver/app version "), "{said}");
        assert_tells(&said, plugins);
        let object = told(&said, "landing").strip_suffix(", put").unwrap();

        let at = offset(line).to_string();
        let fleet =
            succeed(&mut host.central(&["trace", "app", "--host", "h1", "--file", "1", "--offset", &at]));
        assert_eq!(told(&fleet, "landing"), object);
        assert!(told(&fleet, "line").contains(&format!("logs/a.log on h1, byte {at} (file 1)")), "{fleet}");
        assert!(told(&fleet, "fleet").starts_with("silver/app version "), "{fleet}");
        assert_tells(&fleet, plugins);
    }
    let by_sql = succeed(&mut host.central(&["trace", "app", "--where", "message = 'zwei'"]));
    assert_tells(&by_sql, &second);
    let rows = succeed(&mut host.central(&["trace", "app", "--where", "path LIKE '%a.log'"]));
    assert_eq!(rows.matches("landing/app/h1/").count(), 2, "{rows}");
    assert!(fail(&mut host.central(&["trace", "app", "--where", "message = 'drei'"])).contains("no row"));

    let dead = on_host(&host, offset(1));
    assert!(told(&dead, "verdict").starts_with("dead letter of json: "), "{dead}");
    assert!(told(&dead, "landing").starts_with("landing/dead_letter/h1/"), "{dead}");
    assert_tells(&dead, &first);
    let trapped = on_host(&host, offset(2));
    let verdict = told(&trapped, "verdict");
    assert!(
        verdict.starts_with("dead letter of hostile: ") && verdict.ends_with("cannot take row 0"),
        "{verdict}"
    );
    assert!(on_host(&host, 7).contains("no table here has it"));
}

/// What a log that was cleaned up no longer tells, a data file tells itself.
#[test]
fn a_row_is_traced_without_the_entry_of_its_commit() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), "{\"n\":1}\n").unwrap();
    host.finish();
    let whole = on_host(&host, 0);
    succeed(&mut host.edge(&["run", "--once"]));
    for entry in fs::read_dir(host.path("state/silver/app/_delta_log")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.map(|mut action| {
            if let Some(info) = action.get_mut("commitInfo") {
                info["logsmith"].take();
            }
            format!("{action}\n")
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
    let said = on_host(&host, 0);
    assert_tells(&said, &plugins(&host));
    assert_eq!(told(&said, "landing"), told(&whole, "landing"));
    assert_eq!(
        told(&said, "silver").split(", of Bronze").last(),
        told(&whole, "silver").split(", of Bronze").last()
    );
}

#[test]
fn a_line_that_waits_is_told_to_wait() {
    let host = Host::new("builtin:json");
    fs::write(host.path("logs/a.log"), "{\"n\":1}\nbad\n").unwrap();
    host.configure("builtin:json", "[pipeline.limits]\nrejects_per_minute_max = 0\n");
    let agent = host.start();
    eventually("the pipeline holds", || succeed(&mut host.edge(&["status"])).contains("HOLDS"));
    agent.stop();
    let said = on_host(&host, 0);
    assert_eq!(told(&said, "verdict"), "none yet: it waits");
    assert_eq!(told(&said, "landing"), "none");
    let said = fail(&mut host.edge(&["trace", "web", "--file", "1", "--offset", "0"]));
    assert!(said.contains("there is no pipeline `web`; there are app"), "{said}");
}
