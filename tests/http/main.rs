//! The HTTP layer and the command, by real clients on real sockets.

// Clippy knows a test only by its attribute: helpers and their callers are tests, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

mod auth;
mod bad_input;
mod command;
mod compression;
mod conflict;
mod drain;
#[cfg(unix)]
mod kill;
mod limits;
mod logs;
mod metrics;
mod openapi;
mod operator;
mod origin;
mod precondition;
mod race;
mod read;
#[cfg(unix)]
mod readme;
mod serving;
#[cfg(unix)]
mod slow_clients;
mod tags;
mod tls;
mod users;
mod write;
