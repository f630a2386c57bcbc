//! The crimes.

use logsmith_plugin::{Column, Fault, Field, Kind, Level, Output, RejectedRow, Strings, Values, count, log};
use serde::Deserialize;

use crate::{puppet, text_field};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crime {
    /// No crime: the column crosses the boundary and comes back.
    None,
    /// No crime either: counts the calls that this instance has seen, and answers the number as text.
    Remember,
    /// Panics.
    Trap,
    /// Never comes back.
    Loop,
    /// Asks for memory until there is none.
    Memory,
    /// Calls itself until the stack ends.
    Stack,
    /// Answers fewer values than rows.
    ShortColumn,
    /// Answers no column.
    NoColumn,
    /// Offsets that descend.
    Offsets,
    /// Offsets that end beyond the data.
    OffsetsBeyond,
    /// Bytes that are not UTF-8.
    Utf8,
    /// UTF-8, but a value ends inside a character.
    SplitCharacter,
    /// A null where the plan allows none.
    Null,
    /// Fewer validity bits than rows.
    ShortValidity,
    /// A row that is nowhere.
    Lost,
    /// A row that is an output row and dropped.
    Doubled,
    /// A row that is rejected twice.
    RejectedTwice,
    /// An output row that comes from no input row.
    NoSuchRow,
    /// A column of another type than planned.
    Type,
    /// A day of no year that a table can hold.
    Date,
    /// More data than may cross.
    Flood,
    /// Messages without end, then a panic.
    Chatter,
    /// Refuses the batch.
    Fault,
    /// A reason for a reject that is a megabyte long.
    LongReason,
    /// The row rejected a hundred thousand times.
    RejectFlood,
    /// Messages without end, and then an honest answer.
    Babble,
    /// No crime by the letter: works long on each call, as its configuration says, and answers honestly.
    Loris,
    /// Nor is this: keeps a megabyte of memory at each call, and answers honestly.
    Creep,
    /// Answers what the script says that stands in the first row.
    Puppet,
    /// Panics when it is opened.
    OpenTrap,
    /// Never comes back from being opened.
    OpenLoop,
    /// Plans to read a column that there is not.
    ReadsNothing,
    /// Plans to write a column of Silver's own.
    WritesHost,
    /// Plans to write two columns of one name.
    WritesTwice,
}

pub fn at_open(crime: Crime) {
    match crime {
        Crime::OpenTrap => panic!("does not open"),
        Crime::OpenLoop => spin(),
        _ => {}
    }
}

/// What the plan reads, where that is the crime.
pub fn reads(crime: Crime) -> Option<&'static str> {
    (crime == Crime::ReadsNothing).then_some("nothing")
}

/// What the plan writes.
pub fn writes(crime: Crime) -> Vec<Field> {
    match crime {
        Crime::Date => vec![Field { name: "text".into(), kind: Kind::Date32, nullable: false }],
        Crime::WritesHost => vec![Field { name: "host".into(), kind: Kind::Utf8, nullable: false }],
        Crime::Puppet => puppet::writes(),
        Crime::WritesTwice => vec![text_field(), Field { name: "TEXT".into(), ..text_field() }],
        _ => vec![text_field()],
    }
}

/// Spoils an honest answer, because of `row`.
pub fn commit(crime: Crime, row: u32, mut output: Output) -> Result<Output, Fault> {
    let rows = output.source_rows.len();
    match crime {
        Crime::Trap => panic!("cannot take row {row}"),
        Crime::Loop => spin(),
        Crime::Memory => hoard(),
        Crime::Stack => drop(std::hint::black_box(deeper(&[0; 64]))),
        Crime::Fault => return Err(Fault::Other("no batch with such a row".into())),
        Crime::Chatter => chatter(),
        Crime::ShortColumn | Crime::Offsets | Crime::OffsetsBeyond | Crime::Utf8 | Crime::SplitCharacter => {
            output.columns.iter_mut().for_each(|column| spoil_text(crime, row as usize, column));
        }
        Crime::NoColumn => output.columns.clear(),
        Crime::Null => set_validity(&mut output, vec![0; rows.div_ceil(8)]),
        Crime::ShortValidity => set_validity(&mut output, Vec::new()),
        Crime::Type => output.columns = vec![Column { values: Values::Int32(vec![0; rows]), validity: None }],
        Crime::Flood => {
            let strings = Strings { offsets: vec![0; rows + 1], data: vec![b'x'; 80 << 20] };
            output.columns = vec![Column { values: Values::Utf8(strings), validity: None }];
        }
        Crime::Lost => output = without(output, row),
        Crime::Doubled => output.dropped.push(row),
        Crime::RejectedTwice => {
            output = without(output, row);
            output.rejects = vec![RejectedRow { row, reason: "bad".into() }; 2];
        }
        Crime::NoSuchRow => {
            output.source_rows.iter_mut().for_each(|source| *source += u32::from(*source == row) * 9)
        }
        Crime::LongReason => {
            output = without(output, row);
            output.rejects = vec![RejectedRow { row, reason: "é".repeat(1 << 19) }];
        }
        Crime::RejectFlood => {
            output = without(output, row);
            output.rejects = vec![RejectedRow { row, reason: "no".repeat(16) }; 100_000];
        }
        Crime::Babble => babble(),
        _ => {}
    }
    Ok(output)
}

fn spin() {
    while std::hint::black_box(true) {}
}

/// Works for so many turns of a loop.
pub fn dawdle(turns: u64) {
    for turn in 0..turns {
        std::hint::black_box(turn);
    }
}

/// Lets go of a megabyte, and never gives it back.
pub fn creep() {
    std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
}

fn hoard() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn deeper(below: &[u8; 64]) -> u64 {
    let mut here = *below;
    here[0] = here[0].wrapping_add(1);
    if std::hint::black_box(true) { deeper(&here) + u64::from(here[0]) } else { 0 }
}

fn chatter() {
    babble();
    panic!("tired of talking");
}

fn babble() {
    for i in 0..1_000 {
        log(Level::Info, &"chatter ".repeat(1_000));
        count(&format!("counter {i}"), 1);
    }
}

fn set_validity(output: &mut Output, validity: Vec<u8>) {
    output.columns.iter_mut().for_each(|column| column.validity = Some(validity.clone()));
}

fn spoil_text(crime: Crime, row: usize, column: &mut Column) {
    let Values::Utf8(Strings { offsets, data }) = &mut column.values else { return };
    match crime {
        Crime::ShortColumn => drop(offsets.pop()),
        Crime::Offsets => offsets[row + 1] = -1,
        Crime::OffsetsBeyond => offsets[row + 1] += 1 << 20,
        Crime::Utf8 => data[offsets[row] as usize] = 0xff,
        Crime::SplitCharacter => {
            let start = offsets[row] as usize;
            data[start..start + 2].copy_from_slice("é".as_bytes());
            match row {
                0 => offsets[row + 1] = 1,
                _ => offsets[row] += 1,
            }
        }
        _ => {}
    }
}

/// The answer without the output row of `row`.
fn without(output: Output, row: u32) -> Output {
    let Some(Column { values: Values::Utf8(Strings { offsets, data }), .. }) = output.columns.first() else {
        return output;
    };
    let kept = offsets.windows(2).zip(0_u32..).filter(|(_, at)| *at != row);
    let text = |ends: &[i32]| String::from_utf8_lossy(&data[ends[0] as usize..ends[1] as usize]).into_owned();
    let column = crate::texts(kept.map(|(ends, _)| text(ends)));
    let source_rows = output.source_rows.into_iter().filter(|source| *source != row).collect();
    Output { columns: vec![column], source_rows, dropped: output.dropped, rejects: output.rejects }
}
