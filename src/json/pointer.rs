//! Pointers into documents: RFC 6901.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

/// A place in a JSON document (RFC 6901): the names and indexes on the way from the root.
///
/// ```
/// use ifmatch::json::JsonPointer;
///
/// let pointer: JsonPointer = "/users/0/a~1b".parse()?;
/// assert_eq!(pointer.tokens().collect::<Vec<_>>(), ["users", "0", "a/b"]);
/// assert_eq!(pointer.to_string(), "/users/0/a~1b");
/// # Ok::<(), ifmatch::json::InvalidPointer>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPointer {
    /// Without escapes. Shared, because a long name may be on the way to many places.
    tokens: Vec<Arc<str>>,
}

impl JsonPointer {
    /// The whole document: the empty pointer.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The names and indexes from the root on, without escapes.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.tokens.iter().map(|token| &**token)
    }

    /// Whether it points to the whole document.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.tokens.is_empty()
    }

    /// One step further: the member `token`, or the element with that index.
    pub fn push(&mut self, token: impl Into<Arc<str>>) {
        self.tokens.push(token.into());
    }

    /// One step back; the root stays the root.
    pub(crate) fn pop(&mut self) {
        self.tokens.pop();
    }

    /// The tokens to what it is in, and the last. `None` for the root.
    pub(crate) fn split_last(&self) -> Option<(&[Arc<str>], &str)> {
        self.tokens.split_last().map(|(last, parents)| (parents, &**last))
    }

    /// Whether `other` is the same place or a place in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.tokens.starts_with(&self.tokens)
    }
}

/// The index that a token is: digits without leading zeros (RFC 6901 section 4). One that no array can have is the
/// largest there is.
pub(crate) fn index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = token == "0" || !token.starts_with('0');
    (digits && canonical).then(|| token.parse().unwrap_or(usize::MAX))
}

/// With escapes: `~0` for `~`, `~1` for `/`.
impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in self.tokens() {
            f.write_char('/')?;
            for letter in token.chars() {
                match letter {
                    '~' => f.write_str("~0")?,
                    '/' => f.write_str("~1")?,
                    other => f.write_char(other)?,
                }
            }
        }
        Ok(())
    }
}

/// The text is not a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPointer {
    /// It neither is empty nor starts with a slash.
    #[error("a JSON pointer is empty or starts with a slash")]
    NoSlash,
    /// A tilde is not followed by 0 or 1.
    #[error("a ~ in a JSON pointer is followed by 0 or 1")]
    BadEscape,
}

impl FromStr for JsonPointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        let tokens = text.strip_prefix('/').ok_or(InvalidPointer::NoSlash)?.split('/');
        Ok(Self { tokens: tokens.map(unescape).collect::<Result<_, _>>()? })
    }
}

fn unescape(token: &str) -> Result<Arc<str>, InvalidPointer> {
    let mut pieces = token.split('~');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_at_checked(1) {
            Some(("0", rest)) => text.extend(["~", rest]),
            Some(("1", rest)) => text.extend(["/", rest]),
            _ => return Err(InvalidPointer::BadEscape),
        }
    }
    Ok(text.into())
}
