//! The operations of a JSON patch on a document whose size is kept count of, so that copies of copies are refused before
//! they fill the memory.

use std::mem;
use std::sync::Arc;

use crate::json::{Json, JsonPointer, MAX_DEPTH, index, string_len};

use super::operation::Operation;
use super::{PatchError, PatchFailure};

/// How often over the largest document may be copied and moved.
const MOVED_FACTOR: usize = 16;

/// The document while a patch is applied.
pub(super) struct Target {
    document: Json,
    /// The length of the compact text of `document`.
    bytes: usize,
    max_bytes: usize,
    /// How much more may be copied and moved, in bytes.
    movable: usize,
}

/// Where an operation failed, and why.
type Failed<'a> = (&'a JsonPointer, PatchFailure);

impl Target {
    pub(super) fn new(document: Json, max_bytes: usize) -> Self {
        let bytes = document.encoded_len();
        Self { document, bytes, max_bytes, movable: max_bytes.saturating_mul(MOVED_FACTOR) }
    }

    pub(super) fn finish(self) -> Result<Json, PatchError> {
        debug_assert_eq!(self.bytes, self.document.encoded_len(), "every change was counted");
        if self.bytes > self.max_bytes {
            let failure = PatchFailure::TooLarge { max_bytes: self.max_bytes };
            return Err(PatchError::of_document(failure));
        }
        Ok(self.document)
    }

    pub(super) fn apply<'a>(&mut self, operation: &'a Operation) -> Result<(), Failed<'a>> {
        let before = self.bytes;
        let path = match operation {
            Operation::Add { path, value } => {
                self.insert(path, value.clone()).map_err(|failure| (path, failure))?;
                path
            }
            Operation::Remove { path } => {
                self.remove(path).map_err(|failure| (path, failure))?;
                path
            }
            Operation::Replace { path, value } => {
                self.replace(path, value.clone()).map_err(|failure| (path, failure))?;
                path
            }
            Operation::Move { from, path } => {
                self.relocate(from, path)?;
                path
            }
            Operation::Copy { from, path } => {
                let value = self.copy(from).map_err(|failure| (from, failure))?;
                self.insert(path, value).map_err(|failure| (path, failure))?;
                path
            }
            Operation::Test { path, value } => {
                self.test(path, value).map_err(|failure| (path, failure))?;
                path
            }
        };
        // A document that is too large from the beginning may shrink.
        if self.bytes > self.max_bytes && self.bytes > before {
            return Err((path, PatchFailure::TooLarge { max_bytes: self.max_bytes }));
        }
        Ok(())
    }

    fn test(&mut self, path: &JsonPointer, value: &Json) -> Result<(), PatchFailure> {
        let found = self.find(path)?;
        if found != value {
            return Err(PatchFailure::TestFailed);
        }
        // A number of a million digits equals one of a few with an exponent, so that a short patch could have it read again
        // and again.
        let unpaid = found.encoded_len().saturating_sub(value.encoded_len());
        self.take_movable(unpaid)
    }

    fn copy(&mut self, from: &JsonPointer) -> Result<Json, PatchFailure> {
        let bytes = self.find(from)?.encoded_len();
        self.take_movable(bytes)?;
        self.find(from).cloned()
    }

    fn relocate<'a>(
        &mut self,
        from: &'a JsonPointer,
        path: &'a JsonPointer,
    ) -> Result<(), Failed<'a>> {
        if from == path {
            return self.find(from).map(drop).map_err(|failure| (from, failure));
        }
        let value = self.remove(from).map_err(|failure| (from, failure))?;
        self.take_movable(value.encoded_len()).map_err(|failure| (from, failure))?;
        self.insert(path, value).map_err(|failure| (path, failure))
    }

    fn take_movable(&mut self, bytes: usize) -> Result<(), PatchFailure> {
        let max_bytes = self.max_bytes.saturating_mul(MOVED_FACTOR);
        self.movable =
            self.movable.checked_sub(bytes).ok_or(PatchFailure::TooMuchMoved { max_bytes })?;
        Ok(())
    }

    fn find(&mut self, path: &JsonPointer) -> Result<&Json, PatchFailure> {
        match path.split_last() {
            None => Ok(&self.document),
            Some((parents, last)) => {
                step(walk(&mut self.document, parents)?, last).map(|found| &*found)
            }
        }
    }

    fn insert(&mut self, path: &JsonPointer, value: Json) -> Result<(), PatchFailure> {
        check_depth(path, &value)?;
        let bytes = value.encoded_len();
        let Some((parents, last)) = path.split_last() else {
            self.document = value;
            self.bytes = bytes;
            return Ok(());
        };
        match walk(&mut self.document, parents)? {
            Json::Object(members) => {
                let separator = usize::from(!members.is_empty());
                match members.insert(last, value) {
                    Some(replaced) => self.bytes = self.bytes - replaced.encoded_len() + bytes,
                    None => self.bytes += string_len(last) + 1 + bytes + separator,
                }
            }
            Json::Array(elements) => {
                let place = if last == "-" { elements.len() } else { index_of(last)? };
                if place > elements.len() {
                    return Err(PatchFailure::IndexOutOfRange { length: elements.len() });
                }
                self.bytes += bytes + usize::from(!elements.is_empty());
                elements.insert(place, value);
            }
            _ => return Err(PatchFailure::NotAContainer),
        }
        Ok(())
    }

    fn replace(&mut self, path: &JsonPointer, value: Json) -> Result<(), PatchFailure> {
        check_depth(path, &value)?;
        let bytes = value.encoded_len();
        let place = match path.split_last() {
            None => &mut self.document,
            Some((parents, last)) => step(walk(&mut self.document, parents)?, last)?,
        };
        let replaced = mem::replace(place, value);
        self.bytes = self.bytes - replaced.encoded_len() + bytes;
        Ok(())
    }

    fn remove(&mut self, path: &JsonPointer) -> Result<Json, PatchFailure> {
        let (parents, last) =
            path.split_last().expect("a patch that removes the whole document is not read");
        let (removed, name, rest) = match walk(&mut self.document, parents)? {
            Json::Object(members) => {
                let removed = members.remove(last).ok_or(PatchFailure::NotFound)?;
                (removed, string_len(last) + 1, members.len())
            }
            Json::Array(elements) => {
                let place = element(elements.len(), last)?;
                (elements.remove(place), 0, elements.len())
            }
            _ => return Err(PatchFailure::NotAContainer),
        };
        self.bytes -= name + removed.encoded_len() + usize::from(rest > 0);
        Ok(removed)
    }
}

fn check_depth(path: &JsonPointer, value: &Json) -> Result<(), PatchFailure> {
    if path.tokens().len() + value.depth() > MAX_DEPTH {
        return Err(PatchFailure::TooDeep { max: MAX_DEPTH });
    }
    Ok(())
}

fn walk<'a>(root: &'a mut Json, tokens: &[Arc<str>]) -> Result<&'a mut Json, PatchFailure> {
    tokens.iter().try_fold(root, |value, token| step(value, token))
}

fn step<'a>(value: &'a mut Json, token: &str) -> Result<&'a mut Json, PatchFailure> {
    match value {
        Json::Object(members) => members.get_mut(token).ok_or(PatchFailure::NotFound),
        Json::Array(elements) => {
            let place = element(elements.len(), token)?;
            Ok(&mut elements[place])
        }
        _ => Err(PatchFailure::NotAContainer),
    }
}

/// The index of an element that is there. `-` is the one after the last, which never is.
fn element(length: usize, token: &str) -> Result<usize, PatchFailure> {
    let place = if token == "-" { length } else { index_of(token)? };
    if place < length { Ok(place) } else { Err(PatchFailure::IndexOutOfRange { length }) }
}

fn index_of(token: &str) -> Result<usize, PatchFailure> {
    index(token).ok_or_else(|| PatchFailure::NotAnIndex { token: token.to_owned() })
}
