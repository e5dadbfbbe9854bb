//! Whether what a crash left is what it may leave.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ifmatch::testing::disk::Disk;
use ifmatch::{Durability, OpenError, Revision, WatchError};

use super::camera::{Bounds, Camera, Crash, Picture};
use super::history::{Changes, Commit, Entry, History, Value, state, up_to};
use crate::common::Random;

pub(super) type Store = ifmatch::Store<u64, Value>;

/// How the stores of a run are opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) durability: Durability,
    /// How many revisions are reserved at a time.
    pub(super) block: u64,
}

/// Of how many changes a watch can be told later.
const WINDOW: usize = 64;

impl Setup {
    /// A panic is told as an error that has no place in [`OpenError`].
    pub(super) fn open(self, disk: &Disk) -> Result<Result<Store, OpenError>, String> {
        let builder = Store::builder()
            .shards(1)
            .segment_bytes(4096)
            .watch_window(WINDOW)
            .compact_after(u64::MAX)
            .revision_block(self.block)
            .durability(self.durability);
        catch_unwind(AssertUnwindSafe(|| builder.open_on(disk)))
            .map_err(|_| "opening panicked".to_owned())
    }

    /// What must be there, as a revision.
    pub(super) fn required(self, bounds: &Bounds, crash: Crash) -> u64 {
        match (self.durability, crash) {
            (Durability::Sync, _) => bounds.told,
            (_, Crash::Kill) if !bounds.sync_failed => bounds.told,
            _ => bounds.synced,
        }
    }
}

/// Opens what is on `picture`, and compares it with the first commits of `history`.
pub(super) struct Checker<'a> {
    pub(super) setup: Setup,
    pub(super) history: &'a History,
    pub(super) random: &'a mut Random,
    /// How much was checked.
    pub(super) points: &'a mut u64,
}

/// What is looked at beside what is there is looked at once in so many times.
const SELDOM: u64 = 6;

/// A recovery makes some thirty calls, and each of them is a place for another crash.
const RECOVERIES: u64 = 32;

impl Checker<'_> {
    /// `levels` is how many crashes within the recovery of one another may follow.
    pub(super) fn check(&mut self, picture: &Picture, levels: u32) -> Result<(), String> {
        let commits = &self.history.commits[..];
        self.check_from(picture, commits, levels).map_err(|what| {
            format!(
                "{what}\nafter a {:?} before call {} ({:?}), {:?}",
                picture.crash, picture.number, picture.call, picture.bounds
            )
        })
    }

    fn check_from(
        &mut self,
        picture: &Picture,
        commits: &[Commit],
        levels: u32,
    ) -> Result<(), String> {
        *self.points += 1;
        let nested = levels > 0 && self.random.one_in(RECOVERIES);
        let camera = nested.then(|| {
            let camera = Camera::new(Random(self.random.next()), 1);
            camera.inside().bounds = picture.bounds;
            camera.watch(&picture.disk);
            camera
        });
        let store = self.setup.open(&picture.disk)?.map_err(|error| {
            let files: Vec<_> = picture.disk.files().into_keys().collect();
            format!("it does not open: {}, of {}", chain(&error), files.join(" "))
        })?;
        let required = self.setup.required(&picture.bounds, picture.crash);
        let found = compare(&store, commits, required)?;
        let commits = &commits[..found];
        if let Some(camera) = camera {
            let pictures = std::mem::take(&mut camera.inside().pictures);
            camera.inside().each = 0;
            for inner in pictures {
                // A power cut after a kill is one.
                let crash = inner.crash.max(picture.crash);
                let inner = Picture { crash, ..inner };
                self.check_from(&inner, &self.history.commits, levels - 1).map_err(|what| {
                    format!(
                        "{what}\n  in the recovery, {:?} before call {} ({:?})",
                        inner.crash, inner.number, inner.call
                    )
                })?;
            }
        }
        let shown = store.revision().get();
        let bounds = Bounds {
            told: shown,
            synced: shown,
            used: picture.bounds.used.max(shown),
            sync_failed: false,
        };
        if self.random.one_in(SELDOM) {
            self.resume(&store, commits, picture.bounds.used)?;
        }
        if self.random.one_in(SELDOM) {
            self.go_on(&store, &picture.disk, commits, bounds)?;
        } else if self.random.one_in(SELDOM) {
            let seed = self.random.next();
            let again = if seed.is_multiple_of(2) {
                picture.disk.as_synced()
            } else {
                picture.disk.after_power_cut(seed)
            };
            let again = Picture {
                disk: again,
                crash: Crash::PowerCut,
                bounds,
                number: picture.number,
                call: picture.call,
            };
            self.check_from(&again, commits, 0)
                .map_err(|what| format!("{what}\n  found again after the recovery"))?;
        }
        picture.disk.halt();
        Ok(())
    }

    /// What follows a revision that was told is told without a gap, or it is said that it cannot be.
    fn resume(&mut self, store: &Store, commits: &[Commit], used: u64) -> Result<(), String> {
        let told: Vec<_> = self.history.told.iter().filter(|told| told.revision <= used).collect();
        for _ in 0..2.min(told.len()) {
            let told = **self.random.pick(&told);
            let lost = told.commits > commits.len();
            follow(store, commits, told.revision, lost)?;
        }
        if !self.history.lost.is_empty() {
            follow(store, commits, *self.random.pick(&self.history.lost), true)?;
        }
        Ok(())
    }

    /// Writes, and finds it again.
    fn go_on(
        &mut self,
        store: &Store,
        disk: &Disk,
        commits: &[Commit],
        bounds: Bounds,
    ) -> Result<(), String> {
        let mut history = History { commits: commits.to_vec(), ..History::default() };
        let changes: Changes = vec![(self.random.below(8), Some(u64::MAX))];
        let revision = store
            .put(changes[0].0, Value::new(u64::MAX, 10))
            .map_err(|error| format!("it cannot be written: {}", chain(&error)))?
            .get();
        if revision <= bounds.used {
            return Err(format!(
                "revision {revision} was handed out again; {} had been",
                bounds.used
            ));
        }
        history.push(revision, changes);
        if self.random.one_in(2) {
            store.close().map_err(|error| format!("it cannot be closed: {}", chain(&error)))?;
        } else {
            store.sync().map_err(|error| format!("it cannot be synced: {}", chain(&error)))?;
        }
        let disk = disk.after_power_cut(self.random.next());
        *self.points += 1;
        let store = self
            .setup
            .open(&disk)?
            .map_err(|error| format!("written to, it does not open: {}", chain(&error)))?;
        compare(&store, &history.commits, revision)
            .map_err(|what| format!("{what}\n  after a write"))?;
        disk.halt();
        Ok(())
    }
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// How many commits are there, if it is a prefix of them that reaches as far as is required.
pub(super) fn compare(store: &Store, commits: &[Commit], required: u64) -> Result<usize, String> {
    let recovery = store.recovery().ok_or("it says nothing of its recovery")?;
    let before = recovery.checkpoint.map_or(0, |revision| up_to(commits, revision.get()));
    let found = before + usize::try_from(recovery.commits).unwrap();
    if found > commits.len() {
        return Err(format!(
            "{found} commits are there, and {} were made: {recovery:?}",
            commits.len()
        ));
    }
    let expected = state(&commits[..found]);
    let mut there = store.iter();
    for (key, entry) in &*expected {
        let Some((found_key, versioned)) = there.next() else {
            return Err(format!("of {found} commits, key {key} is missing: {recovery:?}"));
        };
        let found_entry = entry_of(&versioned);
        if (found_key, found_entry) != (*key, *entry) || !versioned.is_whole() {
            return Err(format!(
                "of {found} commits, expected key {key} with {entry:?}, found key {found_key} with {found_entry:?}: {recovery:?}"
            ));
        }
    }
    if let Some((key, _)) = there.next() {
        return Err(format!("of {found} commits, key {key} should not be there: {recovery:?}"));
    }
    if store.len() != expected.len() {
        return Err(format!("it has {} keys, and says {}", expected.len(), store.len()));
    }
    let shown = store.revision().get();
    if found < up_to(commits, required) || shown < required {
        return Err(format!(
            "revision {required} was told, and is gone: {found} of {} commits are there, up to {}, and the newest revision is {shown}: {recovery:?}",
            commits.len(),
            commits[..found].last().map_or(1, |commit| commit.revision)
        ));
    }
    if commits[..found].last().is_some_and(|newest| newest.revision > shown) {
        return Err(format!("the newest revision, {shown}, is below that of what is there"));
    }
    Ok(found)
}

pub(super) fn entry_of(versioned: &ifmatch::Versioned<Value>) -> Entry {
    Entry {
        value: versioned.value().id,
        revision: versioned.revision().get(),
        created: versioned.created_revision().get(),
        writes: versioned.write_count(),
    }
}

/// What a watch since `revision` tells is what came after it; if it was lost, nothing can be told.
fn follow(store: &Store, commits: &[Commit], revision: u64, lost: bool) -> Result<(), String> {
    let since = Revision::try_from(revision).unwrap();
    let mut watch = match store.watch().since(since).open() {
        Ok(_) if lost => {
            return Err(format!("a watch goes on since revision {revision}, which was lost"));
        }
        Ok(watch) => watch,
        Err(WatchError::Compacted { oldest, .. }) => {
            // The window is read back from the log, as far as it reaches.
            let changes: usize =
                commits[up_to(commits, revision)..].iter().map(|commit| commit.changes.len()).sum();
            let begins = store.recovery().and_then(|recovery| recovery.checkpoint);
            if lost || changes > WINDOW - 8 || begins.is_some_and(|begins| since < begins) {
                return Ok(());
            }
            return Err(format!(
                "a watch cannot go on since {revision}, of which {changes} changes are to be told, but since {oldest}"
            ));
        }
        Err(error) => return Err(format!("a watch since {revision}: {}", chain(&error))),
    };
    let mut expected = commits[up_to(commits, revision)..].iter();
    loop {
        match (watch.try_recv(), expected.next()) {
            (Err(WatchError::Empty), None) => return Ok(()),
            (Ok(commit), Some(expected)) if tells(&commit, expected) => {}
            (told, expected) => {
                return Err(format!(
                    "a watch since {revision} told {told:?} instead of {expected:?}"
                ));
            }
        }
    }
}

pub(super) fn tells(commit: &ifmatch::Commit<u64, Value>, expected: &Commit) -> bool {
    let mut events: Changes = commit
        .events()
        .iter()
        .map(|event| (*event.key(), event.entry().map(|entry| entry.value().id)))
        .collect();
    let mut changes = expected.changes.clone();
    events.sort_unstable();
    changes.sort_unstable();
    commit.revision().get() == expected.revision && events == changes
}
