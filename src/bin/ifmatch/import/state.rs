//! How far an import is: a file beside it, as long as it is not done.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lines::Done;
use super::{Counts, Policy};
use crate::failure::Failure;
use crate::replace;
use crate::server::Origin;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    #[serde(flatten)]
    pub(super) origin: Origin,
    pub(super) policy: Policy,
    pub(super) done: Done,
    pub(super) counts: Counts,
    /// A key that was imported. A server that does not have it has been emptied, or is another.
    pub(super) witness: Option<String>,
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".ifmatch-import");
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
    /// If the import was another.
    pub(super) fn check(&self, origin: &Origin, policy: Policy) -> Result<(), Failure> {
        if !self.origin.is_same(origin) {
            let was = &self.origin;
            return Err(Failure::Usage(format!(
                "--resume: the import was into {was}, not {origin}"
            )));
        }
        if self.policy != policy {
            let what =
                "--resume: the import was with another of --create, --overwrite, --if-unchanged";
            return Err(Failure::Usage(what.into()));
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
