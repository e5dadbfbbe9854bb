//! What is not JSON, or not the JSON that was asked for.

/// Why a text is not a document, or a document not a value of the type asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJson {
    /// The text is not UTF-8.
    #[error("the document is not UTF-8 from byte {offset} on")]
    NotUtf8 {
        /// Where the first bad byte is, from 0.
        offset: usize,
    },
    /// The text is not JSON.
    #[error("the document is not JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// A string holds half of a surrogate pair, which is no character.
    #[error("the string at byte {offset} is not text: {source}")]
    NotText {
        /// Where the string begins, in bytes from 0.
        offset: usize,
        /// What is wrong in it; its line and column count from the string's beginning.
        source: serde_json::Error,
    },
    /// Arrays and objects are nested too deep.
    #[error("the document is nested more than {max} deep at byte {offset}")]
    TooDeep {
        /// The limit.
        max: usize,
        /// Where the array or object begins that is one too many, in bytes from 0.
        offset: usize,
    },
    /// The document and the serde type do not fit.
    #[error("the document does not fit the type: {0}")]
    Mismatch(#[source] serde_json::Error),
}
