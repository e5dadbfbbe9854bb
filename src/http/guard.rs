//! The preconditions of one request: what was demanded, and whether it holds.
//!
//! A guard becomes an exact [`Precondition`] where one says the same; where none does (several tags, `If-None-Match`
//! with a tag, more than one condition), [`mod@write`] checks it against what is there and writes on top of exactly that.

pub(super) mod write;

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use axum::body::{Body, HttpBody};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;

use crate::backend::Backend;
use crate::identity::Identity;
use crate::precondition::Precondition;
use crate::revision::Revision;

use super::date;
use super::etag::ETag;
use super::problem::{Problem, ProblemKind, State};
use super::query;
use super::saved::Saved;
use super::tags::Tags;
use super::versioned_json::VersionedJson;

/// The preconditions of a request: `?revision=N`, then `If-Match` or else `If-Unmodified-Since`, then `If-None-Match` or
/// else, for a GET, `If-Modified-Since` (RFC 9110 13.2.2).
///
/// As an axum extractor it refuses a request whose conditions are malformed, with 400. A handler gives it to the
/// store's writes by [`put`](Self::put) and [`delete`](Self::delete), and asks [`check_read`](Self::check_read) before
/// it answers a GET. A tag of another store, or a weak one, is well-formed, and never matches in `If-Match`.
///
/// Dates are the weaker validators: they have seconds, so that a second write within one is not noticed. Entries of your
/// own stores have no dates, and then the conditions on dates demand nothing (RFC 9110 13.1.4); documents have. Two
/// deviations from the RFC, both on the side that loses no update: a date that is malformed is 400, not ignored; and
/// `If-Unmodified-Since` does not hold for a document that does not exist.
///
/// ```
/// use axum::extract::{Path, State};
/// use ifmatch::{Store, http::{Guard, Problem, Saved}};
///
/// type Notes = Store<String, String>;
///
/// async fn put_note(
///     State(notes): State<Notes>,
///     Path(name): Path<String>,
///     guard: Guard,
///     text: String,
/// ) -> Result<Saved, Problem> {
///     guard.put(&notes, name, text).await
/// }
/// # let _: axum::Router = axum::Router::new()
/// #     .route("/notes/{name}", axum::routing::put(put_note)).with_state(Notes::new());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Guard {
    revision: Option<Revision>,
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    if_unmodified_since: Option<SystemTime>,
    if_modified_since: Option<SystemTime>,
    failed: PreconditionStatus,
}

/// With which status a write is answered whose precondition *header* does not hold. A failed `?revision=` is always 409.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreconditionStatus {
    /// 409, as for every other way to lose a race: a client has one thing to handle, and the body says what is there now.
    #[default]
    Conflict,
    /// 412, as RFC 9110 13.1.1 and 13.1.2 have it to the letter.
    PreconditionFailed,
}

/// What the conditions are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Current {
    pub(super) etag: ETag,
    /// When it was written, if that is known.
    pub(super) modified: Option<SystemTime>,
}

/// The first condition that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unmet {
    /// `?revision=`.
    Revision(Revision),
    /// `If-Match` with tags: the one revision that they name, if it is one, and whether one of them is weak.
    Match { expected: Option<Revision>, weak: bool },
    /// `If-Match: *`.
    Missing,
    /// `If-Unmodified-Since`.
    Modified,
    /// `If-None-Match: *`, or with the current tag.
    Exists,
}

impl Guard {
    /// The conditions in these headers and this query. Parameters other than `revision` are left alone.
    ///
    /// # Errors
    /// A [`Problem`] with status 400 that names what is malformed.
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Result<Self, Problem> {
        let tags = |name: HeaderName| {
            Tags::of(headers, &name).map_err(|bad| {
                Problem::new(ProblemKind::InvalidHeader, format!("the header {name}: {bad}"))
            })
        };
        Ok(Self {
            revision: query::revision(query, "revision")?,
            if_match: tags(header::IF_MATCH)?,
            if_none_match: tags(header::IF_NONE_MATCH)?,
            if_unmodified_since: date::of(headers, &header::IF_UNMODIFIED_SINCE)?,
            if_modified_since: date::of(headers, &header::IF_MODIFIED_SINCE)?,
            failed: PreconditionStatus::default(),
        })
    }

    /// The condition that nothing is there yet: a put creates, or is 409 `already-exists`.
    #[must_use]
    pub fn absent() -> Self {
        Self { if_none_match: Some(Tags::Any), ..Self::default() }
    }

    /// With another status for writes whose precondition header does not hold.
    #[must_use]
    pub fn with_status(mut self, failed: PreconditionStatus) -> Self {
        self.failed = failed;
        self
    }

    /// Whether there is no condition on a write at all. A date is one, though a store of your own has none to compare it
    /// with: there [`precondition`](Self::precondition) says whether a write demands anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.revision.is_none()
            && self.if_match.is_none()
            && self.if_none_match.is_none()
            && self.if_unmodified_since.is_none()
    }

    /// `If-Unmodified-Since`, which only counts without `If-Match` (RFC 9110 13.1.4).
    fn unmodified_since(&self) -> Option<SystemTime> {
        self.if_unmodified_since.filter(|_| self.if_match.is_none())
    }

    /// Whether all that it demands is that there is nothing yet.
    pub(super) fn only_demands_absence(&self) -> bool {
        self.revision.is_none()
            && self.if_match.is_none()
            && self.if_unmodified_since.is_none()
            && self.if_none_match == Some(Tags::Any)
    }

    /// The precondition that says the same to the store `identity`; `None` if no single one does. Conditions on dates are
    /// left out, as stores have none.
    #[must_use]
    pub fn precondition(&self, identity: Identity) -> Option<Precondition> {
        match &self.if_none_match {
            Some(Tags::Any) => {
                let alone = self.revision.is_none() && self.if_match.is_none();
                return alone.then_some(Precondition::Absent);
            }
            Some(tags) if tags.weak().any(|tag| tag.is_of(identity)) => return None,
            // Tags that can never be the current one demand nothing.
            Some(_) | None => {}
        }
        let named = |tags: &Tags| {
            tags.strong().filter(|tag| tag.is_of(identity)).map(ETag::revision).collect::<Vec<_>>()
        };
        match (self.revision, &self.if_match) {
            (None, None) => Some(Precondition::Any),
            (None, Some(Tags::Any)) => Some(Precondition::Present),
            (Some(revision), None | Some(Tags::Any)) => Some(revision.into()),
            (Some(revision), Some(tags)) => {
                named(tags).contains(&revision).then_some(revision.into())
            }
            (None, Some(tags)) => the_one(named(tags).into_iter()).map(Precondition::from),
        }
    }

    /// The precondition that says the same for a document. Its date and its tag say more than its revision, so that it
    /// has to be looked at.
    pub(super) fn document_precondition(&self, identity: Identity) -> Option<Precondition> {
        let lists = [&self.if_match, &self.if_none_match];
        let names_tags = lists.iter().any(|tags| matches!(tags, Some(Tags::List(_))));
        let looks = names_tags || self.unmodified_since().is_some();
        self.precondition(identity).filter(|_| !looks)
    }

    /// Whether the write is conditional on what has this tag.
    pub(super) fn names(&self, etag: ETag) -> bool {
        let listed =
            self.if_match.as_ref().is_some_and(|tags| tags.strong().any(|tag| tag == etag));
        listed || self.revision == Some(etag.revision())
    }

    /// Whether the conditions hold for a write of what is now `current`.
    fn check(&self, current: Option<Current>) -> Result<(), Unmet> {
        let etag = current.map(|current| current.etag);
        if let Some(expected) = self.revision
            && etag.map(ETag::revision) != Some(expected)
        {
            return Err(Unmet::Revision(expected));
        }
        self.check_if_match(etag)?;
        if let Some(since) = self.unmodified_since()
            && current.is_none_or(|current| is_modified_since(current.modified, since))
        {
            return Err(Unmet::Modified);
        }
        if self.matches_none_match(etag) {
            return Err(Unmet::Exists);
        }
        Ok(())
    }

    /// Checks a write of what is now `current`.
    pub(super) fn check_write(&self, current: Option<Current>) -> Result<(), Problem> {
        self.check(current).map_err(|unmet| {
            let problem = unmet.problem(current.map(|current| current.etag));
            match (unmet, self.failed) {
                (Unmet::Revision(_), _) | (_, PreconditionStatus::Conflict) => problem,
                (_, PreconditionStatus::PreconditionFailed) => {
                    problem.with_status(StatusCode::PRECONDITION_FAILED)
                }
            }
        })
    }

    /// By the strong comparison, as RFC 9110 13.1.1 demands.
    fn check_if_match(&self, current: Option<ETag>) -> Result<(), Unmet> {
        match &self.if_match {
            None => Ok(()),
            Some(Tags::Any) => current.map(|_| ()).ok_or(Unmet::Missing),
            Some(tags) if tags.strong().any(|tag| Some(tag) == current) => Ok(()),
            Some(tags) => Err(Unmet::Match {
                // The number alone would look like the current one.
                expected: the_one(tags.strong().map(ETag::revision))
                    .filter(|expected| Some(*expected) != current.map(ETag::revision)),
                weak: tags.has_weak(),
            }),
        }
    }

    /// By the weak comparison, as RFC 9110 13.1.2 demands.
    fn matches_none_match(&self, current: Option<ETag>) -> bool {
        match &self.if_none_match {
            None => false,
            Some(Tags::Any) => current.is_some(),
            Some(tags) => tags.weak().any(|tag| Some(tag) == current),
        }
    }

    /// Reads `key` for a GET or HEAD: the entry as a response, with its `ETag`.
    ///
    /// # Errors
    /// [`NoRead`]: 304, 404 or 412 instead, or 503 if the backend cannot be read.
    pub async fn read<K, V, B>(&self, backend: &B, key: K) -> Result<VersionedJson<V>, NoRead>
    where
        K: Display + Send,
        V: Send,
        B: Backend<K, V>,
    {
        let read = backend.get(&key).await;
        let entry = read
            .map_err(|error| NoRead::Problem(Problem::from(error).with_key(&key)))?
            .ok_or_else(|| NoRead::Problem(Problem::not_found(&key)))?;
        self.check_read(backend.identity(), entry.revision())
            .map_err(|no_read| no_read.with_key(&key))?;
        Ok(VersionedJson::new(backend.identity(), entry))
    }

    /// Whether a GET or HEAD is to be answered with the content that `current` wrote.
    ///
    /// # Errors
    /// [`NoRead`]: 304 or 412 instead.
    pub fn check_read(&self, identity: Identity, current: Revision) -> Result<(), NoRead> {
        self.check_read_of(Current { etag: ETag::new(identity, current), modified: None })
    }

    pub(super) fn check_read_of(&self, current: Current) -> Result<(), NoRead> {
        let etag = current.etag;
        let failed = |unmet: Unmet| {
            let problem = unmet.problem(Some(etag)).with_status(StatusCode::PRECONDITION_FAILED);
            Err(NoRead::Problem(problem))
        };
        if let Err(unmet) = self.check_if_match(Some(etag)) {
            return failed(unmet);
        }
        if self.unmodified_since().is_some_and(|since| is_modified_since(current.modified, since)) {
            return failed(Unmet::Modified);
        }
        let not_modified = match (&self.if_none_match, self.if_modified_since, current.modified) {
            (Some(_), _, _) => self.matches_none_match(Some(etag)),
            (None, Some(since), Some(modified)) => !is_modified_since(Some(modified), since),
            _ => false,
        };
        if not_modified { Err(NoRead::NotModified(etag)) } else { Ok(()) }
    }
}

/// Whether something was modified after `since`, in whole seconds, as dates in headers are. What has no date was not.
fn is_modified_since(modified: Option<SystemTime>, since: SystemTime) -> bool {
    modified.is_some_and(|modified| date::whole_seconds(modified) > since)
}

/// What there is one of.
fn the_one<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next();
    if items.next().is_some() { None } else { first }
}

impl Unmet {
    /// The problem that it is, when `current` is what is there.
    fn problem(self, current: Option<ETag>) -> Problem {
        let now = current.map_or_else(
            || "the key does not exist".to_owned(),
            |etag| format!("the key is at revision {}", etag.revision()),
        );
        let (kind, expected, detail) = match self {
            Self::Revision(expected) => (
                ProblemKind::StaleRevision,
                Some(expected),
                format!("revision {expected} was expected, {now}"),
            ),
            Self::Match { expected, weak } => (
                ProblemKind::StaleRevision,
                expected,
                if weak {
                    format!(
                        "no tag in If-Match is the current one, {now}; a weak tag (W/\"...\") never matches there: \
                         did a proxy weaken it?"
                    )
                } else {
                    format!("no tag in If-Match is the current one, {now}")
                },
            ),
            Self::Modified => (
                ProblemKind::StaleRevision,
                None,
                format!("it was to be unmodified since the date in If-Unmodified-Since, {now}"),
            ),
            Self::Missing => (ProblemKind::NotFound, None, format!("it has to exist, {now}")),
            Self::Exists => (
                ProblemKind::AlreadyExists,
                None,
                format!("If-None-Match does not allow what is there, {now}"),
            ),
        };
        Problem::new(kind, detail)
            .with_status(StatusCode::CONFLICT)
            .with_state(State { expected, current })
    }
}

/// Why a GET or HEAD is not answered with the content.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NoRead {
    /// The client has it: 304.
    NotModified(ETag),
    /// `If-Match` does not hold: 412. Or there is nothing: 404.
    Problem(Problem),
}

impl NoRead {
    /// With the key that a problem is about.
    #[must_use]
    pub fn with_key(self, key: impl Display) -> Self {
        match self {
            Self::Problem(problem) => Self::Problem(problem.with_key(key)),
            not_modified @ Self::NotModified(_) => not_modified,
        }
    }
}

/// The body of a 304. An empty one would be announced with a `Content-Length` of 0, which there is that of the
/// representation that was not sent (RFC 9110 8.6).
struct NoContent;

impl HttpBody for NoContent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

impl IntoResponse for NoRead {
    fn into_response(self) -> Response {
        match self {
            Self::NotModified(etag) => {
                let headers = [(header::CACHE_CONTROL, "no-cache")];
                (StatusCode::NOT_MODIFIED, etag, headers, Body::new(NoContent)).into_response()
            }
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Guard {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers, parts.uri.query())
    }
}
