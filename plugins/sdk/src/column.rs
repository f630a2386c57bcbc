//! Columns in Arrow's memory layout, as they cross the boundary. The same shapes as in `wit/`.

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `bool`
    Boolean,
    /// `i32`
    Int32,
    /// `i64`
    Int64,
    /// `f64`
    Float64,
    /// [`Date`](crate::Date)
    Date32,
    /// [`Timestamp`](crate::Timestamp)
    TimestampUs,
    /// `&str`, `String`
    Utf8,
    /// `&[u8]`, `Vec<u8>`
    Binary,
    /// `BTreeMap<String, String>`, `Vec<(&str, Option<&str>)>`
    StringMap,
}

/// A column's name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, unique in its table.
    pub name: String,
    /// The type.
    pub kind: Kind,
    /// Whether a row may have no value.
    pub nullable: bool,
}

/// Values of variable length: value `i` is `data[offsets[i]..offsets[i + 1]]`.
///
/// ```
/// use logsmith_plugin::Strings;
///
/// let mut strings = Strings::with_capacity(2, 8);
/// strings.push(b"GET");
/// strings.push(b"POST");
/// assert_eq!((strings.offsets, strings.data), (vec![0, 3, 7], b"GETPOST".to_vec()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    /// One more than there are values; from 0, never descending, to the length of `data`.
    pub offsets: Vec<i32>,
    /// All values, end to end.
    pub data: Vec<u8>,
}

/// Maps: map `i` has the entries `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    /// One more than there are maps.
    pub offsets: Vec<i32>,
    /// The keys of all entries.
    pub keys: Strings,
    /// The values of all entries.
    pub values: Strings,
    /// A bit per entry, 1 = present; `None` when all are.
    pub validity: Option<Vec<u8>>,
}

/// One value per row. Bits are packed, the lowest first.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `Kind`")]
pub enum Values {
    Boolean(Vec<u8>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Date32(Vec<i32>),
    TimestampUs(Vec<i64>),
    Utf8(Strings),
    Binary(Strings),
    StringMap(Maps),
}

/// Values, and which of them are present.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// One value per row, whatever its validity.
    pub values: Values,
    /// A bit per row, 1 = present; `None` when all are.
    pub validity: Option<Vec<u8>>,
}

/// The columns that a plugin reads, in the order of its plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// How many rows.
    pub rows: u32,
    /// One column for each that the plan reads.
    pub columns: Vec<Column>,
}

impl Batch {
    /// The bytes of all values of variable length: a guess at the size of what will be written.
    pub fn text_bytes(&self) -> usize {
        let text = |column: &Column| match &column.values {
            Values::Utf8(strings) | Values::Binary(strings) => strings.data.len(),
            Values::StringMap(maps) => maps.keys.data.len() + maps.values.data.len(),
            _ => 0,
        };
        self.columns.iter().map(text).sum()
    }
}

/// A row that cannot be transformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Which row of the batch.
    pub row: u32,
    /// What is wrong with it, and where.
    pub reason: String,
}

/// What became of a batch: each row is exactly once the source of output rows, dropped, or rejected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// The columns that the plan writes.
    pub columns: Vec<Column>,
    /// For each output row the input row that it comes from.
    pub source_rows: Vec<u32>,
    /// Rows left out on purpose.
    pub dropped: Vec<u32>,
    /// Rows that could not be transformed.
    pub rejects: Vec<RejectedRow>,
}

/// What becomes of the columns that a plugin does not write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Carried along from each source row.
    #[default]
    Keep,
    /// They end here.
    Discard,
}

/// What a plugin reads and writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The plugin's name.
    pub name: &'static str,
    /// The plugin's version.
    pub version: &'static str,
    /// Names of the columns that it reads.
    pub reads: Vec<String>,
    /// The columns that it writes.
    pub writes: Vec<Field>,
    /// What becomes of the others.
    pub rest: Rest,
}

/// Why a plugin cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The configuration is wrong.
    Config(String),
    /// The input lacks a column, or has it with another type.
    Input(String),
    /// Anything else.
    Other(String),
}
