//! Fuzzing, from two sides:
//!
//! - [`answers`]: whatever a plugin answers, the host lives, settles each row once, and makes no invalid array of it.
//! - [`parsers`]: whatever a line holds, no shipped plugin panics on it or answers what the host refuses.
//!
//! `tests/fuzz/run parsers` and `tests/fuzz/run answers` fuzz for ten minutes, or for so many seconds as a second argument
//! says; they need cargo-fuzz, and no nightly compiler. What the targets share with the module `fuzz` of `tests/it`, which
//! tries the seeds and some thousand mutations of them whenever the tests run, is here: [`answers`] and [`cases`].
//!
//! The host's side of the boundary is compiled from the agent's own sources: without the tables that the agent keeps, the
//! build has a third of the crates.

#[path = "../../../agent/clock.rs"]
#[expect(dead_code, reason = "for the whole agent")]
mod clock;
/// Nobody watches over stages here.
mod pulse {
    pub fn beat() {}
}
#[path = "../../../agent/secrets.rs"]
#[allow(dead_code, reason = "for the whole agent")]
pub mod secrets;
#[path = "../../../agent/text.rs"]
#[allow(dead_code, reason = "for the whole agent")]
mod text;
#[path = "../../../agent/transform/mod.rs"]
pub mod transform;

pub mod answers;
pub mod cases;
pub mod parsers;
