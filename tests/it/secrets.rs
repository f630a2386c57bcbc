//! Secrets stand in no configuration file: variables and systemd's credentials are put in, and shown nowhere.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::s3::{self, Server};
use crate::support::{Agent, Host, eventually, fail, succeed, text};

/// What no command may print.
const SECRET: &str = "hunter2_is_secret";

/// A host whose lake is in a bucket, with the keys for it in the environment and in a folder of credentials.
fn host_of(server: &Server) -> Host {
    let host = Host::new("builtin:json");
    let options = s3::options(server.address(), "${EDGE_KEY}", "${credential:edge_secret}");
    let root = host.path("").display().to_string();
    host.edit(|edge| {
        let url = format!("url = \"file://{}/lake\"", root.trim_end_matches('/'));
        let store = format!("url = \"s3://${{BUCKET}}/lake\"\n[central.options]\n{options}");
        edge.replace(&url, &store).replace("\"h1\"", "\"${HOST_KIND}-1\"")
    });
    fs::create_dir(host.path("credentials")).unwrap();
    fs::write(host.path("credentials/edge_secret"), format!("{}\n", s3::SECRET)).unwrap();
    host
}

fn with_surroundings<'a>(host: &Host, command: &'a mut Command) -> &'a mut Command {
    command
        .env("EDGE_KEY", s3::KEY)
        .env("BUCKET", s3::BUCKET)
        .env("HOST_KIND", "web")
        .env("CREDENTIALS_DIRECTORY", host.path("credentials"))
}

#[test]
fn variables_and_credentials_open_the_lake() {
    let lake = tempfile::tempdir().unwrap();
    let server = Server::start(lake.path(), TcpListener::bind("127.0.0.1:0").unwrap());
    let host = host_of(&server);
    host.append("logs/a.log", "{\"level\": \"INFO\", \"message\": \"one\"}\n");
    let run = with_surroundings(&host, &mut host.edge(&["run", "--once"])).output().unwrap();
    assert!(run.status.success() && !text(&run).contains(s3::SECRET), "{}", text(&run));
    let landed = fs::read_dir(lake.path().join("logs/lake/landing/app/web-1")).unwrap().count();
    assert_eq!(landed, 1);
    let check = succeed(with_surroundings(&host, &mut host.edge(&["check"])));
    assert!(check.contains("host web-1") && check.contains("s3://logs/lake"), "{check}");
    assert!(!check.contains(s3::SECRET), "{check}");
}

/// Who looks at a host has its agent's environment rarely.
#[test]
fn looking_at_a_host_needs_no_secret() {
    let host = Host::new("builtin:json");
    host.append("logs/a.log", "{\"level\": \"INFO\", \"message\": \"one\"}\n");
    let then = "[[pipeline.then]]\nplugin = \"builtin:filter\"\n[pipeline.then.config]\n";
    host.configure("builtin:json", &format!("{then}where = 'message != \"${{WORD}}\"'\n"));
    host.edit(|edge| {
        let options = "[central.options]\naws_secret_access_key = \"${credential:key}\"\n";
        edge.replace("[[source]]", &format!("{options}[[source]]"))
    });
    let mut run = host.edge(&["run", "--once"]);
    let said = fail(&mut run);
    assert!(said.contains("`WORD` is not set") && said.contains("no credential `key`"), "{said}");
    fs::write(host.path("key"), "k").unwrap();
    let mut run = host.edge(&["run", "--once"]);
    succeed(run.env("WORD", "two").env("CREDENTIALS_DIRECTORY", host.path("")));
    assert!(succeed(&mut host.edge(&["status"])).contains("app"));
    let asked = "SELECT message FROM silver.app";
    assert!(succeed(&mut host.edge(&["query", asked, "--format", "csv"])).contains("one"));
}

#[test]
fn what_is_not_there_is_told_with_key_line_and_name() {
    let host = Host::new("builtin:json");
    fs::write(
        host.path("edge.toml"),
        r#"[agent]
state_dir = "state"
host = "${NOWHERE}"
disk_budget = "${credential:size}"

[central]
url = "s3://${BUCKET:-logs}/lake"
[central.options]
aws_access_key_id = "${credential:../key}"
aws_secret_access_key = "${credential:nowhere}"

[[source]]
name = "app"
include = ["/srv/$${PRICE}/*.log", "/srv/${GONE}/*.log", "/srv/${/*.log"]

[[pipeline]]
name = "app"
plugin = "builtin:filter"
config = { where = 'line != "${ALSO_GONE} $${text} ${LEVEL:-info}"' }
"#,
    )
    .unwrap();
    let said = fail(host.edge(&["check"]).env("CREDENTIALS_DIRECTORY", host.path("")));
    let wanted = [
        "edge.toml:3:8: agent.host: the environment variable `NOWHERE` is not set; where the text is meant, write `$${NOWHERE}`",
        "edge.toml:4:15: agent.disk_budget: `${credential:size}` would be shown",
        "edge.toml:7:7: central.url: a `${` begins no name; write ${NAME}, ${credential:NAME}",
        "edge.toml:9:21: central.options.aws_access_key_id: `../key` is no name of a credential",
        "edge.toml:10:25: central.options.aws_secret_access_key: the credential `nowhere` cannot be read: ",
        "edge.toml:14:36: source[0].include[1]: the environment variable `GONE` is not set",
        "edge.toml:14:58: source[0].include[2]: a `${` begins no name",
        "edge.toml:19:20: pipeline[0].config.where: the environment variable `ALSO_GONE` is not set",
    ];
    for line in wanted {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
    assert!(!said.contains("PRICE"), "{said}");
}

#[test]
fn no_mistake_shows_a_value() {
    let host = Host::new("builtin:json");
    let secret_in = |from: &str, to: &str| {
        host.configure("builtin:json", "[pipeline.config]\n");
        host.edit(|edge| edge.replace(from, to));
        ["check", "run"].map(|command| {
            let output = host.edge(&[command]).env("WORD", SECRET).output().unwrap();
            assert!(!output.status.success(), "{to}: {}", text(&output));
            assert!(!text(&output).contains(SECRET), "{to}: {}", text(&output));
            assert!(text(&output).contains("${WORD}"), "{to}: {}", text(&output));
        })
    };
    secret_in("\"100ms\"", "\"${WORD}\"");
    secret_in("\"h1\"", "\"h 1 ${WORD}\"");
    secret_in("\"file:", "\"ftp://${WORD}file:");
    let filter = "[[pipeline.then]]\nplugin = \"builtin:filter\"\nconfig = { where = '${WORD} == 1' }";
    secret_in("[pipeline.config]", filter);
    let bucket = "url = \"s3://logs/\"\n[central.options]\naws_allow_http = \"${WORD}\"\n[[source]]\nname = \"x\"\ninclude = [\"/nowhere\"]\n#";
    secret_in("url =", bucket);
}

#[test]
fn no_mistake_shows_a_secret_that_stands_in_its_line() {
    let host = Host::new("builtin:json");
    let lines = [
        "central = { url = \"ftp://a\", options = { aws_secret_access_key = \"SECRET\" } }",
        "central = { options = { aws_secret_access_key = \"SECRET\" }, url = 7 }",
        "central = { url = \"s3://key:SECRET@bucket/\" }",
        "central = \"s3://key:SECRET@bucket/\"",
        "central = { url = \"file:///lake\", password = \"SECRET\" }",
        "central = { url = \"s3://bucket\", options = { aws_allow_http = [\"SECRET\"] } }",
        "central = { url = \"s3://bucket\", options = \"SECRET\" }",
        "central = { url = \"s3://bucket\", options = { key = \"SECRET }",
        "central = { url = \"s3://bucket\", options = { key = SECRET } }",
        "central = { url = \"s3://bucket\", options = { key = \"\"\"\nSECRET \\q\n\"\"\" } }",
        "password = 'SECRET'",
        "SECRET",
        "metrics = { listen = 'here' } # SECRET",
    ];
    for line in lines {
        host.configure("builtin:json", "");
        host.leave_central();
        host.edit(|edge| format!("{}\n{edge}", line.replace("SECRET", SECRET)));
        let said = fail(&mut host.edge(&["check"]));
        assert!(!said.contains(SECRET), "{line}: {said}");
        assert!(said.contains(" mistake"), "{line}: {said}");
    }
}

#[test]
fn a_changed_configuration_is_read_with_its_variables() {
    let host = Host::new("builtin:json");
    let then = "[[pipeline.then]]\nplugin = \"builtin:filter\"\n[pipeline.then.config]\n";
    host.configure("builtin:json", &format!("{then}where = 'message != \"${{FIRST}}\"'\n"));
    let mut run = host.edge(&["run"]);
    let agent = Agent::spawn(run.env("FIRST", "a").env("SECOND", "b"));
    let line = |message: &str| format!("{{\"level\": \"INFO\", \"message\": \"{message}\"}}\n");
    host.append("logs/a.log", line("a") + &line("b"));
    eventually("the first line that is kept is in Silver", || host.added("state/silver/app") == 1);
    host.edit(|edge| edge.replace("${FIRST}", "${SECOND}"));
    eventually("the other message is kept", || {
        host.append("logs/a.log", line("a"));
        host.added("state/silver/app") > 1
    });
    agent.stop();
    let kept = host.read("state/silver/app", &["message"]);
    assert_eq!(kept.iter().filter(|row| row["message"] == "b").count(), 1);
    assert!(kept.iter().any(|row| row["message"] == "a"), "{kept:?}");
}
