//! All that a disk remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::sync::Arc;

use super::Observer;
use super::call::{Call, Fault};
use super::content::Content;
use super::names::{Id, Names};
use super::random::Random;

/// Of this many removed files, sectors may come up in files that grow.
const MAX_REMOVED: usize = 4;

#[derive(Default)]
pub(super) struct State {
    /// Whether there is the directory, and whether that is durable.
    pub(super) exists: bool,
    pub(super) exists_durably: bool,
    pub(super) names: Names,
    files: BTreeMap<Id, Node>,
    newest_file: Id,
    /// What removed files had, the newest last.
    removed: Vec<Arc<Vec<u8>>>,
    pub(super) locked: BTreeSet<String>,
    pub(super) plan: Plan,
    /// How many bytes there is room for; `None`: no limit.
    pub(super) capacity: Option<usize>,
    pub(super) holding_syncs: bool,
    /// How many syncs wait.
    pub(super) held: usize,
    /// How many file syncs succeeded, and how many calls there were.
    pub(super) syncs: u64,
    pub(super) calls: u64,
    pub(super) observer: Option<Observer>,
    pub(super) random: Option<Random>,
}

#[derive(Clone, Default)]
struct Node {
    content: Content,
    /// How many open files it has.
    handles: usize,
}

/// What is to go wrong.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) at: BTreeMap<u64, Fault>,
    pub(super) every: BTreeMap<Call, Fault>,
    pub(super) halts_at: Option<u64>,
    pub(super) halted: bool,
    /// Every second transfer is interrupted, and the others are of at most this many bytes.
    pub(super) transfer_at_most: Option<usize>,
    pub(super) interrupted: bool,
}

impl Plan {
    pub(super) fn fault(&self, number: u64, call: Call) -> Option<Fault> {
        let planned = self.at.get(&number).or_else(|| self.every.get(&call)).copied();
        planned.filter(|fault| fault.applies_to(call))
    }
}

impl State {
    /// A directory with these files, all of it durable.
    pub(super) fn durable(files: impl Iterator<Item = (Arc<str>, Content)>) -> Self {
        let mut state = Self { exists: true, exists_durably: true, ..Self::default() };
        let mut names = BTreeMap::new();
        for (name, content) in files {
            names.insert(name, state.add(content));
        }
        state.names = Names::durable(names);
        state
    }

    pub(super) fn random(&mut self) -> &mut Random {
        self.random.get_or_insert_with(|| Random::new(0))
    }

    /// A file without a name.
    fn add(&mut self, content: Content) -> Id {
        self.newest_file += 1;
        self.files.insert(self.newest_file, Node { content, handles: 0 });
        self.newest_file
    }

    pub(super) fn content(&mut self, file: Id) -> &mut Content {
        &mut self.node(file).content
    }

    fn node(&mut self, file: Id) -> &mut Node {
        self.files.get_mut(&file).expect("a file is there for as long as it has a name or is open")
    }

    pub(super) fn opened(&mut self, file: Id) {
        self.node(file).handles += 1;
    }

    pub(super) fn closed(&mut self, file: Id) {
        self.node(file).handles -= 1;
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<Id> {
        if self.names.get(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.add(Content::default());
        self.names.set(name, Some(file));
        Ok(file)
    }

    pub(super) fn find(&self, name: &str) -> io::Result<Id> {
        self.names.get(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.find(from)?;
        self.names.set(from, None);
        let replaced = self.names.set(to, Some(file));
        self.remember(replaced);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.find(name)?;
        let removed = self.names.set(name, None);
        self.remember(removed);
        Ok(())
    }

    fn remember(&mut self, removed: Option<Id>) {
        let Some(removed) = removed else { return };
        let content = Arc::clone(self.content(removed).live());
        if self.removed.len() == MAX_REMOVED {
            self.removed.remove(0);
        }
        self.removed.push(content);
    }

    pub(super) fn sync_names(&mut self) {
        self.names.sync();
        let names = &self.names;
        self.files.retain(|id, node| node.handles > 0 || names.have(*id));
    }

    /// All bytes of all files.
    pub(super) fn used(&self) -> usize {
        self.lens().map(|(_, len)| len).sum()
    }

    pub(super) fn lens(&self) -> impl Iterator<Item = (&str, usize)> {
        self.named().map(|(name, content)| (name, content.live().len()))
    }

    /// What files have that a process reads.
    pub(super) fn live(&self) -> BTreeMap<String, Vec<u8>> {
        self.named().map(|(name, content)| (name.to_owned(), Vec::clone(content.live()))).collect()
    }

    fn named(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.names.iter().filter_map(|(name, id)| Some((name, &self.files.get(&id)?.content)))
    }

    /// A file that is durable at once, or none.
    pub(super) fn insert(&mut self, name: &str, bytes: Option<Vec<u8>>) {
        (self.exists, self.exists_durably) = (true, true);
        let file = bytes.map(|bytes| self.add(Content::durable(Arc::new(bytes))));
        self.names.set(name, file);
        self.names.sync_one(name);
    }

    pub(super) fn after_power_cut(&self, mut random: Random) -> Self {
        let there = self.exists_durably || (self.exists && random.coin());
        let names = if there { self.names.after_power_cut(&mut random) } else { BTreeMap::new() };
        let files = self.files.iter().filter(|(id, _)| names.values().any(|named| named == *id));
        let files = files
            .map(|(id, node)| {
                // Some file systems let the sectors of a file be seen that were another's before.
                let at = random.below(4 * self.removed.len() + 4);
                let stale = self.removed.get(at).map(|bytes| bytes.as_slice());
                let content = node.content.after_power_cut(&mut random, stale);
                (*id, Node { content, handles: 0 })
            })
            .collect();
        self.found(there, Names::durable(names), files, random)
    }

    pub(super) fn as_synced(&self) -> Self {
        let there = self.exists_durably;
        let names = if there { self.names.synced() } else { BTreeMap::new() };
        let files = self.files.iter();
        let files = files
            .map(|(id, node)| (*id, Node { content: node.content.synced(), handles: 0 }))
            .collect();
        self.found(there, Names::durable(names), files, Random::new(0))
    }

    pub(super) fn after_kill(&self, mut random: Random) -> Self {
        let files = self.files.iter();
        let files = files
            .map(|(id, node)| {
                let mut content = node.content.clone();
                content.drop_cache(&mut random);
                (*id, Node { content, handles: 0 })
            })
            .collect();
        let exists_durably = self.exists_durably;
        let found = self.found(self.exists, self.names.clone(), files, random);
        Self { exists_durably, ..found }
    }

    pub(super) fn drop_caches(&mut self, random: &mut Random) {
        self.files.values_mut().for_each(|node| node.content.drop_cache(random));
    }

    /// What a process finds that comes next.
    fn found(&self, exists: bool, names: Names, files: BTreeMap<Id, Node>, random: Random) -> Self {
        Self {
            exists,
            exists_durably: exists,
            names,
            files,
            newest_file: self.newest_file,
            removed: self.removed.clone(),
            random: Some(random),
            ..Self::default()
        }
    }
}
