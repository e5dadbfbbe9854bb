//! The entity tag of a revision.

use std::fmt;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};

use super::field;
use crate::identity::Identity;
use crate::revision::Revision;

/// The strong `ETag` of what one commit of one store wrote.
///
/// It holds the revision and where that is from: a part of the store's [`Identity`], or of a document a random number that
/// was drawn when it was written. So it never matches other content: not after a delete and recreation, and not at
/// another store, as a server that ran in memory is after a restart. That of a document does not even match in copies of
/// one store that went on apart. To clients it is opaque. As a part of an axum response it sets the `ETag` header.
///
/// ```
/// use ifmatch::http::ETag;
///
/// let store: ifmatch::Store<String, u32> = ifmatch::Store::new();
/// let revision = store.create("key", 1)?;
/// let etag = ETag::new(store.identity(), revision);
/// assert_eq!(etag.revision(), revision);
/// assert!(etag.to_string().starts_with("\"2-"));
/// assert_ne!(etag, ETag::new(ifmatch::Store::<String, u32>::new().identity(), revision));
/// # Ok::<(), ifmatch::WriteError<String, u32>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    revision: Revision,
    origin: Origin,
}

/// 48 random bits: enough that two differ, short enough to read aloud.
pub(super) type Origin = [u8; 6];

/// The origin of what a store writes, where nothing says more.
pub(super) fn origin_of(identity: Identity) -> Origin {
    let [a, b, c, d, e, f, ..] = identity.to_bytes();
    [a, b, c, d, e, f]
}

impl ETag {
    /// The tag of what the commit `revision` wrote to the store `identity`.
    #[must_use]
    pub fn new(identity: Identity, revision: Revision) -> Self {
        Self::from_origin(revision, origin_of(identity))
    }

    /// The tag of what the commit `revision` wrote, of this origin.
    pub(super) fn from_origin(revision: Revision, origin: Origin) -> Self {
        Self { revision, origin }
    }

    /// The revision, which means something to the tag's own store only.
    #[must_use]
    pub fn revision(self) -> Revision {
        self.revision
    }

    /// Whether it is a tag of the store `identity`, which those of documents are not.
    #[must_use]
    pub fn is_of(self, identity: Identity) -> bool {
        self == Self::new(identity, self.revision)
    }

    /// Reads what stands between the quotes. `None` if it is not a tag of any store; each tag has one spelling.
    pub(super) fn from_opaque(opaque: &[u8]) -> Option<Self> {
        let (revision, store) = std::str::from_utf8(opaque).ok()?.split_once('-')?;
        let revision = revision.parse().ok()?;
        let lower_case = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if store.len() != 12 || !store.bytes().all(lower_case) {
            return None;
        }
        let [_, _, bytes @ ..] = u64::from_str_radix(store, 16).ok()?.to_be_bytes();
        Some(Self { revision, origin: bytes })
    }
}

/// As in the header, quotes included.
impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.origin;
        let origin = u64::from_be_bytes([0, 0, a, b, c, d, e, g]);
        write!(f, "\"{}-{origin:012x}\"", self.revision)
    }
}

impl From<ETag> for HeaderValue {
    fn from(etag: ETag) -> Self {
        field::value(etag)
    }
}

impl IntoResponseParts for ETag {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.headers_mut().insert(header::ETAG, self.into());
        Ok(parts)
    }
}

impl IntoResponse for ETag {
    fn into_response(self) -> Response {
        (self, ()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_has_one_spelling_and_it_is_read_back() {
        let mut bytes = [0; 16];
        bytes[..7].copy_from_slice(&[0, 0xab, 1, 2, 3, 4, 0xff]);
        let identity = Identity::from_bytes(bytes);
        let etag = ETag::new(identity, Revision::try_from(7).unwrap());
        assert_eq!(etag.to_string(), "\"7-00ab01020304\"");
        assert_eq!(ETag::from_opaque(b"7-00ab01020304"), Some(etag));
        for other in [
            "7-00AB01020304",
            "07-00ab01020304",
            "7-ab01020304",
            "7-000ab01020304",
            "7",
            "-",
            "",
            "7-00ab01020304-",
            "7-+0ab01020304",
            "0-00ab01020304",
            "9007199254740992-00ab01020304",
        ] {
            assert_eq!(ETag::from_opaque(other.as_bytes()), None, "{other:?}");
        }
    }
}
