//! Local Silver to the landing: each new data file, byte for byte, as one object.

pub mod landing;
pub mod pace;
pub mod upload;

pub use landing::{Footer, ObjectName, Seq, StreamId};
pub use pace::Pace;
pub use upload::{PutCounts, Puts, Sync, Synced, sync};
