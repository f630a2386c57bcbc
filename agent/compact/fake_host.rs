//! A host for tests: puts landing objects as `sync` would.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Schema;
use bytes::Bytes;
use parquet::file::properties::WriterProperties;

use crate::clock::{Clock, Timestamp};
use crate::config::{Central, Running, View};
use crate::store::{Place, StoreOptions};
use crate::sync::landing::{
    BronzeRange, FOOTER_FORMAT, FOOTER_KEY, Footer, ObjectName, REPLACING_FORMAT, Replaced, Seq, StreamId,
};
use crate::table::{DataFile, Digest, TableVersion};

/// Midnight of 2026-11-20, UTC, in microseconds.
pub const DAY: i64 = 1_795_132_800_000_000;

/// An hour in microseconds.
pub const HOUR: i64 = 3_600_000_000;

/// A clock that stands still.
#[derive(Debug)]
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(DAY + 12 * HOUR)
    }
}

/// A central configuration over a folder of its own.
pub fn lake(views: Vec<View>) -> (tempfile::TempDir, Central) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::local(folder.path()).unwrap();
    (
        folder,
        Central {
            place,
            options: StoreOptions::new(),
            views,
            renames: Vec::new(),
            retentions: Vec::new(),
            running: Running::default(),
        },
    )
}

/// A row of the table `web`.
#[derive(Clone, Debug)]
pub struct Row {
    /// When it was ingested, in microseconds.
    pub time: i64,
    /// Its level; `None` is null.
    pub level: Option<&'static str>,
    /// How long it took, in milliseconds.
    pub ms: Option<i64>,
    /// Its size.
    pub size: f64,
}

impl Row {
    /// A row at `time`.
    pub fn at(time: i64, level: &'static str, ms: i64) -> Self {
        Self { time, level: Some(level), ms: Some(ms), size: ms as f64 / 4.0 }
    }
}

/// One stream of one host.
pub struct FakeHost {
    pub lake: Place,
    pub stream: StreamId,
    pub seq: u64,
    pub previous: Option<Digest>,
    pub offset: i64,
}

impl FakeHost {
    pub fn new(config: &Central, host: &str) -> Self {
        let stream = StreamId { table: "web".into(), host: host.into(), table_id: format!("id-{host}") };
        Self { lake: config.place.clone(), stream, seq: 0, previous: None, offset: 0 }
    }

    /// Rows as a batch of the columns of `web` and the lineage columns.
    pub fn batch(&mut self, rows: &[Row]) -> RecordBatch {
        let text =
            |text: &str| Arc::new(StringArray::from_iter_values(rows.iter().map(|_| text))) as ArrayRef;
        let times = |shift: i64| {
            let times = rows.iter().map(|row| row.time + shift);
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")) as ArrayRef
        };
        let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in rows {
            tags.keys().append_value("level");
            tags.values().append_option(row.level);
            tags.append(true).unwrap();
        }
        let offsets = Int64Array::from_iter_values(rows.iter().map(|_| {
            self.offset += 10;
            self.offset
        }));
        let levels: StringArray = rows.iter().map(|row| row.level).collect();
        let ms: Int64Array = rows.iter().map(|row| row.ms).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("level", Arc::new(levels) as ArrayRef, true),
            ("ms", Arc::new(ms), true),
            ("size", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.size))), true),
            ("tags", Arc::new(tags.finish()), true),
            ("host", text("a lie"), false),
            ("source", text("app"), false),
            ("path", text("/var/log/app.log"), false),
            ("file", Arc::new(Int64Array::from_value(7, rows.len())), false),
            ("offset", Arc::new(offsets), false),
            ("ingested_at", times(0), false),
            ("processed_at", times(1_000_000), false),
            ("seq", Arc::new(Int64Array::from_value(self.seq as i64 + 1, rows.len())), true),
        ])
        .unwrap()
    }

    /// The footer of the next object, as part `part` of `parts`.
    pub fn footer(&self, part: u32, parts: u32) -> Footer {
        Footer {
            format: FOOTER_FORMAT,
            table: self.stream.table.clone(),
            host: self.stream.host.clone(),
            table_id: self.stream.table_id.clone(),
            seq: Seq(self.seq + 1),
            part,
            parts,
            bronze: BronzeRange { table_id: "b".into(), first: TableVersion(1), last: TableVersion(1) },
            previous: self.previous,
            plugins: Vec::new(),
            replaces: None,
            agent: None,
        }
    }

    /// An object of these rows and this footer.
    pub fn object(&self, batch: &RecordBatch, footer: &Footer) -> (ObjectName, Bytes) {
        let footer_json = serde_json::to_string(footer).unwrap();
        let file = DataFile::encode(
            &self.lake,
            &batch.schema(),
            std::slice::from_ref(batch),
            WriterProperties::new(),
            &[(FOOTER_KEY, footer_json)],
        )
        .unwrap();
        let digest = file.digest().to_string();
        let name = ObjectName { stream: self.stream.clone(), seq: footer.seq, part: footer.part, digest };
        (name, file.bytes)
    }

    /// Puts an object under a name, and returns the name.
    pub async fn put_as(&self, name: &ObjectName, bytes: Bytes) -> String {
        let name = name.to_string();
        let _ = self.lake.put_new(&name, bytes).await.unwrap();
        name
    }

    /// Counts the object as put: the next one follows it.
    pub fn advance(&mut self, name: &ObjectName) {
        self.seq = name.seq.0;
        self.previous = Some(name.digest.parse().unwrap());
    }

    /// Puts rows as the next object, in one part.
    pub async fn put(&mut self, rows: &[Row]) -> ObjectName {
        let batch = self.batch(rows);
        self.put_batch(&batch).await
    }

    /// Puts rows as the next object, in place of those of objects `first` to `last`, ingested in this span.
    pub async fn replace(&mut self, rows: &[Row], (first, last): (u64, u64), span: (i64, i64)) -> ObjectName {
        let batch = self.batch(rows);
        let replaces = Replaced {
            generation: 1,
            pipeline: self.stream.table.clone(),
            objects: vec![(Seq(first), Seq(last))],
            ingested_at: span,
            processed_at: (span.0 + 1_000_000, span.1 + 1_000_000),
        };
        let footer = Footer { format: REPLACING_FORMAT, replaces: Some(replaces), ..self.footer(1, 1) };
        let (name, bytes) = self.object(&batch, &footer);
        self.put_as(&name, bytes).await;
        self.advance(&name);
        name
    }

    /// Puts a batch as the next object, in one part.
    pub async fn put_batch(&mut self, batch: &RecordBatch) -> ObjectName {
        let (name, bytes) = self.object(batch, &self.footer(1, 1));
        self.put_as(&name, bytes).await;
        self.advance(&name);
        name
    }
}

/// `batch` with one more column.
pub fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(arrow::datatypes::Field::new(name, column.data_type().clone(), true)));
    let mut columns = batch.columns().to_vec();
    columns.push(column);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}
