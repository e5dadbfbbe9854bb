//! The two kinds of patch that a document takes.

use axum::http::{HeaderValue, header};
use bytes::Bytes;

use crate::json::Json;
use crate::patch::{JsonPatch, MergePatch, PatchFailure};

use super::document::Document;
use crate::http::content_type::ContentType;
use crate::http::problem::{Problem, ProblemKind};

/// `Accept-Patch` (RFC 5789 3.1).
pub(super) const ACCEPT_PATCH: HeaderValue =
    HeaderValue::from_static("application/merge-patch+json, application/json-patch+json");

const ACCEPT_PATCH_NAME: header::HeaderName = header::HeaderName::from_static("accept-patch");

/// A change of a document in JSON.
pub(super) enum Patch {
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
    pub(super) fn parse(self, body: &Bytes) -> Result<Patch, Problem> {
        let parsed = match self {
            Self::Merge => MergePatch::parse(body).map(Patch::Merge),
            Self::Operations => JsonPatch::parse(body).map(Patch::Operations),
        };
        parsed.map_err(|error| Problem::new(ProblemKind::InvalidBody, error.to_string()))
    }
}

impl Patch {
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
        let patched = match self {
            Self::Merge(patch) => patch.apply(before, max),
            Self::Operations(patch) => patch.apply(before, max),
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
