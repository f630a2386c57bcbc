use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array,
    StringArray, StringBuilder, TimestampMicrosecondArray, new_empty_array,
};
use arrow::array::{MapBuilder, MapFieldNames};

use super::*;
use crate::transform::wit::{
    ColumnParam, ColumnResult, EntriesParam, EntriesResult, StringsParam, StringsResult, ValuesParam,
    ValuesResult,
};

/// What an honest guest answers when it hands back what it was given.
fn echo(ColumnParam { values, validity }: ColumnParam<'_>) -> ColumnResult {
    let strings = |StringsParam { offsets, data }: StringsParam<'_>| StringsResult {
        offsets: offsets.to_vec(),
        data: data.to_vec(),
    };
    let values = match values {
        ValuesParam::Boolean(bits) => ValuesResult::Boolean(bits.to_vec()),
        ValuesParam::Int32(values) => ValuesResult::Int32(values.to_vec()),
        ValuesParam::Int64(values) => ValuesResult::Int64(values.to_vec()),
        ValuesParam::Float64(values) => ValuesResult::Float64(values.to_vec()),
        ValuesParam::Date32(values) => ValuesResult::Date32(values.to_vec()),
        ValuesParam::TimestampUs(values) => ValuesResult::TimestampUs(values.to_vec()),
        ValuesParam::Utf8(values) => ValuesResult::Utf8(strings(values)),
        ValuesParam::Binary(values) => ValuesResult::Binary(strings(values)),
        ValuesParam::StringMap(EntriesParam { offsets, keys, entry_values, entry_validity }) => {
            ValuesResult::StringMap(EntriesResult {
                offsets: offsets.to_vec(),
                keys: strings(keys),
                entry_values: strings(entry_values),
                entry_validity: entry_validity.map(<[u8]>::to_vec),
            })
        }
    };
    ColumnResult { values, validity: validity.map(<[u8]>::to_vec) }
}

fn maps() -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in 0..20 {
        for entry in 0..row % 4 {
            maps.keys().append_value(format!("k{entry}"));
            maps.values().append_option((entry != 1).then(|| format!("é{row}")));
        }
        maps.append(row % 5 != 3).expect("keys and values are of one length");
    }
    Arc::new(maps.finish())
}

fn columns() -> Vec<ArrayRef> {
    let rows = || 0..20_i32;
    let present = |row: &i32| row % 3 != 1;
    vec![
        Arc::new(rows().map(|row| present(&row).then_some(row % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(rows().map(|row| present(&row).then_some(row)).collect::<Int32Array>()),
        Arc::new(rows().map(i64::from).map(Some).collect::<Int64Array>()),
        Arc::new(rows().map(f64::from).map(Some).collect::<Float64Array>()),
        Arc::new(rows().map(|row| present(&row).then_some(row)).collect::<Date32Array>()),
        Arc::new(
            rows()
                .map(|row| Some(i64::from(row)))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        Arc::new(rows().map(|row| present(&row).then(|| "ä".repeat(row as usize))).collect::<StringArray>()),
        Arc::new(rows().map(|row| Some(vec![0xff; row as usize])).collect::<BinaryArray>()),
        maps(),
    ]
}

#[test]
fn every_part_of_every_column_comes_back_as_it_went() {
    for column in columns() {
        let kind = kind_of(column.data_type()).expect("it can cross");
        assert_eq!(data_type(kind), *column.data_type());
        // A slice of a slice, so that no offset is 0 and no bit begins a byte.
        let sliced = column.slice(1, 18);
        let input = Input::of(&sliced).expect("it can cross");
        for (start, end) in [(0, 18), (0, 0), (3, 4), (2, 17), (7, 18), (18, 18)] {
            let part = input.part(start..end);
            let answer = echo(part.param());
            let back = checked_column(answer, kind, Nullability::MayBeNull, end - start);
            assert_eq!(back.as_ref(), Ok(&sliced.slice(start, end - start)), "{kind:?} {start}..{end}");
        }
        let text = |start, end| input.text_bytes(start..end);
        assert_eq!(text(0, 18), text(0, 5) + text(5, 18), "{kind:?}");
    }
}

#[test]
fn columns_of_other_types_do_not_cross() {
    for data_type in
        [DataType::Int8, DataType::LargeUtf8, DataType::Utf8View, DataType::new_list(DataType::Utf8, true)]
    {
        assert_eq!(kind_of(&data_type), None);
        assert!(Input::of(&new_empty_array(&data_type)).is_none());
    }
}

#[track_caller]
fn refused(kind: Kind, values: ValuesResult, validity: Option<Vec<u8>>, reason: &str) {
    let column = ColumnResult { values, validity };
    let checked = checked_column(column, kind, Nullability::MayBeNull, 2);
    let refusal = checked.expect_err("this column must be refused");
    assert!(refusal.contains(reason), "{refusal}");
}

fn strings(offsets: &[i32], data: &[u8]) -> StringsResult {
    StringsResult { offsets: offsets.to_vec(), data: data.to_vec() }
}

#[test]
fn nothing_that_a_guest_says_is_believed() {
    let utf8 = |offsets: &[i32], data: &[u8]| ValuesResult::Utf8(strings(offsets, data));
    refused(Kind::Int32, ValuesResult::Int32(vec![1]), None, "1 values for 2 rows");
    refused(Kind::Int64, ValuesResult::Int64(vec![1; 3]), None, "3 values for 2 rows");
    refused(Kind::TimestampUs, ValuesResult::TimestampUs(vec![1]), None, "1 values for 2 rows");
    refused(Kind::Boolean, ValuesResult::Boolean(vec![]), None, "0 bytes of bits for 2 values");
    refused(Kind::Boolean, ValuesResult::Boolean(vec![0, 0]), None, "2 bytes of bits for 2 values");
    refused(Kind::Int32, ValuesResult::Int32(vec![1, 2]), Some(vec![]), "0 bytes of bits");
    refused(Kind::Int32, ValuesResult::Date32(vec![1, 2]), None, "another type than Int32");
    refused(Kind::Date32, ValuesResult::Date32(vec![0, i32::MIN]), None, "outside of the years");
    refused(
        Kind::TimestampUs,
        ValuesResult::TimestampUs(vec![i64::MAX, 0]),
        Some(vec![1]),
        "outside of the years",
    );
    refused(Kind::Utf8, utf8(&[], b""), None, "0 offsets for 2 values");
    refused(Kind::Utf8, utf8(&[0, 1], b"a"), None, "2 offsets for 2 values");
    refused(Kind::Utf8, utf8(&[1, 1, 1], b"a"), None, "do not begin at 0");
    refused(Kind::Utf8, utf8(&[0, 2, 1], b"a"), None, "descend");
    refused(Kind::Utf8, utf8(&[0, -1, 1], b"a"), None, "descend");
    refused(Kind::Utf8, utf8(&[0, 1, i32::MAX], b"a"), None, "do not end at the data's length");
    refused(Kind::Utf8, utf8(&[0, 0, 0], b"a"), None, "do not end at the data's length");
    refused(Kind::Utf8, utf8(&[0, 1, 2], b"\xc3\xa9"), None, "");
    refused(Kind::Utf8, utf8(&[0, 1, 2], b"a\xff"), None, "");
    refused(
        Kind::Binary,
        ValuesResult::Binary(strings(&[0, 1, 2], b"a")),
        None,
        "do not end at the data's length",
    );

    let map = |offsets: &[i32], keys: StringsResult, entry_values: StringsResult, entry_validity| {
        ValuesResult::StringMap(EntriesResult {
            offsets: offsets.to_vec(),
            keys,
            entry_values,
            entry_validity,
        })
    };
    let one = || strings(&[0, 1], b"k");
    refused(Kind::StringMap, map(&[0, 1, 2], one(), one(), None), None, "do not end at the data's length, 1");
    refused(Kind::StringMap, map(&[0, 1], one(), one(), None), None, "2 offsets for 2 values");
    refused(
        Kind::StringMap,
        map(&[0, 0, 1], one(), strings(&[0], b""), None),
        None,
        "1 offsets for 1 values",
    );
    refused(Kind::StringMap, map(&[0, 0, 1], one(), one(), Some(vec![])), None, "0 bytes of bits");
    refused(Kind::StringMap, map(&[0, 0, 0], strings(&[], b""), one(), None), None, "0 offsets for 0 values");

    let null = ColumnResult { values: ValuesResult::Int32(vec![1, 2]), validity: Some(vec![0b01]) };
    let never = checked_column(null, Kind::Int32, Nullability::NeverNull, 2);
    assert_eq!(never, Err("1 nulls where the plan allows none".into()));
}

#[test]
fn a_value_of_a_null_row_may_be_anything() {
    let column = ColumnResult { values: ValuesResult::Date32(vec![i32::MAX, 5]), validity: Some(vec![0b10]) };
    let checked = checked_column(column, Kind::Date32, Nullability::MayBeNull, 2).expect("a good column");
    assert_eq!(checked.null_count(), 1);
}
