//! The folder of compiled plugins holds what pipelines run, and no more of the disk budget than its share.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{Host, eventually, succeed};

/// What lies in the folder.
fn kept(host: &Host) -> BTreeSet<String> {
    let entries = fs::read_dir(host.path("state/cache")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_no_pipeline_runs_any_more_is_not_kept() {
    let host = Host::new("builtin:json");
    succeed(&mut host.edge(&["run", "--once"]));
    let json = kept(&host);
    assert_eq!(json.len(), 1, "{json:?}");
    // As former versions had it.
    let former = host.path("state/cache/modules/wasmtime-47");
    fs::create_dir_all(&former).unwrap();
    fs::write(former.join("module"), "code").unwrap();
    host.configure("builtin:logfmt", "");
    succeed(&mut host.edge(&["run", "--once"]));
    let logfmt = kept(&host);
    assert!(logfmt.len() == 1 && logfmt != json, "{logfmt:?}");

    let agent = host.start();
    eventually("the agent has started", || host.commits("state/bronze") > 2);
    host.configure("builtin:json", "");
    eventually("what runs now is kept, and nothing else", || kept(&host) == json);
    agent.stop();
}

#[test]
fn compiled_plugins_count_in_the_budget_and_have_a_share_of_it() {
    let host = Host::new("builtin:json");
    // Two that take a megabyte each.
    host.configure("builtin:json", "\n[[pipeline]]\nname = \"two\"\nplugin = \"builtin:logfmt\"\n");
    host.edit(|edge| edge.replace("[agent]", "[agent]\ndisk_budget = \"10MB\""));
    succeed(&mut host.edge(&["run", "--once"]));
    let bytes: u64 =
        kept(&host).iter().map(|name| fs::metadata(host.path("state/cache").join(name)).unwrap().len()).sum();
    assert!(bytes <= 1_000_000, "{bytes} bytes are taken by compiled plugins");

    fs::File::create(host.path("state/cache/other.cwasm")).unwrap().set_len(9_000_000).unwrap();
    let status = succeed(&mut host.edge(&["status"]));
    assert!(status.contains("full, reading waits"), "{status}");
    succeed(&mut host.edge(&["run", "--once"]));
    let status = succeed(&mut host.edge(&["status"]));
    assert!(!status.contains("full, reading waits"), "{status}");
}
