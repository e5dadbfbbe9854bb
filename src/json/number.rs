//! A number as it was written, and what it means.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A JSON number, with the text it was written with. Equality and hash are those of its decimal value: `1.0`, `1` and
/// `10e-1` are equal, and so are `0` and `-0`.
///
/// The value is exact unless the exponent has more than 30 digits: such numbers are equal only if their exponents are
/// written alike, leading zeros aside.
#[derive(Clone)]
pub struct Number(Box<str>);

impl Number {
    /// A text that is known to be a JSON number.
    pub(super) fn known(text: &str) -> Self {
        Self(text.into())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn canonical(&self) -> Canonical<'_> {
        let (negative, rest) = match self.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, &*self.0),
        };
        let (significand, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Canonical {
                negative: false,
                digits: String::new(),
                exponent: Exponent::Exact(0),
            };
        }
        // Where the point is when it stands before the first digit that is not 0.
        let shift = count(whole.len()) - count(digits.len() - significant.len());
        let digits = significant.trim_end_matches('0').to_owned();
        Canonical { negative, digits, exponent: Exponent::new(exponent, shift) }
    }
}

/// Lengths in memory are far below 2^127.
fn count(length: usize) -> i128 {
    i128::try_from(length).expect("no text is that long")
}

/// The value `0.digits` times ten to the `exponent`: equal exactly if the numbers are.
#[derive(PartialEq, Eq, Hash)]
struct Canonical<'a> {
    negative: bool,
    /// Without zeros at either end.
    digits: String,
    exponent: Exponent<'a>,
}

#[derive(PartialEq, Eq, Hash)]
enum Exponent<'a> {
    Exact(i128),
    /// As written, and what comes on top.
    Huge {
        negative: bool,
        digits: &'a str,
        shift: i128,
    },
}

impl<'a> Exponent<'a> {
    /// Fits an `i128`, with room for any shift.
    const MAX_DIGITS: usize = 30;

    fn new(text: &'a str, shift: i128) -> Self {
        let negative = text.starts_with('-');
        let digits = text.trim_start_matches(['-', '+']).trim_start_matches('0');
        if digits.len() > Self::MAX_DIGITS {
            return Self::Huge { negative, digits, shift };
        }
        let size = digits.bytes().fold(0_i128, |size, digit| size * 10 + i128::from(digit - b'0'));
        Self::Exact(shift + if negative { -size } else { size })
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.canonical() == other.canonical()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a JSON number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a JSON number")]
pub struct InvalidNumber {
    text: String,
}

impl FromStr for Number {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let edges = text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
            && text.ends_with(|last: char| last.is_ascii_digit());
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) if edges => Ok(Self::known(text)),
            _ => Err(InvalidNumber { text: text.to_owned() }),
        }
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::known(&value.to_string())
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::known(&value.to_string())
    }
}
