//! Writing the files of a verdict: its rows and its dead letters, durable before the commit that names them.

use deltalake::kernel::Add;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::{Counts, DeadObject, Ledger, Object, Pending, Silver, Tip, columns};
use crate::clock::{Day, Timestamp};
use crate::sync::landing::{
    BronzeRange, DEAD_LETTER, FOOTER_FORMAT, FOOTER_KEY, Footer, REPLACING_FORMAT, Replaced,
};
use crate::table::{DataFile, DataFileWriter, TableError};
use crate::transform::Fingerprint;

/// What the objects of a verdict say of themselves.
#[derive(Debug)]
pub(super) struct About<'a> {
    /// The Bronze versions judged.
    pub bronze: &'a BronzeRange,
    /// The plugins that judged.
    pub plugins: &'a [Fingerprint],
    /// What they stand in place of.
    pub replaced: BothReplaced,
}

/// What rows, and what dead letters, stand in place of.
#[derive(Debug, Default)]
pub(super) struct BothReplaced {
    /// Rows.
    pub rows: Option<Replaced>,
    /// Dead letters.
    pub dead_letters: Option<Replaced>,
}

/// The files that were written, none of them named in a log yet.
#[derive(Debug)]
pub(super) struct Put {
    /// Of the rows, with the action that adds it.
    pub rows: Option<(Object, Add)>,
    /// Of the dead letters.
    pub dead_letters: Option<DeadObject>,
}

impl Silver {
    /// Begins files whose numbers follow those of `ledger`.
    pub(super) fn begin_after(
        &self,
        ledger: &Ledger,
        day: Day,
        now: Timestamp,
    ) -> Result<Pending, TableError> {
        let dead_letters = self.dead_letters.table().place();
        let dead_columns = columns::dead_letter_columns();
        Ok(Pending {
            day,
            rows: DataFileWriter::try_new(self.table.place(), &self.columns, properties())?,
            dead: DataFileWriter::try_new(dead_letters, &dead_columns, properties())?,
            counts: Counts::default(),
            processed_at: now,
            seq: ledger.rows.next_seq(),
        })
    }

    /// Finishes and puts the files of `pending`, and has `ledger` stand after them. One without rows is left out, but
    /// where it replaces something: only an object can tell central.
    pub(super) async fn put(
        &self,
        pending: Pending,
        about: About<'_>,
        ledger: &mut Ledger,
        now: Timestamp,
    ) -> Result<Put, TableError> {
        let About { bronze, plugins, replaced } = about;
        let mut put = Put { rows: None, dead_letters: None };
        if pending.dead.rows() > 0 || replaced.dead_letters.is_some() {
            let footer =
                self.footer(DEAD_LETTER, ledger.dead_letters, bronze, plugins, replaced.dead_letters);
            let file = self.finish(pending.dead, &footer)?;
            let add = file.put(self.dead_letters.table().place(), pending.day, now).await?;
            let object = object(&add, &file, ledger.dead_letters);
            ledger.dead_letters = ledger.dead_letters.moved_to(&object);
            put.dead_letters = Some(DeadObject { object, add });
        }
        if pending.rows.rows() > 0 || replaced.rows.is_some() {
            let footer = self.footer(&self.name, ledger.rows, bronze, plugins, replaced.rows);
            let file = self.finish(pending.rows, &footer)?;
            let add = file.put(self.table.place(), pending.day, now).await?;
            let object = object(&add, &file, ledger.rows);
            ledger.rows = ledger.rows.moved_to(&object);
            put.rows = Some((object, add));
        }
        Ok(put)
    }

    fn footer(
        &self,
        table: &str,
        tip: Tip,
        bronze: &BronzeRange,
        plugins: &[Fingerprint],
        replaces: Option<Replaced>,
    ) -> Footer {
        let plugins = plugins.iter().map(|plugin| serde_json::to_value(plugin).unwrap_or_default());
        Footer {
            format: if replaces.is_some() { REPLACING_FORMAT } else { FOOTER_FORMAT },
            table: table.to_owned(),
            host: self.host.clone(),
            table_id: self.table.id().to_owned(),
            seq: tip.next_seq(),
            part: 1,
            parts: 1,
            bronze: bronze.clone(),
            previous: tip.digest,
            plugins: plugins.collect(),
            replaces,
            agent: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    fn finish(&self, writer: DataFileWriter, footer: &Footer) -> Result<DataFile, TableError> {
        let footer = serde_json::to_string(footer).map_err(|e| TableError::Entry {
            table: self.table.place().url().to_string(),
            version: self.table.version().next(),
            reason: e.to_string(),
        })?;
        tokio::task::block_in_place(|| writer.finish(&[(FOOTER_KEY, footer)]))
    }
}

fn object(add: &Add, file: &DataFile, tip: Tip) -> Object {
    Object { path: add.path.clone(), seq: tip.next_seq(), digest: file.digest() }
}

/// Dictionaries for what repeats, zstd 1, and no page statistics: fast to write, small to ship.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(131_072))
        .build()
}
