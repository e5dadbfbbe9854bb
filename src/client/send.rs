//! One call: sent, repeated where that is safe, and its answer read whole.
//!
//! # Invariants
//! - A write is sent again only if it was certainly not processed, or with the same `Idempotency-Key`, by which the server
//!   knows it again.
//! - An answer is taken for the server's only if its status is one that the server gives there: a 409 without a problem
//!   document is a proxy's, and an error.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
    RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode};

use crate::identity::Identity;
use crate::revision::Revision;

use super::builder::Settings;
use super::conflict::ClientConflict;
use super::entry::Document;
use super::error::{ClientError, DecodeError, Outcome, TransportError, UnexpectedAnswer};
use super::problem::ProblemDocument;
use super::tag::EntityTag;
use super::wire::WireCompacted;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const REPRESENTATION: HeaderValue = HeaderValue::from_static("return=representation");

/// The revision of what is there; of a delete its own.
pub(super) const REVISION: HeaderName = HeaderName::from_static("ifmatch-revision");
/// The revision that created what is there.
pub(super) const CREATED_REVISION: HeaderName = HeaderName::from_static("ifmatch-created-revision");
/// The writes since, the creation included.
pub(super) const WRITE_COUNT: HeaderName = HeaderName::from_static("ifmatch-write-count");

/// What all clones of a client share.
pub(super) struct Shared {
    pub(super) http: reqwest::Client,
    /// Without a slash at the end.
    pub(super) base: String,
    pub(super) token: Option<HeaderValue>,
    pub(super) request_timeout: Duration,
    pub(super) settings: Settings,
}

/// A request, as often as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    /// From the base on: path and query.
    target: String,
    pub(super) headers: HeaderMap,
    body: Option<Bytes>,
    extra_time: Duration,
    is_impatient: bool,
    kind: Kind,
}

/// What it does at the server, which a method does not always say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It can be sent again.
    Read,
    /// It can with an `Idempotency-Key`.
    Write,
    /// It cannot: the record of a key would be written where nothing else is.
    OnceOnly,
}

impl Call {
    pub(super) fn new(method: Method, target: String) -> Self {
        let (headers, body) = (HeaderMap::new(), None);
        let is_read = method == Method::GET || method == Method::HEAD;
        let kind = if is_read { Kind::Read } else { Kind::Write };
        let (extra_time, is_impatient) = (Duration::ZERO, false);
        Self { method, target, headers, body, extra_time, is_impatient, kind }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// A conflict is to come with what is there now, so that merging takes no second request.
    pub(super) fn merging(self) -> Self {
        self.header(PREFER, REPRESENTATION)
    }

    /// # Errors
    /// [`ClientError::InvalidArgument`] if the content type is none.
    pub(super) fn document(mut self, document: &Document) -> Result<Self, ClientError> {
        let content_type = HeaderValue::from_str(document.content_type()).map_err(|_| {
            let what = format!("{:?} is no content type", document.content_type());
            ClientError::InvalidArgument(what)
        })?;
        self.headers.insert(CONTENT_TYPE, content_type);
        self.body = Some(document.body().clone());
        Ok(self)
    }

    /// The server is asked to wait for so long.
    pub(super) fn waits(mut self, time: Duration) -> Self {
        self.extra_time = time;
        self
    }

    /// A server that asks to come again is not asked again.
    pub(super) fn impatient(mut self) -> Self {
        self.is_impatient = true;
        self
    }

    /// It writes nothing, whatever its method is.
    pub(super) fn reads(mut self) -> Self {
        self.kind = Kind::Read;
        self
    }

    /// It is sent once, without an `Idempotency-Key`.
    pub(super) fn once_only(mut self) -> Self {
        self.kind = Kind::OnceOnly;
        self
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// An earlier attempt at the same request was not answered, and may have been processed.
    pub(super) after_unknown: bool,
}

impl Answer {
    /// # Errors
    /// If there is none, or not in its form: a proxy has dropped or changed it.
    pub(super) fn etag(&self) -> Result<EntityTag, ClientError> {
        let text = self.headers.get(ETAG).and_then(|value| value.to_str().ok());
        text.and_then(|text| EntityTag::new(text).ok())
            .ok_or_else(|| self.unexpected("without an ETag"))
    }

    /// A number that a header has.
    pub(super) fn number(&self, name: &HeaderName) -> Option<u64> {
        self.headers.get(name)?.to_str().ok()?.parse().ok()
    }

    /// A revision that a header has.
    pub(super) fn revision(&self, name: &HeaderName) -> Option<Revision> {
        Revision::try_from(self.number(name)?).ok()
    }

    pub(super) fn last_modified(&self) -> Option<SystemTime> {
        let text = self.headers.get(LAST_MODIFIED)?.to_str().ok()?;
        httpdate::parse_http_date(text).ok()
    }

    pub(super) fn document(&self) -> Document {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Document::new(content_type.unwrap_or("application/octet-stream"), self.body.clone())
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            DecodeError::answer(format!("the answer of the server: {error}")).into()
        })
    }

    pub(super) fn unexpected(&self, what: &str) -> ClientError {
        let answer = UnexpectedAnswer::new(self.status.as_u16(), what);
        ClientError::Unexpected(if self.after_unknown { answer.unknown() } else { answer })
    }

    pub(super) fn problem(&self) -> Option<ProblemDocument> {
        let content_type = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = content_type.split(';').next()?.trim_ascii();
        if !essence.eq_ignore_ascii_case("application/problem+json") {
            return None;
        }
        ProblemDocument::read(self.status.as_u16(), &self.body, self.retry_after())
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim_ascii();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let when = httpdate::parse_http_date(text).ok()?;
        Some(when.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The error that an answer is which is no success.
    pub(super) fn into_error(self) -> ClientError {
        let Some(problem) = self.problem() else {
            return self.unexpected("not a problem document, so not the server's own answer");
        };
        match self.status {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {
                let problem = if self.after_unknown { problem.unknown() } else { problem };
                ClientError::Conflict(Box::new(ClientConflict::of(problem)))
            }
            StatusCode::GONE => {
                let wire: WireCompacted = self.json().unwrap_or_default();
                let detail = problem.detail().to_owned();
                ClientError::Compacted { detail, oldest: wire.oldest_revision }
            }
            status if status.is_client_error() || status.is_server_error() => {
                let problem = if self.after_unknown { problem.unknown() } else { problem };
                ClientError::Problem(Box::new(problem))
            }
            _ => self.unexpected("a problem document with the status of a success"),
        }
    }

    /// Whether the server itself says that it has no room, and not somebody on the way.
    pub(super) fn is_full(&self) -> bool {
        self.status == StatusCode::INSUFFICIENT_STORAGE
            && self.problem().is_some_and(|problem| problem.slug() == "storage-full")
    }

    /// Whether it says that nothing is stored under the key, and not only that the URL of the server is wrong.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && self.problem().is_some_and(|problem| problem.slug() == "not-found")
    }
}

/// What came of one attempt.
enum Attempt {
    Answer(Answer),
    /// Another attempt may have another outcome; this is the wait that was asked for, if it was.
    Again(ClientError, Option<Duration>),
    Failed(ClientError),
}

impl Shared {
    /// Sends a read, or a write with a new key of its own, until there is an answer that says something.
    ///
    /// # Errors
    /// [`ClientError::Transport`], or the answer if it asks to come again and does not end to.
    pub(super) async fn call(&self, mut call: Call) -> Result<Answer, ClientError> {
        if call.kind == Kind::Write && self.settings.idempotency_keys {
            let key = Identity::random().to_string();
            let key = HeaderValue::from_str(&key).expect("hexadecimal digits fit a header");
            call.headers.insert(IDEMPOTENCY_KEY, key);
        }
        let retries = self.settings.retries;
        let mut outcome = Outcome::NotSent;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (error, wait) = match self.attempt(&call, attempt, &mut outcome).await {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(error, wait) => (error, wait),
            };
            let too_long = wait.is_some_and(|wait| wait > self.settings.max_retry_after);
            if attempt >= retries.attempts() || too_long {
                return Err(error);
            }
            let jitter = retries.delay(attempt - 1);
            tokio::time::sleep(wait.unwrap_or_default().saturating_add(jitter)).await;
        }
    }

    async fn attempt(&self, call: &Call, attempt: u32, outcome: &mut Outcome) -> Attempt {
        let is_repeatable = call.kind == Kind::Read || call.headers.contains_key(IDEMPOTENCY_KEY);
        let answer = match self.exchange(call, attempt).await {
            Ok(answer) => Answer { after_unknown: *outcome == Outcome::Unknown, ..answer },
            Err(ClientError::Transport(error)) if error.outcome() == Outcome::NotSent => {
                // An earlier attempt may have been processed.
                let error = if *outcome == Outcome::Unknown { error.unknown() } else { error };
                return Attempt::Again(ClientError::Transport(error), None);
            }
            Err(error @ ClientError::Transport(_)) => {
                *outcome = Outcome::Unknown;
                return if is_repeatable {
                    Attempt::Again(error, None)
                } else {
                    Attempt::Failed(error)
                };
            }
            // An earlier attempt may have been processed.
            Err(ClientError::Unexpected(answer)) if *outcome == Outcome::Unknown => {
                return Attempt::Failed(ClientError::Unexpected(answer.unknown()));
            }
            Err(error) => return Attempt::Failed(error),
        };
        let wait = answer.retry_after();
        match answer.status.as_u16() {
            // A server that asks to come again has not done it, unless it says that it does not know; others say so, too,
            // of what they passed on.
            429 | 503 if wait.is_some() && is_repeatable && !call.is_impatient => {
                let error = answer.into_error();
                if error.is_outcome_unknown() {
                    *outcome = Outcome::Unknown;
                }
                Attempt::Again(error, wait)
            }
            502 | 504 if is_repeatable => {
                *outcome = Outcome::Unknown;
                Attempt::Again(answer.into_error(), wait)
            }
            _ => Attempt::Answer(answer),
        }
    }

    /// A request with what all have.
    pub(super) fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.base, call.target);
        let mut request = self.http.request(call.method.clone(), url).headers(call.headers.clone());
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        match &call.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }

    /// Sends it once, and reads the answer.
    async fn exchange(&self, call: &Call, attempt: u32) -> Result<Answer, ClientError> {
        let timeout = self.request_timeout.saturating_add(call.extra_time);
        let sent = self.request(call).timeout(timeout).send().await;
        let response = sent.map_err(|error| transport(error, attempt))?;
        self.read(response, attempt).await
    }

    pub(super) async fn read(
        &self,
        mut response: Response,
        attempt: u32,
    ) -> Result<Answer, ClientError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(error, attempt))? {
            if body.len() + chunk.len() > self.settings.max_answer {
                let what = format!("larger than {} bytes", self.settings.max_answer);
                let answer = UnexpectedAnswer::new(status.as_u16(), what);
                return Err(ClientError::Unexpected(answer));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.freeze(), after_unknown: false })
    }
}

/// What it means that no answer came.
pub(super) fn transport(error: reqwest::Error, attempts: u32) -> ClientError {
    if error.is_builder() {
        return ClientError::InvalidArgument(format!("the request: {}", error.without_url()));
    }
    let outcome = if error.is_connect() { Outcome::NotSent } else { Outcome::Unknown };
    ClientError::Transport(TransportError::new(outcome, attempts, error))
}
