//! The lake may lie in Azure, and S3 may be reached as a company's network has it: over TLS with an authority of its own,
//! through a proxy, encrypted at rest.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::s3::{self, KEY, SECRET, Server};
use crate::support::{Host, can_install, eventually, fail, python_with, succeed, text};

/// The emulator of Azure's store that its vendor publishes.
const AZURITE: &str = "azurite@3.37.0";
/// Who is neither the emulator nor the agent: the vendor's own client, and an independent reader.
const CLIENTS: [&str; 3] = ["azure-storage-blob==12.31.1", "deltalake==1.6.6", "pyarrow==26.0.1"];
/// Authorities and certificates for tests.
const TRUST: [&str; 1] = ["trustme==1.2.1"];
const ACCOUNT: &str = "azure_storage_account_name = \"devstoreaccount1\"\nazure_allow_http = \"true\"\n";
const KEY_OF_ACCOUNT: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The emulator's program, in a folder of its own that is made at first use.
fn azurite() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(AZURITE);
    if !folder.join("complete").exists() {
        let mut install = Command::new("npm");
        install
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(AZURITE);
        succeed(&mut install);
        fs::write(folder.join("complete"), "").unwrap();
    }
    folder.join("node_modules/azurite/dist/src/blob/main.js")
}

/// Starts the emulator, and says where it is.
fn start_azurite() -> (Process, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut node = Command::new("node");
    node.arg(azurite()).args(["--blobHost", "127.0.0.1", "--blobPort", &port, "--inMemoryPersistence"]);
    node.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]);
    let emulator = Process(node.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    eventually("the emulator listens", || TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
    (emulator, format!("http://127.0.0.1:{port}/devstoreaccount1"))
}

/// What the vendor's client, or the independent reader, answers.
fn azure(endpoint: &str, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azurite.py");
    succeed(Command::new(python_with(&CLIENTS)).arg(script).arg(endpoint).args(arguments))
}

/// Has the host put to `url` with these options, and the central job read it with those.
fn move_lake(host: &Host, url: &str, edge_options: &str, central_options: &str) {
    let local = format!("url = \"file://{}\"\n", host.path("lake").display());
    host.edit(|edge| edge.replace(&local, &format!("url = \"{url}\"\n\n[central.options]\n{edge_options}")));
    let central = fs::read_to_string(host.path("central.toml")).unwrap();
    let there = format!("url = \"{url}\"\n\n[options]\n{central_options}");
    fs::write(host.path("central.toml"), central.replace(&local, &there)).unwrap();
}

#[test]
fn a_lake_in_azure_is_filled_with_a_key_that_only_creates_and_read_by_others() {
    if !can_install("npm") {
        return;
    }
    let (_emulator, endpoint) = start_azurite();
    azure(&endpoint, &["container", "logs"]);
    let host = Host::new("builtin:json");
    let sas = azure(&endpoint, &["create-only", "logs"]);
    let reached = format!("{ACCOUNT}azure_storage_endpoint = \"{endpoint}\"\n");
    let of_host = format!("{reached}azure_storage_sas_token = \"{}\"\n", sas.trim());
    move_lake(&host, "az://logs/lake", &of_host, "");
    let central = |arguments: &[&str]| {
        let mut command = host.central(arguments);
        command.env("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1");
        command.env("AZURE_STORAGE_ACCOUNT_KEY", KEY_OF_ACCOUNT);
        command.env("AZURE_STORAGE_ENDPOINT", &endpoint).env("AZURE_ALLOW_HTTP", "true");
        command
    };
    for pass in 1..=3 {
        host.append("logs/a.log", "{\"level\":\"INFO\",\"message\":\"m\"}\n".repeat(100) + "no json\n");
        succeed(&mut host.edge(&["run", "--once"]));
        // Two jobs at once: commits are conditional, so that one of them makes each.
        let jobs = [(); 2]
            .map(|()| central(&["compact"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        for job in jobs {
            let output = job.wait_with_output().unwrap();
            assert!(output.status.success(), "pass {pass}: {}", text(&output));
        }
    }
    let said = succeed(&mut central(&["query", "--format", "csv", "SELECT * FROM gold.levels"]));
    assert_eq!(said, "log_level,log_count\nINFO,300\n");
    let rows = azure(&endpoint, &["rows", "az://logs/lake/gold/levels", "log_level", "log_count"]);
    assert_eq!(rows.trim(), r#"[{"log_level": "INFO", "log_count": 300}]"#);
    let offsets = azure(&endpoint, &["rows", "az://logs/lake/silver/app", "offset"]);
    let offsets: Vec<serde_json::Value> = serde_json::from_str(&offsets).unwrap();
    assert_eq!(offsets.iter().collect::<std::collections::HashSet<_>>().len(), 300);

    // What the host's key opens to a thief: nothing.
    let stolen = format!("url = \"az://logs/lake\"\n\n[options]\n{of_host}");
    fs::write(host.path("central.toml"), stolen).unwrap();
    let said = fail(&mut host.central(&["query", "SELECT 1"]));
    assert!(said.contains("az://logs/lake") && said.contains("403"), "{said}");
    assert!(!said.contains("sig="), "a key is shown: {said}");
}

#[test]
fn s3_is_reached_over_tls_of_an_own_authority_through_a_proxy_and_encrypted() {
    let host = Host::new("builtin:json");
    let server = Server::start(&host.path("s3"), TcpListener::bind("127.0.0.1:0").unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls_proxy.py");
    let mut python = Command::new(python_with(&TRUST));
    python.arg(script).arg(server.address().port().to_string()).arg(host.path(""));
    let mut front = Process(python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut ports = String::new();
    let said = front.0.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut ports).unwrap();
    let (tls, proxy) = ports.trim().split_once(' ').unwrap();
    let tls = format!("127.0.0.1:{tls}");

    let untrusted = s3::options(tls.parse().unwrap(), KEY, SECRET)
        .replace("http://", "https://")
        .replace("aws_allow_http = \"true\"\n", "")
        + &format!("proxy_url = \"http://127.0.0.1:{proxy}\"\naws_server_side_encryption = \"AES256\"\n");
    let trusted = format!("{untrusted}ca_file = \"{}\"\n", host.path("ca.pem").display());
    move_lake(&host, "s3://logs/lake", &trusted, &untrusted);
    host.append("logs/a.log", "{\"level\":\"INFO\",\"message\":\"m\"}\n".repeat(100));
    succeed(&mut host.edge(&["run", "--once"]));

    let said = fail(&mut host.central(&["compact"]));
    assert!(said.contains("s3://logs/lake") && said.contains("certificate"), "why it is refused: {said}");
    let compact = |command: &mut Command| succeed(command.env("AWS_CA_BUNDLE", host.path("ca.pem")));
    let said = compact(&mut host.central(&["compact"]));
    assert!(said.contains("silver/app: 1 objects, 100 rows folded"), "{said}");
    let said = compact(&mut host.central(&["query", "--format", "csv", "SELECT * FROM gold.levels"]));
    assert_eq!(said, "log_level,log_count\nINFO,100\n");

    let connects = fs::read_to_string(host.path("connects")).unwrap();
    let wanted = format!("CONNECT {tls} HTTP/1.1");
    assert!(connects.lines().count() > 2 && connects.lines().all(|line| line == wanted), "{connects}");
    let asked = server.asked();
    let puts: Vec<_> = asked.iter().filter(|asked| asked.method == "PUT").collect();
    assert!(puts.len() > 3, "{puts:?}");
    assert!(puts.iter().all(|put| put.encryption == "AES256"), "{puts:?}");
}
