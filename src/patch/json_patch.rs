//! JSON patch: RFC 6902.

use crate::json::Json;

use super::apply::Target;
use super::operation::Operation;
use super::{InvalidPatch, MAX_OPERATIONS, PatchError};

/// A list of operations on a document (RFC 6902), `application/json-patch+json`.
///
/// ```
/// use ifmatch::json::Json;
/// use ifmatch::patch::JsonPatch;
///
/// let patch = JsonPatch::parse(br#"[
///     {"op": "test", "path": "/count", "value": 1},
///     {"op": "replace", "path": "/count", "value": 2},
///     {"op": "add", "path": "/tags/-", "value": "new"}
/// ]"#)?;
/// let document: Json = r#"{"count": 1, "tags": []}"#.parse()?;
/// let changed = patch.apply(document, 1_000)?;
/// assert_eq!(changed.to_string(), r#"{"count":2,"tags":["new"]}"#);
///
/// let error = patch.apply(changed, 1_000).unwrap_err();
/// assert_eq!((error.index(), error.pointer().to_string()), (Some(0), "/count".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonPatch {
    operations: Vec<Operation>,
}

impl JsonPatch {
    /// Reads a patch of at most [`MAX_OPERATIONS`] operations.
    ///
    /// # Errors
    /// [`InvalidPatch`] says which operation is wrong, and what is wrong with it. To remove the whole document, and to
    /// move a value into itself, is wrong whatever the document is.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidPatch> {
        let patch = Json::from_slice(text)?;
        let operations = patch.as_array().ok_or(InvalidPatch::NotAnArray)?;
        if operations.len() > MAX_OPERATIONS {
            return Err(InvalidPatch::TooManyOperations {
                operations: operations.len(),
                max: MAX_OPERATIONS,
            });
        }
        let operations = operations
            .iter()
            .enumerate()
            .map(|(index, operation)| {
                Operation::parse(operation)
                    .map_err(|fault| InvalidPatch::Operation { index, fault })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { operations })
    }

    /// How many operations it has.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn operations(&self) -> usize {
        self.operations.len()
    }

    /// How many of them copy, each of which may double a document.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn copies(&self) -> usize {
        self.operations.iter().filter(|one| matches!(one, Operation::Copy { .. })).count()
    }

    /// The document after all operations, in their order.
    ///
    /// The document may not grow over `max_bytes` of compact text, in between neither, and not be nested deeper than
    /// [`MAX_DEPTH`](crate::json::MAX_DEPTH). What is copied and moved may be 16 times `max_bytes` in sum.
    ///
    /// # Errors
    /// [`PatchError`] says which operation failed, where and why.
    pub fn apply(&self, document: Json, max_bytes: usize) -> Result<Json, PatchError> {
        let mut target = Target::new(document, max_bytes);
        for (index, operation) in self.operations.iter().enumerate() {
            target.apply(operation).map_err(|(pointer, failure)| PatchError {
                index: Some(index),
                pointer: pointer.clone(),
                failure,
            })?;
        }
        target.finish()
    }
}
