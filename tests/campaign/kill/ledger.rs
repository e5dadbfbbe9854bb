//! What all that was told comes to, and whether what is found agrees.
//!
//! Every write has a name, and every value says which write put it. So a revision names one write, a write has one
//! revision, and what a write changes is known from what its process said before it made it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Included};

use super::line::{Change, Entry, Event, Id, Line};

/// What a store has after a kill.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) revision: u64,
    pub(crate) entries: BTreeMap<u64, Entry>,
}

/// What is known of a key: since `revision` it is what this write put, or it is not there.
#[derive(Clone, Copy, Debug)]
struct State {
    revision: u64,
    id: Option<Id>,
}

#[derive(Default)]
pub(crate) struct Ledger {
    intents: HashMap<Id, Vec<Change>>,
    void: HashSet<Id>,
    names: BTreeMap<u64, Id>,
    revisions: HashMap<Id, u64>,
    newest: HashMap<u64, State>,
    /// By key and revision, the revision that created it and how many writes there were.
    past: HashMap<(u64, u64), (u64, u64)>,
    /// At which revision the process of each round began.
    began: Vec<u64>,
    /// Up to here everything was found already, and cannot change any more.
    settled: u64,
    /// The newest revision that anybody was told.
    told: u64,
    watched: u64,
    pub(crate) counts: Counts,
}

/// What came together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) writes: u64,
    pub(crate) refused: u64,
    pub(crate) reads: u64,
    pub(crate) snapshots: u64,
    pub(crate) events: u64,
    pub(crate) resumed: u64,
    pub(crate) compactions: u64,
    /// Found, though it was not acknowledged.
    pub(crate) unacknowledged: u64,
}

/// What a round's process said that is looked at when all is known.
#[derive(Default)]
struct Round {
    watches: Vec<(u64, BTreeSet<u64>)>,
    snapshots: Vec<(u64, BTreeMap<u64, Entry>)>,
}

type Violation = String;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

impl Ledger {
    /// The newest revision that a watch was told.
    pub(crate) fn watched(&self) -> u64 {
        self.watched
    }

    /// Takes in what the process of a round said before it was killed, and what it left.
    pub(crate) fn check(&mut self, lines: &[Line], found: &Found) -> Result<(), Violation> {
        let number = u64::try_from(self.began.len()).expect("rounds are few");
        let seed = self.newest.clone();
        self.began.push(self.settled);
        for line in lines {
            self.settle(line)?;
        }
        let mut round = Round::default();
        for line in lines {
            self.take_in(line, &mut round)?;
        }
        self.compare(number, found)?;
        round.snapshots.iter().try_for_each(|(at, entries)| self.replay(&seed, *at, entries))?;
        round.watches.iter().try_for_each(|(since, told)| self.has_no_gap(*since, told))?;
        self.settled = found.revision;
        Ok(())
    }

    /// What writes came to; the rest needs that.
    fn settle(&mut self, line: &Line) -> Result<(), Violation> {
        match line {
            Line::Nonsense(what) => return Err(what.clone()),
            Line::Opened { revision } => {
                ensure!(
                    *revision >= self.settled && *revision >= self.told,
                    "it goes on at {revision} after {} was found and {} told",
                    self.settled,
                    self.told
                );
                *self.began.last_mut().expect("the round began") = *revision;
            }
            Line::Intent(id, changes) => {
                self.intents.insert(*id, changes.clone());
            }
            Line::Void(id) => {
                self.void.insert(*id);
                self.counts.refused += 1;
            }
            Line::Acknowledged(id, revision) => {
                self.counts.writes += 1;
                self.tell(*revision);
                self.place(*id, *revision)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_in(&mut self, line: &Line, round: &mut Round) -> Result<(), Violation> {
        match line {
            Line::Read(entry) => {
                self.counts.reads += 1;
                self.see(entry)?;
            }
            Line::Snapshot(at, entries) => {
                self.counts.snapshots += 1;
                self.tell(*at);
                entries.iter().try_for_each(|entry| self.see(entry))?;
                let entries: BTreeMap<_, _> =
                    entries.iter().map(|entry| (entry.key, *entry)).collect();
                for (key, state) in &mut self.newest {
                    if !entries.contains_key(key) && state.revision < *at {
                        *state = State { revision: *at, id: None };
                    }
                }
                round.snapshots.push((*at, entries));
            }
            Line::Watching { since, resumed } => {
                self.counts.resumed += u64::from(*resumed);
                round.watches.push((*since, BTreeSet::new()));
            }
            Line::Commit(revision, events) => {
                self.counts.events += 1;
                self.watched = *revision;
                self.hear(*revision, events)?;
                let (since, told) = round.watches.last_mut().ok_or("an event before its watch")?;
                let last = told.last().unwrap_or(since);
                ensure!(revision > last, "an event of {revision} comes after one of {last}");
                told.insert(*revision);
            }
            Line::Compacted => self.counts.compactions += 1,
            _ => {}
        }
        Ok(())
    }

    fn tell(&mut self, revision: u64) {
        self.told = self.told.max(revision);
    }

    /// The write `id` has this revision.
    fn place(&mut self, id: Id, revision: u64) -> Result<(), Violation> {
        let changes = self.intents.get(&id).ok_or_else(|| format!("{id}: nobody wrote it"))?;
        ensure!(!self.void.contains(&id), "{id} was not to be written, and is at {revision}");
        let known = *self.names.entry(revision).or_insert(id);
        ensure!(known == id, "revision {revision} names {known} and {id}");
        let known = *self.revisions.entry(id).or_insert(revision);
        ensure!(known == revision, "{id} is at {known} and at {revision}");
        ensure!(
            self.has_revision(id.round, revision),
            "{id} is at {revision}, which its process had not: {:?}",
            self.began
        );
        for change in changes {
            let state = State { revision, id: change.puts.then_some(id) };
            let newest = self.newest.entry(change.key).or_insert(state);
            if newest.revision < revision {
                // Of what was not there a delete is not to be seen.
                let is_seen = change.puts || newest.id.is_some();
                ensure!(
                    revision > self.settled || !is_seen,
                    "{id} at {revision} was lost, when {} was found, and is back",
                    self.settled
                );
                *newest = state;
            }
        }
        Ok(())
    }

    /// Whether the process of this round can have handed out the revision.
    fn has_revision(&self, round: u64, revision: u64) -> bool {
        let round = usize::try_from(round).expect("rounds are few");
        let began = |round| self.began.get(round).copied().unwrap_or(u64::MAX);
        began(round) < revision && revision <= began(round + 1)
    }

    /// An entry was told, or found.
    fn see(&mut self, entry: &Entry) -> Result<(), Violation> {
        let Entry { key, revision, created, writes, id } = *entry;
        self.place(id, revision)?;
        let puts = self.intents[&id].contains(&Change { key, puts: true });
        ensure!(puts, "{id} did not put {key}");
        let known = *self.past.entry((key, revision)).or_insert((created, writes));
        ensure!(
            known == (created, writes),
            "{key} at {revision} has creation and number of writes {known:?} and {created}, {writes}"
        );
        self.tell(revision);
        Ok(())
    }

    /// A watch was told of a commit.
    fn hear(&mut self, revision: u64, events: &[Event]) -> Result<(), Violation> {
        let (mut puts, mut deletes) = (BTreeSet::new(), BTreeSet::new());
        for event in events {
            match event {
                Event::Put(entry) => {
                    ensure!(entry.revision == revision, "an event of {revision} has {entry}");
                    self.see(entry)?;
                    puts.insert(entry.key);
                }
                Event::Delete(key) => {
                    deletes.insert(*key);
                }
            }
        }
        if !self.names.contains_key(&revision) {
            let id = self.deleted_by(&deletes, revision);
            let id = id.ok_or_else(|| format!("nobody deleted {deletes:?} at {revision}"))?;
            self.place(id, revision)?;
        }
        self.tell(revision);
        let (id, changes) = (self.names[&revision], &self.intents[&self.names[&revision]]);
        let of = |puts| changes.iter().filter(move |change| change.puts == puts);
        let all_put: BTreeSet<_> = of(true).map(|change| change.key).collect();
        // What was not there is not deleted.
        let deleted = of(false).map(|change| change.key).collect::<BTreeSet<_>>();
        ensure!(
            puts == all_put && deletes.is_subset(&deleted),
            "the event of {revision}, {events:?}, is not all of {id}: {changes:?}"
        );
        Ok(())
    }

    /// The write that only deletes these keys, and of which nothing is known. There is one at most: such keys have one writer.
    fn deleted_by(&self, keys: &BTreeSet<u64>, revision: u64) -> Option<Id> {
        let mut open = self.intents.iter().filter(|(id, changes)| {
            self.is_open(**id)
                && self.has_revision(id.round, revision)
                && changes.len() == keys.len()
                && changes.iter().all(|change| !change.puts && keys.contains(&change.key))
        });
        open.next().map(|(id, _)| *id)
    }

    fn is_open(&self, id: Id) -> bool {
        !self.revisions.contains_key(&id) && !self.void.contains(&id)
    }

    /// Everything told is there, and what else is there is the whole of a write that was under way.
    fn compare(&mut self, round: u64, found: &Found) -> Result<(), Violation> {
        let Found { revision, entries } = found;
        ensure!(
            *revision >= self.told && *revision >= self.settled,
            "{revision} is found after {} was told",
            self.told
        );
        let known = self.revisions.len();
        entries.values().try_for_each(|entry| self.see(entry))?;
        self.counts.unacknowledged += u64::try_from(self.revisions.len() - known).unwrap_or(0);
        for (key, state) in &self.newest {
            match (state.id, entries.get(key)) {
                (None, None) => {}
                (Some(id), Some(entry)) if (entry.id, entry.revision) == (id, state.revision) => {}
                (Some(_), None) if self.is_deleted_under_way(round, *key, *state) => {}
                (_, entry) => {
                    return Err(format!("of {key} {state:?} was told, and {entry:?} is found"));
                }
            }
        }
        for (key, state) in &mut self.newest {
            if !entries.contains_key(key) && state.id.is_some() {
                *state = State { revision: *revision, id: None };
            }
        }
        Ok(())
    }

    /// Whether a write that was under way may have deleted the key since: then it did all else that it does, too.
    fn is_deleted_under_way(&self, round: u64, key: u64, state: State) -> bool {
        self.intents.iter().any(|(id, changes)| {
            id.round == round
                && self.is_open(*id)
                && changes.contains(&Change { key, puts: false })
                && changes.iter().filter(|change| change.puts).all(|change| {
                    // It is not to be seen, so another has put the key since.
                    self.newest.get(&change.key).is_some_and(|put| put.revision > state.revision)
                })
        })
    }

    /// A snapshot has, of each key, the newest write up to its revision.
    fn replay(
        &self,
        seed: &HashMap<u64, State>,
        at: u64,
        entries: &BTreeMap<u64, Entry>,
    ) -> Result<(), Violation> {
        let mut state = seed.clone();
        let began = *self.began.last().expect("the round began");
        ensure!(at >= began, "a snapshot at {at} of a process that began at {began}");
        for (revision, id) in self.names.range((Excluded(began), Included(at))) {
            for change in &self.intents[id] {
                let id = change.puts.then_some(*id);
                state.insert(change.key, State { revision: *revision, id });
            }
        }
        for (key, state) in state {
            let agrees = match (state.id, entries.get(&key)) {
                (_, Some(entry)) => entry.revision <= at && entry.revision >= state.revision,
                (None, None) => true,
                // Perhaps one that was killed before it could say so.
                (Some(_), None) => self.intents.iter().any(|(id, changes)| {
                    self.is_open(*id) && changes.contains(&Change { key, puts: false })
                }),
            };
            ensure!(
                agrees,
                "the snapshot at {at} has not {state:?} of {key}: {:?}",
                entries.get(&key)
            );
        }
        Ok(())
    }

    fn has_no_gap(&self, since: u64, told: &BTreeSet<u64>) -> Result<(), Violation> {
        let Some(last) = told.last() else { return Ok(()) };
        let missing = self
            .names
            .range((Excluded(since), Included(*last)))
            .find(|(named, _)| !told.contains(*named));
        missing.map_or(Ok(()), |(revision, id)| {
            Err(format!("a watch since {since} was told {last}, and not {revision}, which is {id}"))
        })
    }
}
