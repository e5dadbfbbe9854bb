//! Reads. They are linearizable: etcd asks its peers whether it is still what it was.

use std::time::Duration;

use bytes::Bytes;
use etcd_client::proto::PbRangeResponse;
use etcd_client::{GetOptions, WatchOptions};
use tokio::time::timeout;

use crate::backend::BackendStatus;
use crate::cause::Cause;
use crate::error::ReadError;
use crate::history::HistoryError;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::Etcd;
use super::entry::{entry, number, revision, revision_of};
use super::fault::Fault;
use super::identity;
use super::members::Request;

/// etcd looks for watches that are behind ten times a second.
const COMPACTION_IS_TOLD: Duration = Duration::from_secs(3);

impl Etcd {
    /// Asks for keys; the answer is at one revision.
    pub(super) async fn range(
        &self,
        start: Vec<u8>,
        options: GetOptions,
    ) -> Result<PbRangeResponse, Fault> {
        self.shared.check_is_there()?;
        let found = self.shared.members.ask(Request::Read, move |clients| {
            let (mut kv, start, options) = (clients.kv.clone(), start.clone(), options.clone());
            async move { Ok(kv.get(start, Some(options)).await?.0) }
        });
        let found = found.await?;
        self.shared.hear(found.header.as_ref())?;
        Ok(found)
    }

    /// What a key is, now or at a revision.
    pub(super) async fn entry(
        &self,
        key: &[u8],
        at: Option<Revision>,
    ) -> Result<Option<Versioned<Bytes>>, Fault> {
        let options =
            at.map_or_else(GetOptions::new, |at| GetOptions::new().with_revision(number(at)));
        let found = self.range(self.shared.namespace.outer(key), options).await?;
        Ok(found.kvs.into_iter().next().map(entry).transpose()?.map(|(_, entry)| entry))
    }

    /// The newest revision.
    pub(super) async fn newest(&self) -> Result<Revision, Fault> {
        let found = self.range(self.shared.namespace.outer(b""), count_only()).await?;
        revision_of(found.header.as_ref())
    }

    /// The newest revision, if the state at `at` can be read.
    pub(super) async fn judge(&self, at: Revision) -> Result<Revision, Fault> {
        let options = count_only().with_revision(number(at));
        let found = self.range(self.shared.namespace.outer(b""), options).await?;
        revision_of(found.header.as_ref())
    }

    /// The oldest revision that can be read, of a store that is compacted. etcd tells it only to who watches since an older
    /// one.
    pub(super) async fn oldest(&self) -> Result<Revision, Fault> {
        let key = self.shared.namespace.outer(b"");
        let refusal = self.shared.members.ask(Request::Read, move |clients| {
            let (mut watch, key) = (clients.watch.clone(), key.clone());
            async move {
                let options = WatchOptions::new().with_start_revision(1);
                let mut stream = watch.watch(key, Some(options)).await?;
                while let Some(answer) = stream.message().await? {
                    if answer.canceled() {
                        return Ok(answer.compact_revision());
                    }
                }
                Ok(0)
            }
        });
        oldest_of(timeout(COMPACTION_IS_TOLD, refusal).await.ok())
    }

    /// A fault of a read, for the caller.
    pub(super) async fn read_error(&self, fault: Fault) -> ReadError {
        let told = match fault {
            Fault::Compacted => self.oldest().await.map(HistoryError::compacted),
            Fault::Future => self.newest().await.map(HistoryError::future),
            other => Err(other),
        };
        match told {
            Ok(error) => error.into(),
            Err(Fault::Denied(cause)) => ReadError::Denied(cause),
            Err(fault) => ReadError::Unavailable(fault.into_cause()),
        }
    }

    pub(super) async fn how_it_is(&self) -> Result<BackendStatus, Fault> {
        let identity = self.shared.namespace.identity_key();
        let found = self.range(identity.into(), GetOptions::new()).await?;
        let revision = revision_of(found.header.as_ref())?;
        let stored = found.kvs.first().map(|found| &*found.value);
        if !identity::is_still(self.shared.identity, stored, &self.shared.members) {
            return Err(self.shared.replaced());
        }
        let status = self.shared.members.ask(Request::Read, |clients| {
            let mut maintenance = clients.maintenance.clone();
            async move { Ok(maintenance.status().await?.0) }
        });
        // Where it is not for every user to know, a write will tell.
        let writable = match status.await {
            Ok(status) => !status.errors.iter().any(|alarm| alarm.contains("NOSPACE")),
            Err(Fault::Refused(_) | Fault::Denied(_)) => true,
            Err(fault) => return Err(fault),
        };
        Ok(BackendStatus::new(revision, writable))
    }
}

/// What etcd told of the revision at which it is compacted, if it told it in time. It is never guessed: a watch since another
/// would have a gap.
fn oldest_of(told: Option<Result<i64, Fault>>) -> Result<Revision, Fault> {
    match told {
        Some(Ok(told @ 1..)) => revision(told),
        Some(Err(fault)) => Err(fault),
        Some(Ok(_)) | None => Err(Fault::Unclear(Cause::new(
            "the revision has been compacted, and etcd does not say which is the oldest",
        ))),
    }
}

pub(super) fn count_only() -> GetOptions {
    GetOptions::new().with_count_only()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_revision_is_told_or_not_known_and_never_guessed() {
        assert_eq!(oldest_of(Some(Ok(7))).unwrap().get(), 7);
        for nothing in [Some(Ok(0)), Some(Ok(-1)), None] {
            assert!(matches!(oldest_of(nothing), Err(Fault::Unclear(_))));
        }
        let refused = oldest_of(Some(Err(Fault::Refused(Cause::new("no")))));
        assert!(matches!(refused, Err(Fault::Refused(_))));
        assert!(oldest_of(Some(Ok(i64::MAX))).is_err());
    }
}
