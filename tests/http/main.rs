//! The HTTP layer and the command, by real clients on real sockets.

// Clippy knows a test only by its attribute: helpers and their callers are tests, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

mod bad_input;
mod command;
mod conflict;
#[cfg(unix)]
mod kill;
mod limits;
mod precondition;
mod race;
mod read;
mod serving;
mod tags;
mod users;
mod write;
