//! Whatever is done to a file in place, to its name and to its inode: each line that stands in it arrives once, at its
//! own offset, and no file is taken for another.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Host, succeed};

/// A host that reads `pattern`, with its plugin compiled.
fn host(pattern: &str) -> Host {
    let host = Host::new("builtin:json");
    host.edit(|edge| edge.replace("logs/*.log*", pattern));
    succeed(&mut host.edge(&["run", "--once"]));
    host
}

fn numbered(prefix: &str, numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("{prefix} {number:06}\n")).collect()
}

/// Four kilobytes with which files begin alike: more than is kept of a file's beginning to tell it by.
fn header() -> String {
    numbered("all these logs begin alike with", 0..100)
}

fn lines(contents: &[String]) -> usize {
    contents.iter().map(|content| content.lines().count()).sum()
}

/// What a file holds after it was rewritten for the `round`th time.
type Rewrite = (&'static str, fn(usize) -> String);

const REWRITES: [Rewrite; 7] = [
    ("logs/shorter.log", |round| numbered(&format!("round {round}"), 0..300 - 50 * round)),
    ("logs/longer.log", |round| numbered(&format!("round {round}"), 0..100 + 50 * round)),
    ("logs/as-long.log", |round| numbered(&format!("round {round}"), 0..100)),
    ("logs/shorter-alike.log", |round| header() + &numbered(&format!("round {round}"), 0..300 - 50 * round)),
    ("logs/longer-alike.log", |round| header() + &numbered(&format!("round {round}"), 0..100 + 50 * round)),
    ("logs/middle.log", |round| {
        header() + &numbered(&format!("round {round}"), 0..200) + &numbered("all end alike", 0..50)
    }),
    // All but the last line is as it was.
    ("logs/last-line.log", |round| format!("{}end {round}\n{}", header(), numbered("more", 0..round))),
];

#[test]
fn a_file_truncated_and_rewritten_in_place_is_read_anew_whatever_it_holds_then() {
    let host = host("logs/*.log");
    let mut agent = host.start();
    let mut contents = Vec::new();
    for round in 0..5 {
        if round == 3 {
            agent.kill();
        }
        for (name, rewrite) in REWRITES {
            let content = rewrite(round);
            let path = host.path(name);
            let inode = fs::metadata(&path).map(|metadata| metadata.ino());
            let at = content.match_indices('\n').nth(50).unwrap().0 + 1;
            OpenOptions::new().create(true).write(true).truncate(true).open(&path).unwrap();
            host.append(name, &content[..at]);
            if round % 2 == 1 {
                std::thread::sleep(Duration::from_millis(20));
            }
            host.append(name, &content[at..]);
            assert!(inode.is_err() || inode.unwrap() == fs::metadata(&path).unwrap().ino());
            contents.push(content);
        }
        if round == 3 {
            agent = host.start();
        }
        host.wait_for_lines(lines(&contents));
    }
    agent.stop();
    host.assert_files(&contents);
    let status = succeed(&mut host.edge(&["status"]));
    assert!(status.contains("files vanished unread: 0"), "{status}");
}

/// Files that begin alike, by name, and those that are gone.
struct Twins {
    host: Host,
    standing: BTreeMap<&'static str, String>,
    gone: Vec<String>,
    written: usize,
}

impl Twins {
    fn append(&mut self, name: &'static str, count: usize) {
        let text = numbered("line", self.written..self.written + count);
        self.written += count;
        let content = self.standing.entry(name).or_default();
        let text = if content.is_empty() { header() + &text } else { text };
        content.push_str(&text);
        self.host.append(&format!("logs/{name}"), text);
    }

    fn rename(&mut self, from: &'static str, to: &'static str) {
        fs::rename(self.host.path(&format!("logs/{from}")), self.host.path(&format!("logs/{to}"))).unwrap();
        let content = self.standing.remove(from).unwrap();
        self.gone.extend(self.standing.insert(to, content));
    }

    fn swap(&mut self) {
        for (from, to) in [("a.log", "other"), ("b.log", "a.log"), ("other", "b.log")] {
            self.rename(from, to);
        }
    }

    fn contents(&self) -> Vec<String> {
        self.standing.values().chain(&self.gone).cloned().collect()
    }
}

#[test]
fn files_that_begin_alike_keep_their_own_offsets_across_renames_over_each_other_and_restarts() {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Agent {
        Runs,
        IsStopped,
        IsKilled,
    }
    let host = host("logs/*.log");
    let mut twins = Twins { host, standing: BTreeMap::new(), gone: Vec::new(), written: 0 };
    let mut agent = Some(twins.host.start());
    for what in [Agent::Runs, Agent::IsStopped, Agent::IsKilled, Agent::Runs] {
        twins.append("a.log", 10);
        twins.append("b.log", 15);
        twins.host.wait_for_lines(lines(&twins.contents()));
        match (what, agent.as_mut()) {
            (Agent::IsStopped, _) => agent.take().unwrap().stop(),
            (Agent::IsKilled, Some(agent)) => agent.kill(),
            _ => {}
        }
        twins.rename("a.log", "b.log");
        twins.append("a.log", 5);
        twins.append("b.log", 3);
        twins.swap();
        twins.append("a.log", 2);
        if what != Agent::Runs {
            agent = Some(twins.host.start());
        }
        twins.append("b.log", 4);
        twins.host.wait_for_lines(lines(&twins.contents()));
        twins.swap();
    }
    twins.append("a.log", 1);
    twins.append("b.log", 1);
    twins.host.wait_for_lines(lines(&twins.contents()));
    agent.unwrap().stop();
    twins.host.assert_files(twins.contents());
}

/// Makes files in `logs` that get these inodes, as soon as the file system gives them away; says whether it did.
fn make_with_inodes(host: &Host, mut wanted: BTreeMap<u64, (&str, &str)>) -> bool {
    fs::create_dir_all(host.path("spare")).unwrap();
    for _ in 0..200 {
        for n in 0..100 {
            let spare = host.path(&format!("spare/{n}"));
            let file = fs::File::create(&spare).unwrap();
            if let Some((name, text)) = wanted.remove(&file.metadata().unwrap().ino()) {
                fs::write(&spare, text).unwrap();
                fs::rename(&spare, host.path(&format!("logs/{name}"))).unwrap();
            }
        }
        if wanted.is_empty() {
            return true;
        }
        (0..100).for_each(|n| drop(fs::remove_file(host.path(&format!("spare/{n}")))));
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!("skipped: this file system gives no inode away again");
    false
}

fn inode(host: &Host, name: &str) -> u64 {
    fs::metadata(host.path(&format!("logs/{name}"))).unwrap().ino()
}

#[test]
fn a_new_file_with_the_inode_of_a_deleted_one_is_read_from_its_beginning_whatever_its_size() {
    let host = host("logs/*.log");
    let news: [Rewrite; 4] = [
        ("as-long.log", |round| numbered(&format!("round {round}"), 0..100)),
        ("longer.log", |round| numbered(&format!("round {round}"), 0..100 + 50 * round)),
        ("as-long-alike.log", |round| header() + &numbered(&format!("round {round}"), 0..100)),
        ("longer-alike.log", |round| header() + &numbered(&format!("round {round}"), 0..100 + 50 * round)),
    ];
    let old: Vec<String> = news.map(|(_, text)| text(0)).into();
    for ((name, _), text) in news.iter().zip(&old) {
        host.append(&format!("logs/{name}"), text);
    }
    succeed(&mut host.edge(&["run", "--once"]));
    let new: Vec<String> = news.map(|(_, text)| text(1)).into();
    let inodes = news.iter().map(|(name, _)| inode(&host, name)).collect::<Vec<_>>();
    let of = |at: usize| (news[at].0, new[at].as_str());
    news.iter().for_each(|(name, _)| fs::remove_file(host.path(&format!("logs/{name}"))).unwrap());
    if make_with_inodes(&host, inodes.iter().enumerate().map(|(at, inode)| (*inode, of(at))).collect()) {
        succeed(&mut host.edge(&["run", "--once"]));
        host.assert_files(old.iter().chain(&new));
    }
}

/// Compresses the file before there is a new one, as logrotate does with `compress` and `nocreate`.
fn rotate_and_compress(host: &Host) {
    for generation in (1..8).rev() {
        let name = |generation: usize| host.path(&format!("logs/app.log.{generation}.gz"));
        if name(generation).exists() {
            fs::rename(name(generation), name(generation + 1)).unwrap();
        }
    }
    fs::rename(host.path("logs/app.log"), host.path("logs/app.log.1")).unwrap();
    succeed(Command::new("gzip").arg(host.path("logs/app.log.1")));
}

#[test]
fn a_new_file_with_the_inode_of_one_that_was_compressed_is_read_and_the_old_one_is_not_read_again() {
    for pattern in ["logs/*.log", "logs/app.log*"] {
        let host = host(pattern);
        let mut agent = Some(host.start());
        let mut contents = vec![numbered("generation 0", 0..100)];
        host.append("logs/app.log", &contents[0]);
        host.wait_for_lines(100);
        for generation in 1..6 {
            let is_stopped = generation % 2 == 0;
            if is_stopped {
                agent.take().unwrap().stop();
            }
            // Some of it is rotated away and compressed before it is read.
            if generation > 2 {
                let late = numbered("late", 0..50);
                host.append("logs/app.log", &late);
                contents.last_mut().unwrap().push_str(&late);
            }
            let old = inode(&host, "app.log");
            rotate_and_compress(&host);
            // As long as the one before, or longer.
            let text = numbered(&format!("generation {generation}"), 0..100 + 100 * (generation / 2));
            if !make_with_inodes(&host, BTreeMap::from([(old, ("app.log", text.as_str()))])) {
                return;
            }
            contents.push(text);
            agent = agent.or_else(|| Some(host.start()));
            host.wait_for_lines(lines(&contents));
        }
        agent.unwrap().stop();
        host.assert_files(&contents);
    }
}

/// A log and how it is rotated.
type Rotation = (&'static str, fn(&Host, &str));

const ROTATIONS: [Rotation; 3] = [
    ("renamed.log", |host, name| fs::rename(host.path(name), host.path(&format!("{name}.1"))).unwrap()),
    ("copied.log", |host, name| {
        fs::copy(host.path(name), host.path(&format!("{name}.1"))).unwrap();
        OpenOptions::new().write(true).open(host.path(name)).unwrap().set_len(0).unwrap();
    }),
    ("compressed.log", |host, name| {
        fs::rename(host.path(name), host.path(&format!("{name}.1"))).unwrap();
        succeed(Command::new("gzip").arg(host.path(&format!("{name}.1"))));
    }),
];

#[test]
fn an_agent_that_was_suspended_finds_all_that_was_rotated_meanwhile() {
    for pattern in ["logs/*.log", "logs/*.log*"] {
        let host = host(pattern);
        let agent = host.start();
        let mut contents = Vec::new();
        for (name, _) in ROTATIONS {
            contents.push(numbered(&format!("{name} 0"), 0..100));
            host.append(&format!("logs/{name}"), contents.last().unwrap());
        }
        host.wait_for_lines(lines(&contents));
        agent.signal(Signal::STOP);
        for generation in 1..5 {
            for (at, (name, rotate)) in ROTATIONS.into_iter().enumerate() {
                let name = format!("logs/{name}");
                let late = numbered("late", 0..generation);
                host.append(&name, &late);
                let last = contents.len() - ROTATIONS.len();
                contents[last].push_str(&late);
                for (old, ending) in (1..5).rev().flat_map(|old| [(old, ""), (old, ".gz")]) {
                    let from = host.path(&format!("{name}.{old}{ending}"));
                    if from.exists() {
                        fs::rename(from, host.path(&format!("{name}.{}{ending}", old + 1))).unwrap();
                    }
                }
                rotate(&host, &name);
                contents.push(numbered(&format!("{at} {generation}"), 0..100 + generation));
                host.append(&name, contents.last().unwrap());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        agent.signal(Signal::CONT);
        host.wait_for_lines(lines(&contents));
        agent.stop();
        host.assert_files(&contents);
    }
}
