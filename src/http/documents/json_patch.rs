//! The two kinds of patch that a document takes.

use axum::http::{HeaderValue, header};
use bytes::Bytes;

use crate::json::Json;
use crate::patch::{JsonPatch, MergePatch, PatchFailure};

use super::document::Document;
use super::heavy::Place;
use crate::http::content_type::ContentType;
use crate::http::problem::{Problem, ProblemKind};

/// `Accept-Patch` (RFC 5789 3.1).
pub(super) const ACCEPT_PATCH: HeaderValue =
    HeaderValue::from_static("application/merge-patch+json, application/json-patch+json");

/// So many operations go over a document in about the time that it takes to read and to write it.
const FEW: usize = 64;

const ACCEPT_PATCH_NAME: header::HeaderName = header::HeaderName::from_static("accept-patch");

/// A change of a document in JSON. It keeps the place it takes.
pub(super) struct Patch {
    change: Change,
    bytes: usize,
    _place: Place,
}

enum Change {
    /// RFC 7396.
    Merge(MergePatch),
    /// RFC 6902.
    Operations(JsonPatch),
}

/// Which kind the content type says.
#[derive(Clone, Copy, Debug)]
pub(super) enum PatchKind {
    Merge,
    Operations,
}

impl PatchKind {
    /// # Errors
    /// 415 with `Accept-Patch` if it is another type, or none.
    pub(super) fn of(content_type: Option<&ContentType>) -> Result<Self, Problem> {
        match content_type.map(ContentType::essence).as_deref() {
            Some("application/merge-patch+json") => Ok(Self::Merge),
            Some("application/json-patch+json") => Ok(Self::Operations),
            _ => {
                let detail =
                    "a patch is application/merge-patch+json or application/json-patch+json";
                Err(Problem::new(ProblemKind::UnsupportedMediaType, detail)
                    .with_header(ACCEPT_PATCH_NAME, ACCEPT_PATCH))
            }
        }
    }

    /// # Errors
    /// 400 if the body is no such patch.
    pub(super) fn parse(self, body: &Bytes, place: Place) -> Result<Patch, Problem> {
        let parsed = match self {
            Self::Merge => MergePatch::parse(body).map(Change::Merge),
            Self::Operations => JsonPatch::parse(body).map(Change::Operations),
        };
        match parsed {
            Ok(change) => Ok(Patch { change, bytes: body.len(), _place: place }),
            Err(error) => Err(Problem::new(ProblemKind::InvalidBody, error.to_string())),
        }
    }
}

impl Patch {
    /// As how many bytes it counts, on a document of so many: as many as that may become, since each copy may double it,
    /// and that again for each few operations, since one may go over all of it.
    pub(super) fn weight(&self, document: usize) -> usize {
        let together = document.saturating_add(self.bytes);
        match &self.change {
            Change::Merge(_) => together,
            Change::Operations(patch) => {
                let doublings = u32::try_from(patch.copies()).unwrap_or(u32::MAX);
                let grown = together.saturating_mul(2_usize.saturating_pow(doublings));
                grown.saturating_mul(1 + patch.operations() / FEW)
            }
        }
    }

    /// The document with the change, of the same content type.
    ///
    /// # Errors
    /// 409 if the patch does not fit, 413 if what it makes has more than `max` bytes.
    pub(super) fn apply(&self, document: &Document, max: usize) -> Result<Document, Problem> {
        let does_not_fit = |detail: String| Problem::new(ProblemKind::PatchTestFailed, detail);
        if !document.is_json() {
            let detail = format!("the document is {}, not JSON", document.content_type());
            return Err(does_not_fit(detail));
        }
        let before = Json::from_slice(document.body())
            .map_err(|error| does_not_fit(format!("the document cannot be patched: {error}")))?;
        let patched = match &self.change {
            Change::Merge(patch) => patch.apply(before, max),
            Change::Operations(patch) => patch.apply(before, max),
        };
        let patched = patched.map_err(|error| match error.failure() {
            PatchFailure::TooLarge { .. } => Problem::new(ProblemKind::TooLarge, error.to_string()),
            _ => does_not_fit(error.to_string())
                .with_member("failed_operation", &error.index())
                .with_member("pointer", &error.pointer().to_string()),
        })?;
        let content_type = document.content_type().clone();
        Ok(Document::from_checked_json(content_type, patched.to_vec().into()))
    }
}

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests {
    use super::*;

    fn weight(kind: PatchKind, patch: &str, document: usize) -> usize {
        kind.parse(&patch.to_owned().into(), None).unwrap_or_else(|_| panic!()).weight(document)
    }

    #[test]
    fn what_a_patch_may_make_of_a_document_counts_and_how_often_it_may_go_over_it() {
        assert_eq!(weight(PatchKind::Merge, r#"{"a": 1}"#, 1_000), 1_008);
        let operations = |count: usize, one: &str| {
            let patch = format!("[{}]", vec![one; count].join(","));
            (patch.len(), weight(PatchKind::Operations, &patch, 1_000))
        };
        let (len, remove) = operations(1, r#"{"op": "remove", "path": "/a"}"#);
        assert_eq!(remove, 1_000 + len);
        let (len, copies) = operations(6, r#"{"op": "copy", "from": "", "path": "/a"}"#);
        assert_eq!(copies, (1_000 + len) * 64);
        let (len, removes) = operations(640, r#"{"op": "remove", "path": "/a"}"#);
        assert_eq!(removes, (1_000 + len) * 11);
        assert_eq!(operations(900, r#"{"op": "copy", "from": "", "path": "/a"}"#).1, usize::MAX);
    }
}
