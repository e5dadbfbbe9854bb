//! What is done to a log's directory from outside: looking, copying, restoring, compacting, repairing.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;

mod backup;
mod compact;
mod dump;
mod keys;
mod past;
mod repair;
mod restore;
mod stats;
mod verify;
