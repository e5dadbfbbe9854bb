//! The file that somebody edits, in a folder that nobody else can read.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::Failure;

/// How much of a key is in the name of the file, in characters.
const MAX_NAME: usize = 40;

pub(super) struct Draft {
    folder: TempDir,
    path: PathBuf,
    extension: &'static str,
    /// What was given to the editor first; `None` if nothing was yet.
    first: Option<Vec<u8>>,
}

impl Draft {
    pub(super) fn new(key: &str, extension: &'static str) -> Result<Self, Failure> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("ifmatch-edit-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o700));
        }
        let folder = builder.tempdir().map_err(Failure::io("cannot make a temporary folder"))?;
        let path = folder.path().join(format!("{}.{extension}", name(key)));
        Ok(Self { folder, path, extension, first: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is to be edited next.
    pub(super) fn write(&mut self, text: &[u8]) -> Result<(), Failure> {
        fs::write(&self.path, text).map_err(Failure::file("cannot write", &self.path))?;
        self.first.get_or_insert_with(|| text.to_vec());
        Ok(())
    }

    /// Keeps a text beside the file, before another takes its place there. No file of a key has a name with two dots.
    pub(super) fn put_aside(&self, text: &[u8]) -> Result<(), Failure> {
        let path = self.folder.path().join(format!("mine.orig.{}", self.extension));
        fs::write(&path, text).map_err(Failure::file("cannot write", &path))
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        fs::read(&self.path).map_err(Failure::file("cannot read", &self.path))
    }

    /// Keeps the folder, if somebody's work may be in it; then `failure` says where.
    pub(super) fn keep_for(self, failure: Failure) -> Failure {
        let is_untouched = self.first.is_none() || self.read().ok() == self.first;
        let files = fs::read_dir(self.folder.path()).map_or(usize::MAX, Iterator::count);
        if is_untouched && files <= 1 {
            return failure;
        }
        let _folder = self.folder.keep();
        Failure::Kept { kept: self.path, source: Box::new(failure) }
    }
}

/// The last segment of the key, as a name that every file system takes, and no program for an option.
fn name(key: &str) -> String {
    let last = key.rsplit('/').next().unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let name: String = last
        .chars()
        .take(MAX_NAME)
        .map(|letter| if is_plain(letter) { letter } else { '_' })
        .collect();
    if name.is_empty() { "document".to_owned() } else { name }
}
