//! Why a call did not succeed, so that a program can tell what to do next.

use std::error::Error;
use std::fmt;

use crate::revision::Revision;

use super::conflict::{ClientConflict, ConflictKind};
use super::problem::ProblemDocument;
use crate::document_key::InvalidKey;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The key breaks a rule. Nothing was sent.
    #[error("invalid key: {0}")]
    InvalidKey(#[from] InvalidKey),
    /// An argument cannot be sent. Nothing was sent.
    #[error("{0}")]
    InvalidArgument(String),
    /// The race was lost, or the state disagrees otherwise: it says with what. Nothing was written by this request; but an
    /// earlier attempt at it whose answer was lost may yet take place, if
    /// [`is_outcome_unknown`](Self::is_outcome_unknown) says so.
    #[error("{0}")]
    Conflict(#[source] Box<ClientConflict>),
    /// [`Client::update`](super::Client::update) lost as many races as it may.
    #[error("gave up after {attempts} attempts: {last}")]
    Contended {
        /// How many writes were tried.
        attempts: u32,
        /// What was there the last time.
        last: Box<ClientConflict>,
    },
    /// The revision or the page asked for is not kept any more: read the state anew.
    #[error("not kept any more: {detail}")]
    Compacted {
        /// What is not, for people.
        detail: String,
        /// The oldest revision that is, where the server says it.
        oldest: Option<Revision>,
    },
    /// The server says that something else is wrong.
    #[error("{0}")]
    Problem(Box<ProblemDocument>),
    /// The answer is none that the server gives: that of a proxy, for example, or of another server.
    #[error("unexpected answer: {0}")]
    Unexpected(UnexpectedAnswer),
    /// No answer came, or not all of it.
    #[error("{0}")]
    Transport(#[source] TransportError),
    /// What was read is not what the caller's type expects, or what is to be written is no JSON.
    #[error("{0}")]
    Decode(#[source] DecodeError),
}

impl ClientError {
    /// The conflict, if it is one.
    #[must_use]
    pub fn conflict(&self) -> Option<&ClientConflict> {
        match self {
            Self::Conflict(conflict) | Self::Contended { last: conflict, .. } => Some(conflict),
            _ => None,
        }
    }

    /// Whether a write may have taken place all the same: its answer was lost, or was not the server's own. Read the
    /// resource before you write it again.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Transport(error) => error.outcome() == Outcome::Unknown,
            Self::Unexpected(answer) => {
                answer.after_unknown || answer.status() < 300 || answer.status() >= 500
            }
            Self::Problem(problem) => {
                problem.is_after_unknown() || problem.slug() == "outcome-unknown"
            }
            // A revision that has passed does not come back: no attempt can take place any more.
            Self::Conflict(conflict) => {
                conflict.problem().is_after_unknown() && conflict.kind() != ConflictKind::Stale
            }
            _ => false,
        }
    }
}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Whether a request that was not answered took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It never reached the server.
    NotSent,
    /// It may have reached the server, and a write may have taken place.
    Unknown,
}

/// No whole answer came.
#[derive(Debug)]
pub struct TransportError {
    outcome: Outcome,
    attempts: u32,
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    pub(super) fn new(outcome: Outcome, attempts: u32, source: reqwest::Error) -> Self {
        let what = if source.is_timeout() {
            "no answer in time"
        } else if source.is_connect() {
            "no connection to the server"
        } else {
            "the connection failed before the whole answer came"
        };
        // The URL holds the key, which is the caller's to show.
        Self { outcome, attempts, what, source: Some(Box::new(source.without_url())) }
    }

    pub(super) fn of(what: &'static str, attempts: u32) -> Self {
        Self { outcome: Outcome::Unknown, attempts, what, source: None }
    }

    pub(super) fn because(
        what: &'static str,
        attempts: u32,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self { source: Some(Box::new(source)), ..Self::of(what, attempts) }
    }

    /// An earlier attempt may have been processed.
    pub(super) fn unknown(self) -> Self {
        Self { outcome: Outcome::Unknown, ..self }
    }

    /// Whether the request took place.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How often it was tried.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::NotSent => "the request did not reach the server",
            Outcome::Unknown => "whether the request took place is unknown",
        };
        write!(f, "{}, in {} attempts: {outcome}", self.what, self.attempts)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// An answer that is not the server's own.
#[derive(Clone, Debug)]
pub struct UnexpectedAnswer {
    status: u16,
    what: String,
    after_unknown: bool,
}

impl UnexpectedAnswer {
    pub(super) fn new(status: u16, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), after_unknown: false }
    }

    /// An earlier attempt may have been processed.
    pub(super) fn unknown(self) -> Self {
        Self { after_unknown: true, ..self }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }
}

impl fmt::Display for UnexpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}, {}", self.status, self.what)
    }
}

/// A value that does not fit its type.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct DecodeError {
    what: String,
    key: Option<String>,
    keys: Vec<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl DecodeError {
    pub(super) fn value(key: &str, source: impl Error + Send + Sync + 'static) -> Self {
        let what = format!("what is stored under {key:?} does not fit the type: {source}");
        Self { what, key: Some(key.to_owned()), keys: Vec::new(), source: Some(Box::new(source)) }
    }

    /// The commit at `revision`, of `keys`, has a value of `key` that the server cannot read.
    pub(super) fn untold(
        revision: Revision,
        (key, keys): (String, Vec<String>),
        detail: &str,
    ) -> Self {
        let what = format!(
            "the commit at revision {revision} cannot be told, only what came since: {detail}"
        );
        Self { what, key: Some(key), keys, source: None }
    }

    pub(super) fn unencodable(source: impl Error + Send + Sync + 'static) -> Self {
        let what = format!("the value cannot be written as JSON: {source}");
        Self { what, key: None, keys: Vec::new(), source: Some(Box::new(source)) }
    }

    pub(super) fn answer(what: impl Into<String>) -> Self {
        Self { what: what.into(), key: None, keys: Vec::new(), source: None }
    }

    /// The key whose value it is about, if it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// All keys of the commit that a [`Watch`](super::Watch) cannot tell because of it; none if they are not known.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn conflict(slug: &str, after_unknown: bool) -> ClientError {
        let body =
            format!(r#"{{"type": "/problems/{slug}", "title": "", "status": 409, "key": "a"}}"#);
        let problem = ProblemDocument::read(409, &body.into(), None).unwrap();
        let problem = if after_unknown { problem.unknown() } else { problem };
        ClientError::Conflict(Box::new(ClientConflict::of(problem)))
    }

    #[test]
    fn a_conflict_after_a_lost_answer_leaves_open_what_can_yet_take_place() {
        for (slug, open) in
            [("already-exists", true), ("not-found", true), ("stale-revision", false)]
        {
            assert!(!conflict(slug, false).is_outcome_unknown(), "{slug}");
            assert_eq!(conflict(slug, true).is_outcome_unknown(), open, "{slug}");
        }
    }
}
