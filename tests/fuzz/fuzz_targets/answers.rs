//! An input is what hostile guests answer.

#![no_main]

use std::cell::RefCell;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use logsmith_fuzz::answers::Puppets;
use logsmith_fuzz::transform::Engine;

thread_local! {
    static PUPPETS: RefCell<Puppets> = RefCell::new(Puppets::open(
        &Engine::try_new(None).expect("the engine starts"),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../hostile/dist/hostile.wasm"),
    ));
}

fuzz_target!(
    // Compiling takes longer than an input may.
    init: PUPPETS.with_borrow(|_| ()),
    |scripts: &[u8]| PUPPETS.with_borrow_mut(|puppets| puppets.check(scripts))
);
