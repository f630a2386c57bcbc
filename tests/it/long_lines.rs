//! Lines without an end, and lines without end: a last line is taken once, in due time, and a line of any length takes
//! bounded memory, is cut at the limit, marked and counted, and the file goes on behind it.

use crate::support::{Host, eventually, fail, succeed};

/// A host with its plugin compiled, so that what an agent holds is for its lines.
fn host(settings: &str) -> Host {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("last_line_timeout = \"300ms\"", settings));
    succeed(&mut host.edge(&["run", "--once"]));
    host
}

fn owned(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
    lines.iter().map(|(offset, line)| (*offset, (*line).to_owned())).collect()
}

#[test]
fn a_last_line_without_newline_is_taken_once_whether_its_newline_comes_later_or_more_of_it() {
    let host = host("last_line_timeout = \"300ms\"");
    let agent = host.start();
    host.append("logs/newline.log", "one\ntwo");
    host.append("logs/return.log", "one\r\ntwo");
    host.append("logs/more.log", "one\ntwo");
    host.wait_for_lines(6);
    agent.stop();
    let agent = host.start();
    host.append("logs/newline.log", "\nthree\n");
    host.append("logs/return.log", "\r\nthree\r\n");
    host.append("logs/more.log", " and a half\nthree\n");
    host.wait_for_lines(10);
    agent.stop();
    let mut files = host.files();
    files.sort_unstable();
    let wanted = [
        owned(&[(0, "one"), (4, "two"), (7, " and a half"), (19, "three")]),
        owned(&[(0, "one"), (4, "two"), (8, "three")]),
        owned(&[(0, "one"), (5, "two"), (10, "three")]),
    ];
    assert_eq!(files, wanted);
}

#[test]
fn a_last_line_that_is_not_complete_when_the_agent_stops_or_dies_comes_whole_after_the_next_start() {
    let host = host("last_line_timeout = \"1h\"");
    let mut agent = host.start();
    host.append("logs/a.log", "one\ntwo, ");
    eventually("the complete line is taken", || host.taken("logs/a.log") == Some(4));
    agent.stop();
    assert_eq!(host.taken("logs/a.log"), Some(4), "the position is not past a line that was not taken");
    agent = host.start();
    host.append("logs/a.log", "which goes on,\nthree, ");
    eventually("the completed line is taken", || host.taken("logs/a.log") == Some(24));
    agent.kill();
    host.append("logs/a.log", "too");
    agent = host.start();
    host.append("logs/a.log", "\n");
    host.wait_for_lines(3);
    agent.stop();
    host.assert_files(["one\ntwo, which goes on,\nthree, too\n"]);
}

/// Megabytes of a line that does not end; `LOGSMITH_ENDLESS_MB=4000` writes four gigabytes, by default it is a quarter of one.
fn endless_megabytes() -> usize {
    std::env::var("LOGSMITH_ENDLESS_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

/// What an agent may hold in memory with the default limits, in bytes, whatever its lines are.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

/// A row of Bronze: its file, its offset, the length of its line, and how much was cut off.
fn rows(host: &Host, name: &str) -> Vec<(u64, usize, Option<u64>)> {
    let path = host.path(name);
    let mut rows: Vec<_> = host
        .read("state/bronze", &["path", "offset", "line", "cut_bytes"])
        .iter()
        .filter(|row| row["path"].as_str() == path.to_str())
        .map(|row| {
            (row["offset"].as_u64().unwrap(), row["line"].as_str().unwrap().len(), row["cut_bytes"].as_u64())
        })
        .collect();
    rows.sort_unstable();
    rows
}

#[test]
fn lines_of_any_length_take_bounded_memory_and_are_cut_marked_and_counted() {
    const LIMIT: usize = 1 << 20;
    let host = host("last_line_timeout = \"1h\"");
    let mut wanted = Vec::new();
    let mut offset = 0;
    for length in [100 << 10, LIMIT, LIMIT + 1, 10 << 20, 64 << 20] {
        host.append("logs/long.log", "x".repeat(length) + "\nbehind it\n");
        let cut = length.saturating_sub(LIMIT) as u64;
        wanted.push((offset, length.min(LIMIT), Some(cut).filter(|cut| *cut > 0)));
        wanted.push((offset + length as u64 + 1, "behind it".len(), None));
        offset += length as u64 + 11;
    }
    let agent = host.start();
    let piece = "y".repeat(4 << 20);
    for _ in 0..endless_megabytes() / 4 {
        host.append("logs/endless.log", &piece);
    }
    host.append("logs/endless.log", "\nbehind it\n");
    let size = std::fs::metadata(host.path("logs/endless.log")).unwrap().len();
    eventually("all is read", || {
        host.taken("logs/long.log") == Some(offset) && host.taken("logs/endless.log") == Some(size)
    });
    let held = agent.memory_bytes_max();
    assert!(held < MEMORY_BYTES_MAX, "{} MB", held >> 20);
    agent.stop();

    let (long, endless) = (rows(&host, "logs/long.log"), rows(&host, "logs/endless.log"));
    assert_eq!(long, wanted);
    let mut due = 0;
    for (offset, length, cut) in &endless {
        assert_eq!(*offset, due, "every byte is kept, or counted as cut");
        due += *length as u64 + cut.unwrap_or(0);
        // The newline comes behind the last piece.
        due += u64::from(due == size - 11 || due == size - 1);
    }
    assert_eq!((due, endless.last()), (size, Some(&(size - 10, 9, None))));
    let cut: Vec<u64> = long.iter().chain(&endless).filter_map(|(.., cut)| *cut).collect();
    let status = succeed(&mut host.edge(&["status"]));
    let (bytes, lines) = (bytesize::ByteSize(cut.iter().sum()), cut.len());
    assert!(status.contains(&format!("lines cut: {lines} ({bytes} left out)")), "{status}");
}

#[test]
fn a_line_of_64_mib_arrives_whole_where_the_limit_allows_it_and_no_higher_limit_is_accepted() {
    let host = host("line_bytes_max = \"64MiB\"");
    host.append("logs/a.log", "x".repeat(64 << 20) + "\nbehind it\n");
    let agent = host.start();
    host.wait_for_lines(2);
    let held = agent.memory_bytes_max();
    assert!(held < 3 * MEMORY_BYTES_MAX, "{} MB", held >> 20);
    agent.stop();
    assert_eq!(rows(&host, "logs/a.log"), [(0, 64 << 20, None), ((64 << 20) + 1, 9, None)]);
    host.edit(|edge| edge.replace("64MiB", "65MiB"));
    let said = fail(&mut host.edge(&["check"]));
    assert!(said.contains("line_bytes_max") && said.contains("write at most \"64MiB\""), "{said}");
}
