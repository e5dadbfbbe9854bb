//! Problems: errors that a program can read (RFC 9457, `application/problem+json`).
//!
//! It knows what the store's errors mean to a client, and nothing of routes.

mod example;
mod kind;
mod of;
pub(super) mod pages;
mod unmet;
mod why;

use std::collections::BTreeMap;
use std::fmt;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::revision::Revision;

pub use self::kind::ProblemKind;
pub(super) use self::of::RETRY_UNAVAILABLE;
pub use self::pages::problem_pages;
pub(super) use self::unmet::Unmet;
pub(super) use self::why::Why;
use super::etag::ETag;

/// An error as a response: an `application/problem+json` document (RFC 9457) with its status.
///
/// The store's [`Conflict`](crate::Conflict) and [`WriteError`](crate::WriteError) convert into it, and are responses themselves. A conflict's document
/// has the members `key`, `expected_revision`, `current_revision`, `current_etag` and `deleted`, and its response the
/// current `ETag`.
///
/// ```
/// use ifmatch::http::{Problem, ProblemKind};
///
/// let store: ifmatch::Store<String, u32> = ifmatch::Store::new();
/// store.create("name", 1)?;
/// let problem = Problem::from(store.create("name", 2).unwrap_err());
/// assert_eq!(problem.kind(), ProblemKind::AlreadyExists);
/// assert_eq!(problem.status(), 409);
/// # Ok::<(), ifmatch::WriteError<String, u32>>(())
/// ```
#[derive(Clone)]
pub struct Problem(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    kind: ProblemKind,
    status: StatusCode,
    detail: String,
    key: Option<String>,
    state: Option<State>,
    links: Vec<(&'static str, String)>,
    members: Vec<(&'static str, Box<RawValue>)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    why: Option<Why>,
}

/// What a conflict says about the resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// The one revision that was expected, if it was one.
    pub(super) expected: Option<Revision>,
    /// What is there now.
    pub(super) current: Option<ETag>,
}

impl Problem {
    /// A problem with the status of its kind. `detail` is for people: what is wrong this time.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            status: kind.status(),
            detail: detail.into(),
            key: None,
            state: None,
            links: Vec::new(),
            members: Vec::new(),
            headers: Vec::new(),
            why: None,
        }))
    }

    /// A business rule of your application does not hold in the state that is there: 409, of the type `rule`.
    ///
    /// ```
    /// # use ifmatch::http::Problem;
    /// let problem = Problem::rule("a team has at most 8 members").with_member("members", &8);
    /// assert_eq!(problem.status(), 409);
    /// ```
    pub fn rule(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Rule, detail)
    }

    /// A write without a precondition came to a server that demands them.
    pub(super) fn precondition_required() -> Self {
        let detail = "the server takes no write without a precondition";
        Self::new(ProblemKind::PreconditionRequired, detail)
    }

    /// There is nothing under `key`.
    pub fn not_found(key: impl fmt::Display) -> Self {
        Self::new(ProblemKind::NotFound, "nothing is stored under the key").with_key(key)
    }

    /// With another status than that of its kind.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// With the key that it is about.
    #[must_use]
    pub fn with_key(mut self, key: impl fmt::Display) -> Self {
        self.0.key = Some(key.to_string());
        self
    }

    /// With a link to the resource, shown if there is something to be read.
    #[must_use]
    pub fn with_link(self, uri: impl Into<String>) -> Self {
        self.with_link_to("current", uri)
    }

    /// With a link to something else that can be read, by the name of its relation.
    #[must_use]
    pub fn with_link_to(mut self, relation: &'static str, uri: impl Into<String>) -> Self {
        self.0.links.push((relation, uri.into()));
        self
    }

    /// With a member of your own in the document (RFC 9457 3.2).
    ///
    /// # Panics
    /// If `value` does not serialize to JSON.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        let text = serde_json::value::to_raw_value(value).expect("a member serializes to JSON");
        self.0.members.push((name, text));
        self
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// With what is behind `error`, for the log.
    pub(super) fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.0.why = Why::of(error);
        self
    }

    pub(super) fn with_state(mut self, state: State) -> Self {
        self.0.state = Some(state);
        self
    }

    /// Says in which part of the request it is.
    pub(super) fn within(mut self, part: impl fmt::Display) -> Self {
        self.0.detail = format!("{part}: {}", self.0.detail);
        self
    }

    /// Says more about it.
    pub(super) fn with_more(mut self, more: impl fmt::Display) -> Self {
        self.0.detail = format!("{}: {more}", self.0.detail);
        self
    }

    /// The one revision that was expected, if it was one.
    pub(super) fn expected(&self) -> Option<Revision> {
        self.0.state?.expected
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

/// The members of the document, in their order.
impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.kind.reference())?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.status.as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(key) = &self.key {
            map.serialize_entry("key", key)?;
        }
        if let Some(state) = self.state {
            state.serialize_into(&mut map)?;
        }
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        let links: BTreeMap<_, _> = self.links().collect();
        if !links.is_empty() {
            map.serialize_entry("links", &links)?;
        }
        map.end()
    }
}

impl Details {
    /// The links that lead somewhere: there may be nothing current.
    fn links(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let is_there = self.state.is_some_and(|state| state.current.is_some());
        self.links
            .iter()
            .filter(move |(relation, _)| is_there || *relation != "current")
            .map(|(relation, uri)| (*relation, uri.as_str()))
    }
}

impl State {
    pub(super) fn serialize_into<M: SerializeMap>(self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("expected_revision", &self.expected)?;
        map.serialize_entry("current_revision", &self.current.map(ETag::revision))?;
        map.serialize_entry("current_etag", &self.current.map(|etag| etag.to_string()))?;
        map.serialize_entry("deleted", &self.current.is_none())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&*self.0).expect("text and numbers always serialize");
        let Details { kind, status, state, headers, why, .. } = *self.0;
        let current = state.and_then(|state| state.current);
        let mut response = (status, body).into_response();
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // There may be a stored value in it.
        fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(etag) = current {
            fields.insert(header::ETAG, etag.into());
        }
        fields.extend(headers);
        // For whoever counts or logs it.
        response.extensions_mut().insert(kind);
        if let Some(why) = why {
            response.extensions_mut().insert(why);
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.title(), self.0.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// So that it can be what a [`transact`](crate::Store::transact) closure gives up with.
impl std::error::Error for Problem {}
