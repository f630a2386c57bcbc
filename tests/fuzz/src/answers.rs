//! Hostile guests answer what scripts say. See `tests/hostile/src/puppet.rs` for what scripts can say.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use chrono::Datelike;
use serde_json::json;

use super::secrets::Secrets;
use super::transform::{Chain, Engine, Limits, PluginError, PluginSource, PluginSpec, Verdicts};

const ROWS: usize = 4;
/// Of an input, so many bytes are for the first guest; the others are for the second.
const SCRIPT_BYTES: usize = 128;

/// The guest alone, and with a second one behind it.
pub struct Puppets([Chain; 2]);

impl Puppets {
    /// Of the hostile component at this path.
    pub fn open(engine: &Engine, path: &Path) -> Self {
        let puppet = |script| PluginSpec {
            source: PluginSource::File { path: path.to_owned(), sha256: None },
            config: json!({"crime": "puppet", "script": script}),
            secrets: Secrets::default(),
            limits: Limits { memory_bytes_max: 32 << 20, transfer_bytes_max: 1 << 20, ..Limits::default() },
        };
        let open = |specs: &[PluginSpec]| {
            Chain::open(engine, specs, &batch(&[]).schema()).map_err(PluginError::from).expect("a guest")
        };
        Self([open(&[puppet("first")]), open(&[puppet("first"), puppet("second")])])
    }

    /// Panics unless the host bears the answers.
    pub fn check(&mut self, scripts: &[u8]) {
        for chain in &mut self.0 {
            match chain.apply(&batch(scripts)) {
                Ok(verdicts) => judge(chain, &verdicts),
                Err(PluginError::Broken { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// The first row has the scripts; for rows without one the answer is honest.
fn batch(scripts: &[u8]) -> RecordBatch {
    let (first, second) = scripts.split_at(scripts.len().min(SCRIPT_BYTES));
    let column = |script: &[u8]| -> ArrayRef {
        Arc::new((0..ROWS).map(|row| (row == 0).then_some(script)).collect::<BinaryArray>())
    };
    RecordBatch::try_from_iter_with_nullable([
        ("first", column(first), true),
        ("second", column(second), true),
    ])
    .expect("a batch")
}

fn judge(chain: &Chain, verdicts: &Verdicts) {
    let Verdicts { rows, source_rows, dropped, dead, .. } = verdicts;
    assert_conserved(ROWS, source_rows, dropped.iter().copied().chain(dead.iter().map(|dead| dead.row)));
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), source_rows.len());
    for rows in rows {
        assert_eq!(rows.schema_ref(), chain.output_schema());
        for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            column.to_data().validate_full().expect("valid Arrow");
            assert!(field.is_nullable() || column.null_count() == 0, "{field} has nulls");
            check_years(column);
        }
    }
}

/// Each row is the source of output rows, or exactly once among the others.
pub fn assert_conserved(rows: usize, source_rows: &[u32], others: impl Iterator<Item = u32>) {
    let mut sources = source_rows.to_vec();
    sources.sort_unstable();
    sources.dedup();
    let mut settled: Vec<u32> = others.chain(sources).collect();
    settled.sort_unstable();
    assert!(settled.iter().copied().eq(0..rows as u32), "rows are lost or doubled: {settled:?} of {rows}");
}

/// Engines that read Delta know no others than 1 to 9999.
fn check_years(column: &ArrayRef) {
    let years: Vec<Option<i32>> = if let Some(days) = column.as_primitive_opt::<Date32Type>() {
        let year = |row| days.value_as_date(row).map(|date| date.year());
        (0..days.len()).filter(|row| days.is_valid(*row)).map(year).collect()
    } else if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        let year = |row| times.value_as_datetime(row).map(|time| time.year());
        (0..times.len()).filter(|row| times.is_valid(*row)).map(year).collect()
    } else {
        Vec::new()
    };
    assert!(years.iter().all(|year| year.is_some_and(|year| (1..=9999).contains(&year))), "{years:?}");
}
