//! What the store guarantees, through its public face: in memory and on a log.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;

mod error;
mod home;
mod key;
mod limit;
mod model;
mod names;
mod oracle;
mod panic;
mod pending;
mod race;
