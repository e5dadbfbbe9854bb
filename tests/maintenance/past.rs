//! A log whose state after each commit is known.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ifmatch::maintenance::{self, DumpOptions, Dumped, Inspection, Item};
use ifmatch::{Builder, Codec, FastHash, Store, Txn};
use tempfile::TempDir;

use crate::common::{Files, Raises, Random, read_files, scratch, write_files};

pub(crate) type Texts = Store<String, String>;

/// The live keys: revision, created revision, write count, value.
pub(crate) type State = BTreeMap<String, (u64, u64, u64, String)>;

pub(crate) fn builder() -> Builder<String, String> {
    Store::builder().shards(1).segment_bytes(4096).compact_after(u64::MAX)
}

pub(crate) fn state(store: &Texts) -> State {
    let entry = |(key, entry): (String, ifmatch::Versioned<String>)| {
        let (revision, created) = (entry.revision().get(), entry.created_revision().get());
        (key, (revision, created, entry.write_count(), entry.value().clone()))
    };
    store.iter().map(entry).collect()
}

/// What was done to a store, as it is left.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) files: Files,
    /// The revision of each commit, and what was live then.
    pub(crate) states: BTreeMap<u64, State>,
}

/// How a log is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Three segments and more.
    Segments,
    /// A checkpoint in the middle, and segments after it.
    Checkpoint,
}

pub(crate) const SHAPES: [Shape; 2] = [Shape::Segments, Shape::Checkpoint];

impl Past {
    pub(crate) fn new(shape: Shape, clean: bool) -> Self {
        Self::with(builder(), shape, clean)
    }

    pub(crate) fn with<C: Codec>(
        builder: Builder<String, String, FastHash, C>,
        shape: Shape,
        clean: bool,
    ) -> Self {
        let directory = scratch();
        let store = builder.open(directory.path()).unwrap();
        let mut random = Random(3);
        let mut states = BTreeMap::new();
        write(&store, &mut random, 60, &mut states);
        if shape == Shape::Checkpoint {
            store.compact().unwrap();
        }
        write(&store, &mut random, 60, &mut states);
        if clean {
            store.close().unwrap();
        }
        Self { files: read_files(directory.path()), states }
    }

    pub(crate) fn newest(&self) -> u64 {
        *self.states.last_key_value().unwrap().0
    }

    /// The state at a revision: that of the last commit up to it.
    pub(crate) fn at(&self, revision: u64) -> State {
        let last = self.states.range(..=revision).next_back();
        last.map(|(_, state)| state.clone()).unwrap_or_default()
    }

    pub(crate) fn revisions_after(&self, revision: u64) -> Vec<u64> {
        self.states.range(revision + 1..).map(|(revision, _)| *revision).collect()
    }
}

fn write(store: &Texts, random: &mut Random, commits: usize, states: &mut BTreeMap<u64, State>) {
    let end = states.len() + commits;
    while states.len() < end {
        let key = format!("key/{}", random.below(20));
        let len = usize::try_from(random.below(150)).unwrap();
        let value = "v".repeat(len);
        let revision = match random.below(5) {
            0 => match store.delete(&*key).unwrap() {
                Some(deleted) => deleted.revision(),
                None => continue,
            },
            1 => {
                let txn = Txn::new().put(key, value).put("both".to_owned(), "x".to_owned());
                store.commit(txn.delete("key/3x".to_owned())).unwrap()
            }
            _ => store.put(key, value).unwrap(),
        };
        states.insert(revision.get(), state(store));
    }
}

/// A folder with a log in it, and room beside it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(files: &Files) -> Self {
        let place = Self(scratch());
        std::fs::create_dir(place.data()).unwrap();
        write_files(&place.data(), files);
        place
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names of what is in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.0.path())
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn verify(directory: &Path) -> Inspection {
    maintenance::verify(directory, &mut |_| {}).unwrap()
}

/// A log, and its state, whose last segment begins with commits that the checkpoint has already: others write while the checkpoint
/// is begun.
pub(crate) fn overlapping() -> (Place, State) {
    let place = Place::new(&Files::new());
    let store = builder().open(place.data()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    store.put(format!("key/{writer}"), "v".to_owned()).unwrap();
                }
            });
        }
        let _done = Raises(&done);
        let mut rounds = 0..10_000;
        while covered(&place.data()) == 0 {
            assert!(rounds.next().is_some(), "no commit came between");
            store.compact().unwrap();
        }
    });
    let expected = state(&store);
    store.close().unwrap();
    assert!(covered(&place.data()) > 0, "what is tested is there");
    (place, expected)
}

/// How many writes of segments the checkpoint has already.
fn covered(directory: &Path) -> usize {
    let checkpoint = verify(directory).checkpoint.map_or(0, |found| found.revision);
    let mut count = 0;
    let see = &mut |dumped: &Dumped<'_>| {
        if let Item::Put { revision, .. } = dumped.item {
            count += usize::from(revision <= checkpoint);
        }
        ControlFlow::Continue(())
    };
    maintenance::dump(directory, &DumpOptions::default(), see).unwrap();
    count
}
