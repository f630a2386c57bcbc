//! The three ways across, from the host's side: Arrow in, checked Arrow out.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use logsmith_boundary::{Rows, schema};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, Inlining, Store};

use crate::{Instances, Setting, Switch};

mod columns {
    wasmtime::component::bindgen!({
        path: "wit/0.1.0",
        world: "plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
    pub use self::logsmith::transform::host;
    pub use exports::logsmith::transform::transform::*;
}

mod records {
    wasmtime::component::bindgen!({ path: "tests/bench/matrix/guests/wit", world: "records" });
}

mod ipc {
    wasmtime::component::bindgen!({ path: "tests/bench/matrix/guests/wit", world: "ipc" });
}

/// How rows cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As Arrow's buffers, a list each: logsmith's own.
    Columns,
    /// As a list of records.
    Records,
    /// As bytes, a stream of Arrow IPC.
    Ipc,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Columns, Self::Records, Self::Ipc];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Records => "list<record>",
            Self::Ipc => "Arrow IPC",
        }
    }

    /// The name of its guest's file.
    pub fn file(self, simd: Switch) -> String {
        let way = match self {
            Self::Columns => "columns",
            Self::Records => "records",
            Self::Ipc => "ipc",
        };
        format!("{way}-simd-{}.wasm", simd.name())
    }
}

/// The transform, once.
pub type Call = Box<dyn FnMut(&StringArray) -> RecordBatch>;

/// The transform across the boundary, by a guest out of `guests`, where compiled ones are kept too.
pub fn call(way: Way, guests: &Path, setting: Setting) -> Call {
    let guest = fs::read(guests.join(way.file(setting.simd))).unwrap();
    let engine = engine(setting.epochs, guest.len(), &guests.join("cache"));
    let component = Component::new(&engine, guest).unwrap();
    let mut linker = Linker::new(&engine);
    columns::host::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host).unwrap();
    let pre = linker.instantiate_pre(&component).unwrap();
    match way {
        Way::Columns => columns(setting.instances, pre),
        Way::Records => records(setting.instances, pre),
        Way::Ipc => ipc(setting.instances, pre),
    }
}

/// As the agent's for a component of this size, but for epochs.
fn engine(epochs: Switch, component_bytes: usize, cache: &Path) -> Engine {
    let mut config = Config::new();
    config.epoch_interruption(epochs == Switch::On);
    config.compiler_inlining(if component_bytes <= 1 << 20 { Inlining::Yes } else { Inlining::No });
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.wasm_backtrace_max_frames(None);
    let mut kept = CacheConfig::new();
    kept.with_directory(cache);
    config.cache(Some(Cache::new(kept).unwrap()));
    Engine::new(&config).unwrap()
}

/// A host that does nothing for its guest.
struct Host;

impl columns::host::Host for Host {
    fn log(&mut self, _: columns::host::Level, _: String) {}

    fn count(&mut self, _: String, _: u64) {}
}

fn store(pre: &InstancePre<Host>) -> Store<Host> {
    let mut store = Store::new(pre.engine(), Host);
    // Checked like any deadline, and never reached.
    store.set_epoch_deadline(1 << 32);
    store
}

/// Instances are made, used and given back as the setting says.
fn with_instances<I: 'static>(
    instances: Instances,
    new: impl Fn() -> I + 'static,
    apply: impl Fn(&mut I, &StringArray) -> RecordBatch + 'static,
) -> Call {
    let mut kept = None;
    Box::new(move |lines| {
        let rows = apply(kept.get_or_insert_with(&new), lines);
        if instances == Instances::Fresh {
            kept = None;
        }
        rows
    })
}

fn columns(instances: Instances, pre: InstancePre<Host>) -> Call {
    let pre = columns::PluginPre::new(pre).unwrap();
    let new = move || {
        let mut store = store(pre.instance_pre());
        let plugin = pre.instantiate(&mut store).unwrap();
        let line = columns::FieldParam { name: "line", kind: columns::Kind::Utf8, nullable: false };
        plugin.logsmith_transform_transform().call_open(&mut store, "{}", &[line]).unwrap().unwrap();
        (store, plugin)
    };
    with_instances(instances, new, |(store, plugin), lines| {
        let strings = columns::StringsParam { offsets: lines.value_offsets(), data: lines.value_data() };
        let line = columns::ColumnParam { values: columns::ValuesParam::Utf8(strings), validity: None };
        let batch = columns::Batch { rows: lines.len() as u32, columns: &[line] };
        let output = plugin.logsmith_transform_transform().call_apply(store, batch).unwrap().unwrap();
        assert_eq!(output.source_rows.len(), lines.len());
        RecordBatch::try_new(schema(), output.columns.into_iter().map(array).collect()).unwrap()
    })
}

/// A column as an array, checked.
fn array(column: columns::ColumnResult) -> ArrayRef {
    use columns::ValuesResult;
    let nulls =
        |len| column.validity.map(|bits| NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, len)));
    match column.values {
        ValuesResult::Int32(values) => {
            let nulls = nulls(values.len());
            Arc::new(Int32Array::new(values.into(), nulls))
        }
        ValuesResult::Int64(values) => {
            let nulls = nulls(values.len());
            Arc::new(Int64Array::new(values.into(), nulls))
        }
        ValuesResult::TimestampUs(values) => {
            let nulls = nulls(values.len());
            Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
        }
        ValuesResult::Utf8(strings) => {
            let offsets = OffsetBuffer::new(strings.offsets.into());
            let nulls = nulls(offsets.len() - 1);
            Arc::new(StringArray::new(offsets, Buffer::from_vec(strings.data), nulls))
        }
        other => panic!("{other:?}"),
    }
}

fn records(instances: Instances, pre: InstancePre<Host>) -> Call {
    let pre = records::RecordsPre::new(pre).unwrap();
    let new = move || {
        let mut store = store(pre.instance_pre());
        let guest = pre.instantiate(&mut store).unwrap();
        (store, guest)
    };
    with_instances(instances, new, |(store, guest), lines| {
        let texts: Vec<String> = lines.iter().flatten().map(str::to_owned).collect();
        let answer = guest.call_apply(store, &texts).unwrap();
        let mut rows = Rows::with_capacity(answer.len(), lines.value_data().len());
        for row in answer {
            let records::Row { time_us, level, service, status, user, message } = row;
            rows.push(time_us, &level, &service, status, user, &message);
        }
        rows.finish().unwrap()
    })
}

fn ipc(instances: Instances, pre: InstancePre<Host>) -> Call {
    let pre = ipc::IpcPre::new(pre).unwrap();
    let new = move || {
        let mut store = store(pre.instance_pre());
        let guest = pre.instantiate(&mut store).unwrap();
        (store, guest)
    };
    with_instances(instances, new, |(store, guest), lines| {
        let column: ArrayRef = Arc::new(lines.clone());
        let batch = RecordBatch::try_from_iter([("line", column)]).unwrap();
        let room = batch.get_array_memory_size() + 1_024;
        let mut writer = StreamWriter::try_new(Vec::with_capacity(room), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let answer = guest.call_apply(store, &writer.into_inner().unwrap()).unwrap();
        StreamDecoder::new().decode(&mut Buffer::from_vec(answer)).unwrap().unwrap()
    })
}
