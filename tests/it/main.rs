//! What logsmith promises to its users: each module one promise, tried with the real binary on real files,
//! and read back by the `deltalake` package for Python.

mod support;

mod check;
mod crash;
mod demo;
mod formats;
mod landing;
mod power_loss;
mod readme;
mod refusal;
