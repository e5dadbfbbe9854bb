//! What the log guarantees, through the store's public face: what survives what, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;

mod bit;
mod block;
mod close;
mod compaction;
mod crash;
mod directory;
mod frame;
mod history;
mod hostile;
mod reading;
mod reservation;
mod rotation;
mod segment;
mod truncation;
mod watch;
