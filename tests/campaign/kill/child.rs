//! The process that is killed: eight writers, a reader and a watcher on one store, which say all that they are told.

use std::io::{BufRead, Write as _};
use std::path::Path;
use std::time::Duration;
use std::{env, process, thread};

use ifmatch::{
    CompactError, Deleted, Durability, Precondition, Reason, Revision, Store, Txn, WatchError,
    WriteError,
};

use super::line::{Change, Entry, Event, Id, Line};
use crate::common::Random;

pub(crate) const DIRECTORY: &str = "IFMATCH_KILL_DIRECTORY";
pub(crate) const ROUND: &str = "IFMATCH_KILL_ROUND";
pub(crate) const SEED: &str = "IFMATCH_KILL_SEED";
pub(crate) const SINCE: &str = "IFMATCH_KILL_SINCE";
pub(crate) const COMPACTING: &str = "IFMATCH_KILL_COMPACTING";

const WRITERS: u64 = 8;
/// Each writer has so many keys of its own, from a thousand times its number on.
const OWN: u64 = 8;
/// And all have these together.
const SHARED: u64 = 12;

pub(crate) type Subject = Store<u64, String>;

pub(crate) fn open(directory: &Path) -> Result<Subject, ifmatch::OpenError> {
    Store::builder().segment_bytes(32 << 10).durability(Durability::Sync).open(directory)
}

fn say(line: &Line) {
    // With its end in one call: a kill leaves whole lines and at most one part of one.
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).expect("the parent reads");
}

fn number(name: &str) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Runs until it is killed, if this process was started to be.
pub(crate) fn run_if_asked() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    say(&Line::Opening);
    let store = open(Path::new(&directory)).expect("what a kill left opens");
    say(&Line::Opened { revision: store.revision().get() });
    let (round, seed) = (number(ROUND), number(SEED));
    thread::scope(|scope| {
        for thread in 0..WRITERS {
            let random = Random(seed ^ (thread << 32));
            let writer = Writer { store: &store, round, thread, number: 0, random };
            scope.spawn(|| writer.run());
        }
        scope.spawn(|| read(&store, Random(seed ^ (WRITERS << 32))));
        scope.spawn(|| watch(&store, number(SINCE)));
        if number(COMPACTING) > 0 {
            scope.spawn(|| compact(&store));
        }
        // A word on stdin asks to close; its end says that the parent is gone.
        let mut word = String::new();
        if std::io::stdin().lock().read_line(&mut word).unwrap_or(0) > 0 {
            say(&Line::Closing);
            store.close().expect("the disk works");
            say(&Line::Closed);
            word.clear();
            let _end = std::io::stdin().lock().read_line(&mut word);
        }
        process::exit(1);
    });
}

struct Writer<'a> {
    store: &'a Subject,
    round: u64,
    thread: u64,
    number: u64,
    random: Random,
}

/// The store was closed.
struct Closed;

impl Writer<'_> {
    fn run(mut self) {
        while self.step().is_ok() {}
    }

    fn own(&mut self) -> u64 {
        self.thread * 1000 + self.random.below(OWN)
    }

    fn shared(&mut self) -> u64 {
        1_000_000 + self.random.below(SHARED)
    }

    fn any(&mut self) -> u64 {
        if self.random.below(2) == 0 { self.own() } else { self.shared() }
    }

    fn intend(&mut self, changes: Vec<Change>) -> Id {
        let id = Id { round: self.round, thread: self.thread, number: self.number };
        self.number += 1;
        say(&Line::Intent(id, changes));
        id
    }

    fn step(&mut self) -> Result<(), Closed> {
        match self.random.below(10) {
            0..3 => {
                let key = self.any();
                let id = self.intend(vec![Change { key, puts: true }]);
                told(id, self.store.put(key, id.value()).map(Some))
            }
            3 => {
                let key = self.own();
                let id = self.intend(vec![Change { key, puts: false }]);
                told(id, self.store.delete(key).map(deleted))
            }
            4 => self.delete_if(),
            5 | 6 => self.put_if(),
            7 | 8 => self.transaction(),
            _ => self.burst(),
        }
    }

    /// What a writer read may be old when it writes: the others write the same keys.
    fn put_if(&mut self) -> Result<(), Closed> {
        let key = self.shared();
        let expected = match self.store.get(key) {
            Some(entry) => Precondition::Revision(entry.revision()),
            None => Precondition::Absent,
        };
        let id = self.intend(vec![Change { key, puts: true }]);
        told(id, self.store.put_if(key, id.value(), expected).map(Some))
    }

    fn delete_if(&mut self) -> Result<(), Closed> {
        let key = self.own();
        let Some(entry) = self.store.get(key) else { return Ok(()) };
        // Sometimes of the last but one.
        let stale = self.random.below(3) == 0;
        if stale {
            let id = self.intend(vec![Change { key, puts: true }]);
            told(id, self.store.put(key, id.value()).map(Some))?;
        }
        let id = self.intend(vec![Change { key, puts: false }]);
        told(id, self.store.delete_if(key, entry.revision()).map(deleted))
    }

    /// Puts some keys and deletes others. It puts one at least, by which it can be told.
    fn transaction(&mut self) -> Result<(), Closed> {
        let mut changes = vec![Change { key: self.any(), puts: true }];
        for _ in 0..self.random.below(6) {
            let change = Change { key: self.any(), puts: self.random.below(3) > 0 };
            if changes.iter().all(|other| other.key != change.key) {
                changes.push(change);
            }
        }
        let id = self.intend(changes.clone());
        let txn = changes.iter().fold(Txn::new(), |txn, change| {
            if change.puts { txn.put(change.key, id.value()) } else { txn.delete(change.key) }
        });
        match self.store.commit(txn) {
            Ok(revision) => say(&Line::Acknowledged(id, revision.get())),
            Err(error) if matches!(error.reason(), Some(Reason::Closed)) => {
                say(&Line::Void(id));
                return Err(Closed);
            }
            Err(error) => nonsense(format!("a transaction without conditions: {error}")),
        }
        Ok(())
    }

    /// Several writes on their way at once.
    fn burst(&mut self) -> Result<(), Closed> {
        let pending: Vec<_> = (0..self.random.below(6))
            .map(|_| {
                let key = self.own();
                let id = self.intend(vec![Change { key, puts: true }]);
                (id, self.store.submit_put_if(key, id.value(), Precondition::Any))
            })
            .collect();
        for (id, pending) in pending {
            if self.random.below(4) > 0 {
                told(id, pending.wait().map(|put| Some(put.revision())))?;
            }
        }
        Ok(())
    }
}

fn deleted(gone: Option<Deleted<String>>) -> Option<Revision> {
    gone.map(|gone| gone.revision())
}

/// Says how a write of one key ended; `None`: there was nothing to do.
fn told(id: Id, outcome: Result<Option<Revision>, WriteError<u64, String>>) -> Result<(), Closed> {
    match outcome {
        Ok(Some(revision)) => say(&Line::Acknowledged(id, revision.get())),
        Ok(None) => say(&Line::Void(id)),
        Err(WriteError::Conflict(conflict)) => {
            say(&Line::Void(id));
            if let Some(current) = conflict.current() {
                say_entry(*conflict.key(), current);
            }
        }
        Err(WriteError::Refused(refused)) if matches!(refused.reason(), Reason::Closed) => {
            say(&Line::Void(id));
            return Err(Closed);
        }
        Err(error) => nonsense(error.to_string()),
    }
    Ok(())
}

fn nonsense(what: String) {
    say(&Line::Nonsense(what));
}

fn say_entry(key: u64, entry: &ifmatch::Versioned<String>) {
    match Entry::of(key, entry) {
        Ok(entry) => say(&Line::Read(entry)),
        Err(what) => nonsense(what),
    }
}

fn read(store: &Subject, mut random: Random) {
    loop {
        let key = 1_000_000 + random.below(SHARED);
        if let Some(entry) = store.get(key) {
            say_entry(key, &entry);
        }
        if random.below(10) == 0 {
            let snapshot = store.snapshot();
            let entries = snapshot.iter().map(|(key, entry)| Entry::of(key, &entry)).collect();
            match entries {
                Ok(entries) => say(&Line::Snapshot(snapshot.revision().get(), entries)),
                Err(what) => nonsense(what),
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Goes on where the watch of the round before was, if that is still known.
fn watch(store: &Subject, since: u64) {
    let since = Revision::try_from(since).ok();
    let resumed = since.map(|since| store.watch().since(since).open());
    let (mut watch, resumed) = match resumed {
        Some(Ok(watch)) => (watch, true),
        Some(Err(WatchError::Compacted { .. })) | None => {
            (store.watch().open().expect("from now on it can"), false)
        }
        Some(Err(error)) => return nonsense(format!("a watch since {since:?}: {error}")),
    };
    say(&Line::Watching { since: watch.position().get(), resumed });
    loop {
        let commit = match watch.recv() {
            Ok(commit) => commit,
            Err(WatchError::Closed) => return,
            Err(error) => return nonsense(format!("a watch: {error}")),
        };
        let events = commit.events().iter().map(|event| match event.entry() {
            Some(entry) => Entry::of(*event.key(), entry).map(Event::Put),
            None => Ok(Event::Delete(*event.key())),
        });
        match events.collect() {
            Ok(events) => say(&Line::Commit(commit.revision().get(), events)),
            Err(what) => nonsense(what),
        }
    }
}

fn compact(store: &Subject) {
    loop {
        match store.compact() {
            Ok(()) => say(&Line::Compacted),
            Err(CompactError::Running) => thread::yield_now(),
            Err(CompactError::Closed) => return,
            Err(error) => return nonsense(format!("a compaction: {error}")),
        }
    }
}
