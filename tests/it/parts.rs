//! What lies in `conf.d` beside edge.toml is part of the configuration, for every command and while the agent runs.

use std::fs;

use crate::support::{Host, eventually, fail, succeed};

/// A host whose edge.toml has no source and no pipeline, and with the folder for further parts.
fn host() -> Host {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.split_once("[[source]]").unwrap().0.to_owned());
    fs::create_dir(host.path("conf.d")).unwrap();
    host
}

fn part(host: &Host, name: &str, text: &str) {
    fs::write(host.path("conf.d").join(name), text).unwrap();
}

/// A source with its pipeline, which reads `logs/<name>.log`.
fn pair(name: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\ninclude = [\"logs/{name}.log\"]\nlast_line_timeout = \"300ms\"\n\
         [[pipeline]]\nname = \"{name}\"\nsources = [\"{name}\"]\nplugin = \"builtin:json\"\n"
    )
}

#[test]
fn parts_add_up_in_the_order_of_their_names() {
    let host = host();
    part(&host, "20-web.toml", &pair("web"));
    part(&host, "10-app.toml", &pair("app"));
    part(&host, "agent.toml", "[agent]\ndisk_budget = \"3GB\"\n[central]\nupload_rate = \"1MB\"\n");
    for other in [".hidden.toml", "old.toml.bak", "README"] {
        part(&host, other, "no toml");
    }
    fs::create_dir(host.path("conf.d/folder.toml")).unwrap();
    let said = succeed(&mut host.edge(&["check"]));
    let (app, web) = (said.find("pipeline app: app").unwrap(), said.find("pipeline web: web").unwrap());
    assert!(app < web, "{said}");

    for name in ["app", "web"] {
        host.append(&format!("logs/{name}.log"), "{\"level\":\"INFO\"}\n");
    }
    host.finish();
    for name in ["app", "web"] {
        assert_eq!(host.read(&format!("lake/silver/{name}"), &["level"]).len(), 1);
    }
    let status = succeed(&mut host.edge(&["status"]));
    assert!(status.contains("pipeline web: 1 lines judged") && status.contains("of 2.8 GiB"), "{status}");
}

#[test]
fn mistakes_name_the_part_and_what_stands_twice_both_places() {
    let host = host();
    part(&host, "a.toml", &pair("app"));
    part(
        &host,
        "b.toml",
        "[agent]\nhost = \"h2\"\n[central]\nurl = { a = 1 }\n[[source]]\nname = \"ü\"\ninclude = [\"/x\", 7]\n\
         [pipeline]\nname = \"app\"\n",
    );
    let said = fail(&mut host.edge(&["check"]));
    let root = host.path("");
    let root = root.display();
    let wanted = [
        format!(
            "conf.d/b.toml:2:8: agent.host: stands in {root}edge.toml:3:8 already; write it in one place\n"
        ),
        format!("conf.d/b.toml:4:7: central.url: stands in {root}edge.toml:8:7 already"),
        "conf.d/b.toml:6:8: source[1].name: `ü`: write letters, digits and _ only\n".to_owned(),
        "conf.d/b.toml:7:18: source[1].include[1]: is of type integer; write a string\n".to_owned(),
        format!("conf.d/b.toml:8:1: pipeline: stands in {root}conf.d/a.toml:5:1 already"),
        "5 mistakes".to_owned(),
    ];
    for line in &wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
    part(&host, "b.toml", "[[source]]\nname = \"open\n");
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("conf.d/b.toml:2:"), "{said}");
    fs::remove_file(host.path("conf.d/b.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", host.path("conf.d/c.toml")).unwrap();
    let said = fail(&mut host.edge(&["status"]));
    assert!(said.contains("conf.d/c.toml: No such file"), "{said}");
}

#[test]
fn a_running_agent_sees_parts_come_change_and_go() {
    let host = host();
    part(&host, "app.toml", &pair("app"));
    host.append("logs/app.log", "{\"message\":\"1\",\"note\":\"a\"}\n");
    let agent = host.start_telling("log", "logsmith=info");
    eventually("the first line is judged", || host.added("state/silver/app") == 1);
    part(&host, "more.toml", "[agent]\ndisk_budget = \"3GB\"\n");
    eventually("the budget is another", || {
        fs::read_to_string(host.path("log")).unwrap().contains("anew for [agent]")
    });
    part(&host, "more.toml", "colour = 1\n");
    let told = "conf.d/more.toml:1:1: colour: is not known here";
    eventually("the mistake is told", || fs::read_to_string(host.path("log")).unwrap().contains(told));
    fs::remove_file(host.path("conf.d/more.toml")).unwrap();
    eventually("nothing is left to tell", || {
        !succeed(&mut host.edge(&["status"])).contains("configuration changed")
    });

    part(&host, "app.toml", &format!("{}config = {{ message = \"note\" }}\n", pair("app")));
    let mut lines = 1;
    eventually("the plugin takes its new configuration", || {
        host.append("logs/app.log", "{\"message\":\"2\",\"note\":\"b\"}\n");
        lines += 1;
        eventually("the line is judged", || host.added("state/silver/app") == lines);
        let rows = host.read("state/silver/app", &["message"]);
        rows.iter().any(|row| row["message"] == "b")
    });
    agent.stop();
}
