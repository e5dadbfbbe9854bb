//! Why a subcommand that talks to a server, or works on a log, failed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ifmatch::Revision;
use ifmatch::client::{
    BuildError, ClientConflict, ClientError, ConflictKind, Document, EntityTag, Entry,
};
use ifmatch::json::{Json, Object};
use ifmatch::maintenance::MaintenanceError;
use serde_json::{Value, json};

use crate::exit_code::Exit;
use crate::report::{chain, complain};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Whoever read stdout has gone: nobody is to be told anything.
    #[error("nobody reads stdout any more")]
    BrokenPipe,
    #[error("{0}")]
    Usage(String),
    #[error("--server")]
    Client(#[from] BuildError),
    /// A call that changes nothing.
    #[error("{0}")]
    Read(#[source] ClientError),
    /// A call that was to change something.
    #[error("{0}")]
    Write(#[source] ClientError),
    #[error("no such key: {key}")]
    NotFound { key: String },
    /// A conflict that is not the answer to one call.
    #[error("conflict: {what}")]
    Conflict { what: String, key: Option<String>, current: Option<Box<Entry<Document>>> },
    /// Work on a log.
    #[error(transparent)]
    Log(#[from] MaintenanceError),
    #[error("{what}")]
    Other { what: String },
    #[error("{what} {}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{what}")]
    Io { what: &'static str, source: io::Error },
    /// A line of an import.
    #[error("line {line}")]
    Line { line: u64, key: Option<String>, source: Box<Failure> },
    /// With how to go on.
    #[error("{advice}")]
    Advised { advice: &'static str, source: Box<Failure> },
    /// What somebody has written in an editor is kept.
    #[error("your text is kept in {}", kept.display())]
    Kept { kept: PathBuf, source: Box<Failure> },
}

impl Failure {
    pub(crate) fn other(what: impl Into<String>) -> Self {
        Self::Other { what: what.into() }
    }

    pub(crate) fn not_found(key: &str) -> Self {
        Self::NotFound { key: key.to_owned() }
    }

    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    pub(crate) fn at_line(self, line: u64) -> Self {
        Self::Line { line, key: None, source: Box::new(self) }
    }

    /// For what does not say by itself which key it is about.
    pub(crate) fn at_line_of(self, line: u64, key: &str) -> Self {
        Self::Line { line, key: Some(key.to_owned()), source: Box::new(self) }
    }

    pub(crate) fn advising(self, advice: &'static str) -> Self {
        Self::Advised { advice, source: Box::new(self) }
    }

    /// What the process exits with; `None` if it ends as if all was done.
    pub(crate) fn exit(&self) -> Option<Exit> {
        Some(match self {
            Self::BrokenPipe => return None,
            Self::Usage(_) | Self::Client(_) => Exit::Usage,
            Self::Read(error) => Exit::of(error, false),
            Self::Write(error) => Exit::of(error, true),
            Self::NotFound { .. } => Exit::NotFound,
            Self::Conflict { .. } => Exit::Conflict,
            Self::Log(error) => Exit::of_maintenance(error),
            Self::Other { .. } | Self::File { .. } | Self::Io { .. } => Exit::Failed,
            // It is no argument, and lines before it may be written.
            Self::Line { source, .. } => match source.exit()? {
                Exit::Usage => Exit::Failed,
                exit => exit,
            },
            Self::Advised { source, .. } | Self::Kept { source, .. } => return source.exit(),
        })
    }

    fn call(&self) -> Option<&ClientError> {
        match self {
            Self::Read(error) | Self::Write(error) => Some(error),
            Self::Line { source, .. }
            | Self::Advised { source, .. }
            | Self::Kept { source, .. } => source.call(),
            _ => None,
        }
    }

    fn current(&self) -> Option<&Entry<Document>> {
        match self {
            Self::Conflict { current, .. } => current.as_deref(),
            Self::Line { source, .. }
            | Self::Advised { source, .. }
            | Self::Kept { source, .. } => source.current(),
            _ => None,
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::NotFound { key } => Some(key),
            Self::Conflict { key, .. } => key.as_deref(),
            Self::Line { key: Some(key), .. } => Some(key),
            Self::Line { source, .. }
            | Self::Advised { source, .. }
            | Self::Kept { source, .. } => source.key(),
            _ => None,
        }
    }

    /// Says in one line what it is: for people, or as JSON.
    pub(crate) fn tell(&self, in_json: bool) {
        if in_json {
            complain_in_json(&self.problem());
            return;
        }
        complain(&self.line());
    }

    fn line(&self) -> String {
        match self {
            Self::Line { line, key: Some(key), source } => {
                format!("line {line}: {key}: {}", source.line())
            }
            Self::Line { line, key: None, source } => format!("line {line}: {}", source.line()),
            Self::Advised { source, .. } | Self::Kept { source, .. } => {
                format!("{}; {self}", source.line())
            }
            _ => {
                let now = match (self.call().and_then(ClientError::conflict), self.current()) {
                    (Some(conflict), _) => now(conflict),
                    (None, Some(current)) => version(current.revision(), Some(current.etag())),
                    (None, None) => String::new(),
                };
                chain(self) + &now
            }
        }
    }

    /// The problem document of the server, its numbers to the letter, or one of ours, with what only we know.
    fn problem(&self) -> Json {
        let document = match self.call() {
            Some(ClientError::Problem(problem)) => Some(problem.body()),
            Some(error) => error.conflict().map(|conflict| conflict.problem().body()),
            None => None,
        };
        let members = document.and_then(|body| Json::from_slice(body).ok());
        let mut members = match members {
            Some(Json::Object(members)) => members,
            _ => Object::from_iter([("detail".to_owned(), Json::String(self.line()))]),
        };
        let mut add = |name: &str, value: Value| {
            members.insert(name, Json::from_value(&value).expect("our values are JSON"));
        };
        if let Some(exit) = self.exit() {
            add("exit_code", json!(exit.number()));
        }
        if let Some(key) = self.key() {
            add("key", json!(key));
        }
        if let Some(current) = self.current() {
            add("current_revision", json!(current.revision()));
            add("current_etag", json!(current.etag().as_str()));
        }
        match self {
            Self::Line { line, .. } => add("line", json!(line)),
            Self::Kept { kept, .. } => add("kept", json!(kept.to_string_lossy())),
            _ => {}
        }
        Json::Object(members)
    }
}

/// One JSON object, in a line on stderr.
pub(crate) fn complain_in_json(value: &impl fmt::Display) {
    use std::io::Write;
    // There is nobody to tell if this fails.
    let _written = writeln!(io::stderr(), "{value}");
}

/// What is there now.
fn now(conflict: &ClientConflict) -> String {
    if conflict.kind() == ConflictKind::InUse {
        let more = conflict.blocker_count().saturating_sub(conflict.blockers().len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return format!(" (in the way: {}{more})", conflict.blockers().join(", "));
    }
    if conflict.is_deleted() {
        return " (now: nothing is there)".to_owned();
    }
    version(conflict.revision(), conflict.etag())
}

fn version(revision: Option<Revision>, etag: Option<&EntityTag>) -> String {
    match (revision, etag) {
        (Some(revision), Some(etag)) => format!(" (now: revision {revision}, etag {etag})"),
        (Some(revision), None) => format!(" (now: revision {revision})"),
        (None, Some(etag)) => format!(" (now: etag {etag})"),
        (None, None) => String::new(),
    }
}

/// An error of stdout.
impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Io { what: "cannot write to stdout", source }
    }
}
