//! What a golden log is to be read as, beside it as JSON.

use ifmatch::{Revision, Store};
use serde::{Deserialize, Serialize};

use crate::Account;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Expected {
    pub(crate) codec: String,
    pub(crate) identity: String,
    pub(crate) recovery: Recovery,
    /// The newest revision once it is open, and the one that the next commit gets.
    pub(crate) revision: u64,
    pub(crate) next_revision: u64,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) revision: u64,
    pub(crate) created_revision: u64,
    pub(crate) write_count: u64,
    pub(crate) value: Account,
}

impl Entry {
    /// What is there once `value` was put on top of what `before` is.
    pub(crate) fn written(
        key: &str,
        value: Account,
        revision: Revision,
        before: Option<&Self>,
    ) -> Self {
        let revision = revision.get();
        Self {
            key: key.to_owned(),
            revision,
            created_revision: before.map_or(revision, |before| before.created_revision),
            write_count: before.map_or(1, |before| before.write_count + 1),
            value,
        }
    }
}

/// All that a store holds, in order.
pub(crate) fn entries(store: &Store<String, Account>) -> Vec<Entry> {
    let entry = |(key, versioned): (String, ifmatch::Versioned<Account>)| Entry {
        key,
        revision: versioned.revision().get(),
        created_revision: versioned.created_revision().get(),
        write_count: versioned.write_count(),
        value: versioned.value().clone(),
    };
    store.iter().map(entry).collect()
}

/// [`ifmatch::Recovery`], as far as it says what was found and not how long it took.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recovery {
    pub(crate) commits: u64,
    pub(crate) segments: u64,
    pub(crate) clean: bool,
    pub(crate) cut: Option<Cut>,
    /// From format 2 on: the revision of the checkpoint, and how many entries it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cut {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Recovery {
    pub(crate) fn of(recovery: &ifmatch::Recovery) -> Self {
        let cut =
            |cut: ifmatch::Cut| Cut { segment: cut.segment, offset: cut.offset, bytes: cut.bytes };
        Self {
            commits: recovery.commits,
            segments: recovery.segments,
            clean: recovery.clean,
            cut: recovery.cut.map(cut),
            checkpoint: recovery.checkpoint.map(|at| (at.get(), recovery.entries)),
        }
    }
}
