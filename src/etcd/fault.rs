//! What an answer of etcd that is an error means.
//!
//! The question of a write is whether it may have taken place. It has not if the request was never sent, or if etcd says
//! that it refused it before it was ordered; every other error leaves it open. etcd's messages are told apart by their texts,
//! which are the same in 3.4, 3.5 and 3.6 (`api/v3rpc/rpctypes/error.go`); the codes alone are shared by many.

use std::error::Error;
use std::fmt;

use tonic::{Code, ConnectError, Status};

use crate::cause::Cause;

/// An error, by what it means.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The request was never sent, or this member does not take requests now: another may.
    Elsewhere(Cause),
    /// Nobody knows what became of the request; of a read it does not matter.
    Unclear(Cause),
    /// etcd has dropped the revision asked for.
    Compacted,
    /// etcd has not come to the revision asked for.
    Future,
    /// A transaction has more operations than etcd takes.
    TooManyOperations,
    /// A request is larger than etcd takes.
    RequestTooLarge,
    /// The answer is larger than [`max_response_bytes`](super::Builder::max_response_bytes). Of a write it may be a conflict,
    /// or say that the write took place: its keys are part of that.
    ResponseTooLarge(Cause),
    /// The database is at its quota. The write was refused, or it was the one that went over it: that one takes place.
    NoSpace(Cause),
    /// The token is older than the last change of etcd's users, as one that is a JWT can be: with another it may be let in.
    TokenIsOld(Cause),
    /// etcd does not let this user do it, or nobody without a name.
    Denied(Cause),
    /// Any other refusal: nothing was written, and it will not be different elsewhere.
    Refused(Cause),
}

/// What etcd says of who asks, under codes that it uses for other things, too.
const DENIALS: [&str; 6] = [
    "user name is empty",
    "user name not found",
    "authentication failed",
    "authentication is not enabled",
    "invalid auth token",
    "permission denied",
];

impl Fault {
    pub(super) fn of(error: etcd_client::Error) -> Self {
        match error {
            etcd_client::Error::GRpcStatus(status) => Self::of_status(status),
            // These come before anything is sent.
            etcd_client::Error::InvalidArgs(_)
            | etcd_client::Error::InvalidUri(_)
            | etcd_client::Error::InvalidMetadataValue(_)
            | etcd_client::Error::EndpointError(_) => Self::Refused(Cause::new(error)),
            other => Self::Unclear(Cause::new(other)),
        }
    }

    /// Of a request that only comes before the one that is meant.
    pub(super) fn before_sending(self) -> Self {
        match self {
            Self::Unclear(cause) => Self::Elsewhere(cause),
            other => other,
        }
    }

    fn of_status(status: Status) -> Self {
        if was_never_sent(&status) {
            return Self::Elsewhere(cause(status));
        }
        // An error that has a source was found here, not told by etcd.
        let is_told = status.source().is_none();
        let (code, message) = (status.code(), status.message());
        match code {
            Code::OutOfRange if message.contains("has been compacted") => Self::Compacted,
            Code::OutOfRange if message.contains("is a future revision") => Self::Future,
            Code::OutOfRange if message.contains("decoded message length too large") => {
                Self::ResponseTooLarge(cause(status))
            }
            _ if !is_told => Self::Unclear(cause(status)),
            Code::InvalidArgument if message.contains("too many operations") => {
                Self::TooManyOperations
            }
            Code::InvalidArgument if message.contains("request is too large") => {
                Self::RequestTooLarge
            }
            // What etcd was to answer is larger than it sends.
            Code::ResourceExhausted
                if message.contains("trying to send message larger than max") =>
            {
                Self::ResponseTooLarge(cause(status))
            }
            Code::ResourceExhausted if message.contains("received message larger than max") => {
                Self::RequestTooLarge
            }
            Code::ResourceExhausted if message.contains("database space exceeded") => {
                Self::NoSpace(cause(status))
            }
            Code::ResourceExhausted if message.contains("too many requests") => {
                Self::Elsewhere(cause(status))
            }
            // Said before a request is looked at; that of a leader that went away in between has another text.
            Code::Unavailable if message == "etcdserver: no leader" => {
                Self::Elsewhere(cause(status))
            }
            Code::InvalidArgument if message.contains("revision of auth store is old") => {
                Self::TokenIsOld(cause(status))
            }
            Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
                if message.starts_with("etcdserver: ")
                    && DENIALS.iter().any(|text| message.contains(text)) =>
            {
                Self::Denied(cause(status))
            }
            Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::Unimplemented
                if message.starts_with("etcdserver: ") =>
            {
                Self::Refused(cause(status))
            }
            _ => Self::Unclear(cause(status)),
        }
    }

    /// What to tell of it.
    pub(super) fn into_cause(self) -> Cause {
        match self {
            Self::Elsewhere(cause)
            | Self::Unclear(cause)
            | Self::ResponseTooLarge(cause)
            | Self::NoSpace(cause)
            | Self::TokenIsOld(cause)
            | Self::Denied(cause)
            | Self::Refused(cause) => cause,
            Self::Compacted => Cause::new("the revision has been compacted"),
            Self::Future => Cause::new("the revision is of the future"),
            Self::TooManyOperations => Cause::new("the transaction has too many operations"),
            Self::RequestTooLarge => Cause::new("the request is too large"),
        }
    }

    /// With the member that it is of.
    pub(super) fn at(self, member: &str) -> Self {
        let at = |cause| Cause::new(At { member: member.to_owned(), cause });
        match self {
            Self::Elsewhere(cause) => Self::Elsewhere(at(cause)),
            Self::Unclear(cause) => Self::Unclear(at(cause)),
            other => other,
        }
    }

    /// Whether it is of the member that was asked, so that the next request goes to another.
    pub(super) fn is_of_the_member(&self) -> bool {
        matches!(self, Self::Elsewhere(_) | Self::Unclear(_))
    }
}

/// A cause, and the member that it is of.
#[derive(Debug)]
struct At {
    member: String,
    cause: Cause,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.cause)
    }
}

impl Error for At {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// What etcd answered, or what kept it from answering, as people read it: `Status` prints how it is made.
#[derive(Debug, thiserror::Error)]
#[error("{}", text_of(.0))]
struct Said(Status, #[source] Option<Hint>);

/// What to look at.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Hint(&'static str);

fn cause(status: Status) -> Cause {
    let text = text_of(&status);
    let hint = HINTS.iter().find(|(sign, _)| text.contains(sign)).map(|(_, hint)| Hint(hint));
    Cause::new(Said(status, hint))
}

/// What is not etcd shows itself by these.
const HINTS: [(&str, &str); 2] = [
    (
        "tls handshake eof",
        "does the endpoint speak TLS? etcd:// and http:// are without, etcds:// and https:// with",
    ),
    (
        "invalid compression flag",
        "does the endpoint speak gRPC, as etcd does? It looks like a server of HTTP",
    ),
];

/// The message, and what is behind it.
fn text_of(status: &Status) -> String {
    let mut text = match status.message() {
        "" => status.code().description().to_owned(),
        message => message.to_owned(),
    };
    let mut source = status.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}

/// Whether no connection was made to send it on.
fn was_never_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, message: &str) -> Fault {
        Fault::of(Status::new(code, message).into())
    }

    /// The texts are those of etcd.
    #[test]
    fn only_what_etcd_refused_before_it_was_ordered_is_no_open_question() {
        assert!(matches!(
            of(Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            Fault::Compacted
        ));
        assert!(matches!(
            of(Code::OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            Fault::Future
        ));
        assert!(matches!(
            of(Code::InvalidArgument, "etcdserver: too many operations in txn request"),
            Fault::TooManyOperations
        ));
        assert!(matches!(
            of(Code::InvalidArgument, "etcdserver: request is too large"),
            Fault::RequestTooLarge
        ));
        assert!(matches!(
            of(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            Fault::NoSpace(_)
        ));
        assert!(matches!(
            of(Code::ResourceExhausted, "grpc: trying to send message larger than max (9 vs. 8)"),
            Fault::ResponseTooLarge(_)
        ));
        assert!(matches!(of(Code::Unavailable, "etcdserver: no leader"), Fault::Elsewhere(_)));
        assert!(matches!(
            of(Code::InvalidArgument, "etcdserver: revision of auth store is old"),
            Fault::TokenIsOld(_)
        ));
        for (code, message) in [
            (Code::PermissionDenied, "etcdserver: permission denied"),
            (Code::InvalidArgument, "etcdserver: user name is empty"),
            (Code::FailedPrecondition, "etcdserver: user name not found"),
            (Code::Unauthenticated, "etcdserver: invalid auth token"),
            (
                Code::InvalidArgument,
                "etcdserver: authentication failed, invalid user ID or password",
            ),
            (Code::FailedPrecondition, "etcdserver: authentication is not enabled"),
        ] {
            assert!(matches!(of(code, message), Fault::Denied(_)), "{message}");
        }
        assert!(matches!(
            of(Code::InvalidArgument, "etcdserver: duplicate key given in txn request"),
            Fault::Refused(_)
        ));
        let open = [
            (Code::Unavailable, "etcdserver: request timed out"),
            (
                Code::Unavailable,
                "etcdserver: request timed out, possibly due to previous leader failure",
            ),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unavailable, "transport is closing"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
            (Code::Cancelled, "Timeout expired"),
            (Code::Unknown, "h2 protocol error"),
            (Code::Internal, "etcdserver: anything"),
            (Code::PermissionDenied, "of a proxy"),
        ];
        for (code, message) in open {
            assert!(matches!(of(code, message), Fault::Unclear(_)), "{message}");
        }
    }

    #[test]
    fn what_was_found_here_is_open_unless_no_connection_was_made() {
        let here =
            |error: Box<dyn Error + Send + Sync>| Fault::of(Status::from_error(error).into());
        let refused = ConnectError("connection refused".into());
        assert!(matches!(here(Box::new(refused)), Fault::Elsewhere(_)));
        let lost = std::io::Error::other("broken pipe");
        assert!(matches!(here(Box::new(lost)), Fault::Unclear(_)));
    }
}
