//! Configuration: a file is read whole, every mistake in it is told at once, and what comes out is checked.

pub mod central;

pub use central::{Central, View};
