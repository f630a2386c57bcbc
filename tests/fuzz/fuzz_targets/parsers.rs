//! An input is a log file.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use logsmith_fuzz::parsers::Parsers;

thread_local! {
    static PARSERS: RefCell<Parsers> = RefCell::new(Parsers::open());
}

fuzz_target!(|file: &[u8]| PARSERS.with_borrow_mut(|parsers| parsers.check(file)));
