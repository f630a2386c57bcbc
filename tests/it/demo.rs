//! The demo works with nothing set up, and what it leaves can be looked at.

use crate::support::{Host, logsmith, read_back, succeed};

#[test]
fn the_demo_counts_what_it_generated_and_its_next_commands_work() {
    let host = Host::new("builtin:json");
    let said = succeed(logsmith().arg("demo").arg("--dir").arg(host.path("demo")));
    assert!(said.contains("generated 12000 lines") && said.contains(": right"), "{said}");
    let gold = read_back(&[(host.path("demo/lake/gold/levels"), &["log_level", "log_count"])]).remove(0);
    assert_eq!(gold.len(), 4);
    for row in &gold {
        let (level, count) = (row["log_level"].as_str().unwrap(), row["log_count"].as_i64().unwrap());
        assert!(said.contains(level) && said.contains(&count.to_string()), "{row} is not in:\n{said}");
    }
    let next: Vec<&str> = said.lines().skip_while(|line| *line != "Next").skip(1).collect();
    assert_eq!(next.len(), 3, "{said}");
    for command in next {
        let command = command.trim().strip_prefix("logsmith").unwrap();
        let program = env!("CARGO_BIN_EXE_logsmith");
        succeed(std::process::Command::new("sh").arg("-c").arg(format!("{program} {command}")));
    }
}
