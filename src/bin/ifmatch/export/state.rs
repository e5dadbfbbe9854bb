//! How far an export is: a file beside it, as long as it is not whole.

use std::io;
use std::path::{Path, PathBuf};

use ifmatch::Revision;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::replace;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) server: String,
    pub(super) prefix: String,
    pub(super) revision: Revision,
    /// Where the next page begins; `None` after the last.
    pub(super) cursor: Option<String>,
    /// How long the file is.
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".ifmatch-export");
    name.into()
}

impl State {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let path = beside(path);
        let text = std::fs::read(&path).map_err(Failure::file(
            "--resume: nothing is to be gone on with: cannot read",
            &path,
        ))?;
        serde_json::from_slice(&text)
            .map_err(|error| Failure::other(format!("--resume: {}: {error}", path.display())))
    }

    /// # Errors
    /// If the export was another.
    pub(super) fn check(&self, prefix: &str, server: &str) -> Result<(), Failure> {
        for (what, was, is) in
            [("prefix", &*self.prefix, prefix), ("server", &*self.server, server)]
        {
            if was != is {
                let what = format!("--resume: the {what} of the export was {was:?}, not {is:?}");
                return Err(Failure::Usage(what));
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec(self).expect("names are strings");
        replace::file(&beside(path), &[&text])
    }

    pub(super) fn remove(path: &Path) -> Result<(), Failure> {
        let path = beside(path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::file("cannot remove", &path)(error))
            }
            _ => Ok(()),
        }
    }
}
