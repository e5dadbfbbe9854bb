//! The kinds of problem: what a client can tell apart by the `type` of the document.

use axum::http::StatusCode;

/// What went wrong, as far as a program needs to tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The race was lost: the resource is not what the request was based on.
    StaleRevision,
    /// The resource was to be created, or to differ, and is there.
    AlreadyExists,
    /// There is no such resource.
    NotFound,
    /// The path is none of the server's.
    NoSuchRoute,
    /// The key breaks a rule.
    InvalidKey,
    /// A query parameter is unknown, there twice, or malformed.
    InvalidQuery,
    /// A header is malformed.
    InvalidHeader,
    /// The body is not what it should be.
    InvalidBody,
    /// The method is none of the resource's.
    MethodNotAllowed,
    /// The request has no credentials, or wrong ones.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The request is for another host, or comes from a page of another origin.
    ForeignOrigin,
    /// The target of the request is longer than the server takes.
    TargetTooLong,
    /// The client was too slow.
    RequestTimeout,
    /// The body is larger than the server takes.
    TooLarge,
    /// The body is of a type or coding that the server does not take here.
    UnsupportedMediaType,
    /// Something that the server did not foresee; nothing was written.
    Internal,
    /// The write lost to too many others in a row; nothing was written.
    Contended,
    /// The server does not take writes now; nothing was written.
    Unavailable,
    /// The write may or may not survive.
    OutcomeUnknown,
    /// There is no room for the write; nothing was written.
    StorageFull,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::StaleRevision,
        Self::AlreadyExists,
        Self::NotFound,
        Self::NoSuchRoute,
        Self::InvalidKey,
        Self::InvalidQuery,
        Self::InvalidHeader,
        Self::InvalidBody,
        Self::MethodNotAllowed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::ForeignOrigin,
        Self::TargetTooLong,
        Self::RequestTimeout,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Internal,
        Self::Contended,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::StorageFull,
    ];

    /// The last segment of the problem's `type`.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::StaleRevision => "stale-revision",
            Self::AlreadyExists => "already-exists",
            Self::NotFound => "not-found",
            Self::NoSuchRoute => "no-such-route",
            Self::InvalidKey => "invalid-key",
            Self::InvalidQuery => "invalid-query",
            Self::InvalidHeader => "invalid-header",
            Self::InvalidBody => "invalid-body",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::ForeignOrigin => "foreign-origin",
            Self::TargetTooLong => "target-too-long",
            Self::RequestTimeout => "request-timeout",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Internal => "internal",
            Self::Contended => "contended",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::StorageFull => "storage-full",
        }
    }

    /// The status that it has unless an occurrence says otherwise.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::StaleRevision => StatusCode::CONFLICT,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoSuchRoute => StatusCode::NOT_FOUND,
            Self::InvalidKey => StatusCode::BAD_REQUEST,
            Self::InvalidQuery => StatusCode::BAD_REQUEST,
            Self::InvalidHeader => StatusCode::BAD_REQUEST,
            Self::InvalidBody => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Contended => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// What it is, for people; the same for every occurrence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::StaleRevision => "The resource has changed",
            Self::AlreadyExists => "The resource already exists",
            Self::NotFound => "There is no such resource",
            Self::NoSuchRoute => "There is no such route",
            Self::InvalidKey => "The key is invalid",
            Self::InvalidQuery => "The query is invalid",
            Self::InvalidHeader => "A header is invalid",
            Self::InvalidBody => "The body is invalid",
            Self::MethodNotAllowed => "The method is not allowed",
            Self::Unauthenticated => "The request is not authenticated",
            Self::Forbidden => "The caller may not do this",
            Self::ForeignOrigin => "The host or the origin is foreign",
            Self::TargetTooLong => "The target is too long",
            Self::RequestTimeout => "The request took too long",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The media type is not supported",
            Self::Internal => "Something went wrong in the server",
            Self::Contended => "Too many others write the resource",
            Self::Unavailable => "The server takes no writes",
            Self::OutcomeUnknown => "The outcome of the write is unknown",
            Self::StorageFull => "There is no room for the write",
        }
    }

    /// What a client should do about it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::StaleRevision => {
                "Somebody else changed or deleted the resource after you read it, and nothing was written. Read it \
                 again (current_revision and current_etag say what is there), merge your change into it, and write \
                 that with the new revision. Do not repeat the request as it is."
            }
            Self::AlreadyExists => {
                "The request was to create the resource, or to write only if it is not in a certain state, and \
                 nothing was written. Choose another key, or read the resource and update it."
            }
            Self::NotFound => {
                "Nothing is stored under the key, though something may have been before. The status is 404, or 409 \
                 if the request said that the resource has to exist."
            }
            Self::NoSuchRoute => "The path is none of the server's. Documents are at /v1/kv/{key}.",
            Self::InvalidKey => {
                "A key is UTF-8, 1 to 1,024 bytes, percent-encoded in a path. It is split on /, and no segment is \
                 empty, \".\" or \"..\". It has no control characters."
            }
            Self::InvalidQuery => {
                "A query parameter is unknown here, there twice, or malformed. A revision is a decimal number from 1 \
                 to 2^53 - 1."
            }
            Self::InvalidHeader => {
                "The detail names the header. If-Match and If-None-Match are \"*\" or a list of entity tags, each in \
                 double quotes, as the ETag header gave them."
            }
            Self::InvalidBody => {
                "The body is not what its content type says, or not what the route takes. Nothing was written."
            }
            Self::MethodNotAllowed => "The Allow header lists the methods of the resource.",
            Self::Unauthenticated => {
                "Send a token of the server in the Authorization header: \"Bearer TOKEN\". The server does not say whether \
                 what was asked for exists."
            }
            Self::Forbidden => {
                "The token is known, but not allowed to do this: GET and HEAD need the scope read, all other methods \
                 the scope write. Nothing was written."
            }
            Self::ForeignOrigin => {
                "The Host or Origin header names somebody that the server was not told of, as in an attack by a page \
                 in a browser (DNS rebinding, cross-site request). If it is meant, whoever runs the server lists the \
                 host (--allow-host) or the origin (--cors-origin). Nothing was written."
            }
            Self::TargetTooLong => {
                "The path and the query together are longer than the server takes."
            }
            Self::RequestTimeout => "The body did not arrive in time. Nothing was written.",
            Self::TooLarge => "The detail says how much the server takes. Nothing was written.",
            Self::UnsupportedMediaType => {
                "The detail says what the route takes. Nothing was written."
            }
            Self::Internal => "Nothing was written.",
            Self::Contended => {
                "The preconditions held each time that they were checked, but others wrote in between, too often in \
                 a row. Nothing was written. Repeat the request after the time in Retry-After."
            }
            Self::Unavailable => {
                "The store is closed, or read-only because its log failed. Nothing was written. Repeat the request \
                 after the time in Retry-After."
            }
            Self::OutcomeUnknown => {
                "The log failed while the write was on its way: it may or may not be there after a restart. Read the \
                 resource after that, before you write it again."
            }
            Self::StorageFull => {
                "A limit of the store or its disk is reached. Nothing was written. Deleting documents may help."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_distinct_and_fit_a_path() {
        let mut slugs = ProblemKind::ALL.map(ProblemKind::slug).to_vec();
        assert!(slugs.iter().all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
    }
}
