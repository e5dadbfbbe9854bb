//! How far an export is: a file beside it, as long as it is not whole.

use std::io;
use std::path::{Path, PathBuf};

use ifmatch::Revision;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::replace;
use crate::server::Origin;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    #[serde(flatten)]
    pub(super) origin: Origin,
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
    /// If the export was of another prefix.
    pub(super) fn check_prefix(&self, prefix: &str) -> Result<(), Failure> {
        if self.prefix != prefix {
            let was = &self.prefix;
            let what = format!("--resume: the prefix of the export was {was:?}, not {prefix:?}");
            return Err(Failure::Usage(what));
        }
        Ok(())
    }

    /// # Errors
    /// If the export was of another store.
    pub(super) fn check_origin(&self, origin: &Origin) -> Result<(), Failure> {
        if !self.origin.is_same(origin) {
            let was = &self.origin;
            return Err(Failure::Usage(format!(
                "--resume: the export was of {was}, not of {origin}"
            )));
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
