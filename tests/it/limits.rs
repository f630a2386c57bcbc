//! What a plugin may use is the operator's to say.

use std::fs;

use crate::support::{Host, component, eventually, fail, succeed};

fn guest(host: &Host, crime: &str, limits: &str) {
    let guest = component("hostile");
    host.configure(
        guest.to_str().unwrap(),
        &format!("config = {{ crime = \"{crime}\" }}\n[pipeline.limits]\n{limits}\n"),
    );
}

/// Of three lines one makes the plugin commit its crime: it is a dead letter for this reason.
#[track_caller]
fn check_reason(crime: &str, limits: &str, wanted: &str) {
    let host = Host::new("builtin:json");
    guest(&host, crime, limits);
    fs::write(host.path("logs/a.log"), "one\nPOISON\nthree\n").unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let dead = host.read("state/dead_letter", &["reason"]);
    let reason = dead[0]["reason"].as_str().unwrap();
    assert!(dead.len() == 1 && reason.contains(wanted), "{reason}");
    assert_eq!(host.read("state/silver/app", &["text"]).len(), 2);
}

#[test]
fn memory_and_time_are_those_of_the_configuration() {
    check_reason("memory", "memory_bytes_max = \"24MiB\"", "of which it may have 24");
    check_reason(
        "loop",
        "call_cpu_time_max = \"120ms\"\nrow_cpu_time_max = \"1us\"",
        "no end after 1.2s of CPU time",
    );
}

#[test]
fn limits_that_cannot_be_are_told() {
    let host = Host::new("builtin:json");
    let check = |limits: &str, wanted: &str| {
        guest(&host, "none", limits);
        let said = fail(&mut host.edge(&["check"]));
        assert!(said.contains(wanted) && said.contains("1 mistake\n"), "no `{wanted}` in:\n{said}");
    };
    check(
        "memory_bytes_max = \"5GiB\"",
        "pipeline[0].limits.memory_bytes_max: is too large; write at most \"4GiB\"",
    );
    check("call_cpu_time_max = \"2min\"", "pipeline[0].limits.call_cpu_time_max: is too long");
    check(
        "rejects_per_minute_max = -1",
        "pipeline[0].limits.rejects_per_minute_max: write a whole number from 0 on",
    );
    check("rows_max = 1", "pipeline[0].limits.rows_max: is not known here; known are call_cpu_time_max");
    check("component_bytes_max = \"1KiB\"", "more than the limit of 1024");
    check("memory_bytes_max = \"64KiB\"", "pipeline[0].plugin:");
}

/// Nothing is condemned by a plugin that rejects more than it may: Bronze keeps the lines, `status` says why and how
/// much waits, and a limit that is raised, or a plugin that is mended, lets them pass.
#[test]
fn a_plugin_that_rejects_too_much_holds_its_pipeline() {
    let host = Host::new("builtin:json");
    let limit = |rejects: u32| {
        host.configure("builtin:json", &format!("[pipeline.limits]\nrejects_per_minute_max = {rejects}\n"));
    };
    limit(3);
    fs::write(host.path("logs/a.log"), "{\"n\":1}\nbad 1\nbad 2\n").unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(host.read("state/dead_letter", &["line"]).len(), 2, "fewer than the limit are dead letters");

    host.append("logs/a.log", "{\"n\":2}\nbad 3\nbad 4\nbad 5\nbad 6\n");
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(
        said.contains("pipeline `app` holds")
            && said.contains("rejects 4 lines within a minute, of at most 3"),
        "{said}"
    );
    assert_eq!(host.read("state/dead_letter", &["line"]).len(), 2);
    let status = succeed(&mut host.edge(&["status"]));
    assert!(status.contains("HOLDS") && status.contains("waiting: 1 (5 lines, "), "{status}");

    let agent = host.start();
    eventually("the agent holds too", || succeed(&mut host.edge(&["status"])).contains("HOLDS"));
    limit(4);
    eventually("it goes on by itself", || host.added("state/dead_letter") == 6);
    eventually("it tells so", || !succeed(&mut host.edge(&["status"])).contains("HOLDS"));
    host.append("logs/a.log", "bad 7\n");
    eventually("a minute's rejects add up", || {
        succeed(&mut host.edge(&["status"])).contains("rejects 5 lines")
    });
    agent.stop();
    assert_eq!(host.read("state/silver/app", &["fields"]).len(), 2);
}
