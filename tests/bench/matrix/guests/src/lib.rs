//! The transform: a line of blank-separated values becomes a row of six typed columns. It costs little, so that what
//! it takes to get rows across the boundary shows.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use logsmith_plugin::{Record, Timestamp};

/// What a line says.
#[derive(Clone, Copy, Debug, Record)]
pub struct Row<'a> {
    /// When it was written.
    pub time: Timestamp,
    /// How bad it is.
    pub level: &'a str,
    /// Who wrote it.
    pub service: &'a str,
    /// An HTTP status.
    pub status: i32,
    /// For whom; `-` for nobody.
    pub user: Option<i64>,
    /// The rest of the line.
    pub message: &'a str,
}

/// Reads a line: `time level service status user message`. `None` if it is another one.
#[inline]
pub fn parse(line: &str) -> Option<Row<'_>> {
    let mut values = line.splitn(6, ' ');
    Some(Row {
        time: Timestamp::parse_rfc3339(values.next()?)?,
        level: values.next()?,
        service: values.next()?,
        status: values.next()?.parse().ok()?,
        user: match values.next()? {
            "-" => None,
            user => Some(user.parse().ok()?),
        },
        message: values.next()?,
    })
}

/// The columns of rows.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("level", DataType::Utf8, false),
        Field::new("service", DataType::Utf8, false),
        Field::new("status", DataType::Int32, false),
        Field::new("user", DataType::Int64, true),
        Field::new("message", DataType::Utf8, false),
    ]))
}

/// The transform without a boundary. `None` if there is a line that is none of ours.
pub fn transform(lines: &StringArray) -> Option<RecordBatch> {
    let mut rows = Rows::with_capacity(lines.len(), lines.value_data().len());
    for line in lines {
        let Row { time, level, service, status, user, message } = parse(line?)?;
        rows.push(time.micros(), level, service, status, user, message);
    }
    rows.finish().ok()
}

/// Rows on their way into columns.
pub struct Rows {
    time: TimestampMicrosecondBuilder,
    level: StringBuilder,
    service: StringBuilder,
    status: Int32Builder,
    user: Int64Builder,
    message: StringBuilder,
}

impl Rows {
    /// With room for so many rows, made of so many bytes of text.
    pub fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        Self {
            time: TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC"),
            level: StringBuilder::with_capacity(rows, 8 * rows),
            service: StringBuilder::with_capacity(rows, 16 * rows),
            status: Int32Builder::with_capacity(rows),
            user: Int64Builder::with_capacity(rows),
            message: StringBuilder::with_capacity(rows, text_bytes),
        }
    }

    /// Adds a row; its time is in microseconds.
    #[inline]
    pub fn push(
        &mut self,
        time_us: i64,
        level: &str,
        service: &str,
        status: i32,
        user: Option<i64>,
        message: &str,
    ) {
        self.time.append_value(time_us);
        self.level.append_value(level);
        self.service.append_value(service);
        self.status.append_value(status);
        self.user.append_option(user);
        self.message.append_value(message);
    }

    /// The columns.
    ///
    /// # Errors
    /// They are not those of [`schema`].
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.level.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.user.finish()),
            Arc::new(self.message.finish()),
        ];
        RecordBatch::try_new(schema(), columns)
    }
}
