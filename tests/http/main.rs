//! The HTTP layer and the command, by real clients on real sockets.

// Clippy knows a test only by its attribute: helpers and their callers are tests, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

mod bad_input;
mod callers;
mod command;
mod conflict;
mod dates;
mod history;
mod idempotency;
mod interrupted;
#[cfg(unix)]
mod kill;
mod limits;
mod list;
mod long_poll;
mod patch;
mod precondition;
mod prefer;
mod race;
mod read;
mod required;
mod serving;
mod strict;
mod tags;
mod txn;
mod users;
mod watch;
mod write;
