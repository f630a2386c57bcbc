//! The shipped plugins, natively: only so does the fuzzer see which ways they take.

use logsmith_plugin::{Batch, Column, Fault, Field, Kind, Output, Plan, Strings, Transform, Values};
use logsmith_plugin_access::AccessPlugin;
use logsmith_plugin_container::ContainerPlugin;
use logsmith_plugin_csv::CsvPlugin;
use logsmith_plugin_filter::FilterPlugin;
use logsmith_plugin_java::JavaPlugin;
use logsmith_plugin_json::JsonPlugin;
use logsmith_plugin_klog::KlogPlugin;
use logsmith_plugin_logfmt::LogfmtPlugin;
use logsmith_plugin_redact::RedactPlugin;
use logsmith_plugin_regex::RegexPlugin;
use logsmith_plugin_sample::SamplePlugin;
use logsmith_plugin_syslog::SyslogPlugin;
use logsmith_plugin_time::TimePlugin;
use logsmith_plugin_weberror::WeberrorPlugin;

use crate::answers::assert_conserved;
use crate::cases::{CASES, Record, records};

/// All of them, opened.
pub struct Parsers(Vec<Parser>);

struct Parser {
    plan: Plan,
    apply: Box<dyn FnMut(Batch) -> Result<Output, Fault>>,
}

impl Parsers {
    /// In the configurations of [`CASES`].
    pub fn open() -> Self {
        Self(CASES.iter().map(|(plugin, config)| Parser::open(plugin, config)).collect())
    }

    /// Panics unless each plugin answers for each record of the file, and so that the host takes it.
    pub fn check(&mut self, file: &[u8]) {
        let records = records(file);
        for Parser { plan, apply } in &mut self.0 {
            let columns = plan.reads.iter().map(|name| column(name, &records)).collect();
            match apply(Batch { rows: records.len() as u32, columns }) {
                Ok(output) => judge(plan, &output, records.len()),
                Err(fault) => panic!("{}: no record may fail its batch: {fault:?}", plan.name),
            }
        }
    }
}

impl Parser {
    fn open(plugin: &str, config: &str) -> Self {
        match plugin {
            "access" => Self::of::<AccessPlugin>(config),
            "container" => Self::of::<ContainerPlugin>(config),
            "csv" => Self::of::<CsvPlugin>(config),
            "filter" => Self::of::<FilterPlugin>(config),
            "java" => Self::of::<JavaPlugin>(config),
            "json" => Self::of::<JsonPlugin>(config),
            "klog" => Self::of::<KlogPlugin>(config),
            "logfmt" => Self::of::<LogfmtPlugin>(config),
            "redact" => Self::of::<RedactPlugin>(config),
            "regex" => Self::of::<RegexPlugin>(config),
            "sample" => Self::of::<SamplePlugin>(config),
            "syslog" => Self::of::<SyslogPlugin>(config),
            "time" => Self::of::<TimePlugin>(config),
            "weberror" => Self::of::<WeberrorPlugin>(config),
            _ => panic!("no plugin {plugin}"),
        }
    }

    fn of<T: Transform + 'static>(config: &str) -> Self {
        let (mut plugin, plan) = T::open(config, &bronze()).expect(config);
        Self { plan, apply: Box::new(move |batch| plugin.apply(batch)) }
    }
}

/// The columns of Bronze, as a plugin is shown them.
fn bronze() -> Vec<Field> {
    let field = |name: &str, kind, nullable| Field { name: name.to_owned(), kind, nullable };
    vec![
        field("line", Kind::Utf8, false),
        field("raw", Kind::Binary, true),
        field("file", Kind::Int64, false),
        field("offset", Kind::Int64, false),
        field("path", Kind::Utf8, false),
        field("source", Kind::Utf8, false),
        field("host", Kind::Utf8, false),
        field("ingested_at", Kind::TimestampUs, false),
        field("cut_bytes", Kind::Int64, true),
    ]
}

fn column(name: &str, records: &[Record]) -> Column {
    let numbers = |number: fn(&Record) -> i64| records.iter().map(number).collect();
    let present = |is_present: fn(&Record) -> bool| {
        let bits = |records: &[Record]| {
            (0..).zip(records).map(|(bit, record)| u8::from(is_present(record)) << bit).sum()
        };
        Some(records.chunks(8).map(bits).collect())
    };
    match name {
        // A path may hold anything, too.
        "line" | "path" => {
            Column { values: Values::Utf8(strings(records, |record| record.line.as_bytes())), validity: None }
        }
        "raw" => Column {
            values: Values::Binary(strings(records, |record| record.raw.unwrap_or_default())),
            validity: present(|record| record.raw.is_some()),
        },
        "source" | "host" => Column { values: Values::Utf8(strings(records, |_| b"web-1")), validity: None },
        "ingested_at" => {
            Column { values: Values::TimestampUs(numbers(|record| record.ingested_at)), validity: None }
        }
        "cut_bytes" => Column { values: Values::Int64(numbers(|_| 0)), validity: present(|_| false) },
        _ => Column { values: Values::Int64(numbers(|record| record.offset)), validity: None },
    }
}

fn strings<'a>(records: &'a [Record], text: fn(&'a Record) -> &'a [u8]) -> Strings {
    let mut strings = Strings::with_capacity(records.len(), 0);
    records.iter().for_each(|record| strings.push(text(record)));
    strings
}

fn judge(plan: &Plan, output: &Output, rows: usize) {
    let rejected = output.rejects.iter().map(|reject| reject.row);
    assert_conserved(rows, &output.source_rows, output.dropped.iter().copied().chain(rejected));
    assert_eq!(output.columns.len(), plan.writes.len(), "{}", plan.name);
    for (field, column) in plan.writes.iter().zip(&output.columns) {
        check_column(field, column, output.source_rows.len());
    }
}

/// Panics unless these are so many values of the field.
fn check_column(field: &Field, Column { values, validity }: &Column, rows: usize) {
    let is_present = |row: usize| validity.as_ref().is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1);
    assert!(field.nullable || (0..rows).all(is_present), "{}: a null", field.name);
    let is_within = |row: usize, time: i64, unit: i64| {
        let years = -62_135_596_800 * unit..253_402_300_800 * unit;
        assert!(!is_present(row) || years.contains(&time), "{}: {time} is in no year of a table", field.name);
    };
    let (kind, len) = match values {
        Values::Boolean(bits) => {
            assert_eq!(bits.len(), rows.div_ceil(8));
            (Kind::Boolean, rows)
        }
        Values::Int32(values) => (Kind::Int32, values.len()),
        Values::Int64(values) => (Kind::Int64, values.len()),
        Values::Float64(values) => (Kind::Float64, values.len()),
        Values::Date32(days) => {
            (0..).zip(days).for_each(|(row, day)| is_within(row, i64::from(*day) * 86_400, 1));
            (Kind::Date32, days.len())
        }
        Values::TimestampUs(times) => {
            (0..).zip(times).for_each(|(row, time)| is_within(row, *time, 1_000_000));
            (Kind::TimestampUs, times.len())
        }
        Values::Utf8(strings) => (Kind::Utf8, texts(strings)),
        Values::Binary(Strings { offsets, data }) => (Kind::Binary, covered(offsets, data.len())),
        Values::StringMap(maps) => {
            let entries = texts(&maps.keys);
            assert_eq!(texts(&maps.values), entries);
            assert!(maps.validity.as_ref().is_none_or(|bits| bits.len() == entries.div_ceil(8)));
            (Kind::StringMap, covered(&maps.offsets, entries))
        }
    };
    assert_eq!((kind, len), (field.kind, rows), "{}", field.name);
}

/// How many texts these are, each of them UTF-8.
fn texts(Strings { offsets, data }: &Strings) -> usize {
    let len = covered(offsets, data.len());
    for ends in offsets.windows(2) {
        str::from_utf8(&data[ends[0] as usize..ends[1] as usize]).expect("UTF-8");
    }
    len
}

/// How many values these offsets cut `len` bytes or entries into.
fn covered(offsets: &[i32], len: usize) -> usize {
    assert!(offsets.is_sorted() && offsets.first() == Some(&0), "{offsets:?}");
    assert_eq!(offsets.last().copied(), i32::try_from(len).ok());
    offsets.len() - 1
}
