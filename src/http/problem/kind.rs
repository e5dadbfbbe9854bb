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
    /// The client was too slow.
    RequestTimeout,
    /// The body is larger than the server takes.
    TooLarge,
    /// The body is of a type or coding that the server does not take here.
    UnsupportedMediaType,
    /// The revision or cursor that was asked for is not kept any more, or never was.
    Compacted,
    /// Something is still under a prefix under which nothing was to be.
    InUse,
    /// The patch does not fit the document that is there.
    PatchTestFailed,
    /// Preconditions of the transaction do not hold.
    TransactionConflict,
    /// A business rule of the application does not allow it.
    Rule,
    /// The request has no precondition, and the server demands one.
    PreconditionRequired,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// There are no credentials, or they are wrong.
    Unauthorized,
    /// The credentials do not allow it, or the request comes from a foreign place.
    Forbidden,
    /// A limit on how much is asked for at a time.
    TooManyRequests,
    /// The target of the request is too long.
    TargetTooLong,
    /// The backend cannot do this.
    Unsupported,
    /// Something that the server did not foresee; nothing was written.
    Internal,
    /// The write lost to too many others in a row; nothing was written.
    Contended,
    /// The store behind the server cannot be used now; nothing was written.
    Unavailable,
    /// The write may or may not have taken place.
    OutcomeUnknown,
    /// There is no room for the write; nothing was written.
    StorageFull,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::StaleRevision,
        Self::AlreadyExists,
        Self::NotFound,
        Self::NoSuchRoute,
        Self::InvalidKey,
        Self::InvalidQuery,
        Self::InvalidHeader,
        Self::InvalidBody,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Compacted,
        Self::InUse,
        Self::PatchTestFailed,
        Self::TransactionConflict,
        Self::Rule,
        Self::PreconditionRequired,
        Self::IdempotencyKeyReused,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TooManyRequests,
        Self::TargetTooLong,
        Self::Unsupported,
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
            Self::RequestTimeout => "request-timeout",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Compacted => "compacted",
            Self::InUse => "in-use",
            Self::PatchTestFailed => "patch-test-failed",
            Self::TransactionConflict => "transaction-conflict",
            Self::Rule => "rule",
            Self::PreconditionRequired => "precondition-required",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::TooManyRequests => "too-many-requests",
            Self::TargetTooLong => "target-too-long",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
            Self::Contended => "contended",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::StorageFull => "storage-full",
        }
    }

    /// The `type` of the problem: where its page is, on the server.
    #[must_use]
    pub fn reference(self) -> String {
        format!("/problems/{}", self.slug())
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
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Compacted => StatusCode::GONE,
            Self::InUse => StatusCode::CONFLICT,
            Self::PatchTestFailed => StatusCode::CONFLICT,
            Self::TransactionConflict => StatusCode::CONFLICT,
            Self::Rule => StatusCode::CONFLICT,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Unsupported => StatusCode::NOT_IMPLEMENTED,
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
            Self::RequestTimeout => "The request took too long",
            Self::TooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The media type is not supported",
            Self::Compacted => "The revision is not kept any more",
            Self::InUse => "The resource is still in use",
            Self::PatchTestFailed => "The patch does not fit the document",
            Self::TransactionConflict => "Preconditions of the transaction do not hold",
            Self::Rule => "A rule of the application does not allow it",
            Self::PreconditionRequired => "The request needs a precondition",
            Self::IdempotencyKeyReused => "The idempotency key was used for another request",
            Self::Unauthorized => "The request needs valid credentials",
            Self::Forbidden => "The request is not allowed",
            Self::TooManyRequests => "Too much is asked for at a time",
            Self::TargetTooLong => "The target of the request is too long",
            Self::Unsupported => "The backend cannot do this",
            Self::Internal => "Something went wrong in the server",
            Self::Contended => "Too many others write the resource",
            Self::Unavailable => "The store is not available",
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
            Self::RequestTimeout => "The body did not arrive in time. Nothing was written.",
            Self::TooLarge => "The detail says how much the server takes. Nothing was written.",
            Self::UnsupportedMediaType => {
                "The detail says what the route takes. Nothing was written."
            }
            Self::Compacted => {
                "The revision, or the revision that the cursor is pinned to, cannot be read: it is too old, or the server \
                 has not come to it, or it was skipped when a server restarted. Begin anew, without at, after or cursor."
            }
            Self::InUse => {
                "The request was to delete the resource only if nothing exists under a prefix, and something does; \
                 nothing was deleted. The member blockers names the first keys, and blocker_count says how many there \
                 are. Delete or move them, and repeat the request."
            }
            Self::PatchTestFailed => {
                "The document that is there is not what the patch expects: a test of a JSON patch failed, or it names \
                 a place that the document does not have, or the document is not JSON. Nothing was written. Read the \
                 resource again, and make a new patch."
            }
            Self::TransactionConflict => {
                "Nothing of the transaction was written. The member conflicts has every precondition that does not \
                 hold, by its index in require, with what is there now. Read again what has changed, and build the \
                 transaction anew. Do not repeat it as it is."
            }
            Self::Rule => {
                "A business rule of the application does not hold in the state that is there; nothing was written. \
                 The detail says which."
            }
            Self::PreconditionRequired => {
                "The server takes writes with a precondition only, so that no update is lost: read the resource, and \
                 send its ETag in If-Match; to create it send If-None-Match: *. In a transaction every key that is \
                 written needs a condition in require."
            }
            Self::IdempotencyKeyReused => {
                "A write with the same Idempotency-Key and the same credentials took place within the last 24 hours, \
                 and was another request. Nothing was written. Use a new key for each write, and the same only to \
                 repeat it."
            }
            Self::Unauthorized => {
                "Send a token: Authorization: Bearer TOKEN. The WWW-Authenticate header says what is wrong with the one \
                 that was sent."
            }
            Self::Forbidden => {
                "The token does not allow it (it has the scope read or write only); or the request has a Host or \
                 Origin that the server does not know, as a page of another site would send it."
            }
            Self::TooManyRequests => {
                "The detail names the limit. Repeat the request after the time in Retry-After."
            }
            Self::TargetTooLong => {
                "A path with its query has at most 8 KiB; a key 1,024 bytes, before encoding."
            }
            Self::Unsupported => {
                "The store behind the server cannot do what was asked. Nothing was written."
            }
            Self::Internal => {
                "Nothing was written, and the same request would fail again. Whoever runs the server has to look at it: its \
                 log says more. If the detail says that the backend does not allow it, the server's own name, password or \
                 permission is wrong there, and not the client's. If it names a key, what is stored there is no document: \
                 it can be replaced or deleted."
            }
            Self::Contended => {
                "The preconditions held each time that they were checked, but others wrote in between, too often in \
                 a row. Nothing was written. Repeat the request after the time in Retry-After."
            }
            Self::Unavailable => {
                "The store behind the server cannot be used now. It is closed; or its log failed, and until a restart it can \
                 be read only; or it is elsewhere, and is not reached or does not answer in time. The detail says which. \
                 Nothing was written. Repeat the request after the time in Retry-After."
            }
            Self::OutcomeUnknown => {
                "The write may or may not have taken place. If the detail says that the log failed, it is not shown now, and \
                 may be there after a restart of the server: read the resource after that. If it says that the backend did \
                 not say what came of it, the store is elsewhere: read the resource now. Do not write it again before you \
                 have. A repeat with the same Idempotency-Key is told what came of it; if there is a Retry-After, that is \
                 asked for."
            }
            Self::StorageFull => {
                "A limit of the store, its disk, or the backend behind the server is reached. The detail says which. Nothing \
                 was written. If the store has as many keys as it may, deleting documents helps. A backend such as etcd \
                 goes on only when whoever runs it has made room (etcd: compact, defrag, alarm disarm), whatever is deleted. \
                 A disk has to have room again. A delete that is refused because its Idempotency-Key cannot be recorded \
                 passes without one."
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
