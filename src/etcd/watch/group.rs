//! Events as commits: those of one revision are one, however etcd splits what it sends.
//!
//! etcd sends the events of a revision together, unless the message would be too large; then it sends fragments, of which all
//! but the last say that there is more. A revision may be split between two of them.

use bytes::Bytes;
use etcd_client::proto::PbEvent;

use crate::event::{Commit, Event};
use crate::revision::Revision;

use crate::etcd::entry::{entry, revision};
use crate::etcd::fault::Fault;
use crate::etcd::namespace::Namespace;

/// `EventType::Delete`.
const DELETE: i32 = 1;

pub(super) struct Group {
    /// What is not after it is dropped.
    after: Revision,
    /// The revision that may go on in the next fragment, and its events.
    open: Option<(Revision, Vec<Event<Bytes, Bytes>>)>,
}

impl Group {
    pub(super) fn new(after: Revision) -> Self {
        Self { after, open: None }
    }

    /// Whether nothing waits for the rest of it.
    pub(super) fn is_whole(&self) -> bool {
        self.open.is_none()
    }

    /// The commits that are complete with these events; if it `is_fragment`, more of the last revision may come.
    pub(super) fn take(
        &mut self,
        events: Vec<PbEvent>,
        is_fragment: bool,
        namespace: &Namespace,
    ) -> Result<Vec<Commit<Bytes, Bytes>>, Fault> {
        let mut commits = Vec::new();
        for event in events {
            let Some((at, event)) = self.event(event, namespace)? else { continue };
            match &mut self.open {
                Some((open, events)) if *open == at => events.push(event),
                _ => commits.extend(self.open.replace((at, vec![event])).map(close)),
            }
        }
        if !is_fragment {
            commits.extend(self.open.take().map(close));
        }
        if let Some(last) = commits.last() {
            self.after = last.revision();
        }
        Ok(commits)
    }

    /// An event as ours; `None` if it was told before.
    #[allow(clippy::type_complexity, reason = "it is named where it is used")]
    fn event(
        &self,
        event: PbEvent,
        namespace: &Namespace,
    ) -> Result<Option<(Revision, Event<Bytes, Bytes>)>, Fault> {
        let Some(changed) = event.kv else { return Ok(None) };
        let at = revision(changed.mod_revision)?;
        if at <= self.after {
            return Ok(None);
        }
        if event.r#type == DELETE {
            let key = namespace.inner(changed.key);
            return Ok(key.map(|key| (at, Event::delete(key, at, None))));
        }
        let (key, entry) = entry(changed)?;
        Ok(namespace.inner(key).map(|key| (at, Event::put(key, entry, None))))
    }
}

fn close((revision, events): (Revision, Vec<Event<Bytes, Bytes>>)) -> Commit<Bytes, Bytes> {
    Commit::new(revision, events)
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::PbKeyValue;

    use super::*;

    fn put(key: &str, at: i64) -> PbEvent {
        let kv = PbKeyValue {
            key: format!("n/{key}").into_bytes(),
            mod_revision: at,
            create_revision: at,
            version: 1,
            ..PbKeyValue::default()
        };
        PbEvent { r#type: 0, kv: Some(kv), prev_kv: None }
    }

    fn told(commits: &[Commit<Bytes, Bytes>]) -> Vec<(u64, usize)> {
        commits.iter().map(|commit| (commit.revision().get(), commit.events().len())).collect()
    }

    #[test]
    fn a_revision_is_one_commit_however_it_is_split() {
        let namespace = Namespace::new("n/").unwrap();
        let events: Vec<PbEvent> = [3, 4, 5, 5, 5, 6]
            .iter()
            .zip('a'..)
            .map(|(at, key)| put(&key.to_string(), *at))
            .collect();
        let whole = [(4, 1), (5, 3), (6, 1)];
        // Each way to cut it into up to three messages.
        for first in 0..=events.len() {
            for second in first..=events.len() {
                let mut group = Group::new(Revision::try_from(3).unwrap());
                let mut commits = Vec::new();
                for (part, is_fragment) in [
                    (&events[..first], true),
                    (&events[first..second], true),
                    (&events[second..], false),
                ] {
                    commits.extend(group.take(part.to_vec(), is_fragment, &namespace).unwrap());
                }
                assert_eq!(told(&commits), whole, "cut at {first} and {second}");
                assert!(group.is_whole());
            }
        }
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let namespace = Namespace::new("n/").unwrap();
        let mut group = Group::new(Revision::try_from(1).unwrap());
        let first = group.take(vec![put("a", 2), put("b", 3)], false, &namespace).unwrap();
        let again = group.take(vec![put("b", 3), put("c", 4)], false, &namespace).unwrap();
        assert_eq!((told(&first), told(&again)), (vec![(2, 1), (3, 1)], vec![(4, 1)]));
    }
}
