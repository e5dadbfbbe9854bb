//! One run: a workload on a disk, with crashes on the way, and a look at every picture that was taken.

use std::sync::{Arc, mpsc};

use ifmatch::testing::disk::{Call, Disk, Fault};
use ifmatch::{
    CommitError, Pending, Precondition, Reason, Revision, Snapshot, Txn, Watch, WatchError,
    WriteError, Written,
};

use super::camera::{Camera, Crash, Phase, Plan};
use super::found::{Checker, Setup, Store, chain, compare, entry_of, tells};
use super::history::{Changes, Entry, History, State, Value, up_to};
use super::operations::Operation;
use crate::common::Random;

/// How a write came out.
enum Outcome {
    Committed(u64),
    /// Nothing was to be done.
    Nothing,
    /// What the conflict showed.
    Conflict(Option<u64>),
    Refused,
    Unknown(Option<u64>),
}

type Told = Result<Outcome, String>;

pub(super) struct Run {
    pub(super) camera: Arc<Camera>,
    pub(super) points: u64,
    random: Random,
    /// For what is looked at, so that how much that is does not change what happens.
    looks: Random,
    /// There are crashes within recoveries, by chance.
    pub(super) crashes_in_recovery: bool,
    setup: Setup,
    disk: Disk,
    store: Option<Store>,
    history: History,
    /// There is room for so many bytes only.
    limited: bool,
    /// How the store ended that was open before.
    ended: Option<Crash>,
    /// How the next crash will be, once the disk halts.
    crash: Crash,
    snapshots: Vec<(Snapshot<u64, Value>, Arc<State>)>,
    watch: Option<Watch<u64, Value>>,
    /// Values are numbered.
    values: u64,
    /// Crashes within recoveries.
    levels: u32,
}

impl Run {
    /// With so many pictures of each call.
    pub(super) fn new(mut random: Random, setup: Setup, pictures: u64) -> Self {
        let disk = Disk::new().with_seed(random.next());
        let camera = Camera::new(Random(random.next()), pictures);
        camera.watch(&disk);
        Self {
            camera,
            points: 0,
            looks: Random(random.next()),
            random,
            crashes_in_recovery: false,
            setup,
            disk,
            store: None,
            history: History::default(),
            limited: false,
            ended: None,
            crash: Crash::PowerCut,
            snapshots: Vec::new(),
            watch: None,
            values: 0,
            levels: 2,
        }
    }

    /// Lets one call go wrong.
    pub(super) fn plan(&mut self, number: usize, fault: Fault, pictures_after: u64) {
        let mut camera = self.camera.inside();
        camera.plan = Some(Plan { number, fault, pictures_after });
        camera.arm(&self.disk, 0);
    }

    pub(super) fn play(&mut self, operations: &[Operation]) -> Result<(), String> {
        self.open()?;
        for (number, operation) in operations.iter().enumerate() {
            let happened = self.step(operation);
            happened.map_err(|what| format!("{what}\nin step {number}, {operation:?}"))?;
        }
        self.limit(None);
        self.step(&Operation::Reopen).map_err(|what| format!("{what}\nat the end"))
    }

    fn step(&mut self, operation: &Operation) -> Result<(), String> {
        self.camera.inside().phase = Phase::Write;
        self.operate(operation)?;
        self.look_at_snapshots()?;
        self.look_at_what_a_failed_log_shows()?;
        self.develop()?;
        if self.disk.is_halted() { self.crash_now() } else { Ok(()) }
    }

    /// Looks at all pictures that were taken.
    fn develop(&mut self) -> Result<(), String> {
        let pictures = std::mem::take(&mut self.camera.inside().pictures);
        for picture in &pictures {
            let mut checker = Checker {
                setup: self.setup,
                history: &self.history,
                random: &mut self.looks,
                points: &mut self.points,
            };
            checker.check(picture, self.levels)?;
        }
        Ok(())
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("one is open between two steps")
    }

    fn newest(&self, key: u64) -> Option<Entry> {
        self.history.newest().get(&key).copied()
    }

    fn value(&mut self, size: usize) -> Value {
        self.values += 1;
        Value::new(self.values, size)
    }

    fn operate(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Put { key, size } => {
                let value = self.value(*size);
                let changes = vec![(*key, Some(value.id))];
                let told = of_write(self.store().put(key, value));
                self.settle(changes, told)
            }
            Operation::PutIf { key, size, stale } => {
                let value = self.value(*size);
                let changes = vec![(*key, Some(value.id))];
                let told =
                    of_write(self.store().put_if(key, value, self.precondition(*key, *stale)));
                self.settle(changes, told)
            }
            Operation::Create { key, size } => {
                let value = self.value(*size);
                let changes = vec![(*key, Some(value.id))];
                let told = of_write(self.store().create(key, value));
                self.settle(changes, told)
            }
            Operation::Delete { key } => {
                let told = self
                    .store()
                    .delete(key)
                    .map(|deleted| deleted.map(|deleted| deleted.revision()));
                self.settle(vec![(*key, None)], of_delete(told))
            }
            Operation::DeleteIf { key, stale } => {
                let told = self.store().delete_if(key, self.precondition(*key, *stale));
                let told = told.map(|deleted| deleted.map(|deleted| deleted.revision()));
                self.settle(vec![(*key, None)], of_delete(told))
            }
            Operation::Commit { keys, size, fails } => {
                let (txn, changes) = self.transaction(keys, *size, *fails);
                let told = of_commit(self.store().commit(txn));
                self.settle(changes, told)
            }
            Operation::Update { key, size } => {
                let value = self.value(*size);
                let changes = vec![(*key, Some(value.id))];
                let told = of_write(self.store().update(key, |_| value.clone()));
                self.settle(changes, told)
            }
            Operation::Swap { keys } => self.swap(*keys),
            Operation::Batch { keys, size } => self.batch(keys, *size),
            Operation::Read { key } => {
                let found = self.store().get(key);
                let shown = self.show()?;
                let expected = self.history.at(shown).get(key).copied();
                let found = found.as_ref().map(entry_of);
                if found == expected {
                    Ok(())
                } else {
                    Err(format!("read {found:?}, expected {expected:?}"))
                }
            }
            Operation::Scan => {
                let found: State =
                    self.store().iter().map(|(key, entry)| (key, entry_of(&entry))).collect();
                let shown = self.show()?;
                same(&found, &self.history.at(shown))
            }
            Operation::Snapshot => {
                let snapshot = self.store().snapshot();
                let expected = self.history.at(snapshot.revision().get());
                self.tell(snapshot.revision().get());
                if self.snapshots.len() == 3 {
                    self.snapshots.remove(0);
                }
                self.snapshots.push((snapshot, expected));
                Ok(())
            }
            Operation::Watch => self.follow(),
            Operation::Sync => {
                let synced = self.store().sync();
                self.synced(synced.map_err(|error| chain(&error)))
            }
            Operation::Compact => {
                self.camera.inside().phase = Phase::Checkpoint;
                // What was told before is synced by the time when a checkpoint takes its place, whatever the durability.
                let told = self.camera.inside().bounds.told;
                let compacted = self.store().compact();
                if compacted.is_ok() && !self.disk.is_halted() {
                    let bounds = &mut self.camera.inside().bounds;
                    bounds.synced = bounds.synced.max(told);
                }
                self.possible(compacted.map_err(|error| chain(&error)))
            }
            Operation::CompactBeside { keys, size } => self.compact_beside(keys, *size),
            Operation::Reopen => {
                self.let_go();
                self.camera.inside().phase = Phase::Close;
                let closed = self.store().close();
                let good = closed.is_ok();
                self.synced(closed.map_err(|error| chain(&error)))?;
                self.store = None;
                self.develop()?;
                if self.disk.is_halted() {
                    return Ok(());
                }
                self.reopen(good)
            }
            Operation::Drop => {
                self.let_go();
                self.camera.inside().phase = Phase::Close;
                self.store = None;
                self.develop()?;
                if self.disk.is_halted() { Ok(()) } else { self.reopen(false) }
            }
            Operation::Crash { crash, after } => {
                self.crash = *crash;
                self.disk.halt_at(self.disk.calls() + after);
                if *after == 0 {
                    self.disk.halt();
                }
                self.camera.inside().failed = true;
                Ok(())
            }
            Operation::Fail { fault, after } => {
                self.disk.fail_at(self.disk.calls() + after, *fault);
                Ok(())
            }
            Operation::Capacity { more } => {
                self.limit(more.map(|more| self.disk.used() + more));
                Ok(())
            }
        }
    }

    fn limit(&mut self, capacity: Option<usize>) {
        self.disk.set_capacity(capacity);
        self.limited = capacity.is_some();
        self.camera.inside().failed |= self.limited;
    }

    fn precondition(&self, key: u64, stale: bool) -> Precondition {
        match self.newest(key) {
            None if stale => Precondition::Present,
            None => Precondition::Absent,
            Some(_) if stale => Precondition::Revision(Revision::MIN),
            Some(entry) => Precondition::Revision(Revision::try_from(entry.revision).unwrap()),
        }
    }

    fn transaction(
        &mut self,
        keys: &[u64],
        size: usize,
        fails: bool,
    ) -> (Txn<u64, Value>, Changes) {
        let mut txn = Txn::new();
        let mut changes = Changes::new();
        for (at, key) in keys.iter().enumerate() {
            if at % 2 == 1 && self.newest(*key).is_some() {
                txn = txn.require(key, self.precondition(*key, false)).delete(key);
                changes.push((*key, None));
            } else {
                let value = self.value(size);
                changes.push((*key, Some(value.id)));
                txn = txn.put(key, value);
            }
        }
        if fails {
            txn = txn.require(99, Precondition::Present);
        }
        (txn, changes)
    }

    fn swap(&mut self, [one, other]: [u64; 2]) -> Result<(), String> {
        let state = self.history.newest();
        let (Some(left), Some(right)) = (state.get(&one), state.get(&other)) else { return Ok(()) };
        let changes = vec![(one, Some(right.value)), (other, Some(left.value))];
        let mut writes = false;
        let swapped = self.store().transact_at(|t| {
            writes = false;
            let left = t.get(one)?.map(|read| read.value().clone());
            let right = t.get(other)?.map(|read| read.value().clone());
            if let Some((left, right)) = left.zip(right) {
                writes = true;
                t.put(one, right);
                t.put(other, left);
            }
            Ok(())
        });
        let told = match swapped {
            Ok(_) if !writes => return Ok(()),
            Ok(((), revision)) => Ok(revision),
            Err(ifmatch::TransactError::Commit(error)) => Err(error),
            Err(error) => return Err(chain(&error)),
        };
        self.settle(changes, of_commit(told))
    }

    /// Several on their way at once. What has no room at first is decided later, and keeps no order.
    fn batch(&mut self, keys: &[u64], size: usize) -> Result<(), String> {
        let values: Vec<_> = keys.iter().map(|_| self.value(size)).collect();
        let store = self.store.clone().expect("one is open");
        let (last, puts) = keys.split_last().unwrap();
        let pending: Vec<_> = puts
            .iter()
            .zip(&values)
            .map(|(key, value)| store.submit_put_if(key, value.clone(), Precondition::Any))
            .collect();
        let deleting = store.submit_delete_if(last, Precondition::Any);
        self.show()?;
        let mut outcomes = Vec::new();
        for ((pending, key), value) in pending.into_iter().zip(puts).zip(&values) {
            outcomes.push(self.await_put(pending, *key, value.id)?);
        }
        let deleted = deleting.wait().map(|deleted| deleted.map(|deleted| deleted.revision()));
        outcomes.push((vec![(*last, None)], of_delete(deleted)?));
        self.settle_all(outcomes)
    }

    fn await_put(
        &self,
        pending: Pending<u64, Value, Written>,
        key: u64,
        value: u64,
    ) -> Result<(Changes, Outcome), String> {
        let outcome = of_write(pending.wait().map(|written| written.revision()))?;
        self.note(&outcome);
        Ok((vec![(key, Some(value))], outcome))
    }

    /// In the order of their revisions, which need not be that of their submission.
    fn settle_all(&mut self, mut outcomes: Vec<(Changes, Outcome)>) -> Result<(), String> {
        outcomes.sort_by_key(|(_, outcome)| match outcome {
            Outcome::Committed(revision) | Outcome::Unknown(Some(revision)) => *revision,
            _ => 0,
        });
        outcomes.into_iter().try_for_each(|(changes, outcome)| self.settle(changes, Ok(outcome)))
    }

    /// What is written between the start of a segment and the checkpoint before it, both have.
    fn compact_beside(&mut self, keys: &[u64], size: usize) -> Result<(), String> {
        let values: Vec<_> = keys.iter().map(|key| (*key, self.value(size))).collect();
        let ids: Vec<_> = values.iter().map(|(key, value)| (*key, value.id)).collect();
        let store = self.store.clone().expect("one is open");
        let (submit, submitted) = mpsc::channel();
        self.camera.inside().when_a_segment_is_named = Some(Box::new(move || {
            for (key, value) in values {
                submit.send(store.submit_put_if(key, value, Precondition::Any)).unwrap();
            }
        }));
        let compacted = self.operate(&Operation::Compact);
        self.camera.inside().when_a_segment_is_named = None;
        let mut outcomes = Vec::new();
        for (pending, (key, value)) in submitted.try_iter().zip(ids) {
            outcomes.push(self.await_put(pending, key, value)?);
        }
        self.settle_all(outcomes)?;
        compacted
    }

    /// Somebody was told of a revision.
    fn tell(&mut self, revision: u64) {
        if self.disk.is_halted() {
            // Nobody hears what a process says after its machine has stopped.
            return;
        }
        let bounds = &mut self.camera.inside().bounds;
        bounds.told = bounds.told.max(revision);
        bounds.used = bounds.used.max(revision);
        self.history.tell(revision);
    }

    /// Reads what is the newest.
    fn show(&mut self) -> Result<u64, String> {
        let shown = self.store().revision().get();
        let told = self.camera.inside().bounds.told;
        if shown < told {
            return Err(format!("the newest revision is {shown}, and {told} was told"));
        }
        self.note(&Outcome::Committed(shown));
        Ok(shown)
    }

    fn note(&self, outcome: &Outcome) {
        if self.disk.is_halted() {
            return;
        }
        let bounds = &mut self.camera.inside().bounds;
        match outcome {
            Outcome::Committed(revision) | Outcome::Conflict(Some(revision)) => {
                bounds.told = bounds.told.max(*revision);
                bounds.used = bounds.used.max(*revision);
            }
            Outcome::Unknown(Some(revision)) => bounds.used = bounds.used.max(*revision),
            _ => {}
        }
    }

    /// What a write came to becomes part of the history.
    fn settle(&mut self, changes: Changes, told: Told) -> Result<(), String> {
        let outcome = told?;
        let newest = self.history.commits.last().map_or(1, |commit| commit.revision);
        self.note(&outcome);
        match outcome {
            Outcome::Committed(revision) | Outcome::Unknown(Some(revision))
                if revision <= newest =>
            {
                Err(format!("revision {revision} was handed out, and {newest} had been"))
            }
            Outcome::Committed(revision) => {
                self.history.push(revision, changes);
                self.tell(revision);
                Ok(())
            }
            Outcome::Unknown(Some(revision)) => {
                self.history.push(revision, changes);
                self.possible(Err("the outcome is unknown".to_owned()))
            }
            Outcome::Refused | Outcome::Unknown(None) => {
                self.possible(Err("it was refused".to_owned()))
            }
            Outcome::Conflict(_) | Outcome::Nothing => Ok(()),
        }
    }

    /// An error is one only where nothing went wrong on the disk.
    fn possible(&self, result: Result<(), String>) -> Result<(), String> {
        result.or_else(|what| {
            if self.camera.inside().failed || self.disk.is_halted() {
                return Ok(());
            }
            Err(format!("{what}, and the disk works"))
        })
    }

    fn synced(&mut self, result: Result<(), String>) -> Result<(), String> {
        if result.is_ok() && !self.disk.is_halted() {
            let bounds = &mut self.camera.inside().bounds;
            bounds.synced = bounds.told;
        }
        self.possible(result)
    }

    fn look_at_snapshots(&self) -> Result<(), String> {
        for (snapshot, expected) in &self.snapshots {
            let found: State =
                snapshot.iter().map(|(key, entry)| (key, entry_of(&entry))).collect();
            same(&found, expected)?;
        }
        Ok(())
    }

    /// A failed log is still read from, and shows nothing that could not be promised.
    fn look_at_what_a_failed_log_shows(&mut self) -> Result<(), String> {
        let failed = |store: &Store| store.stats().log().is_some_and(|log| log.poisoned);
        match &self.store {
            Some(store) if failed(store) => self.operate(&Operation::Scan),
            _ => Ok(()),
        }
    }

    fn follow(&mut self) -> Result<(), String> {
        let mut watch = match self.watch.take() {
            Some(watch) => watch,
            None => match self.store().watch().open() {
                Ok(watch) => watch,
                Err(error) => return self.possible(Err(chain(&error))),
            },
        };
        loop {
            let position = watch.position().get();
            match watch.try_recv() {
                Ok(commit) => {
                    let expected = self.history.commits.get(up_to(&self.history.commits, position));
                    if !expected.is_some_and(|expected| tells(&commit, expected)) {
                        return Err(format!(
                            "a watch at {position} told {commit:?} instead of {expected:?}"
                        ));
                    }
                    self.tell(commit.revision().get());
                }
                Err(WatchError::Empty) => {
                    self.watch = Some(watch);
                    return Ok(());
                }
                // A window holds few commits.
                Err(WatchError::Lagged { .. }) => return Ok(()),
                Err(error) => return self.possible(Err(chain(&error))),
            }
        }
    }

    fn let_go(&mut self) {
        self.snapshots.clear();
        self.watch = None;
    }

    /// Opens again what this machine still has.
    fn reopen(&mut self, closed: bool) -> Result<(), String> {
        if closed {
            self.ended = None;
        } else {
            self.ended = Some(Crash::Kill);
            self.disk.drop_caches(self.random.next());
        }
        self.open()
    }

    /// The disk has halted: the next process finds what a crash left.
    fn crash_now(&mut self) -> Result<(), String> {
        self.disk.halt();
        self.let_go();
        self.store = None;
        self.leave_disk();
        self.open()
    }

    fn leave_disk(&mut self) {
        let seed = self.random.next();
        let next = match self.crash {
            Crash::Kill => self.disk.after_kill(seed),
            Crash::PowerCut => self.disk.after_power_cut(seed),
        };
        self.disk.on_call(|_, _| {});
        self.disk = next;
        self.limited = false;
        self.camera.watch(&self.disk);
        self.camera.inside().arm(&self.disk, 0);
        self.ended = self.ended.max(Some(self.crash));
    }

    /// Opens, through whatever goes wrong meanwhile.
    fn open(&mut self) -> Result<(), String> {
        for attempt in 0_u32.. {
            let fresh = !self.disk.files().keys().any(|name| name.ends_with(".segment"));
            {
                let mut camera = self.camera.inside();
                camera.failed = self.limited;
                camera.after = self.ended;
                camera.phase = match self.ended {
                    _ if fresh => Phase::New,
                    None => Phase::Reopen,
                    Some(_) => Phase::Recover,
                };
            }
            let crashes = self.crashes_in_recovery && self.ended.is_some() && attempt < 3;
            if crashes && self.random.one_in(8) {
                self.crash = *self.random.pick(&[Crash::Kill, Crash::PowerCut]);
                self.disk.halt_at(self.disk.calls() + self.random.below(30));
            }
            if attempt > 5 {
                self.limit(None);
                self.disk.clear_faults();
            }
            let opened = self.setup.open(&self.disk)?;
            self.develop()?;
            match opened {
                Ok(store) => return self.adopt(store),
                Err(_) if self.disk.is_halted() => self.leave_disk(),
                Err(_) if self.camera.inside().failed => {
                    self.ended = self.ended.max(Some(Crash::Kill));
                    self.disk.drop_caches(self.random.next());
                }
                Err(error) => return Err(format!("it does not open: {}", chain(&error))),
            }
        }
        Ok(())
    }

    /// What is found is the history from now on.
    fn adopt(&mut self, store: Store) -> Result<(), String> {
        self.points += 1;
        let bounds = self.camera.inside().bounds;
        let required = match self.ended {
            None => bounds.told,
            Some(crash) => self.setup.required(&bounds, crash),
        };
        let found = compare(&store, &self.history.commits, required)
            .map_err(|what| format!("{what}\nafter {:?}", self.ended))?;
        let shown = store.revision().get();
        self.history.truncate(found);
        self.history.tell(shown);
        {
            let mut camera = self.camera.inside();
            camera.bounds.told = shown;
            camera.bounds.synced = shown;
            camera.bounds.used = camera.bounds.used.max(shown);
            camera.bounds.sync_failed = false;
            camera.after = None;
            let seed = self.random.next();
            if camera.each > 0 {
                camera.take(&self.disk, (seed, seed), (self.disk.calls(), Call::List));
            }
        }
        self.store = Some(store);
        self.ended = None;
        self.develop()?;
        if self.disk.is_halted() { self.crash_now() } else { Ok(()) }
    }
}

fn same(found: &State, expected: &State) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
}

fn of_write(result: Result<Revision, WriteError<u64, Value>>) -> Told {
    match result {
        Ok(revision) => Ok(Outcome::Committed(revision.get())),
        Err(WriteError::Conflict(conflict)) => {
            Ok(Outcome::Conflict(conflict.revision().map(Revision::get)))
        }
        Err(WriteError::Refused(refused)) => of_reason(refused.reason()),
        Err(WriteError::OutcomeUnknown(unknown)) => {
            Ok(Outcome::Unknown(unknown.revision().map(Revision::get)))
        }
        Err(error) => Err(chain(&error)),
    }
}

fn of_delete(result: Result<Option<Revision>, WriteError<u64, Value>>) -> Told {
    match result {
        Ok(None) => Ok(Outcome::Nothing),
        Ok(Some(revision)) => Ok(Outcome::Committed(revision.get())),
        Err(error) => of_write(Err(error)),
    }
}

fn of_commit(result: Result<Revision, CommitError<u64, Value>>) -> Told {
    match result {
        Ok(revision) => Ok(Outcome::Committed(revision.get())),
        Err(CommitError::OutcomeUnknown(unknown)) => {
            Ok(Outcome::Unknown(unknown.revision().map(Revision::get)))
        }
        Err(error) => match (error.reason(), error.conflicts()) {
            (Some(reason), _) => of_reason(reason),
            (None, [conflict, ..]) => Ok(Outcome::Conflict(conflict.revision().map(Revision::get))),
            (None, []) => Err(chain(&error)),
        },
    }
}

fn of_reason(reason: &Reason) -> Told {
    match reason {
        Reason::NoSpace(_) | Reason::Poisoned(_) | Reason::Closed => Ok(Outcome::Refused),
        reason => Err(format!("it was refused: {}", chain(reason))),
    }
}
