//! What logsmith promises to its users: each module one promise, tried with the real binary on real files,
//! and read back by the `deltalake` package for Python.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

mod budget;
mod check;
mod crash;
mod demo;
mod formats;
mod hostile;
mod landing;
mod plugins;
mod power_loss;
mod readme;
mod refusal;
