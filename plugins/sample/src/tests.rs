use logsmith_plugin::Strings;

use super::*;

fn fields() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.into(), kind, nullable: true };
    vec![
        field("host", Kind::Utf8),
        field("file", Kind::Int64),
        field("offset", Kind::Int64),
        field("trace", Kind::Utf8),
        field("level", Kind::Utf8),
        field("fields", Kind::StringMap),
    ]
}

fn texts(values: impl Iterator<Item = String>) -> Values {
    let mut strings = Strings::with_capacity(0, 0);
    values.for_each(|value| strings.push(value.as_bytes()));
    Values::Utf8(strings)
}

/// Rows from `first` on, of which ten have a trace in common, and each hundredth has none and is an error.
fn sampled(config: &str, host: &str, first: i64, rows: i64) -> (Vec<i64>, Vec<i64>) {
    let (mut plugin, plan) =
        SamplePlugin::open(config, &fields()).unwrap_or_else(|fault| panic!("{config}: {fault:?}"));
    let numbers = first..first + rows;
    let is_hundredth = |n: i64| n % 100 == 0;
    let column = |name: &str| {
        let values = match name {
            "host" => texts(numbers.clone().map(|_| host.into())),
            "file" => Values::Int64(numbers.clone().map(|_| 1).collect()),
            "offset" => Values::Int64(numbers.clone().collect()),
            "trace" => texts(numbers.clone().map(|n| format!("t{}", n / 10))),
            _ => texts(numbers.clone().map(|n| if is_hundredth(n) { "ERROR".into() } else { "INFO".into() })),
        };
        let mut validity = vec![0xff_u8; rows as usize / 8 + 1];
        for (at, n) in numbers.clone().enumerate().filter(|(_, n)| name == "trace" && is_hundredth(*n)) {
            assert!(is_hundredth(n));
            validity[at / 8] &= !(1 << (at % 8));
        }
        Column { values, validity: Some(validity) }
    };
    let columns = plan.reads.iter().map(|name| column(name)).collect();
    let output = plugin.apply(Batch { rows: rows as u32, columns }).expect("a good batch");
    assert_eq!(output.source_rows.len() + output.dropped.len(), rows as usize);
    let weights: View<'_, i64> = View::of(&output.columns[0]).expect("weights");
    let weights = (0..output.source_rows.len()).map(|at| weights.get(at).expect("a weight")).collect();
    (output.source_rows.iter().map(|row| i64::from(*row) + first).collect(), weights)
}

#[test]
fn one_row_in_so_many_is_kept_whatever_the_batch() {
    let config = r#"{"keep_one_in":10}"#;
    let (kept, weights) = sampled(config, "h1", 0, 10_000);
    assert!((900..1_100).contains(&kept.len()), "{}", kept.len());
    assert!(weights.iter().all(|weight| *weight == 10));
    let pieces = [(0, 3_000), (3_000, 1), (3_001, 6_999)];
    let pieces: Vec<i64> =
        pieces.into_iter().flat_map(|(first, rows)| sampled(config, "h1", first, rows).0).collect();
    assert_eq!(pieces, kept);
    assert_ne!(sampled(config, "h2", 0, 10_000).0, kept);
    let fewer = sampled(r#"{"keep_one_in":100}"#, "h1", 0, 10_000).0;
    assert!(fewer.len() < 150 && fewer.iter().all(|row| kept.contains(row)));
    // The very rows: a change of the hash would part old samples from new ones.
    assert_eq!(kept[..5], [10, 16, 31, 44, 61]);
}

#[test]
fn rows_with_equal_values_are_kept_as_one_on_every_host() {
    let config = r#"{"keep_one_in":5,"by":["trace"]}"#;
    let (kept, _) = sampled(config, "h1", 0, 1_000);
    let with_trace = |rows: Vec<i64>| rows.into_iter().filter(|n| n % 100 != 0).collect::<Vec<_>>();
    for n in (0..1_000).filter(|n| n % 100 != 0) {
        let is_first_kept = kept.contains(&(n / 10 * 10 + 1));
        assert_eq!(kept.contains(&n), is_first_kept, "{n}");
    }
    assert_eq!(with_trace(sampled(config, "h2", 0, 1_000).0), with_trace(kept));
}

#[test]
fn rows_without_a_value_are_judged_for_themselves() {
    let (kept, _) = sampled(r#"{"keep_one_in":2,"by":["trace"]}"#, "h1", 0, 10_000);
    let alone = kept.iter().filter(|n| *n % 100 == 0).count();
    assert!((30..70).contains(&alone), "{alone} of 100");
}

#[test]
fn the_first_condition_that_holds_has_its_rate() {
    let rules =
        r#""rules":[{"where":"level == 'ERROR'","keep_one_in":1},{"where":"offset < 500","keep_one_in":0}]"#;
    let (kept, weights) = sampled(&format!(r#"{{"keep_one_in":10,{rules}}}"#), "h1", 0, 1_000);
    for n in (0..1_000).step_by(100) {
        let at = kept.iter().position(|row| *row == n).expect("every error is kept");
        assert_eq!(weights[at], 1);
    }
    assert_eq!(kept.iter().filter(|n| **n < 500).count(), 5);
    assert!(kept.len() > 10 && weights.contains(&10));
}

#[test]
fn a_wrong_configuration_says_which_key_and_what_to_write() {
    for (config, words) in [
        ("{}", "`keep_one_in` is missing: write a number"),
        (r#"{"keep_one_in":2,"by":["nope"]}"#, "there is no column `nope`"),
        (r#"{"keep_one_in":2,"by":["fields"]}"#, "`by`: `fields` is a map"),
        (
            r#"{"keep_one_in":2,"rules":[{"where":"level = 1","keep_one_in":1}]}"#,
            "`rules`: number 1: `where`: at letter 7: write `==`",
        ),
        (r#"{"keep_one_in":2,"rate":3}"#, "unknown field `rate`"),
    ] {
        match SamplePlugin::open(config, &fields()) {
            Err(Fault::Config(error) | Fault::Input(error)) => {
                assert!(error.contains(words), "{config}: {error}")
            }
            other => panic!("{config}: {:?}", other.map(|(_, plan)| plan)),
        }
    }
}
