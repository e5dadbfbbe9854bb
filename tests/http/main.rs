//! The HTTP layer and the command, by real clients on real sockets.

// Clippy knows a test only by its attribute: helpers and their callers are tests, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

mod auth;
mod bad_input;
mod callers;
mod command;
mod compression;
mod conflict;
mod dates;
mod drain;
mod history;
mod idempotency;
mod interrupted;
#[cfg(unix)]
mod kill;
mod limits;
mod list;
mod logs;
mod long_poll;
mod metrics;
mod nested;
mod openapi;
mod operator;
mod origin;
mod patch;
mod precondition;
mod prefer;
mod race;
mod read;
#[cfg(unix)]
mod readme;
mod required;
mod serving;
#[cfg(unix)]
mod slow_clients;
mod strict;
mod tags;
mod tls;
mod txn;
mod unreadable;
mod users;
mod versions;
mod watch;
mod write;
