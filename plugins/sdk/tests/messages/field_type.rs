//! A field of a type that no column has.

use logsmith_plugin::Record;

#[derive(Record)]
struct Row<'a> {
    name: &'a str,
    size: u32,
}

#[derive(Record)]
struct Marked {
    mark: Option<char>,
}

fn main() {}
