//! etcd's numbers and entries as ours: `mod_revision`, `create_revision` and `version` are revision, creation and writes.

use bytes::Bytes;
use etcd_client::proto::{PbKeyValue, PbResponseHeader};

use crate::cause::Cause;
use crate::revision::Revision;
use crate::versioned::Versioned;

use super::fault::Fault;

pub(super) fn revision(number: i64) -> Result<Revision, Fault> {
    let number = u64::try_from(number).unwrap_or(0);
    Revision::try_from(number)
        .map_err(|_| Fault::Unclear(Cause::new("etcd is at a revision beyond 2^53 - 1")))
}

/// The revision that an answer was given at.
pub(super) fn revision_of(header: Option<&PbResponseHeader>) -> Result<Revision, Fault> {
    revision(header.map_or(0, |header| header.revision))
}

/// A revision as etcd has it.
pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.get()).expect("a revision has 53 bits")
}

/// A key as etcd has it, and its entry.
pub(super) type Found = (Vec<u8>, Versioned<Bytes>);

pub(super) fn entry(found: PbKeyValue) -> Result<Found, Fault> {
    let count = u64::try_from(found.version).unwrap_or(0);
    let (at, created) = (revision(found.mod_revision)?, revision(found.create_revision)?);
    Ok((found.key, Versioned::new(found.value.into(), at, created, count)))
}
