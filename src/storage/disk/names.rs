//! Which names a directory has, and which it may have after the power was cut.

use std::collections::BTreeMap;

use crate::sync::Arc;

use super::random::Random;

/// A file, whatever its names.
pub(super) type Id = u64;

/// Of a name that changes often without a sync, no more states than this are remembered.
const MAX_STATES: usize = 8;

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    live: BTreeMap<Arc<str>, Id>,
    /// What changed since the last sync: the state that is durable, then each that the name had before the present one.
    changed: BTreeMap<Arc<str>, Vec<Option<Id>>>,
}

impl Names {
    /// Names that are durable.
    pub(super) fn durable(live: BTreeMap<Arc<str>, Id>) -> Self {
        Self { live, changed: BTreeMap::new() }
    }

    pub(super) fn get(&self, name: &str) -> Option<Id> {
        self.live.get(name).copied()
    }

    /// A name of the file.
    pub(super) fn of(&self, file: Id) -> Option<&str> {
        self.iter().find(|(_, id)| *id == file).map(|(name, _)| name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Id)> {
        self.live.iter().map(|(name, id)| (&**name, *id))
    }

    /// Lets `name` stand for `file`, or for none. Returns what it stood for.
    pub(super) fn set(&mut self, name: &str, file: Option<Id>) -> Option<Id> {
        let name: Arc<str> = name.into();
        let before = match file {
            Some(file) => self.live.insert(Arc::clone(&name), file),
            None => self.live.remove(&name),
        };
        let states = self.changed.entry(name).or_default();
        if states.len() == MAX_STATES {
            states.remove(1);
        }
        states.push(before);
        before
    }

    pub(super) fn sync(&mut self) {
        self.changed.clear();
    }

    /// Makes durable what one name stands for.
    pub(super) fn sync_one(&mut self, name: &str) {
        self.changed.remove(name);
    }

    /// Of each change it is open whether it became durable; a sync that succeeds will tell.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        let likelihood = random.likelihood();
        self.changed.retain(|_, _| !random.happens(&likelihood));
    }

    /// What a power cut leaves: each name at any of the states that it had since the last sync.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> BTreeMap<Arc<str>, Id> {
        let likelihood = random.likelihood();
        self.resolved(|states, present| {
            if random.happens(&likelihood) {
                return present;
            }
            let at = if random.coin() { 0 } else { random.below(states.len()) };
            states.get(at).copied().flatten()
        })
    }

    /// What was made durable.
    pub(super) fn synced(&self) -> BTreeMap<Arc<str>, Id> {
        self.resolved(|states, _| states.first().copied().flatten())
    }

    fn resolved(
        &self,
        mut resolve: impl FnMut(&[Option<Id>], Option<Id>) -> Option<Id>,
    ) -> BTreeMap<Arc<str>, Id> {
        let mut names = self.live.clone();
        for (name, states) in &self.changed {
            match resolve(states, self.get(name)) {
                Some(id) => names.insert(Arc::clone(name), id),
                None => names.remove(name),
            };
        }
        names
    }

    /// Whether a name stands for the file, or may after the power was cut.
    pub(super) fn have(&self, file: Id) -> bool {
        self.live.values().any(|id| *id == file)
            || self.changed.values().flatten().any(|id| *id == Some(file))
    }
}
