//! The types and calls of the boundary, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "wit/0.1.0",
    world: "plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub use exports::logsmith::transform::transform::*;
pub use logsmith::transform::host;
