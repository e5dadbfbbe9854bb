//! What stands in a header, written by one allocation.

use std::fmt::Display;
use std::io::Write;

use axum::http::HeaderValue;

/// More than a tag, a date or a number has.
const MAX_BYTES: usize = 64;

/// A tag, a date or a number as it stands in a header.
pub(super) fn value(text: impl Display) -> HeaderValue {
    let mut bytes = [0; MAX_BYTES];
    let mut rest = bytes.as_mut_slice();
    write!(rest, "{text}").expect("it is short");
    let written = MAX_BYTES - rest.len();
    HeaderValue::from_bytes(&bytes[..written]).expect("there are no control characters in it")
}
