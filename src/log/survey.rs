//! What is in the log's directory, by name.

use std::io;

use crate::error::OpenError;
use crate::storage::Directory;

use super::names::Name;

/// The files that make up the log, and those that are left over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Survey {
    /// The newest checkpoint: it replaces all segments before the one of this number.
    pub(super) checkpoint: Option<u64>,
    /// The segments that are not replaced, ascending, without a gap.
    pub(super) segments: Vec<u64>,
    /// Files that were being created, or are replaced.
    pub(super) left_over: Vec<String>,
}

impl Survey {
    pub(super) fn of(directory: &dyn Directory) -> Result<Self, OpenError> {
        let names = directory.list().map_err(|source| io_error(directory, "list", source))?;
        let mut numbers = Vec::new();
        let mut checkpoint = None;
        let mut left_over = Vec::new();
        for name in &names {
            match Name::of(name) {
                Name::Segment(number) => numbers.push(number),
                Name::Checkpoint(number) => checkpoint = checkpoint.max(Some(number)),
                Name::Unfinished => left_over.push(name.clone()),
                Name::Lock | Name::Tolerated => {}
                Name::Backup => {
                    return Err(OpenError::IsBackup { path: directory.path().to_owned() });
                }
                Name::Foreign => {
                    return Err(OpenError::ForeignFile { path: directory.path().join(name) });
                }
            }
        }
        if let Some(number) = checkpoint {
            left_over.extend(replaced(names, number));
        }
        let first = checkpoint.unwrap_or(1);
        numbers.retain(|number| *number >= first);
        numbers.sort_unstable();
        let expected = (first..).take(numbers.len().max(usize::from(checkpoint.is_some())));
        for (at, expected) in expected.enumerate() {
            if numbers.get(at) != Some(&expected) {
                return Err(OpenError::MissingSegment { segment: expected });
            }
        }
        Ok(Self { checkpoint, segments: numbers, left_over })
    }
}

/// Of these names the files that the checkpoint of this number replaces.
pub(super) fn replaced(names: Vec<String>, number: u64) -> impl Iterator<Item = String> {
    names.into_iter().filter(move |name| match Name::of(name) {
        Name::Segment(other) | Name::Checkpoint(other) => other < number,
        _ => false,
    })
}

pub(super) fn io_error(
    directory: &dyn Directory,
    action: &'static str,
    source: io::Error,
) -> OpenError {
    OpenError::Io { action, path: directory.path().to_owned(), source }
}
