//! What plugin authors work with: lines through the production engine with production limits, each with its verdict.
//!
//! - `cell`: values of columns as TOML, the form that fixtures are written in.
//! - `trial`: lines to a Bronze batch, and verdicts back to lines.
//! - `input`: the lines of a file or a pipe.
//! - `fixture`: files that say which verdicts are expected.
//! - `bench`: what the plugin costs, and where.
//! - `project`: a plugin's folder, made and built.

pub mod bench;
pub mod cell;
pub mod fixture;
pub mod input;
pub mod project;
pub mod trial;

pub use bench::Figures;
pub use fixture::{Fixture, FixtureError};
pub use trial::{Fate, Trial};
