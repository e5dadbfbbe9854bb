//! A log whose every commit is known, so that whatever is read back can be compared with each prefix of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ifmatch::{Cut, Durability, OpenError, Recovery, Revision, Store, Txn};

use crate::common::format::{self, Kind, segment_name};
use crate::common::{Files, Random, read_files, scratch, write_files};

pub(crate) type Key = u8;
pub(crate) type Value = Vec<u8>;

/// The live keys: revision, created revision, write count, value.
pub(crate) type State = BTreeMap<Key, (u64, u64, u64, Value)>;

/// How the log was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Clean,
    Unclean,
}

pub(crate) const STOPS: [Stop; 2] = [Stop::Clean, Stop::Unclean];

#[derive(Debug)]
pub(crate) struct History {
    pub(crate) files: Files,
    /// The revision of each commit.
    pub(crate) revisions: Vec<u64>,
    /// What was live after each number of commits, none included.
    pub(crate) states: Vec<State>,
}

pub(crate) fn open(directory: &Path) -> Result<Store<Key, Value>, OpenError> {
    Store::builder().shards(1).segment_bytes(4096).open(directory)
}

pub(crate) fn state(store: &Store<Key, Value>) -> State {
    let entry = |key| {
        let entry = store.get(key)?;
        let numbers = (entry.revision(), entry.created_revision(), entry.write_count());
        Some((key, (numbers.0.get(), numbers.1.get(), numbers.2, entry.value().clone())))
    };
    (0..16).filter_map(entry).collect()
}

impl History {
    /// A log of `commits` commits in several segments, some of them deletes and transactions, with values of up to `value_bytes` bytes,
    /// each synced before the next.
    pub(crate) fn new(commits: usize, value_bytes: u64, stop: Stop) -> Self {
        let directory = scratch();
        let store = open(directory.path()).unwrap();
        let mut random = Random(1);
        let (mut revisions, mut states) = (Vec::new(), vec![State::new()]);
        while revisions.len() < commits {
            let key = Key::try_from(random.below(12)).unwrap();
            if random.below(4) == 0 {
                let txn = Txn::new().put(key, vec![key]).delete((key + 1) % 12);
                let txn = txn.put((key + 2) % 12, vec![1; usize::from(key)]);
                revisions.push(store.commit(txn).unwrap().get());
            } else if random.below(4) == 0 {
                let Some(deleted) = store.delete(key).unwrap() else { continue };
                revisions.push(deleted.revision().get());
            } else {
                let bytes = usize::try_from(random.below(value_bytes + 1)).unwrap();
                let value = (0..bytes).map(|_| random.next().to_le_bytes()[0]).collect();
                revisions.push(store.put(key, value).unwrap().get());
            }
            states.push(state(&store));
        }
        if stop == Stop::Clean {
            store.close().unwrap();
        }
        Self { files: read_files(directory.path()), revisions, states }
    }

    /// How many commits there are in the segments before `number`.
    pub(crate) fn commits_before(&self, number: u64) -> usize {
        let frames = |number| format::frames(&self.files[&segment_name(number)]);
        let commits = |number| frames(number).iter().filter(|f| f.kind == Kind::Commit).count();
        (1..number).map(commits).sum()
    }

    /// How many commits are whole in the log's first bytes: all segments before `number`, and `bytes` of it.
    pub(crate) fn commits_within(&self, number: u64, bytes: usize) -> usize {
        let frames = format::frames(&self.files[&segment_name(number)]);
        let whole = |frame: &&format::Frame| frame.kind == Kind::Commit && frame.range.end <= bytes;
        self.commits_before(number) + frames.iter().filter(whole).count()
    }

    /// The state of `store` is exactly what the first `commits` commits made, and it goes on above them.
    pub(crate) fn assert_prefix(&self, store: &Store<Key, Value>, commits: usize, case: &str) {
        assert_eq!(state(store), self.states[commits], "{case}");
        assert_eq!(store.len(), self.states[commits].len(), "{case}");
        assert!(
            store.iter().map(|(key, _)| key).eq(self.states[commits].keys().copied()),
            "{case}"
        );
        let newest = if commits == 0 { 1 } else { self.revisions[commits - 1] };
        assert!(store.revision().get() >= newest, "{case}");
    }

    pub(crate) fn newest(&self) -> Revision {
        Revision::try_from(*self.revisions.last().unwrap()).unwrap()
    }
}

/// What an attempt to open came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// How many commits were read, whether the log seemed clean, and what was cut.
    Opened {
        commits: usize,
        clean: bool,
        cut: Option<Cut>,
    },
    Refused(OpenError),
}

/// A directory for one damaged log after another.
pub(crate) struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { directory: scratch() }
    }

    /// Opens `files`. What opens is a prefix of `history`, in which each commit is whole; what does not leaves the
    /// files as they were.
    pub(crate) fn open(&self, files: &Files, history: &History, case: &str) -> Outcome {
        let path = self.directory.path();
        write_files(path, files);
        match open(path) {
            Ok(store) => {
                let Recovery { commits, clean, cut, .. } = store.recovery().unwrap().clone();
                let commits = usize::try_from(commits).unwrap();
                history.assert_prefix(&store, commits, case);
                assert!(cut.is_none() || !clean, "{case}: a log with a cut was not clean");
                Outcome::Opened { commits, clean, cut }
            }
            Err(error) => {
                assert_eq!(&read_files(path), files, "{case}: a log that is refused is untouched");
                Outcome::Refused(error)
            }
        }
    }

    /// Opens `files`, which must not open.
    pub(crate) fn refuse(&self, files: &Files, history: &History, case: &str) -> OpenError {
        match self.open(files, history, case) {
            Outcome::Refused(error) => error,
            opened @ Outcome::Opened { .. } => panic!("{case}: {opened:?}"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

pub(crate) const DURABILITIES: [Durability; 3] =
    [Durability::Sync, Durability::Interval(Duration::from_millis(1)), Durability::Buffered];
