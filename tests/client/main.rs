//! The typed client, against the real server, and against servers that fail on purpose.

// Clippy knows a test only by its attribute: helpers and their callers are tests, too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

mod build;
mod faults;
#[cfg(feature = "testing")]
mod histories;
mod many;
mod one;
mod race;
#[cfg(feature = "testing")]
mod remote;
#[cfg(feature = "tls")]
mod tls;
mod watch;
