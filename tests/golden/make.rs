//! Makes the golden logs of the format that this version writes:
//!
//!     cargo test --features postcard --test golden -- --ignored make
//!
//! What they contain is the same each time; epochs and identities are random. What is expected comes from what the writes
//! returned and from the bytes, not from reading the log back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ifmatch::{Codec, Revision, Store, Txn};

use crate::common::format::{self, Kind, segment_name};
use crate::common::{Files, Random, read_files, scratch, write_files};
use crate::expected::{Cut, Entry, Expected, Recovery};
use crate::{Account, Status, root};

/// How many revisions are reserved at once.
const BLOCK: u64 = 1 << 20;

/// A store, and beside it what it has to have.
struct Case<C> {
    directory: tempfile::TempDir,
    store: Store<String, Account>,
    first_revision: u64,
    entries: BTreeMap<String, Entry>,
    /// What there was before the last commit.
    before_last: BTreeMap<String, Entry>,
    random: Random,
    newest: u64,
    commits: u64,
    /// The revision of the checkpoint, its entries, and how many commits it replaced.
    checkpoint: Option<(u64, u64, u64)>,
    codec: std::marker::PhantomData<C>,
}

impl<C: Codec> Case<C> {
    fn new(first_revision: u64) -> Self {
        let directory = scratch();
        let store = open::<C>(directory.path(), first_revision);
        Self {
            directory,
            store,
            first_revision,
            entries: BTreeMap::new(),
            before_last: BTreeMap::new(),
            random: Random(5),
            newest: first_revision - 1,
            commits: 0,
            checkpoint: None,
            codec: std::marker::PhantomData,
        }
    }

    fn account(&mut self) -> Account {
        let names = ["Ada", "Grace", "", "Žofie", "李"];
        let tags = ["new", "vip", "late", "the longest of the tags"];
        let status = match self.random.below(3) {
            0 => Status::Open,
            1 => Status::Closed { reason: "moved".repeat(self.below(9)) },
            _ => Status::Merged(u32::MAX, self.random.next()),
        };
        Account {
            owner: (*self.random.pick(&names)).to_owned(),
            balance: i64::from_le_bytes(self.random.next().to_le_bytes()) >> self.random.below(64),
            limit: (self.random.below(2) == 0).then_some(-0.5),
            tags: (0..self.below(4)).map(|_| (*self.random.pick(&tags)).to_owned()).collect(),
            status,
        }
    }

    fn below(&mut self, limit: u64) -> usize {
        usize::try_from(self.random.below(limit)).unwrap()
    }

    fn key(&mut self) -> String {
        format!("account/{}", self.random.below(12))
    }

    /// Puts, deletes and transactions, until there are so many commits more.
    fn write(&mut self, commits: u64) {
        let end = self.commits + commits;
        while self.commits < end {
            let before = self.entries.clone();
            let key = self.key();
            let revision = match self.random.below(4) {
                0 => match self.store.delete(&*key).unwrap() {
                    Some(deleted) => {
                        self.entries.remove(&key);
                        deleted.revision()
                    }
                    None => continue,
                },
                1 => {
                    let (account, other) = (self.account(), self.account());
                    let txn = Txn::new()
                        .put("account/first".to_owned(), account.clone())
                        .put("account/second".to_owned(), other.clone())
                        .delete("account/0".to_owned());
                    let revision = self.store.commit(txn).unwrap();
                    self.put("account/first", account, revision);
                    self.put("account/second", other, revision);
                    self.entries.remove("account/0");
                    revision
                }
                _ => {
                    let account = self.account();
                    let revision = self.store.put(&*key, account.clone()).unwrap();
                    self.put(&key, account, revision);
                    revision
                }
            };
            self.before_last = before;
            self.newest = revision.get();
            self.commits += 1;
        }
    }

    fn put(&mut self, key: &str, account: Account, revision: Revision) {
        let entry = Entry::written(key, account, revision, self.entries.get(key));
        self.entries.insert(key.to_owned(), entry);
    }

    fn reopen(&mut self) {
        self.store.close().unwrap();
        self.store = open::<C>(self.directory.path(), self.first_revision);
    }

    fn compact(&mut self) {
        self.store.compact().unwrap();
        let entries = u64::try_from(self.entries.len()).unwrap();
        self.checkpoint = Some((self.newest, entries, self.commits));
    }

    /// Goes on with a copy of what is on the disk now, as after a kill.
    fn kill(&mut self) {
        let killed = scratch();
        write_files(killed.path(), &read_files(self.directory.path()));
        self.store = open::<C>(killed.path(), self.first_revision);
        self.directory = killed;
        self.newest = self.store.revision().get();
    }

    fn expected(&self, files: &Files, clean: bool, cut: Option<Cut>) -> Expected {
        let revision = if clean { self.newest } else { floor(files) };
        Expected {
            codec: C::NAME.to_owned(),
            identity: self.store.identity().to_string(),
            recovery: Recovery {
                commits: self.commits
                    - u64::from(cut.is_some())
                    - self.checkpoint.map_or(0, |(_, _, replaced)| replaced),
                segments: segments(files),
                clean,
                cut: cut.clone(),
                checkpoint: self.checkpoint.map(|(revision, entries, _)| (revision, entries)),
            },
            revision,
            next_revision: revision + 1,
            entries: match cut {
                Some(_) => self.before_last.values().cloned().collect(),
                None => self.entries.values().cloned().collect(),
            },
        }
    }

    fn clean(self, name: &str) {
        self.store.close().unwrap();
        let files = read_files(self.directory.path());
        save(name, &files, &self.expected(&files, true, None));
    }

    fn unclean(&self, name: &str) {
        let files = read_files(self.directory.path());
        save(name, &files, &self.expected(&files, false, None));
    }

    /// As if the last commit had reached the disk in part.
    fn torn(&self, name: &str) {
        let mut files = read_files(self.directory.path());
        let segment = last_segment(&files);
        let bytes = files.get_mut(&segment_name(segment)).unwrap();
        let last = format::frames(bytes).pop().unwrap();
        assert_eq!(last.kind, Kind::Commit);
        let half = last.range.start + format::FRAME_HEADER + 3;
        bytes[half..].fill(0);
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let cut = Cut {
            segment,
            offset: format::at(last.range.start),
            bytes: format::at(written - last.range.start),
        };
        save(name, &files, &self.expected(&files, false, Some(cut)));
    }
}

fn segments(files: &Files) -> u64 {
    u64::try_from(files.keys().filter(|name| name.ends_with(".segment")).count()).unwrap()
}

fn last_segment(files: &Files) -> u64 {
    let name = files.keys().rfind(|name| name.ends_with(".segment")).unwrap();
    name.strip_suffix(".segment").unwrap().parse().unwrap()
}

/// What the last segment reserves.
fn floor(files: &Files) -> u64 {
    let bytes = &files[&segment_name(last_segment(files))];
    let floor = |frame: format::Frame| match frame.kind {
        Kind::Reserve => Some(format::u64_at(bytes, frame.range.start + format::FRAME_HEADER)),
        Kind::Close => panic!("a close mark in a log that was not closed"),
        _ => None,
    };
    let reserved = format::frames(bytes).into_iter().filter_map(floor);
    reserved.fold(format::u64_at(bytes, 64), u64::max)
}

fn open<C: Codec>(directory: &Path, first_revision: u64) -> Store<String, Account> {
    Store::builder()
        .codec::<C>()
        .shards(1)
        .segment_bytes(4096)
        .compact_after(u64::MAX)
        .first_revision(Revision::try_from(first_revision).unwrap())
        .open(directory)
        .unwrap()
}

fn save(name: &str, files: &Files, expected: &Expected) {
    let header = files.values().next().unwrap();
    let format = u16::from_le_bytes([header[8], header[9]]);
    let folder = root().join(format!("v{format}"));
    let case = folder.join(name);
    assert!(!case.exists(), "{} is there already: golden files are not replaced", case.display());
    fs::create_dir_all(&case).unwrap();
    write_files(&case, files);
    let json = serde_json::to_string_pretty(expected).unwrap();
    fs::write(folder.join(format!("{name}.json")), json + "\n").unwrap();
}

#[test]
#[ignore = "it writes into the source tree, once for each format"]
fn make() {
    Case::<ifmatch::Bincode>::new(2).clean("empty");

    let mut clean = Case::<ifmatch::Bincode>::new(2);
    clean.write(10);
    clean.reopen();
    clean.write(5);
    clean.clean("clean");

    let mut unclean = Case::<ifmatch::Bincode>::new(2);
    unclean.write(12);
    unclean.unclean("unclean");

    let mut torn = Case::<ifmatch::Bincode>::new(2);
    torn.write(12);
    torn.torn("torn");

    let mut segments = Case::<ifmatch::Bincode>::new(2);
    segments.write(60);
    segments.kill();
    segments.write(20);
    segments.reopen();
    segments.write(20);
    segments.clean("segments");

    // Revisions that are large as numbers and as varints, and that end soon.
    let mut late = Case::<ifmatch::Bincode>::new(Revision::MAX.get() - 2 * BLOCK);
    late.write(8);
    late.unclean("late");

    let mut checkpoint = Case::<ifmatch::Bincode>::new(2);
    checkpoint.write(60);
    checkpoint.compact();
    checkpoint.clean("checkpoint");

    let mut continued = Case::<ifmatch::Bincode>::new(2);
    continued.write(40);
    continued.compact();
    continued.write(30);
    continued.compact();
    continued.write(40);
    continued.unclean("checkpoint_continued");

    let mut torn = Case::<ifmatch::Bincode>::new(2);
    torn.write(20);
    torn.compact();
    torn.write(5);
    torn.torn("checkpoint_torn");

    #[cfg(feature = "postcard")]
    {
        let mut postcard = Case::<ifmatch::Postcard>::new(2);
        postcard.write(60);
        postcard.clean("postcard");

        let mut checkpoint = Case::<ifmatch::Postcard>::new(2);
        checkpoint.write(40);
        checkpoint.compact();
        checkpoint.write(10);
        checkpoint.clean("postcard_checkpoint");
    }
}
