//! Structs that are no records.

use logsmith_plugin::Record;

#[derive(Record)]
enum Level {
    Info,
    Error,
}

#[derive(Record)]
struct Pair(String, i64);

#[derive(Record)]
struct Nothing {}

#[derive(Record)]
struct Generic<T> {
    value: T,
}

fn main() {}
