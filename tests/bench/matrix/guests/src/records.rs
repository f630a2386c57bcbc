//! Rows cross as records, a value each.
#![cfg(target_arch = "wasm32")]

use logsmith_boundary::parse;

wit_bindgen::generate!({ path: "wit", world: "records" });

struct Records;
export!(Records);

impl Guest for Records {
    fn apply(lines: Vec<String>) -> Vec<Row> {
        let row = |line: &String| {
            let row = parse(line)?;
            Some(Row {
                time_us: row.time.micros(),
                level: row.level.to_owned(),
                service: row.service.to_owned(),
                status: row.status,
                user: row.user,
                message: row.message.to_owned(),
            })
        };
        lines.iter().filter_map(row).collect()
    }
}
