//! Why a store in this state would not have answered so, for people.

use std::fmt::Debug;
use std::hash::Hash;

use super::operation::{Entry, Failing, RangeRead, StoreOperation, StoreOutcome};
use super::state::{StoreState, show};
use crate::precondition::Precondition;
use crate::range::KeyRange;
use crate::revision::Revision;
use crate::txn::Requirement;

pub(super) fn explain<K, V>(
    state: &StoreState<K, V>,
    operation: &StoreOperation<K, V>,
    outcome: Option<&StoreOutcome<K, V>>,
) -> String
where
    K: Ord + Hash + Clone + Debug,
    V: Eq + Clone + Debug,
{
    let mut reasons = Vec::new();
    let view = View(state);
    match operation {
        StoreOperation::Get(key) | StoreOperation::Contains(key) => reasons.push(view.is(key)),
        StoreOperation::Put { key, precondition, .. }
        | StoreOperation::Delete { key, precondition } => {
            reasons.push(view.is(key));
            reasons.extend(required(*precondition));
        }
        StoreOperation::Update(key) => reasons.push(view.is(key)),
        StoreOperation::Commit { requirements, .. } => {
            reasons.extend(requirements.iter().map(|requirement| view.judged(requirement)));
        }
        StoreOperation::Scan(range) | StoreOperation::Watch { range, .. } => {
            reasons.push(view.holds(range));
        }
        StoreOperation::Len => reasons.push(format!("there are {} keys", state.live())),
        StoreOperation::Transact | StoreOperation::Revision | StoreOperation::Reopen => {}
    }
    match outcome {
        Some(StoreOutcome::Read(None) | StoreOutcome::Deleted(None)) => {
            reasons.push("it was told that nothing is there".into());
        }
        Some(StoreOutcome::Written { created_revision, write_count, .. }) => {
            let created =
                created_revision.map(|created| format!("it was told created at {created}"));
            let count = write_count.map(|count| format!("it was told write {count}"));
            reasons.extend(created.into_iter().chain(count));
        }
        Some(StoreOutcome::Watched { changes, .. }) => {
            reasons.push(format!("it was told {}", changed(changes)));
        }
        Some(StoreOutcome::Read(Some(entry))) | Some(StoreOutcome::Deleted(Some((_, entry)))) => {
            reasons.push(format!("it was told {entry:?}"));
        }
        Some(StoreOutcome::Updated { read: Some(read), .. }) => {
            reasons.push(format!("it read {read:?}"));
        }
        Some(StoreOutcome::Updated { read: None, .. }) => reasons.push("it read nothing".into()),
        Some(StoreOutcome::Conflicts(failing)) => reasons.extend(failing.iter().map(lost)),
        Some(StoreOutcome::Transacted { reads, .. }) => {
            for RangeRead { range, entries } in reads {
                reasons.push(view.holds(range));
                reasons.push(format!("it read {}", listed(entries)));
            }
        }
        Some(StoreOutcome::Contained(is_there)) => {
            let there = if *is_there { "something" } else { "nothing" };
            reasons.push(format!("it was told that {there} is there"));
        }
        Some(StoreOutcome::Counted { keys, .. }) => {
            reasons.push(format!("it was told that there are {keys}"));
        }
        Some(StoreOutcome::Scanned { entries, .. }) => {
            reasons.push(format!("it was told {}", listed(entries)));
        }
        _ => {}
    }
    reasons.extend(outcome.and_then(revision).map(|revision| view.numbered(revision)));
    reasons.join("; ")
}

struct View<'a, K: Ord, V>(&'a StoreState<K, V>);

impl<K, V> View<'_, K, V>
where
    K: Ord + Hash + Clone + Debug,
    V: Eq + Clone + Debug,
{
    fn is(&self, key: &K) -> String {
        match self.0.slot(key) {
            None => format!("{key:?} was never written"),
            Some(slot) => format!("{key:?} is {}", show(&self.0.revisions, slot)),
        }
    }

    fn holds(&self, range: &KeyRange<K>) -> String {
        let keys: Vec<_> = self.0.slots_in(range).map(|(key, _)| self.is(key)).collect();
        if keys.is_empty() { "nothing is in the range".to_owned() } else { keys.join(", ") }
    }

    fn judged(&self, requirement: &Requirement<K>) -> String {
        match requirement {
            Requirement::Key(key, precondition) => {
                let demand =
                    required(*precondition).map_or(String::new(), |text| format!(", {text}"));
                format!("{}{demand}", self.is(key))
            }
            Requirement::NoneIn(range) => {
                format!("{}, where nothing was required to be", self.holds(range))
            }
            Requirement::UnchangedIn(range, since) => {
                format!("{}, required to be unchanged since {since}", self.holds(range))
            }
        }
    }

    fn numbered(&self, revision: Revision) -> String {
        let newest = self.0.revisions.show(self.0.newest);
        format!("the newest revision is {newest}, it was told {revision}")
    }
}

fn required(precondition: Precondition) -> Option<String> {
    match precondition {
        Precondition::Any => None,
        Precondition::Absent => Some("it was required to be absent".to_owned()),
        Precondition::Present => Some("it was required to be there".to_owned()),
        Precondition::Revision(revision) => Some(format!("it was required at revision {revision}")),
    }
}

fn lost<K: Debug, V: Debug>(failing: &Failing<K, V>) -> String {
    let Failing { index, key, current, blockers } = failing;
    let is = match current {
        None => "nothing".to_owned(),
        Some(entry) => format!("{entry:?}"),
    };
    let others =
        if *blockers > 1 { format!(" and {} others", blockers - 1) } else { String::new() };
    format!("it was told that precondition {index} fails: {key:?} is {is}{others}")
}

fn listed<K: Debug, V: Debug>(entries: &[(K, Entry<V>)]) -> String {
    let entries: Vec<_> =
        entries.iter().map(|(key, entry)| format!("{key:?}: {entry:?}")).collect();
    if entries.is_empty() { "nothing".to_owned() } else { entries.join(", ") }
}

fn changed<K: Debug, V: Debug>(changes: &[(K, Option<Entry<V>>)]) -> String {
    let changes = changes.iter().map(|(key, entry)| match entry {
        Some(entry) => format!("{key:?}: {entry:?}"),
        None => format!("{key:?} deleted"),
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() { "of no change".to_owned() } else { changes.join(", ") }
}

fn revision<K, V>(outcome: &StoreOutcome<K, V>) -> Option<Revision> {
    match outcome {
        StoreOutcome::Written { revision, .. }
        | StoreOutcome::Updated { revision, .. }
        | StoreOutcome::Deleted(Some((revision, _)))
        | StoreOutcome::Committed(revision)
        | StoreOutcome::Transacted { revision, .. }
        | StoreOutcome::Watched { revision, .. }
        | StoreOutcome::Revision(revision) => Some(*revision),
        StoreOutcome::Scanned { revision, .. } | StoreOutcome::Counted { revision, .. } => {
            *revision
        }
        _ => None,
    }
}
