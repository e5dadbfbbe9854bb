//! The testing kit itself, tested: the checker against one that tries all orders, on histories of which it is known what they
//! are.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic)] // All of it is tests.

#[path = "../common/mod.rs"]
mod common;

mod all_orders;
mod anything;
mod bounds;
mod clients;
mod effort;
mod generated;
mod judged;
mod known;
mod lines;
mod may_come;
mod open;
mod order;
mod pictures;
mod plans;
mod planted;
mod recorded;
mod register;
mod rows;
mod shown;
mod shrunk;
mod simulated;
mod specified;
mod workers;
