//! The command line, as processes that talk to a server process.

// Clippy knows a test only by its attribute: helpers and their callers are tests, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod basics;
mod completions;
mod deploy;
#[cfg(unix)]
mod edit;
mod exit_codes;
mod golden;
mod log;
mod support;
#[cfg(unix)]
mod transfer;
#[cfg(unix)]
mod watch;
