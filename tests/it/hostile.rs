//! A plugin may do its worst: the other rows arrive, the poisonous one is a dead letter that says why, and the agent
//! ends well.

use std::fs;

use crate::support::{Host, component, fail, read_back, succeed};

/// The crimes that one poisonous line sets off.
const CRIMES: [&str; 20] = [
    "trap",
    "loop",
    "memory",
    "stack",
    "short_column",
    "no_column",
    "offsets",
    "offsets_beyond",
    "utf8",
    "split_character",
    "null",
    "short_validity",
    "lost",
    "doubled",
    "rejected_twice",
    "no_such_row",
    "type",
    "flood",
    "chatter",
    "fault",
];

#[test]
fn whatever_a_plugin_does_to_one_row_the_others_arrive() {
    let host = Host::new("builtin:json");
    let guest = component("hostile");
    let pipelines = CRIMES.map(|crime| {
        format!(
            "[[pipeline]]\nname = \"{crime}\"\nplugin = \"{}\"\nconfig = {{ crime = \"{crime}\" }}\n",
            guest.display()
        )
    });
    host.edit(|edge| edge.split_once("[[pipeline]]").unwrap().0.to_owned() + &pipelines.concat());
    let line = |n: u32| if n == 33 { "POISON\n".to_owned() } else { format!("innocent {n}\n") };
    fs::write(host.path("logs/a.log"), (0..100).map(line).collect::<String>()).unwrap();
    succeed(&mut host.edge(&["run", "--once"]));

    let mut tables: Vec<(_, &[&str])> =
        vec![(host.path("state/dead_letter"), &["line", "pipeline", "reason"])];
    tables.extend(CRIMES.map(|crime| (host.path(&format!("state/silver/{crime}")), &["text"] as &[&str])));
    let rows = read_back(&tables);
    let mut innocent: Vec<String> = (0..100).filter(|n| *n != 33).map(|n| format!("innocent {n}")).collect();
    innocent.sort();
    for (crime, rows) in CRIMES.iter().zip(&rows[1..]) {
        let mut texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
        texts.sort_unstable();
        assert_eq!(texts, innocent, "{crime}: rows");
    }
    let mut dead: Vec<&str> = rows[0].iter().map(|row| row["pipeline"].as_str().unwrap()).collect();
    dead.sort_unstable();
    let mut wanted = CRIMES.to_vec();
    wanted.sort_unstable();
    assert_eq!(dead, wanted, "one dead letter a crime");
    for row in &rows[0] {
        assert_eq!(row["line"], "POISON", "{row}");
        assert!(row["reason"].as_str().unwrap().len() > 10, "{row}");
    }
}

/// A plugin that fails on everything holds its own pipeline: what came before is committed, the others go on, the
/// outcome is told, and a mended plugin takes up where it stopped.
#[test]
fn a_broken_plugin_holds_its_pipeline_until_it_is_mended() {
    let host = Host::new("builtin:json");
    let pipelines = |crime: &str| {
        let guest = component("hostile");
        let broken = format!(
            "\n[[pipeline]]\nname = \"broken\"\nplugin = \"{}\"\nconfig = {{ crime = \"{crime}\" }}\n",
            guest.display()
        );
        host.configure("builtin:json", &broken);
    };
    pipelines("trap");
    fs::write(host.path("logs/a.log"), "{\"n\":1}\n").unwrap();
    succeed(&mut host.edge(&["run", "--once"]));
    fs::write(host.path("logs/a.log"), "{\"n\":1}\n{\"n\":\"POISON\"}\n{\"n\":\"POISON\"}\n").unwrap();
    let said = fail(&mut host.edge(&["run", "--once"]));
    assert!(said.contains("pipeline `broken` holds") && said.contains("cannot take row"), "{said}");
    assert_eq!(host.read("state/silver/app", &["fields"]).len(), 3, "the other pipeline went on");
    assert_eq!(host.read("state/silver/broken", &["text"]).len(), 1);
    assert_eq!(host.read("state/dead_letter", &["line"]).len(), 0, "nobody was condemned");
    let status = succeed(&mut host.edge(&["status"]));
    assert!(status.contains("HOLDS") && status.contains("cannot take row"), "{status}");

    pipelines("none");
    succeed(&mut host.edge(&["run", "--once"]));
    assert_eq!(host.read("state/silver/broken", &["text"]).len(), 3);
    assert!(!succeed(&mut host.edge(&["status"])).contains("HOLDS"));
}
