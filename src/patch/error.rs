//! What is wrong with a patch, and why one does not apply.

use crate::json::{InvalidJson, InvalidPointer, JsonPointer};

/// The text is not a patch, whatever it is applied to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPatch {
    /// The text is not JSON, or nested too deep.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// A JSON patch is an array of operations.
    #[error("a JSON patch is an array")]
    NotAnArray,
    /// It has more operations than a patch may have.
    #[error("the patch has {operations} operations, the limit is {max}")]
    TooManyOperations {
        /// How many it has.
        operations: usize,
        /// How many it may have.
        max: usize,
    },
    /// An operation is none.
    #[error("operation {index} of the patch: {fault}")]
    Operation {
        /// Its place in the patch, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        fault: OperationFault,
    },
}

/// What is wrong with an operation of a JSON patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationFault {
    /// An operation is an object.
    #[error("it is not an object")]
    NotAnObject,
    /// A member that the operation needs is not there.
    #[error("it has no member {name:?}")]
    MissingMember {
        /// The member's name.
        name: &'static str,
    },
    /// A member has to be a string.
    #[error("its member {name:?} is not a string")]
    NotAString {
        /// The member's name.
        name: &'static str,
    },
    /// The operation is none of add, remove, replace, move, copy and test.
    #[error("its \"op\" is none of add, remove, replace, move, copy, test")]
    UnknownOperation,
    /// A member has to be a JSON pointer.
    #[error("its member {name:?} is not a JSON pointer: {source}")]
    NotAPointer {
        /// The member's name.
        name: &'static str,
        /// Why not.
        source: InvalidPointer,
    },
    /// A value cannot be moved into itself.
    #[error("it moves a value into itself")]
    MoveIntoItself,
    /// The whole document cannot be removed by a patch: there would be nothing to be stored.
    #[error("it removes the whole document")]
    RemovesDocument,
}

/// The patch does not fit the document; the document is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{failure}", place(*index, pointer))]
pub struct PatchError {
    pub(super) index: Option<usize>,
    pub(super) pointer: JsonPointer,
    pub(super) failure: PatchFailure,
}

fn place(index: Option<usize>, pointer: &JsonPointer) -> String {
    match index {
        Some(index) => format!("operation {index} of the patch, at \"{pointer}\": "),
        None => String::new(),
    }
}

impl PatchError {
    pub(super) fn of_document(failure: PatchFailure) -> Self {
        Self { index: None, pointer: JsonPointer::root(), failure }
    }

    /// The operation's place in the patch, from 0. `None` if it is the outcome that is too large.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// Where in the document the operation failed.
    #[must_use]
    pub fn pointer(&self) -> &JsonPointer {
        &self.pointer
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> &PatchFailure {
        &self.failure
    }
}

/// Why a patch does not fit a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchFailure {
    /// There is nothing at the pointer.
    #[error("there is nothing")]
    NotFound,
    /// The array is shorter.
    #[error("the array has {length} elements")]
    IndexOutOfRange {
        /// How many elements it has.
        length: usize,
    },
    /// An array is asked for a member.
    #[error("{token:?} is not an index of an array")]
    NotAnIndex {
        /// What stands for the index.
        token: String,
    },
    /// A string, number, boolean or null is asked for a member.
    #[error("it is in a value that is neither an object nor an array")]
    NotAContainer,
    /// A test found another value.
    #[error("the test found another value")]
    TestFailed,
    /// The document would be too large.
    #[error("the document grows over {max_bytes} bytes")]
    TooLarge {
        /// The limit, in bytes of compact text.
        max_bytes: usize,
    },
    /// The document would be nested too deep.
    #[error("the document is nested more than {max} deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// The patch copies and moves more than a patch may.
    #[error("the patch copies and moves more than {max_bytes} bytes")]
    TooMuchMoved {
        /// The limit, in bytes of compact text.
        max_bytes: usize,
    },
}
