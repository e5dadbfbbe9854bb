//! The logs that are damaged: a checkpoint and many segments, stopped in three ways, with what they were earlier.

use std::collections::BTreeMap;

use ifmatch::testing::disk::Disk;
use ifmatch::{OpenError, Store, Txn};

use crate::common::format::{self, Frame, Kind, u64_at};
use crate::common::{Files, Random};

pub(crate) type Subject = Store<u16, Vec<u8>>;

/// Of each key the revision, the one that created it, the number of writes, and the value.
pub(crate) type State = BTreeMap<u16, (u64, u64, u64, Vec<u8>)>;

const SEGMENT_BYTES: usize = 8 << 10;
const KEYS: u64 = 100;

/// How the log was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Closed in good order, and once before in the middle of its last segment.
    Clean,
    /// In the middle of writing the last frame.
    Torn,
    /// Exactly after a frame.
    Whole,
}

pub(crate) const STOPS: [Stop; 3] = [Stop::Clean, Stop::Torn, Stop::Whole];

pub(crate) struct Image {
    pub(crate) stop: Stop,
    pub(crate) files: Files,
    /// By revision, what the store had then.
    pub(crate) states: BTreeMap<u64, State>,
    /// The files as they were earlier, each time with the revision of that time.
    pub(crate) earlier: Vec<(u64, Files)>,
    /// Those of a store that did the same.
    pub(crate) foreign: Files,
}

pub(crate) fn open(disk: &Disk) -> Result<Subject, OpenError> {
    Store::builder().shards(1).segment_bytes(SEGMENT_BYTES).compact_after(u64::MAX).open_on(disk)
}

pub(crate) fn state(store: &Subject) -> State {
    let entry = |(key, entry): (u16, ifmatch::Versioned<Vec<u8>>)| {
        let numbers = (entry.revision().get(), entry.created_revision().get(), entry.write_count());
        (key, (numbers.0, numbers.1, numbers.2, entry.value().clone()))
    };
    store.iter().map(entry).collect()
}

pub(crate) fn files(disk: &Disk) -> Files {
    disk.files().into_iter().filter(|(name, _)| name != "LOCK").collect()
}

/// Writes until told to stop.
struct History {
    disk: Disk,
    store: Subject,
    random: Random,
    states: BTreeMap<u64, State>,
    earlier: Vec<(u64, Files)>,
}

impl History {
    fn new(seed: u64) -> Self {
        let disk = Disk::new();
        let store = open(&disk).expect("the disk works");
        let states = BTreeMap::from([(store.revision().get(), State::new())]);
        Self { disk, store, random: Random(seed), states, earlier: Vec::new() }
    }

    fn commit_random(&mut self) {
        let random = &mut self.random;
        let mut key = || u16::try_from(random.below(KEYS)).expect("it is small");
        let (one, other) = (key(), key());
        let mut value = || -> Vec<u8> {
            (0..random.below(300)).map(|_| random.next().to_le_bytes()[0]).collect()
        };
        let txn = Txn::new().put(one, value());
        let txn = match value().len() % 4 {
            _ if one == other => txn,
            0 | 1 => txn,
            2 => txn.put(other, value()),
            _ => txn.delete(other),
        };
        self.commit(txn);
    }

    fn commit(&mut self, txn: Txn<u16, Vec<u8>>) {
        let revision = self.store.commit(txn).expect("the disk works").get();
        self.states.insert(revision, state(&self.store));
    }

    fn write(&mut self, until: impl Fn(&Files) -> bool) {
        loop {
            self.commit_random();
            if until(&files(&self.disk)) {
                return;
            }
        }
    }

    fn remember(&mut self) {
        self.earlier.push((self.store.revision().get(), files(&self.disk)));
    }

    fn reopen(&mut self) {
        self.store.close().expect("the disk works");
        self.remember();
        self.store = open(&self.disk).expect("the disk works");
    }
}

fn written(files: &Files) -> usize {
    let end = |(name, bytes): (&String, &Vec<u8>)| {
        if name.ends_with(".segment") { format::end(bytes) } else { bytes.len() }
    };
    files.iter().map(end).sum()
}

fn segments(files: &Files) -> usize {
    files.keys().filter(|name| name.ends_with(".segment")).count()
}

pub(crate) fn last_segment(files: &Files) -> String {
    let last = files.keys().rfind(|name| name.ends_with(".segment"));
    last.expect("there is one").clone()
}

/// The last segment has frames, and will have more.
fn in_the_middle(files: &Files) -> bool {
    (1_000..3_000).contains(&format::end(&files[&last_segment(files)]))
}

/// The last frame is half written.
fn tear(files: &mut Files) {
    let last = files.get_mut(&last_segment(files)).expect("it is there");
    let frame = format::frames(last).pop().expect("it has frames");
    last[frame.range.start + 100..frame.range.end].fill(0);
}

/// Three segments, a checkpoint in their place, and more until there are 64 KiB; stopped twice on the way.
fn history(seed: u64, stop: Stop) -> History {
    let mut history = History::new(seed);
    history.write(|files| segments(files) > 3);
    history.remember();
    history.store.compact().expect("the disk works");
    history.remember();
    history.write(|files| segments(files) > 3 && in_the_middle(files));
    history.reopen();
    history.write(|files| written(files) > (64 << 10) && in_the_middle(files));
    history.reopen();
    (0..9).for_each(|_| history.commit_random());
    // Long enough to be torn.
    history.commit(Txn::new().put(1_u16, vec![7; 200]));
    match stop {
        Stop::Clean => history.store.close().expect("the disk works"),
        Stop::Torn | Stop::Whole => {}
    }
    history
}

impl Image {
    pub(crate) fn new(seed: u64, stop: Stop) -> Self {
        let history = history(seed, stop);
        let other = self::history(seed, stop);
        let (mut files, mut foreign) = (files(&history.disk), self::files(&other.disk));
        if stop == Stop::Torn {
            tear(&mut files);
            tear(&mut foreign);
        }
        // Only now, because it closes the store.
        let History { states, earlier, .. } = history;
        Self { stop, files, states, earlier, foreign }
    }

    pub(crate) fn last(&self) -> String {
        last_segment(&self.files)
    }

    /// The state after the commits that are whole in the last segment's first bytes.
    pub(crate) fn state_at(&self, bytes: usize) -> &State {
        let last = &self.files[&self.last()];
        let frames = format::frames(last);
        let commits = |frame: &&Frame| frame.kind == Kind::Commit && frame.range.end <= bytes;
        let newest = frames.iter().rfind(commits);
        // What the header says was the newest before.
        let newest = newest.map_or_else(|| u64_at(last, 72), |frame| frame.revision);
        self.states.range(..=newest).next_back().expect("it begins with the first").1
    }

    /// What the image has, undamaged.
    pub(crate) fn whole(&self) -> &State {
        let frames = format::frames(&self.files[&self.last()]);
        let torn = usize::from(self.stop == Stop::Torn);
        let whole = &frames[..frames.len() - torn];
        self.state_at(whole.last().map_or(0, |frame| frame.range.end))
    }
}
