//! The keys of a host, of the central job and of a reader may do what they need, and nothing else: the policies of
//! examples/iam, enforced by the server.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde_json::Value;

use crate::s3::{self, Asked, Fate, Server};
use crate::support::{Host, eventually, fail, logsmith, succeed};

/// A policy of examples/iam.
struct Policy(Value);

/// What a request asks to be allowed: an action on a resource, and what conditions are held against.
struct Question {
    action: &'static str,
    resource: String,
    /// The value of `s3:if-none-match`, if the request says it.
    if_none_match: Option<&'static str>,
    /// The value of `s3:prefix`, if the request says it.
    prefix: Option<String>,
}

impl Policy {
    fn read(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/iam").join(name);
        Self(serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
    }

    /// Nothing is allowed that no statement allows, or that one denies.
    fn allows(&self, question: &Question) -> bool {
        let statements = self.0["Statement"].as_array().unwrap();
        let effects = statements.iter().filter(|statement| applies(statement, question));
        let effects: Vec<&str> = effects.map(|statement| statement["Effect"].as_str().unwrap()).collect();
        effects.contains(&"Allow") && !effects.contains(&"Deny")
    }
}

fn applies(statement: &Value, question: &Question) -> bool {
    texts(&statement["Action"]).iter().any(|action| matches(action, question.action))
        && texts(&statement["Resource"]).iter().any(|resource| matches(resource, &question.resource))
        && statement["Condition"].as_object().into_iter().flatten().all(|(operator, keys)| {
            keys.as_object()
                .unwrap()
                .iter()
                .all(|(key, wanted)| holds(operator, key, &texts(wanted), question))
        })
}

fn holds(operator: &str, key: &str, wanted: &[String], question: &Question) -> bool {
    let value = match key {
        "s3:if-none-match" => question.if_none_match,
        "s3:prefix" => question.prefix.as_deref(),
        _ => panic!("the server does not know the condition key {key}"),
    };
    match operator {
        "Null" => wanted == [value.is_none().to_string()],
        "StringLike" => value.is_some_and(|value| wanted.iter().any(|pattern| matches(pattern, value))),
        _ => panic!("the server does not know the operator {operator}"),
    }
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        list => list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
    }
}

/// As IAM has it: `*` stands for any text, slashes too.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }),
    }
}

/// What a request asks to be allowed.
fn questions(asked: &Asked) -> Vec<Question> {
    let on = |action, path: &str| Question {
        action,
        resource: format!("arn:aws:s3:::{path}"),
        if_none_match: asked.create_only.then_some("*"),
        prefix: asked.query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).map(str::to_owned),
    };
    match (asked.method.as_str(), asked.lists(), asked.query.starts_with("delete")) {
        ("GET", true, _) => vec![on("s3:ListBucket", asked.path.trim_end_matches('/'))],
        ("GET" | "HEAD", false, _) => vec![on("s3:GetObject", &asked.path)],
        ("PUT", ..) => {
            let read = asked.copies.iter().map(|from| on("s3:GetObject", from));
            read.chain([on("s3:PutObject", &asked.path)]).collect()
        }
        ("POST", _, true) => {
            let body = String::from_utf8(asked.body.to_vec()).unwrap();
            let keys = body.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
            let bucket = asked.path.trim_end_matches('/');
            keys.map(|key| on("s3:DeleteObject", &format!("{bucket}/{key}"))).collect()
        }
        ("DELETE", ..) => vec![on("s3:DeleteObject", &asked.path)],
        _ => panic!("the server does not know what {asked:?} needs"),
    }
}

const KEYS: [(&str, &str, &str); 3] = [
    ("host", "host-secret", "edge-host.json"),
    ("central", "central-secret", "central.json"),
    ("reader", "reader-secret", "reader.json"),
];

/// A host with its key, and a server that enforces the policies.
fn with_policies() -> (Host, Server) {
    let host = Host::new("builtin:json");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start_for(&host.path("s3"), listener, &KEYS.map(|(key, secret, _)| (key, secret)));
    let policies = KEYS.map(|(key, _, file)| (key, Policy::read(file)));
    server.rule(move |asked| {
        let (_, policy) = policies.iter().find(|(key, _)| *key == asked.signer).unwrap();
        match questions(asked).iter().all(|question| policy.allows(question)) {
            true => Fate::Served,
            false => Fate::Refused(403, "AccessDenied"),
        }
    });
    let options = |key: usize| s3::options(server.address(), KEYS[key].0, KEYS[key].1);
    let url = format!("url = \"file://{}\"", host.path("lake").display());
    host.edit(|edge| {
        edge.replace(&url, &format!("url = \"s3://logs/lake\"\n\n[central.options]\n{}", options(0)))
    });
    for (name, key) in [("central.toml", 1), ("reader.toml", 2)] {
        let text = format!(
            "url = \"s3://logs/lake\"\n\n[options]\n{}\n[[view]]\nname = \"levels\"\n\
             sql = \"SELECT level AS log_level, count(*) AS log_count FROM app GROUP BY level\"\n",
            options(key)
        );
        fs::write(host.path(name), text).unwrap();
    }
    (host, server)
}

/// A client of any kind, with a key.
fn client(server: &Server, key: usize) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_bucket_name(s3::BUCKET)
        .with_endpoint(format!("http://{}", server.address()))
        .with_allow_http(true)
        .with_region("local")
        .with_access_key_id(KEYS[key].0)
        .with_secret_access_key(KEYS[key].1)
        .build()
        .unwrap()
}

#[test]
fn each_key_does_its_work_with_the_policy_of_the_examples() {
    let (host, server) = with_policies();
    host.append("logs/a.log", "{\"level\":\"INFO\",\"message\":\"m\"}\n".repeat(5) + "no json\n");
    succeed(&mut host.edge(&["run", "--once"]));
    let asked = server.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.method == "PUT" && asked.create_only));

    // What lands damaged goes into quarantine, and out again.
    let stray = host.path("s3/logs/lake/landing/app/h1/stray.parquet");
    fs::write(&stray, "no object").unwrap();
    let said = succeed(&mut host.central(&["compact"]));
    assert!(said.contains("quarantine: landing/app/h1/stray.parquet"), "{said}");
    assert!(!stray.exists(), "it was moved");
    succeed(&mut host.central(&["fleet"]));
    host.append("logs/a.log", "{\"level\":\"INFO\",\"message\":\"m\"}\n");
    succeed(&mut host.edge(&["run", "--once"]));
    let mut goes_on = host.central(&["compact", "--every", "100ms"]);
    let job = crate::support::Agent::spawn(&mut goes_on);
    let ask = |config: &str, sql: &str| {
        let mut query = logsmith();
        query.args(["query", "--format", "csv", "-c"]).arg(host.path(config)).arg(sql);
        query
    };
    eventually("the job that goes on has folded the rest", || {
        let said = succeed(&mut ask("reader.toml", "SELECT log_level, log_count FROM gold.levels"));
        said == "log_level,log_count\nINFO,6\n"
    });
    job.stop();
    let leased = server.asked().into_iter().filter(|asked| asked.path.starts_with("logs/lake/lease/"));
    assert!(leased.count() > 1, "the lease was asked for, and allowed");
    let said = succeed(&mut ask("reader.toml", "SELECT count(*) AS n FROM silver.app"));
    assert_eq!(said, "n\n6\n");
    let mut compact = logsmith();
    let said = fail(compact.args(["compact", "-c"]).arg(host.path("reader.toml")));
    assert!(!said.contains(KEYS[2].1), "{said}");
}

#[test]
fn a_stolen_key_of_a_host_adds_objects_of_its_own_and_does_nothing_else() {
    let (host, server) = with_policies();
    host.append("logs/a.log", "{\"level\":\"INFO\",\"message\":\"m\"}\n");
    succeed(&mut host.edge(&["run", "--once"]));
    let landing = host.path("s3/logs/lake/landing/app/h1");
    let own = walkdir::WalkDir::new(&landing).into_iter().flatten().find(|file| file.file_type().is_file());
    let own = own.unwrap().path().strip_prefix(host.path("s3/logs")).unwrap().display().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let thief = client(&server, 0);
    let create = || PutOptions::from(PutMode::Create);
    runtime.block_on(async {
        let fresh = Key::from("lake/landing/app/h1/anything");
        thief.put_opts(&fresh, "x".into(), create()).await.unwrap();
        let denied = |what: &str, result: object_store::Result<()>| {
            let error = result.expect_err(what);
            // Of a refused listing the client keeps the status in words only.
            assert!(error.to_string().contains("403"), "{what}: {error}");
        };
        denied("replace its own", thief.put(&Key::from(&*own), "x".into()).await.map(drop));
        denied("read its own", thief.get(&Key::from(&*own)).await.map(drop));
        denied("delete its own", thief.delete(&Key::from(&*own)).await);
        denied("list", thief.list_with_delimiter(Some(&Key::from("lake/landing/app/h1"))).await.map(drop));
        for key in [
            "lake/landing/app/h2/t/x",
            // A star for the table would be one for this too: the object of another host.
            "lake/landing/app/h2/h1/x",
            "lake/landing/app/h10/t/x",
            "lake/landing/other/h1/x",
            "lake/silver/app/_delta_log/00000000000000000099.json",
            "lake/gold/levels/x",
            "lake/lease/00000000000000000009.json",
        ] {
            denied(key, thief.put_opts(&Key::from(key), "x".into(), create()).await.map(drop));
        }
        // And the job cannot forge what hosts put, nor replace an entry of a log.
        let central = client(&server, 1);
        let entry = Key::from("lake/silver/app/_delta_log/00000000000000000099.json");
        denied("replace an entry", central.put(&entry, "x".into()).await.map(drop));
        denied("put into the landing", central.put_opts(&fresh, "x".into(), create()).await.map(drop));
        denied("read elsewhere", central.get(&Key::from("other/x")).await.map(drop));
    });
}
