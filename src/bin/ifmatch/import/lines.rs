//! The lines of a file, with how much of it is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::state::State;
use crate::failure::Failure;

/// The longest line, in bytes: more than the largest body of a server, in base64.
const MAX_LINE: u64 = 400 << 20;

/// Which part of a file is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    /// Of those bytes, so that another file of the same name is found out.
    sha256: String,
}

pub(super) struct Lines {
    input: Box<dyn BufRead>,
    total: Option<u64>,
    lines: u64,
    bytes: u64,
    digest: Sha256,
    /// Before the line that was read last.
    before: (u64, u64, Sha256),
}

impl Lines {
    /// Of stdin, if there is no file.
    pub(super) fn open(file: Option<&Path>) -> Result<Self, Failure> {
        let (input, total): (Box<dyn BufRead>, _) = match file {
            None => (Box::new(BufReader::new(io::stdin())), None),
            Some(path) => {
                let file = File::open(path).map_err(Failure::file("cannot read", path))?;
                let total = file.metadata().ok().filter(|metadata| metadata.is_file());
                let total = total.map(|metadata| metadata.len());
                (Box::new(BufReader::new(file)), total)
            }
        };
        let digest = Sha256::new();
        Ok(Self { input, total, lines: 0, bytes: 0, before: (0, 0, digest.clone()), digest })
    }

    /// Reads the next line into `line`, without its end. `false` if there is none.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Failure> {
        self.before = (self.lines, self.bytes, self.digest.clone());
        line.clear();
        let read = self.input.by_ref().take(MAX_LINE + 1).read_until(b'\n', line);
        let read = read.map_err(Failure::io("cannot read the lines"))?;
        self.digest.update(&*line);
        let read = u64::try_from(read).expect("a line is shorter");
        self.bytes += read;
        if read == 0 {
            return Ok(false);
        }
        self.lines += 1;
        if read > MAX_LINE {
            let what = format!("it is longer than {MAX_LINE} bytes");
            return Err(Failure::other(what).at_line(self.lines));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(true)
    }

    /// Passes over what is done.
    pub(super) fn skip_to(&mut self, state: &State) -> Result<(), Failure> {
        let mut line = Vec::new();
        while self.lines < state.done.lines && self.next(&mut line)? {}
        let is_same = self.bytes == state.done.bytes && hex(&self.digest) == state.done.sha256;
        if is_same {
            return Ok(());
        }
        Err(Failure::other("--resume: the file has changed since: import it from the beginning"))
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.lines
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    /// What comes before the line that was read last.
    pub(super) fn before(&self) -> Done {
        let (lines, bytes, digest) = &self.before;
        Done { lines: *lines, bytes: *bytes, sha256: hex(digest) }
    }
}

fn hex(digest: &Sha256) -> String {
    digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
