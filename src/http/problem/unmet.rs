//! One precondition of a transaction that does not hold.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::conflict::Conflict;
use crate::precondition::Precondition;
use crate::revision::Revision;

use super::{Problem, ProblemKind, State};
use crate::http::documents::entry::Entry;
use crate::http::etag::ETag;

/// A member of `conflicts`.
pub(in crate::http) struct Unmet {
    index: usize,
    kind: ProblemKind,
    detail: String,
    pub(in crate::http) prefix: Option<String>,
    /// Of a range the first key that is in the way, or that changed.
    pub(in crate::http) key: Option<String>,
    state: Option<State>,
    blockers: Option<(Vec<String>, usize)>,
    /// The first of the blockers themselves.
    pub(in crate::http) blocking: Vec<Entry>,
    oldest: Option<Revision>,
    pub(in crate::http) link: Option<String>,
    pub(in crate::http) current: Option<Entry>,
}

impl Unmet {
    pub(in crate::http) fn of<K: Display, V>(conflict: &Conflict<K, V>) -> Self {
        Self::named(conflict, K::to_string)
    }

    /// With keys as `name` has them.
    pub(in crate::http) fn named<K, V>(
        conflict: &Conflict<K, V>,
        name: impl Fn(&K) -> String,
    ) -> Self {
        let is_range = conflict.range().is_some();
        let (kind, expected) = match conflict.expected() {
            Precondition::Absent if is_range => (ProblemKind::InUse, None),
            Precondition::Absent => (ProblemKind::AlreadyExists, None),
            Precondition::Present => (ProblemKind::NotFound, None),
            Precondition::Revision(revision) => (ProblemKind::StaleRevision, Some(revision)),
            Precondition::Any => (ProblemKind::StaleRevision, None),
        };
        let current = conflict.revision().map(|now| ETag::new(conflict.identity(), now));
        let blockers = (kind == ProblemKind::InUse).then(|| {
            let keys = conflict.blockers().iter().map(|(key, _)| name(key));
            (keys.collect(), conflict.blocker_count())
        });
        Self {
            index: conflict.index(),
            kind,
            detail: conflict.to_string(),
            prefix: None,
            key: Some(name(conflict.key())),
            state: Some(State { expected, current }),
            blockers,
            blocking: Vec::new(),
            oldest: None,
            link: None,
            current: None,
        }
    }

    /// A precondition of which it is not known whether it holds, because changes are known only since `oldest`.
    pub(in crate::http) fn undecided(index: usize, detail: String, oldest: Revision) -> Self {
        Self {
            index,
            kind: ProblemKind::Compacted,
            detail,
            prefix: None,
            key: None,
            state: None,
            blockers: None,
            blocking: Vec::new(),
            oldest: Some(oldest),
            link: None,
            current: None,
        }
    }

    /// Without what is stored in a range: its keys, how many, and how they changed.
    pub(in crate::http) fn hide_range(&mut self) {
        if self.prefix.is_some() {
            (self.key, self.state) = (None, None);
            "it does not hold of the prefix".clone_into(&mut self.detail);
        }
        self.blockers = None;
    }

    /// What is there now has this tag.
    pub(in crate::http) fn set_current(&mut self, current: ETag) {
        if let Some(state) = &mut self.state {
            state.current = Some(current);
        }
    }
}

impl Problem {
    /// Preconditions of a transaction do not hold.
    pub(in crate::http) fn of_unmet(
        detail: impl Into<String>,
        unmet: impl IntoIterator<Item = Unmet>,
    ) -> Self {
        let unmet: Vec<Unmet> = unmet.into_iter().collect();
        Self::new(ProblemKind::TransactionConflict, detail).with_member("conflicts", &unmet)
    }
}

impl Serialize for Unmet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("type", &self.kind.reference())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(prefix) = &self.prefix {
            map.serialize_entry("prefix", prefix)?;
        }
        if let Some(key) = &self.key {
            map.serialize_entry("key", key)?;
        }
        if let Some(state) = self.state {
            state.serialize_into(&mut map)?;
        }
        if let Some((keys, count)) = &self.blockers {
            map.serialize_entry("blockers", keys)?;
            map.serialize_entry("blocker_count", count)?;
        }
        if !self.blocking.is_empty() {
            map.serialize_entry("blocking", &self.blocking)?;
        }
        if let Some(oldest) = self.oldest {
            map.serialize_entry("oldest_revision", &oldest)?;
        }
        if let Some(link) = &self.link {
            map.serialize_entry("links", &BTreeMap::from([("current", link)]))?;
        }
        if let Some(current) = &self.current {
            map.serialize_entry("current", current)?;
        }
        map.end()
    }
}
