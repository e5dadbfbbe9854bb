//! What a server says is wrong: a problem document (RFC 9457).

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

/// A problem document that a server answered with.
#[derive(Clone)]
pub struct ProblemDocument {
    status: u16,
    members: Members,
    body: Bytes,
    retry_after: Option<Duration>,
    /// An earlier attempt may have been processed, whatever this one says of itself.
    after_unknown: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Members {
    r#type: String,
    title: String,
    detail: String,
}

impl ProblemDocument {
    pub(super) fn read(status: u16, body: &Bytes, retry_after: Option<Duration>) -> Option<Self> {
        let members = serde_json::from_slice(body).ok()?;
        Some(Self { status, members, body: body.clone(), retry_after, after_unknown: false })
    }

    pub(super) fn unknown(self) -> Self {
        Self { after_unknown: true, ..self }
    }

    pub(super) fn is_after_unknown(&self) -> bool {
        self.after_unknown
    }

    /// The status of the answer, whatever the document says.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The URI of the kind of problem; empty if the document has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.members.r#type
    }

    /// The last segment of [`kind`](Self::kind): `stale-revision`, for example.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.kind().rsplit('/').next().unwrap_or_default()
    }

    /// What kind of problem it is, for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.members.title
    }

    /// What is wrong this time, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.members.detail
    }

    /// The document, with the members that an application added.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// How long the server asks to wait before the request is repeated.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ProblemDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.title(), self.status, self.detail())
    }
}

/// Without the body, which may hold what is stored.
impl fmt::Debug for ProblemDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProblemDocument")
            .field("status", &self.status)
            .field("type", &self.members.r#type)
            .field("detail", &self.members.detail)
            .finish_non_exhaustive()
    }
}
