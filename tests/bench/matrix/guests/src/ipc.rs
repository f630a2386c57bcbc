//! Rows cross as a stream of Arrow IPC.
#![cfg(target_arch = "wasm32")]

use arrow_array::cast::AsArray;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use logsmith_boundary::transform;

wit_bindgen::generate!({ path: "wit", world: "ipc" });

struct Ipc;
export!(Ipc);

impl Guest for Ipc {
    fn apply(lines: Vec<u8>) -> Vec<u8> {
        answer(lines).unwrap_or_default()
    }
}

/// `None` if the stream is none of lines.
fn answer(lines: Vec<u8>) -> Option<Vec<u8>> {
    let room = lines.len() * 2;
    let mut lines = Buffer::from_vec(lines);
    // Without a copy, where a reader of streams would make one.
    let batch = StreamDecoder::new().decode(&mut lines).ok()??;
    let rows = transform(batch.column(0).as_string_opt()?)?;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(room), &rows.schema()).ok()?;
    writer.write(&rows).ok()?;
    writer.into_inner().ok()
}
