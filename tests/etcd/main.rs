//! The backend on etcd, against a real etcd: each test starts its own on loopback.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod cluster;
mod compaction;
mod conformance;
mod faults;
#[cfg(feature = "cli")]
mod guarded;
mod limits;
#[cfg(feature = "cli")]
mod moving;
mod others;
mod outcomes;
mod proxy;
#[cfg(feature = "cli")]
mod remote;
#[cfg(feature = "cli")]
mod serve;
#[cfg(feature = "cli")]
mod served;
mod server;
mod support;
#[path = "../conformance/table.rs"]
mod table;
mod watches;
