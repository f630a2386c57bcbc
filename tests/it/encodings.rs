//! Files in other encodings than UTF-8: each line arrives once, as text, whatever is killed or rotated meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Host, fail, read_back, succeed};

/// A host whose only source says `encoding`.
fn host(encoding: &str) -> Host {
    let host = Host::new("builtin:json");
    host.edit(|edge| {
        edge.replace("last_line_timeout", &format!("encoding = \"{encoding}\"\nlast_line_timeout"))
    });
    host
}

fn utf16_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Line number `n`: U+0A00 and U+0D0A have the bytes of newlines, U+1F600 has two units.
fn line(n: u64) -> String {
    format!("{n} \u{A00}\u{D0A} \u{1F600}{}", "é".repeat(n as usize % 50))
}

#[test]
fn lines_of_utf_16_arrive_once_through_kills_and_rotations() {
    let host = host("utf-16");
    // The first start compiles the plugin.
    succeed(&mut host.edge(&["run", "--once"]));
    let stop = Arc::new(AtomicBool::new(false));
    let (told, folder) = (Arc::clone(&stop), host.path("logs"));
    let writer = std::thread::spawn(move || {
        let mut n = 0;
        while !told.load(Ordering::Relaxed) {
            let mut file = OpenOptions::new().create(true).append(true).open(folder.join("a.log")).unwrap();
            file.write_all(&utf16_be("\u{FEFF}")).unwrap();
            for _ in 0..10 {
                let lines: String = (n..n + 20).map(|n| line(n) + "\r\n").collect();
                // The agent comes across halves of units.
                for piece in utf16_be(&lines).chunks(33) {
                    file.write_all(piece).unwrap();
                }
                n += 20;
                std::thread::sleep(Duration::from_millis(5));
            }
            fs::rename(folder.join("a.log"), folder.join(format!("a.log.{n}"))).unwrap();
        }
        n
    });
    for kill in 0..8 {
        let mut agent = host.start();
        std::thread::sleep(Duration::from_millis(100 + kill * 90));
        agent.kill();
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let rows = &read_back(&[(host.path("state/bronze"), &["line", "raw"])])[0];
    assert!(rows.iter().all(|row| row["raw"].is_null()));
    let mut found: Vec<&str> = rows.iter().map(|row| row["line"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut wanted: Vec<String> = (0..written).map(line).collect();
    wanted.sort();
    let first = found.iter().zip(&wanted).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "{} of {}; first difference {first:?}", found.len(), wanted.len());
}

#[test]
fn lines_of_an_old_encoding_reach_silver_as_text_and_raw_holds_only_what_is_none() {
    let host = host("shift_jis");
    let good = b"{\"level\":\"INFO\",\"message\":\"\x93\xfa\x96\x7b\x8c\xea\"}\n";
    let bad = b"{\"level\":\"WARN\",\"message\":\"\x93\xfa \xff\"}\n";
    fs::write(host.path("logs/a.log"), [&good[..], bad].concat()).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    let [silver, bronze] =
        read_back(&[(host.path("state/silver/app"), &["message"]), (host.path("state/bronze"), &["raw"])])
            .try_into()
            .unwrap();
    let mut messages: Vec<&str> = silver.iter().map(|row| row["message"].as_str().unwrap()).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["日 \u{FFFD}", "日本語"]);
    let raw: Vec<&str> = bronze.iter().filter_map(|row| row["raw"].as_str()).collect();
    let hex: String = bad[..bad.len() - 1].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(raw, [hex]);
}

#[test]
fn an_encoding_that_is_not_served_is_told_by_check() {
    let said = fail(&mut host("ebcdic").edge(&["check"]));
    let wanted = "source[0].encoding: `ebcdic` is no encoding that is served; write a name like \"utf-8\"";
    assert!(said.contains(wanted), "{said}");
    let host = host("windows-1252");
    succeed(&mut host.edge(&["check"]));
    host.edit(|edge| edge.replace("include = ", "syslog = [\"udp://127.0.0.1:0\"]\n# "));
    let said = fail(&mut host.edge(&["check"]));
    assert!(said.contains("source[0].encoding: is not known here"), "{said}");
}
