//! A log whose state after each commit is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ifmatch::maintenance::{self, Inspection};
use ifmatch::{Builder, Codec, FastHash, Store, Txn};
use tempfile::TempDir;

use crate::common::{Files, Random, read_files, scratch, write_files};

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
