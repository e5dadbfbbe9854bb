//! A read that waits until a document has changed.

use std::pin::Pin;
use std::time::Duration;

use axum::http::header;
use bytes::Bytes;
use futures_core::Stream;

use crate::backend::Backend;
use crate::event::WatchError;
use crate::range::KeyRange;
use crate::revision::Revision;

use crate::http::problem::{Problem, ProblemKind, RETRY_UNAVAILABLE};
use crate::http::query;
use crate::http::serve::shutdown::Shutdown;

/// The longest that a client may ask to wait.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// `?wait=30s&after=R`: wait until the document has changed after the revision, but not longer than that.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongPoll {
    after: Revision,
    wait: Duration,
}

impl LongPoll {
    /// What a query asks for; `at` is what it says of a revision to read.
    ///
    /// # Errors
    /// 400 if one of the two is without the other, or beside `at`; or malformed.
    pub(super) fn of(query: Option<&str>, at: Option<Revision>) -> Result<Option<Self>, Problem> {
        let wait = query::parameter(query, "wait")?;
        let after = query::revision(query, "after")?;
        match (wait, after) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) if at.is_some() => Err(query::invalid(
                "at and wait exclude each other: the past does not change".into(),
            )),
            (Some(wait), Some(after)) => Ok(Some(Self { after, wait: duration(&wait)? })),
            _ => Err(query::invalid("wait and after go together: wait=30s&after=7".into())),
        }
    }

    /// Waits.
    ///
    /// # Errors
    /// 410 if it is not known whether the document has changed after the revision.
    pub(super) async fn wait<B: Backend>(
        self,
        backend: &B,
        key: &Bytes,
        shutdown: &Shutdown,
    ) -> Result<(), Problem> {
        let range = KeyRange::only(key.clone());
        let mut watch = match backend.watch(range.clone(), Some(self.after)).await {
            Ok(watch) => watch,
            Err(WatchError::Compacted { oldest }) => {
                // What is there tells whether it has changed; that nothing is there does not tell since when.
                let entry = backend.get(key).await?.ok_or_else(|| compacted(self.after, oldest))?;
                if entry.revision() > self.after {
                    return Ok(());
                }
                let opened = backend.watch(range, None).await.map_err(of_watch)?;
                // It may have changed between the two.
                let again = backend.get(key).await?;
                if again.is_none_or(|again| again.revision() != entry.revision()) {
                    return Ok(());
                }
                opened
            }
            Err(error) => return Err(of_watch(error)),
        };
        // Whatever the watch says, there is something to look at.
        let changed = std::future::poll_fn(|context| Pin::new(&mut watch).poll_next(context));
        tokio::select! {
            _changed = changed => {}
            () = tokio::time::sleep(self.wait) => {}
            () = shutdown.requested() => {}
        }
        Ok(())
    }
}

/// `30s` or `500ms`.
fn duration(text: &str) -> Result<Duration, Problem> {
    let (digits, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let number = digits.parse().ok();
    let duration = match (number, unit) {
        (Some(number), "ms") => Some(Duration::from_millis(number)),
        (Some(number), "s") => Some(Duration::from_secs(number)),
        _ => None,
    };
    duration.filter(|duration| *duration <= MAX_WAIT).ok_or_else(|| {
        query::invalid(format!(
            "wait: it is a time like 30s or 500ms, at most {}s",
            MAX_WAIT.as_secs()
        ))
    })
}

fn compacted(after: Revision, oldest: Revision) -> Problem {
    let detail =
        format!("what came after revision {after} is not known, only since revision {oldest}");
    Problem::new(ProblemKind::Compacted, detail)
}

/// A watch that did not open, as a problem: 410, 500, 501 or 503.
pub(super) fn of_watch(error: WatchError) -> Problem {
    let kind = match &error {
        WatchError::Compacted { .. } | WatchError::Future { .. } => ProblemKind::Compacted,
        WatchError::Unsupported(_) => ProblemKind::Unsupported,
        WatchError::Denied(_) => ProblemKind::Internal,
        _ => ProblemKind::Unavailable,
    };
    let problem = Problem::new(kind, error.to_string()).because(&error);
    match kind {
        ProblemKind::Unavailable => problem.with_header(header::RETRY_AFTER, RETRY_UNAVAILABLE),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_a_unit_and_a_limit() {
        let cases = [
            ("30s", Some(30_000)),
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("300s", Some(300_000)),
            ("301s", None),
            ("300001ms", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("30 s", None),
            ("99999999999999999999s", None),
        ];
        for (text, expected) in cases {
            let read = duration(text).ok();
            assert_eq!(read, expected.map(Duration::from_millis), "{text}");
        }
    }
}
