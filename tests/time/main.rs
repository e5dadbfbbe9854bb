//! What the store guarantees across keys and across time: transactions, scans, snapshots, history, watch.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;
#[path = "../store/home.rs"]
mod home;

mod bank;
mod commit;
mod error;
mod hooks;
mod limits;
mod memory;
mod model;
mod phantom;
mod reentrancy;
mod replay;
mod retention;
mod scan;
mod sequence;
mod shown;
mod span;
mod watch;
