//! The board and the alerts in `examples` speak of what is there: each metric and label in them is served by the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::metrics::{scrape, serve};
use crate::support::{Host, eventually, python_with, succeed};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The labels of each metric that an agent and a central job serve, once there is something of everything.
fn served() -> BTreeMap<String, BTreeSet<String>> {
    let host = Host::new("builtin:json");
    let edge = serve(&host);
    let central = format!("unix:{}", host.path("central.sock").display());
    let config = fs::read_to_string(host.path("central.toml")).unwrap();
    fs::write(host.path("central.toml"), format!("{config}\n[metrics]\nlisten = \"{central}\"\n")).unwrap();
    host.append("logs/a.log", "{\"message\":\"one\",\"level\":\"INFO\"}\nbroken\n");
    let agent = host.start();
    eventually("the landing has objects", || host.path("lake/landing/app").exists());
    let mut compact = host.central(&["compact", "--every", "1s"]).spawn().unwrap();
    let samples = |address: &str| {
        if host.path(&address[address.rfind('/').unwrap() + 1..]).exists() {
            scrape(address)
        } else {
            Vec::new()
        }
    };
    eventually("a pass has folded them", || {
        samples(&central).iter().any(|sample| sample["name"] == "logsmith_compact_view_failed")
    });
    let all: Vec<Value> = samples(&edge).into_iter().chain(samples(&central)).collect();
    compact.kill().unwrap();
    compact.wait().unwrap();
    agent.stop();
    let mut served: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sample in all {
        let labels = sample["labels"].as_object().unwrap().keys().cloned();
        served.entry(sample["name"].as_str().unwrap().to_owned()).or_default().extend(labels);
    }
    served
}

/// An expression, and the texts that show its labels.
struct Expression {
    of: String,
    promql: String,
    texts: String,
}

fn expressions_of_the_board() -> Vec<Expression> {
    let board: Value = serde_json::from_slice(&fs::read(example("grafana/logsmith.json")).unwrap()).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    let of = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        assert!(panel["type"] == "row" || !panel["description"].as_str().unwrap().is_empty(), "{title}");
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let expression = move |target: Value| Expression {
            of: title.clone(),
            promql: target["expr"].as_str().unwrap().to_owned(),
            texts: target["legendFormat"].as_str().unwrap().replace("{{", "{{$labels."),
        };
        targets.into_iter().map(expression)
    };
    panels.iter().flat_map(of).collect()
}

fn expressions_of_the_alerts() -> Vec<Expression> {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let rules = example("prometheus/logsmith.rules.yml");
    let python = python_with(&["pyyaml==6.0.4"]);
    let read = succeed(Command::new(python).args(["-c", script]).arg(rules));
    let read: Value = serde_json::from_str(&read).unwrap();
    let rules =
        read["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let of = |rule: &Value| {
        let alert = rule["alert"].as_str().unwrap().to_owned();
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{alert}");
        assert!(rule["annotations"]["summary"].is_string(), "{alert}");
        let promql = rule["expr"].as_str().unwrap().to_owned();
        Expression { of: alert, promql, texts: rule["annotations"].to_string() }
    };
    rules.map(of).collect()
}

#[test]
fn the_board_and_the_alerts_name_what_is_served() {
    let served = served();
    let metric = Regex::new(r"\b(?:logsmith|process)_[a-z_]+\b").unwrap();
    let shown = Regex::new(r"\$labels\.(\w+)").unwrap();
    let grouped = Regex::new(r"\b(?:by|on) \(([a-z, ]+)\)").unwrap();
    let (board, alerts) = (expressions_of_the_board(), expressions_of_the_alerts());
    assert!(board.len() > 20 && alerts.len() > 10);
    for Expression { of, promql, texts } in board.iter().chain(&alerts) {
        let names: Vec<&str> = metric.find_iter(promql).map(|name| name.as_str()).collect();
        assert!(!names.is_empty() || promql.contains("up{"), "{of}: {promql}");
        // What Prometheus itself adds.
        let mut labels = BTreeSet::from(["instance", "job"]);
        for name in names {
            let of_metric = served
                .get(name)
                .unwrap_or_else(|| panic!("{of}: nobody serves {name}: {:#?}", served.keys()));
            labels.extend(of_metric.iter().map(String::as_str));
        }
        let shown = shown.captures_iter(texts).map(|label| label.get(1).unwrap().as_str());
        let grouped =
            grouped.captures_iter(promql).flat_map(|list| list.get(1).unwrap().as_str().split(", "));
        for label in shown.chain(grouped) {
            assert!(labels.contains(label), "{of}: no metric in {promql} has the label {label}");
        }
    }
}

#[test]
fn prometheus_takes_the_alerts() {
    let named = std::env::var_os("LOGSMITH_TEST_PROMTOOL").map(PathBuf::from).filter(|tool| tool.exists());
    let promtool = named.unwrap_or_else(|| "promtool".into());
    if Command::new(&promtool).arg("--version").output().is_err() {
        return eprintln!("skipped: promtool is not there");
    }
    let said = succeed(
        Command::new(promtool).args(["check", "rules"]).arg(example("prometheus/logsmith.rules.yml")),
    );
    assert!(said.contains("SUCCESS"), "{said}");
}
