//! What is stored under a key: bytes and what they are.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::http::content_type::ContentType;
use crate::http::etag::Origin;

/// A document: a body, kept verbatim, its content type, and when it was written.
///
/// In a store it is one run of bytes ([`to_stored`](Self::to_stored)), out of which the body is taken without copying it:
///
/// | bytes | what |
/// | --- | --- |
/// | 2 | `FF 01`: a document in this form |
/// | 8 | when it was written, in milliseconds since 1970, big-endian |
/// | 6 | a random number, for its `ETag` |
/// | 1 | the length of the content type |
/// | as many | the content type |
/// | the rest | the body |
///
/// Every other value, because something else wrote it, is read as `application/octet-stream`, its bytes as they are: a text,
/// an image, nothing at all. Only what begins with `FF` and a byte from `02` to `0F` is not: these are kept for later
/// versions of the form, and it is [`UnreadableDocument`], as what begins with `FF 01` and does not go on in this form is.
/// No UTF-8 text begins with `FF`, and of the usual kinds of file none goes on with such a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    content_type: ContentType,
    stamp: Option<Stamp>,
    body: Bytes,
}

/// What tells one write of a document from every other, wherever it takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    origin: Origin,
}

impl Stamp {
    /// Of a write that takes place now.
    #[must_use]
    pub fn now() -> Self {
        let modified = SystemTime::now();
        // The copy of a machine that runs has the generator's state, too, but not the time.
        let time = modified.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let mixed = fastrand::u64(..) ^ u64::from(time).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [a, b, c, d, e, f, ..] = mixed.to_be_bytes();
        Self { modified, origin: [a, b, c, d, e, f] }
    }

    /// When it was, by the clock of the server that wrote it.
    #[must_use]
    pub fn modified(&self) -> SystemTime {
        self.modified
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }
}

/// A body that says it is JSON, and is not.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the JSON that its content type says it is")]
pub struct InvalidJson(#[source] serde_json::Error);

/// A stored value that begins like a document, and is none; or one of a later version of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored value begins like a document and is none, or is of a later version")]
pub struct UnreadableDocument;

/// How a stored document begins; the second byte is the version of the form.
const MAGIC: [u8; 2] = [0xff, 1];

/// The versions that there may be.
const VERSIONS: std::ops::RangeInclusive<u8> = 0x01..=0x0f;

impl Document {
    /// A document of `body`, kept verbatim. If it says that it is JSON, it has to be: UTF-8, and one JSON text.
    ///
    /// # Errors
    /// [`InvalidJson`].
    pub fn new(content_type: ContentType, body: impl Into<Bytes>) -> Result<Self, InvalidJson> {
        let body = body.into();
        if content_type.is_json() {
            check_json(&body).map_err(InvalidJson)?;
        }
        Ok(Self { content_type, stamp: None, body })
    }

    /// A JSON document whose text has been checked.
    pub(super) fn from_checked_json(content_type: ContentType, body: Bytes) -> Self {
        debug_assert!(check_json(&body).is_ok(), "the text was checked");
        Self { content_type, stamp: None, body }
    }

    /// What the body is.
    #[must_use]
    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    /// The body, as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Of the write that it was read from; `None` if something else wrote it, or nothing has.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Whether the content type says that the body is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.content_type.is_json()
    }

    /// The bytes to store, in a write with this stamp, whose time is kept to the millisecond.
    #[must_use]
    pub fn to_stored(&self, stamp: Stamp) -> Bytes {
        let content_type = self.content_type.as_str().as_bytes();
        let length =
            u8::try_from(content_type.len()).expect("a content type has 255 bytes at most");
        let since = stamp.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut stored = Vec::with_capacity(17 + content_type.len() + self.body.len());
        stored.extend_from_slice(&MAGIC);
        stored.extend_from_slice(&milliseconds.to_be_bytes());
        stored.extend_from_slice(&stamp.origin);
        stored.push(length);
        stored.extend_from_slice(content_type);
        stored.extend_from_slice(&self.body);
        stored.into()
    }

    /// Reads what [`to_stored`](Self::to_stored) made. The body shares the memory of `stored`.
    ///
    /// # Errors
    /// [`UnreadableDocument`].
    pub fn from_stored(stored: &Bytes) -> Result<Self, UnreadableDocument> {
        let is_ours = matches!(**stored, [first, version, ..]
            if first == MAGIC[0] && VERSIONS.contains(&version));
        if !is_ours {
            let (content_type, body) = (ContentType::OCTET_STREAM, stored.clone());
            return Ok(Self { content_type, stamp: None, body });
        }
        let rest = stored.strip_prefix(&MAGIC).ok_or(UnreadableDocument)?;
        let (milliseconds, rest) = rest.split_first_chunk::<8>().ok_or(UnreadableDocument)?;
        let (origin, rest) = rest.split_first_chunk::<6>().ok_or(UnreadableDocument)?;
        let (length, rest) = rest.split_first().ok_or(UnreadableDocument)?;
        let (content_type, body) =
            rest.split_at_checked(usize::from(*length)).ok_or(UnreadableDocument)?;
        let content_type = std::str::from_utf8(content_type).map_err(|_| UnreadableDocument)?;
        // It was checked, but becomes a header.
        let content_type = ContentType::new(content_type).map_err(|_| UnreadableDocument)?;
        let since = Duration::from_millis(u64::from_be_bytes(*milliseconds));
        let modified = UNIX_EPOCH.checked_add(since).ok_or(UnreadableDocument)?;
        let stamp = Some(Stamp { modified, origin: *origin });
        Ok(Self { content_type, stamp, body: stored.slice_ref(body) })
    }
}

fn check_json(body: &[u8]) -> Result<(), serde_json::Error> {
    // A raw value is checked as UTF-8 and as JSON, without being built and however deep it nests.
    serde_json::from_slice::<&serde_json::value::RawValue>(body).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_it_is_json_has_to_be() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let cases: [(&[u8], bool); 12] = [
            (b"{}", true),
            (b" [1, 2.50e400, \"\\u00e9\"] \n", true),
            (b"null", true),
            (deep.as_bytes(), true),
            (b"", false),
            (b"{", false),
            (b"{} {}", false),
            (b"{'a': 1}", false),
            (b"NaN", false),
            (b"\"\xff\"", false),
            (b"\xef\xbb\xbf{}", false),
            (b"[01]", false),
        ];
        for (body, accepted) in cases {
            let document = Document::new(ContentType::JSON, body.to_vec());
            assert_eq!(document.is_ok(), accepted, "{:?}", String::from_utf8_lossy(body));
        }
        assert!(Document::new(ContentType::OCTET_STREAM, &b"{"[..]).is_ok());
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let document = Document::new(ContentType::new("a/b").unwrap(), &b"xyz"[..]).unwrap();
        let modified = UNIX_EPOCH + Duration::from_millis(0x0102);
        let stamp = Stamp { modified, origin: *b"origin" };
        let stored = document.to_stored(stamp);
        assert_eq!(stored[..], *b"\xff\x01\0\0\0\0\0\0\x01\x02origin\x03a/bxyz");
        let read = Document::from_stored(&stored).unwrap();
        assert_eq!(read, Document { stamp: Some(stamp), ..document });
        let body = stored.slice(20..);
        assert_eq!(read.body().as_ptr(), body.as_ptr(), "the body is not copied");
    }

    #[test]
    fn what_others_wrote_is_bytes_and_what_is_damaged_is_no_document() {
        let foreign = Document::from_stored(&Bytes::from_static(b"{}")).unwrap();
        assert_eq!(foreign.content_type(), &ContentType::OCTET_STREAM);
        assert_eq!((foreign.body().as_ref(), foreign.stamp()), (&b"{}"[..], None));
        assert!(Document::from_stored(&Bytes::new()).unwrap().body().is_empty());
        // An image, a text in UTF-16, a sound; and what is too short to be ours.
        let foreign: [&[u8]; 6] = [
            b"\xff\xd8\xff\xe0JFIF",
            b"\xff\xfea\0",
            b"\xff\xfb\x90",
            b"\xff",
            b"\xff\0",
            b"\xff\x10",
        ];
        for stored in foreign {
            let read = Document::from_stored(&Bytes::copy_from_slice(stored)).unwrap();
            assert_eq!(read.content_type(), &ContentType::OCTET_STREAM, "{stored:?}");
            assert_eq!((&read.body()[..], read.stamp()), (stored, None));
        }
        let cases: [&[u8]; 8] = [
            b"\xff\x01",
            b"\xff\x0f",
            b"\xff\x0fof a later version",
            b"\xff\x02\0\0\0\0\0\0\0\0origin\x03a/b",
            b"\xff\x01\0\0\0\0\0\0\0",
            b"\xff\x01\0\0\0\0\0\0\0\0origin",
            b"\xff\x01\0\0\0\0\0\0\0\0origin\x04a/b",
            b"\xff\x01\0\0\0\0\0\0\0\0origin\x03a b",
        ];
        for stored in cases {
            let read = Document::from_stored(&Bytes::copy_from_slice(stored));
            assert_eq!(read, Err(UnreadableDocument), "{stored:?}");
        }
        // The largest time there is must not overflow.
        let far = Bytes::from_static(b"\xff\x01\xff\xff\xff\xff\xff\xff\xff\xfforigin\x03a/b");
        let _read_or_refused = Document::from_stored(&far);
    }
}
