//! What is written to stdout: data, and nothing else.

use std::io::{self, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Stdout, line by line. Each is flushed: whoever reads may be waiting for it.
pub(crate) struct Lines(StdoutLock<'static>);

impl Lines {
    pub(crate) fn new() -> Self {
        Self(io::stdout().lock())
    }

    pub(crate) fn text(&mut self, line: &str) -> Result<(), Failure> {
        Ok(writeln!(self.0, "{line}").and_then(|()| self.0.flush())?)
    }

    pub(crate) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        self.text(&serde_json::to_string(value).expect("what we print has names that are strings"))
    }
}

/// Writes bytes to stdout as they are.
pub(crate) fn bytes(parts: &[&[u8]]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    for part in parts {
        out.write_all(part)?;
    }
    Ok(out.flush()?)
}

pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a terminal shows it as it is: text without control characters, which could do anything there.
pub(crate) fn is_printable(body: &[u8]) -> bool {
    let is_layout = |letter| matches!(letter, '\n' | '\r' | '\t');
    std::str::from_utf8(body)
        .is_ok_and(|text| text.chars().all(|letter| is_layout(letter) || !letter.is_control()))
}
