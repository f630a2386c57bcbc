//! Whoever holds a host's key puts what they like: it ends in quarantine, and takes no memory to speak of.

use std::process::Command;

use arrow::array::{Int64Array, RecordBatch};
use parquet::basic::{Compression, ConvertedType, Repetition, Type, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::crafted::{RawColumn, RawPage, claims, file, metadata, plain, run, varint};
use super::*;
use crate::sync::landing::FOOTER_KEY;
use crate::table::{DataFile, Digest};

const ROWS: i32 = 4_096;

/// Parquet's numbers of encodings.
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const DELTA_LENGTH: i32 = 6;
const DELTA_BYTES: i32 = 7;
const DICTIONARY: i32 = 8;

fn data(encoding: i32, bytes: Vec<u8>) -> RawPage {
    RawPage::Data { values: ROWS, encoding, unpacked: None, bytes }
}

/// The columns that kill an unguarded reader, the kind of refusal that each meets, and words of its reason.
fn columns() -> Vec<(RawColumn, &'static str, &'static str)> {
    let dictionary = |bytes: Vec<u8>| RawPage::Dictionary { values: 1, bytes };
    let all_first = || data(DICTIONARY, [vec![1], run(0, ROWS as u32)].concat());
    let lengths =
        |count: u64| [varint(1 << 40), varint(1), varint(count), varint(0), varint(0), vec![0]].concat();
    let huge = RawPage::Data { values: ROWS, encoding: PLAIN, unpacked: Some(i32::MAX), bytes: vec![0; 64] };
    let row = RawColumn::bytes(vec![data(PLAIN, plain(b"x").repeat(ROWS as usize))]);
    // Every row begins with a level of its own; the values of the last go on and on.
    let endless = RawPage::Data {
        values: i32::MAX,
        encoding: DICTIONARY,
        unpacked: None,
        bytes: [vec![6, 0, 0, 0], run(1, i32::MAX as u32), vec![1], run(0, i32::MAX as u32)].concat(),
    };
    let mut doubling = varint(128);
    doubling.extend([varint(1), varint(ROWS as u64), varint(2 << 20), varint(0), vec![0]].concat());
    vec![
        // 4,096 rows of a dictionary's one value of 1 MiB: 4 GiB.
        (
            RawColumn::bytes(vec![dictionary(plain(&vec![b'x'; 1 << 20])), all_first()]),
            "size",
            "it unpacks to more than",
        ),
        (
            RawColumn::bytes(vec![RawPage::Dictionary { values: i32::MAX, bytes: plain(b"x") }, all_first()]),
            "parquet",
            "more values than it has bytes for",
        ),
        (RawColumn::bytes(vec![data(DELTA_LENGTH, lengths(1 << 40))]), "parquet", "more lengths than values"),
        (RawColumn::bytes(vec![data(DELTA_LENGTH, lengths(1 << 33))]), "parquet", "more lengths than values"),
        (RawColumn::bytes(vec![data(DELTA_BYTES, doubling)]), "parquet", "an encoding that is not read"),
        // The pinned reader takes the first byte of such a page without looking.
        (
            RawColumn::bytes(vec![dictionary(plain(b"x")), data(DICTIONARY, Vec::new())]),
            "parquet",
            "panicked",
        ),
        (
            RawColumn { codec: Compression::ZSTD(ZstdLevel::default()), ..RawColumn::bytes(vec![huge]) },
            "size",
            "it unpacks to more than",
        ),
        (
            RawColumn { codec: Compression::GZIP(Default::default()), ..row.clone() },
            "layout",
            "the codec GZIP",
        ),
        (
            RawColumn {
                repetition: Repetition::REPEATED,
                ..RawColumn::bytes(vec![dictionary(plain(b"x")), endless])
            },
            "layout",
            "values of a column with several a row",
        ),
        (
            RawColumn::bytes(vec![RawPage::Data {
                values: 7,
                encoding: PLAIN,
                unpacked: None,
                bytes: plain(b"x"),
            }]),
            "parquet",
            "7 values in 4096 rows",
        ),
        (
            RawColumn { physical: Type::FIXED_LEN_BYTE_ARRAY, converted: ConvertedType::NONE, ..row.clone() },
            "column",
            "FIXED_LEN",
        ),
        (
            RawColumn { physical: Type::INT96, converted: ConvertedType::NONE, ..row.clone() },
            "column",
            "INT96",
        ),
        // The pinned reader takes text that is marked as JSON for valid UTF-8, unseen.
        (
            RawColumn {
                converted: ConvertedType::JSON,
                ..RawColumn::bytes(vec![data(PLAIN, plain(b"\xff").repeat(ROWS as usize))])
            },
            "column",
            "BYTE_ARRAY (JSON)",
        ),
        (RawColumn::bytes(vec![data(PLAIN, plain(b"\xff").repeat(ROWS as usize))]), "parquet", "UTF"),
        (RawColumn::bytes(vec![data(RLE, Vec::new())]), "parquet", ""),
    ]
}

/// Files whose metadata alone is the attack.
fn claimed() -> Vec<(Bytes, &'static str, &'static str)> {
    vec![
        (metadata(&claims(1_900, 1, 0)), "layout", "levels of columns in columns"),
        (metadata(&claims(200_000, 0, 0)), "layout", "200000 columns"),
        (metadata(&claims(2, i32::MAX, 0)), "parquet", "damaged"),
        (metadata(&claims(1, 0, i32::MAX as u64)), "parquet", "damaged"),
        (metadata(&[0x1c; 100_000]), "parquet", "damaged"),
        (metadata(&vec![0; 9 << 20]), "layout", "bytes of metadata"),
        (Bytes::from_static(b"\xff\xff\xff\x00PAR1"), "layout", "bytes of metadata"),
        (Bytes::from_static(b"\xff\xff\x00\x00PAR1"), "parquet", "longer than it"),
        (Bytes::from_static(b"PAR1"), "parquet", "too short"),
    ]
}

/// How many files [`excess`] makes.
const EXCESSES: usize = 6;

/// A file that writers do write, with too much of something.
fn excess(n: usize, host: &mut FakeHost) -> (Bytes, &'static str, &'static str) {
    let rows = |count: i64, apart: i64| -> Vec<Row> {
        (0..count).map(|row| Row::at(DAY + row * apart, "info", 1)).collect()
    };
    let one = host.batch(&rows(1, 0));
    let number = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let (mut footer, mut properties, mut more) = (host.footer(1, 1), WriterProperties::new(), String::new());
    let (batch, kind, reason) = match n {
        0 => (host.batch(&rows(401, 24 * HOUR)), "column", "more than 400 days"),
        1 => {
            let extra = (0..2_000).map(|n| (format!("c{n}"), number(), true));
            let wide = RecordBatch::try_from_iter_with_nullable(extra).unwrap();
            (wide, "layout", "columns; 2000 are the most")
        }
        2 => {
            let twice = with_column(&with_column(&one, "n", number()), "n", number());
            (twice, "column", "column `n` stands there twice")
        }
        3 => {
            footer.plugins = vec!["x".repeat(300 << 10).into()];
            (one, "footer", "are the most")
        }
        4 => {
            more = "x".repeat(9 << 20);
            (one, "layout", "bytes of metadata")
        }
        _ => {
            properties = WriterProperties::builder().set_max_row_group_row_count(Some(1)).build();
            (host.batch(&rows(1_100, 1)), "layout", "1100 row groups")
        }
    };
    let pairs = [(FOOTER_KEY, serde_json::to_string(&footer).unwrap()), ("more", more)];
    let batches = std::slice::from_ref(&batch);
    let file = DataFile::encode(&host.lake, &batch.schema(), batches, properties, &pairs).unwrap();
    (file.bytes, kind, reason)
}

/// Puts every attack as an object of its own of the host `evil`, and returns what is to become of each.
async fn attack(config: &Central) -> Vec<(String, &'static str, &'static str)> {
    let mut evil = FakeHost::new(config, "evil");
    let rows: Vec<Row> = (0..ROWS).map(|n| Row::at(DAY + i64::from(n), "info", 1)).collect();
    let batch = evil.batch(&rows);
    let (_, written) = evil.object(&batch, &evil.footer(1, 1));
    let mut expected = Vec::new();
    let (columns, claimed) = (columns(), claimed());
    for n in 0..columns.len() + claimed.len() + EXCESSES {
        // Each footer names the number and the object before.
        let (bytes, kind, reason) = match (columns.get(n), n.checked_sub(columns.len())) {
            (Some((column, kind, reason)), _) => (file(&written, &evil.footer(1, 1), column), *kind, *reason),
            (None, n) => {
                let n = n.unwrap_or_default();
                let excess = |evil: &mut FakeHost| excess(n - claimed.len(), evil);
                claimed.get(n).cloned().unwrap_or_else(|| excess(&mut evil))
            }
        };
        let digest = Digest::of(&bytes).to_string();
        let name = ObjectName { stream: evil.stream.clone(), seq: Seq(evil.seq + 1), part: 1, digest };
        expected.push((evil.put_as(&name, bytes).await, kind, reason));
        evil.advance(&name);
    }
    evil.put(&[Row::at(DAY, "info", 1)]).await;
    expected
}

#[tokio::test]
async fn every_crafted_object_is_put_away_with_its_reason_and_the_others_arrive() {
    let (_folder, config) = lake(Vec::new());
    let expected = attack(&config).await;
    let mut good = FakeHost::new(&config, "good");
    for n in 0..3 {
        good.put(&[Row::at(DAY + n, "info", n)]).await;
    }
    let report = pass(&config).await;
    assert_eq!(report.quarantined.len(), expected.len());
    for ((object, kind, reason), found) in expected.iter().zip(&report.quarantined) {
        assert_eq!((object, *kind), (&found.object, found.kind), "{}", found.reason);
        assert!(found.reason.contains(reason), "`{reason}` is not in: {}", found.reason);
    }
    assert_eq!((report.objects, report.gaps.len()), (4, 0));
    assert_eq!(once(&silver(&config).await.0).len(), 4);
    assert_eq!(landing(&config).await, 0);
}

/// The process outlives whatever the bytes of an object are.
#[tokio::test]
async fn a_damaged_object_is_refused_or_read_but_ends_nothing() {
    let (_folder, config) = lake(Vec::new());
    let mut host = FakeHost::new(&config, "a");
    let rows: Vec<Row> = (0..200).map(|n| Row::at(DAY + n, "info", n)).collect();
    let batch = host.batch(&rows);
    let (name, bytes) = host.object(&batch, &host.footer(1, 1));
    let mut random = StdRng::seed_from_u64(5);
    let mut refused = 0;
    for _ in 0..1_500 {
        let mut damaged = bytes.to_vec();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..damaged.len());
            damaged[at] = random.random();
        }
        let name = ObjectName { digest: Digest::of(&damaged).to_string(), ..name.clone() };
        refused += u32::from(object::open(&name, Bytes::from(damaged), 64 << 20).is_err());
    }
    assert!(refused > 300, "{refused}");
}

/// Where [`victim`] finds its lake.
const VICTIM_LAKE: &str = "LOGSMITH_TEST_HOSTILE_LAKE";

#[tokio::test]
#[ignore = "a process of its own for the test below"]
async fn victim() {
    let folder = std::env::var(VICTIM_LAKE).unwrap();
    let (_own, mut config) = lake(Vec::new());
    config.place = crate::store::Place::local(std::path::Path::new(&folder)).unwrap();
    let _report = pass(&config).await;
}

#[tokio::test]
async fn crafted_objects_are_judged_in_little_memory() {
    let (folder, config) = lake(Vec::new());
    let expected = attack(&config).await;
    let exe = std::env::current_exe().unwrap();
    // 3 GiB of address space hold the test's own code and stacks; a claim that is believed is more than that.
    let limited = Command::new("sh")
        .args(["-c", "ulimit -v 3145728 && exec \"$0\" \"$@\""])
        .arg(exe)
        .args(["--exact", "compact::tests::hostile::victim", "--ignored", "--test-threads", "1"])
        .env(VICTIM_LAKE, folder.path())
        .output()
        .unwrap();
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stderr));
    assert_eq!(landing(&config).await, 0);
    assert_eq!(config.place.join("quarantine").list().await.unwrap().len(), 2 * expected.len());
    assert_eq!(silver(&config).await.0.len(), 1);
}
