//! Merge patch: RFC 7396.

use std::mem;

use crate::json::{Json, Object};

use super::{InvalidPatch, PatchError, PatchFailure};

/// A document that says what another is to become (RFC 7396), `application/merge-patch+json`: its members replace, its
/// nulls remove, and all else stays. Arrays are replaced whole.
///
/// ```
/// use ifmatch::json::Json;
/// use ifmatch::patch::MergePatch;
///
/// let patch = MergePatch::parse(br#"{"price": 2.50, "note": null}"#)?;
/// let document: Json = r#"{"name": "tea", "price": 2.40, "note": "old"}"#.parse()?;
/// let changed = patch.apply(document, 1_000)?;
/// assert_eq!(changed.to_string(), r#"{"name":"tea","price":2.50}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MergePatch(Json);

impl MergePatch {
    /// Reads a patch: any JSON document is one.
    ///
    /// # Errors
    /// [`InvalidPatch::Json`] if it is not JSON, or nested too deep.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidPatch> {
        Ok(Self(Json::from_slice(text)?))
    }

    /// The document after the patch. It takes time in proportion to the document and the patch.
    ///
    /// # Errors
    /// [`PatchError`] if the document would be larger than `max_bytes` of compact text.
    pub fn apply(&self, document: Json, max_bytes: usize) -> Result<Json, PatchError> {
        let patched = patched(Some(document), &self.0);
        if patched.encoded_len() > max_bytes {
            return Err(PatchError::of_document(PatchFailure::TooLarge { max_bytes }));
        }
        Ok(patched)
    }
}

/// RFC 7396 section 2. The outcome is nested no deeper than the deeper of the two.
fn patched(target: Option<Json>, patch: &Json) -> Json {
    let Json::Object(patch) = patch else { return patch.clone() };
    let mut members = match target {
        Some(Json::Object(members)) => members,
        _ => Object::new(),
    };
    members.retain(|name, _| !matches!(patch.get(name), Some(Json::Null)));
    for (name, value) in patch.iter().filter(|(_, value)| !matches!(value, Json::Null)) {
        match members.get_mut(name) {
            Some(member) => *member = patched(Some(mem::replace(member, Json::Null)), value),
            None => {
                members.insert(name, patched(None, value));
            }
        }
    }
    Json::Object(members)
}
