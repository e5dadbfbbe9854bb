//! Whether a put took place of which the answer does not say it.
//!
//! etcd answers `database space exceeded` to a write that it refuses because the database is at its quota, and also to the
//! one that went over the quota, *which it has carried out* (`quotaApplierV3` in `server/etcdserver/apply.go`). The answers
//! are the same. And an answer that is too large to be read may be that of a write, or a conflict.
//!
//! So what is there is looked at: no key is at a revision that this process had not seen when it sent the write, if the write
//! did not take place.

use crate::precondition::Precondition;
use crate::revision::Revision;

use super::Etcd;
use super::fault::Fault;

/// A put that may not have taken place, alone or in a transaction.
pub(super) struct Put {
    /// As etcd has it.
    pub(super) key: Vec<u8>,
    /// Of this key, if there was one.
    pub(super) precondition: Option<Precondition>,
    /// A revision that etcd had come to before.
    pub(super) seen: Revision,
}

/// So many revisions are looked at, each by a request. They are few: while there is no room there are only deletes.
const LOOKS: u64 = 32;

impl Etcd {
    /// Whether it certainly did not take place.
    pub(super) async fn settle(&self, put: &Put) -> bool {
        self.try_settle(put).await.unwrap_or(false)
    }

    async fn try_settle(&self, put: &Put) -> Result<bool, Fault> {
        let options = etcd_client::GetOptions::new().with_keys_only();
        let now = self.range(put.key.clone(), options.clone()).await?;
        if let Some(there) = now.kvs.first() {
            let at = super::entry::revision(there.mod_revision)?;
            // A key that is still at the revision that the write replaces was not written.
            return Ok(at <= put.seen || put.precondition == Some(Precondition::Revision(at)));
        }
        let newest = super::entry::revision_of(now.header.as_ref())?;
        if newest.get() - put.seen.get().min(newest.get()) > LOOKS {
            return Ok(false);
        }
        // It may have been there in between.
        let mut at = put.seen;
        while let Some(next) = at.next().filter(|next| *next <= newest) {
            at = next;
            let options = options.clone().with_revision(super::entry::number(at));
            if !self.range(put.key.clone(), options).await?.kvs.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
