//! Local Silver to the landing: each new data file, byte for byte, as one object.

pub mod landing;

pub use landing::{Footer, ObjectName, Seq, StreamId};
