//! What logsmith promises to its users: each module one promise, tried with the real binary on real files,
//! and read back by the `deltalake` package for Python.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod machine;
mod s3;
mod support;

mod board;
mod budget;
mod chains;
mod check;
mod compiled;
mod containers;
mod crash;
mod damage;
mod demo;
mod disk;
mod encodings;
mod endurance;
mod engine;
mod explain;
mod feeds;
mod fixtures;
mod fleet;
mod formats;
mod fuzz;
mod hostile;
mod identity;
mod install;
mod landing;
mod languages;
mod limits;
mod loghub;
mod logs;
mod long_lines;
mod metrics;
mod multiline;
mod owned;
mod pace;
mod package;
mod parts;
mod plugins;
mod policy;
mod power_loss;
mod project;
mod quarantine;
mod readers;
mod readme;
mod refusal;
mod reload;
mod replay;
mod restart;
mod rotation;
mod schema;
mod secrets;
mod service;
mod shaping;
mod shipped;
mod standby;
mod stores;
mod storms;
mod surroundings;
mod swap;
mod terminal;
mod top;
mod trace;
mod upkeep;
mod views;
mod watch;
mod watchdog;
mod workbench;
