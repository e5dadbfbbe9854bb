//! One occurrence of each kind of problem, for its page.

use serde_json::json;

use super::{Problem, ProblemKind, State};
use crate::http::ETag;
use crate::identity::Identity;
use crate::revision::Revision;

impl ProblemKind {
    /// What the document of such a problem looks like.
    pub(super) fn example(self) -> Problem {
        let problem = Problem::new(self, self.example_detail());
        let at = |revision| Revision::try_from(revision).expect("it is between 1 and 2^53 - 1");
        let current = ETag::new(Identity::from_bytes([0x5b; 16]), at(7));
        let state = State { expected: None, current: Some(current) };
        match self {
            Self::StaleRevision => problem
                .with_key("users/42")
                .with_state(State { expected: Some(at(4)), current: Some(current) })
                .with_link("/v1/kv/users/42")
                .with_link_to("base", "/v1/kv/users/42?at=4")
                .with_link_to("history", "/v1/history/users/42"),
            Self::AlreadyExists | Self::PatchTestFailed => {
                problem.with_key("users/42").with_state(state).with_link("/v1/kv/users/42")
            }
            Self::InUse => problem
                .with_key("teams/1")
                .with_state(state)
                .with_member("blockers", &["members/1/ada", "members/1/bob"])
                .with_member("blocker_count", &2)
                .with_link("/v1/kv/teams/1"),
            Self::TransactionConflict => problem.with_member(
                "conflicts",
                &json!([{
                    "index": 0,
                    "type": Self::StaleRevision.reference(),
                    "detail": "stale revision of accounts/1: expected 4, current 7",
                    "key": "accounts/1",
                    "expected_revision": 4,
                    "current_revision": 7,
                    "current_etag": current.to_string(),
                    "deleted": false,
                    "links": {"current": "/v1/kv/accounts/1"},
                }]),
            ),
            Self::NotFound
            | Self::PreconditionRequired
            | Self::Contended
            | Self::OutcomeUnknown
            | Self::StorageFull => problem.with_key("users/42"),
            _ => problem,
        }
    }

    fn example_detail(self) -> &'static str {
        match self {
            Self::StaleRevision => "revision 4 was expected, the key is at revision 7",
            Self::AlreadyExists => {
                "If-None-Match does not allow what is there, the key is at revision 7"
            }
            Self::NotFound => "nothing is stored under the key",
            Self::NoSuchRoute => "documents are at /v1/kv/{key}",
            Self::InvalidKey => "segment 2 of the key is empty",
            Self::InvalidQuery => "there is no query parameter \"revison\" here",
            Self::InvalidHeader => {
                "the header if-match: an entity tag is a text in double quotes, or W/ and one"
            }
            Self::InvalidBody => "the body is not the JSON that its content type says it is",
            Self::MethodNotAllowed => "the resource has GET, HEAD, PUT, PATCH, DELETE",
            Self::RequestTimeout => "the body did not arrive within 60 seconds",
            Self::TooLarge => "the body has more than 8388608 bytes",
            Self::UnsupportedMediaType => {
                "a patch is application/merge-patch+json or application/json-patch+json"
            }
            Self::Compacted => "revision 4 is not kept any more, the oldest is 6",
            Self::InUse => "2 keys are still under the prefix \"members/1/\"",
            Self::PatchTestFailed => "operation 0: the test of /age failed",
            Self::TransactionConflict => "1 of 2 preconditions do not hold; nothing was written",
            Self::Rule => "a team has at most 8 members",
            Self::PreconditionRequired => "the server takes no write without a precondition",
            Self::IdempotencyKeyReused => {
                "another request was sent with the same Idempotency-Key before"
            }
            Self::Unauthorized => "the request has no token",
            Self::Forbidden => "the token does not allow writes",
            Self::TooManyRequests => "1024 lists have a next page already",
            Self::TargetTooLong => "the target has 9000 bytes, and may have 8192",
            Self::Unsupported => "the backend keeps no history",
            Self::Internal => {
                "\"users/42\" at revision 7: the stored value begins like a document and is none, or is of a later version"
            }
            Self::Contended => "100 other writes came between, one after the other",
            Self::Unavailable => "the store is closed",
            Self::OutcomeUnknown => {
                "the backend did not say what came of it: the outcome of the write is unknown"
            }
            Self::StorageFull => "the store has 1000000 keys, which is its limit",
        }
    }
}
