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

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of what etcd can count to; what JSON and JavaScript cannot tell apart is never told.
    #[test]
    fn a_revision_beyond_2_to_the_53_is_refused() {
        let largest = (1 << 53) - 1;
        assert_eq!(revision(largest).unwrap(), Revision::MAX);
        for number in [largest + 1, i64::MAX, 0, -1, i64::MIN] {
            assert!(matches!(revision(number), Err(Fault::Unclear(_))), "{number}");
        }
        let written = |at, created| PbKeyValue {
            mod_revision: at,
            create_revision: created,
            version: 1,
            ..PbKeyValue::default()
        };
        assert!(entry(written(largest, 1)).is_ok());
        assert!(entry(written(largest + 1, 1)).is_err());
        assert!(entry(written(7, largest + 1)).is_err());
        assert!(revision_of(None).is_err(), "an answer without a header says nothing");
    }
}
