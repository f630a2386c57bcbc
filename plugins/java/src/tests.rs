use serde_json::json;

use super::*;

fn open(config: &str) -> Result<Java, String> {
    serde_json::from_str(config).map_err(|error| error.to_string())
}

/// A record as `column=value|..`, without what has no value; or the reason of its reject.
fn read(java: &mut Java, record: &str) -> Result<String, String> {
    let ingested_at = Timestamp::parse_rfc3339("2026-11-30T12:00:00Z").expect("a time");
    let entry = super::java(record, ingested_at, java).map_err(|reject| reject.reason().to_owned())?;
    let Entry { time, level, thread, logger, message, exception, fields } = entry;
    let time = time.map(|time| time.to_string().replace(".000000", ""));
    let columns = [
        ("time", time.as_deref()),
        ("level", level),
        ("thread", thread),
        ("logger", logger),
        ("message", message),
        ("exception", exception),
    ];
    let columns = columns.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    let pairs = fields.pairs();
    let pairs = pairs.iter().map(|(key, value)| format!("{key}={value}"));
    Ok(columns.chain(pairs).collect::<Vec<_>>().join("|"))
}

#[track_caller]
fn check(pattern: &str, record: &str, expected: &str) {
    let config = json!({"patterns": [pattern], "zone": "+01:00"}).to_string();
    let mut java = open(&config).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read(&mut java, record).as_deref(), Ok(expected), "{pattern} on {record}");
}

#[track_caller]
fn check_default(record: &str, expected: &str) {
    let read = read(&mut open("{}").expect("the defaults"), record);
    assert_eq!(read.as_deref(), Ok(expected), "{record}");
}

const TIME: &str = "time=2026-11-30T08:05:09.123000Z";

#[test]
fn common_programs_need_no_pattern() {
    for (record, expected) in [
        (
            "2026-11-30T08:05:09.123Z  INFO 77 --- [shop] [  nio-8080-exec-1] [65f1c0ffee-8d1c                     ] o.e.s.Shop : a [b] c : d",
            "|level=INFO|thread=nio-8080-exec-1|logger=o.e.s.Shop|message=a [b] c : d|application=shop|pid=77|trace=65f1c0ffee-8d1c",
        ),
        (
            "2026-11-30T08:05:09.123Z ERROR 77 --- [shop] [           main] o.a.c.c.C.[Tomcat].[localhost].[/]       : a [b] [c] d : e",
            "|level=ERROR|thread=main|logger=o.a.c.c.C.[Tomcat].[localhost].[/]|message=a [b] [c] d : e|application=shop|pid=77",
        ),
        (
            "2026-11-30 08:05:09.123  WARN 77 --- [           main] org.example.Shop                         : a [b] c : d",
            "|level=WARN|thread=main|logger=org.example.Shop|message=a [b] c : d|pid=77",
        ),
        (
            "2026-11-30 08:05:09,123 [main] INFO  org.example.Shop - a - b: c",
            "|level=INFO|thread=main|logger=org.example.Shop|message=a - b: c",
        ),
        (
            "08:05:09.123 [main] DEBUG org.example.Shop -- it is",
            "|level=DEBUG|thread=main|logger=org.example.Shop|message=it is",
        ),
        (
            "08:05:09.123 [main] DEBUG org.example.Shop - it is",
            "|level=DEBUG|thread=main|logger=org.example.Shop|message=it is",
        ),
        (
            "2026-11-30 08:05:09,123 INFO [IPC Server handler 0 on 9000] org.apache.hadoop.ipc.Server: a - b: c",
            "|level=INFO|thread=IPC Server handler 0 on 9000|logger=org.apache.hadoop.ipc.Server|message=a - b: c",
        ),
        (
            "2026-11-30 08:05:09,123 INFO org.apache.hadoop.hdfs.StateChange: BLOCK* a: b",
            "|level=INFO|logger=org.apache.hadoop.hdfs.StateChange|message=BLOCK* a: b",
        ),
        (
            "2026-11-30 08:05:09,123 - WARN  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - a] - b",
            "|level=WARN|thread=QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181|message=a] - b|class=FastLeaderElection|line=774",
        ),
        (
            "2026-11-30 08:05:09,123 [myid:2] - INFO  [ProcessThread(sid:2 cport:-1)::PrepRequestProcessor@476] - m",
            "|level=INFO|thread=ProcessThread(sid:2 cport:-1):|message=m|class=PrepRequestProcessor|line=476|myid=2",
        ),
        (
            "[2026-11-30 08:05:09,123] INFO Values: \n\ta = (b)\n\tc = d (kafka.server.KafkaConfig)",
            "|level=INFO|logger=kafka.server.KafkaConfig|message=Values: \n\ta = (b)\n\tc = d",
        ),
        (
            "[2026-11-30T08:05:09,123][INFO ][o.e.n.Node               ] [node-1] started [x]",
            "|level=INFO|logger=o.e.n.Node|message=started [x]|node_name=node-1",
        ),
        (
            "INFO  [MemtableFlushWriter:1] 2026-11-30 08:05:09,123 Memtable.java:429 - Completed - yes",
            "|level=INFO|thread=MemtableFlushWriter:1|message=Completed - yes|file=Memtable.java|line=429",
        ),
        (
            "2026-11-30 08:05:09,123 INFO  [org.jboss.as] (Controller Boot Thread) WFLYSRV0025: started (ok) in 1 ms",
            "|level=INFO|thread=Controller Boot Thread|logger=org.jboss.as|message=WFLYSRV0025: started (ok) in 1 ms",
        ),
        (
            "30-Nov-2026 08:05:09.123 INFO [main] org.apache.catalina.core.StandardService.startInternal Starting a.b c",
            "|level=INFO|thread=main|message=Starting a.b c|class=org.apache.catalina.core.StandardService|method=startInternal",
        ),
    ] {
        check_default(record, &format!("{TIME}{expected}"));
    }
    check_default(
        "26/11/30 08:05:09 INFO executor.CoarseGrainedExecutorBackend: Registered",
        "time=2026-11-30T08:05:09Z|level=INFO|logger=executor.CoarseGrainedExecutorBackend|message=Registered",
    );
    check_default(
        "Nov 30, 2026 8:05:09 AM org.example.Main main\nINFO: started: ok",
        "time=2026-11-30T08:05:09Z|level=INFO|message=started: ok|class=org.example.Main|method=main",
    );
}

#[test]
fn words_options_and_groups_of_all_of_them() {
    check(
        "%date{ISO8601} [%threadName] %-5level{lowerCase=true} %logger{36}.%method:%line %msg%xEx{full}%n",
        "2026-11-30 08:05:09,123 [a [b] c] info  o.e.Shop.<init>:? m",
        "time=2026-11-30T07:05:09.123000Z|level=info|thread=a [b] c|logger=o.e.Shop|message=m|line=?|method=<init>",
    );
    check(
        r"%clr(%d{${FORMAT:-yyyy-MM-dd'T'HH:mm:ss.SSSXXX}}){faint} ${LEVEL:-%5p} ${PID:- } \(%t\) 100%% %m%n${EX:-%wEx}",
        "2026-11-30T08:05:09.123Z  WARN 77 (main (1)) 100% m",
        &format!("{TIME}|level=WARN|thread=main (1)|message=m|pid=77"),
    );
    check(
        "%highlight{%d{HH:mm:ss,SSS}{UTC} %p}{FATAL=red} {%X} <%x> %m",
        "08:05:09,123 INFO {{user=ann, roles=a, b, ip=::1}} <> m",
        &format!("{TIME}|level=INFO|message=m|ip=::1|roles=a, b|user=ann"),
    );
    check(
        "%d{UNIX_MILLIS} %X{user:-nobody} %m",
        "1796025909123 ann m",
        &format!("{TIME}|message=m|user=ann"),
    );
    check(
        "%d{yyMMdd HHmmss} %t %m %ex%n",
        "261130 080509 148 m ",
        "time=2026-11-30T07:05:09Z|thread=148|message=m ",
    );
    check(
        "%d{MMM d HH:mm:ss} %-20t %p %m",
        "Dec 3 08:05:09 a-b                  INFO  m",
        "time=2025-12-03T07:05:09Z|level=INFO|thread=a-b|message= m",
    );
    check("%d{'at' HH:mm:ss} %m", "at 12:50:00 m", "time=2026-11-30T11:50:00Z|message=m");
    check("%d{HH:mm} %m", "23:50 m", "time=2026-11-29T22:50:00Z|message=m");
    check("%p|%X{a}|%X{b}|%m", "INFO||é|m", "level=INFO|message=m|b=é");
}

#[test]
fn exceptions_follow_the_message() {
    for (record, message, exception) in [
        ("a", "a", None),
        ("a\nb", "a\nb", None),
        (
            "a\njava.lang.IllegalStateException: x\n\tat b.C.d(C.java:1)",
            "a",
            Some("java.lang.IllegalStateException: x\n\tat b.C.d(C.java:1)"),
        ),
        (
            "a\nb\njava.lang.Error\n    at b.C.d(C.java:1)\nCaused by: e.F",
            "a\nb",
            Some("java.lang.Error\n    at b.C.d(C.java:1)\nCaused by: e.F"),
        ),
        ("a\nNoPackage: x\n\tat b.C.d(C.java:1)", "a", Some("NoPackage: x\n\tat b.C.d(C.java:1)")),
        ("a\n\tat b.C.d(C.java:1)", "a", Some("\tat b.C.d(C.java:1)")),
        ("a\r\njava.lang.NullPointerException: null", "a", Some("java.lang.NullPointerException: null")),
        ("a\norg.example: no", "a\norg.example: no", None),
        ("\njava.lang.Error: x\n\t... 3 more", "", Some("java.lang.Error: x\n\t... 3 more")),
    ] {
        assert_eq!(exception::split(record), (message, exception), "{record:?}");
    }
    check("%p %m (%c)%n", "INFO a (x)\nb (c)", "level=INFO|logger=c|message=a (x)\nb");
    check(
        "%p %m (%c)%n",
        "INFO a (b)\njava.lang.Error: x",
        "level=INFO|logger=b|message=a|exception=java.lang.Error: x",
    );
}

#[test]
fn what_fits_no_pattern_says_from_where() {
    let mut one = open(r#"{"patterns":["%d [%t] %p %m"]}"#).expect("a pattern");
    for (record, at) in [
        ("", 0),
        ("yesterday", 0),
        ("2026-11-30 08:05:09,123 main", 23),
        ("2026-11-30 08:05:09,123 [main INFO m", 25),
        ("2026-11-30 08:05:09,123 [main] - m", 31),
    ] {
        assert_eq!(
            read(&mut one, record),
            Err(format!("the pattern does not fit from byte {at} on")),
            "{record}"
        );
    }
    let many = read(&mut open("{}").expect("the defaults"), "2026-11-30 08:05:09");
    assert_eq!(many, Err(format!("none of the {} patterns fits from byte 19 on", DEFAULTS.len())));
}

#[test]
fn a_wrong_pattern_says_what_to_write() {
    for (pattern, words) in [
        ("%q %m", "there is no conversion word `%q`; what it stands for can be read as `%X{name}`"),
        ("%m%t", "two values have nothing between them"),
        ("%d", "it has no conversion word: write one"),
        ("%d{QQQ} %m", "`%d{QQQ}`: `Q` is none of y u M L d E H h"),
        ("%d{yyyy} %m", "it has no month or no day"),
        (
            "%d{HH:mm}{Europe/Berlin} %m",
            "`Europe/Berlin` is no offset from UTC: write one, or leave it to `zone`",
        ),
        ("%clr(%m", "a group is not closed"),
        ("${APP} %m", "`${APP}` is a variable: write what it stands for"),
        ("${APP", "a `${` has no `}`"),
    ] {
        let error = open(&json!({ "patterns": [pattern] }).to_string()).expect_err(pattern);
        assert!(error.contains(words), "{pattern}: {error}");
    }
    assert!(open(r#"{"patterns":[]}"#).expect_err("no patterns").contains("`patterns` is empty"));
    assert!(
        open(&json!({"patterns": ["%t-".repeat(60)]}).to_string())
            .expect_err("long")
            .contains("more than 100 parts")
    );
}

/// Any part of a record, behind any other: an answer, and no panic.
#[test]
fn cut_and_mixed_records_are_answered() {
    let mut java = open("{}").expect("the defaults");
    let whole = "2026-11-30T08:05:09.123Z INFO 7 --- [é] [é [é]] é : é (é)\n[2026-11-30 08:05:09,123] é\né.E: é\n\tat é";
    let ends: Vec<usize> = whole.char_indices().map(|(at, _)| at).chain([whole.len()]).collect();
    for from in &ends {
        for to in ends.iter().filter(|to| *to >= from) {
            let _ = read(&mut java, &whole[*from..*to]);
            let _ = read(&mut java, &format!("2026-11-30 08:05:09,123 [{}", &whole[*from..*to]));
        }
    }
}

/// What could be taken apart in very many ways takes its time in proportion to its length.
#[test]
fn hostile_records_end() {
    let patterns = json!({"patterns": ["%t-%X{a}-%X{b}-%X{c}-%c-%C-%m\u{1}", "%m (%c) [%t]"]}).to_string();
    let mut java = open(&patterns).expect("patterns");
    for record in ["-a".repeat(50_000), " (a".repeat(50_000), " (a) [".repeat(50_000), "-".repeat(100_000)] {
        assert!(read(&mut java, &record).is_err());
    }
}
