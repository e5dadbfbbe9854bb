//! Which arrays are merged element by element.

use crate::json::{InvalidPointer, Json, JsonPointer};

use super::Merged;
use super::walk::{Sides, Walk};

/// What a merge knows about the documents: which arrays have elements with an identifier.
///
/// ```
/// use ifmatch::json::Json;
/// use ifmatch::merge::MergeRules;
///
/// let rules = MergeRules::new().keyed("/items", "id")?;
/// let base: Json = r#"{"items": [{"id": 1, "count": 1}, {"id": 2, "count": 1}]}"#.parse()?;
/// let mine: Json = r#"{"items": [{"id": 1, "count": 5}, {"id": 2, "count": 1}]}"#.parse()?;
/// let theirs: Json = r#"{"items": [{"id": 0, "count": 9}, {"id": 1, "count": 1}]}"#.parse()?;
///
/// let merged = rules.merge(&base, &mine, &theirs);
/// assert!(merged.is_clean());
/// assert_eq!(
///     merged.document().to_string(),
///     r#"{"items":[{"id":0,"count":9},{"id":1,"count":5}]}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MergeRules {
    keyed: Vec<(JsonPointer, String)>,
}

impl MergeRules {
    /// Every array is one value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The elements of the arrays at `pattern` are objects whose member `member` tells them apart, a string or a number.
    ///
    /// The pattern is a JSON pointer in which `*` stands for any one member, and for any element of a keyed array:
    /// `/orders/*/lines`. Of several rules for an array the first counts.
    ///
    /// Elements with the same identifier are merged as members with the same name are; to change an identifier is to
    /// remove one element and add another. The order is that of theirs, or of mine if only mine changed it; what the
    /// other side added comes after the element that it follows there. An array is one value all the same if one of the
    /// three has an element without the identifier, or two with the same, or if both sides changed the order differently.
    ///
    /// # Errors
    /// [`InvalidPointer`] if the pattern is none.
    pub fn keyed(
        mut self,
        pattern: &str,
        member: impl Into<String>,
    ) -> Result<Self, InvalidPointer> {
        self.keyed.push((pattern.parse()?, member.into()));
        Ok(self)
    }

    /// Merges `mine` and `theirs`, which were both made from `base`, or from nothing if that is `None`.
    #[must_use]
    pub fn merge<'a>(
        &self,
        base: impl Into<Option<&'a Json>>,
        mine: &'a Json,
        theirs: &'a Json,
    ) -> Merged {
        Walk::merge(self, Sides { base: base.into(), mine: Some(mine), theirs: Some(theirs) })
    }

    /// The identifying member of the elements of the array at `path`.
    pub(super) fn identifier(&self, path: &[&str]) -> Option<&str> {
        let matches = |pattern: &JsonPointer| {
            pattern.tokens().len() == path.len()
                && pattern.tokens().zip(path).all(|(token, step)| token == "*" || token == *step)
        };
        self.keyed.iter().find(|(pattern, _)| matches(pattern)).map(|(_, member)| member.as_str())
    }
}
