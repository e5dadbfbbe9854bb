//! The backend on etcd, against a real etcd: each test starts its own on loopback.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod conformance;
mod server;
