//! A store, in memory or on a simulated disk, is asked what the fuzzer likes: writes, transactions, ranges, and between them
//! compactions, closes, kills and power cuts.
//!
//! What it answers is what the sequential model of the testing kit answers. Every snapshot shows one state to the end, every
//! watch tells each change once and in order, and what is read of the past is what was there then.
#![no_main]

mod asked;
mod followed;

use std::collections::BTreeMap;

use ifmatch::testing::disk::Disk;
use ifmatch::testing::{
    Client, Recorder, StoreClient, StoreModel, StoreOperation, StoreOutcome, check,
};
use ifmatch::{
    CommitError, Durability, Reason, Requirement, Revision, Store, Txn, Versioned, WriteError,
};
use libfuzzer_sys::fuzz_target;

use asked::{Asked, Demand, Ended, Input, Kept, Span};
use followed::Followed;

type Numbers = Store<u8, u8>;
type Caller = StoreClient<u8, u8>;
type State = BTreeMap<u8, Versioned<u8>>;

/// So that a run is short.
const MAX_OPERATIONS: usize = 96;

/// So that sequences of many requirements and changes are short, too.
pub(crate) const MAX_PARTS: usize = 6;

fuzz_target!(|input: Input| {
    let mut run = Run::new(&input);
    for asked in input.operations.iter().take(MAX_OPERATIONS) {
        run.ask(asked);
        run.look();
    }
    run.end();
});

struct Run<'a> {
    input: &'a Input,
    disk: Option<Disk>,
    recorder: Recorder<StoreOperation<u8, u8>, StoreOutcome<u8, u8>>,
    caller: Caller,
    /// The state at each revision at which it was looked at.
    past: BTreeMap<u64, State>,
    followed: Followed,
    /// How often the disk lost power.
    cuts: u64,
    /// The revision at which the store was opened: its memory of the past begins there.
    opened: u64,
}

impl<'a> Run<'a> {
    fn new(input: &'a Input) -> Self {
        let disk = (input.kept != Kept::InMemory).then(Disk::new);
        let recorder = Recorder::new();
        let caller = client(&recorder).of(&open(input, disk.as_ref()));
        let followed = Followed::default();
        let mut run = Self {
            input,
            disk,
            recorder,
            caller,
            past: BTreeMap::new(),
            followed,
            cuts: 0,
            opened: 1,
        };
        run.look();
        run
    }

    fn store(&self) -> &Numbers {
        self.caller.store()
    }

    /// Remembers the state, which the model is asked about like all else.
    fn look(&mut self) {
        let state: State = self.caller.scan(..).into_iter().collect();
        let newest = self.caller.revision();
        assert_eq!(self.store().len(), state.len());
        let before = self.past.entry(newest.get()).or_insert_with(|| state.clone());
        assert_eq!(*before, state, "it is another at the same revision");
        self.followed.look(&self.past);
    }

    fn demand(&self, key: u8, demand: &Demand) -> ifmatch::Precondition {
        demand.of(self.store().get(key).map(|entry| entry.revision()))
    }

    fn ask(&mut self, asked: &Asked) {
        match asked {
            Asked::Get(key) => drop(self.caller.get(key.0)),
            Asked::Put(key, value, demand) => {
                let demand = self.demand(key.0, demand);
                judged(self.caller.put_if(key.0, *value, demand));
            }
            Asked::Delete(key, demand) => {
                let demand = self.demand(key.0, demand);
                judged(self.caller.delete_if(key.0, demand));
            }
            Asked::Update(key, more) => {
                let add =
                    |value: Option<&u8>| value.map_or(*more, |value| value.wrapping_add(*more));
                self.caller.update(key.0, add).expect("it works");
            }
            Asked::Commit(required, changes) => self.commit(required, changes),
            Asked::Transact(reads, changes) => self.transact(reads, changes),
            Asked::Scan(span) => drop(self.caller.scan(span.range())),
            Asked::Snapshot => self.followed.snapshot(self.caller.store()),
            Asked::Release(which) => self.followed.release(*which),
            Asked::Watch(back) => {
                let newest = self.store().revision().get();
                let since = newest.saturating_sub(u64::from(*back)).max(1);
                let state = self.past.get(&since).cloned();
                self.followed.watch(self.caller.store(), since, state);
            }
            Asked::ReadAt(back) => self.read_at(u64::from(*back)),
            Asked::History(key) => self.history(key.0),
            Asked::Compact if self.disk.is_some() => {
                self.store().compact().expect("the disk works")
            }
            Asked::Compact => {}
            Asked::Sync => self.store().sync().expect("the disk works"),
            Asked::Reopen(ended) => self.reopen(ended),
        }
    }

    fn commit(&mut self, required: &[asked::Required], changes: &[(asked::Key, Option<u8>)]) {
        let mut txn = Txn::new();
        for required in required.iter().take(MAX_PARTS) {
            txn = match required {
                asked::Required::Key(key, demand) => txn.require(key.0, self.demand(key.0, demand)),
                asked::Required::NoneIn(span) => txn.require_none_in(span.range()),
                asked::Required::UnchangedIn(span, back) => {
                    let revision = self.store().revision().get().saturating_sub(u64::from(*back));
                    let since = Revision::try_from(revision).unwrap_or(Revision::MIN);
                    txn.require_unchanged_in(span.range(), since)
                }
            };
        }
        for (key, value) in changes.iter().take(MAX_PARTS) {
            txn = match value {
                Some(value) => txn.put(key.0, *value),
                None => txn.delete(key.0),
            };
        }
        match self.caller.commit(txn) {
            Ok(_) | Err(CommitError::Conflicts { .. }) => {}
            Err(CommitError::Compacted { index, txn, .. }) => {
                assert!(matches!(txn.requirements()[index], Requirement::UnchangedIn(..)));
            }
            Err(CommitError::Refused {
                reason: Reason::DuplicateKey { first, second },
                txn,
                ..
            }) => {
                let key = |index| txn.changes().nth(index).expect("it is there").0;
                assert!(first < second && key(first) == key(second));
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn transact(&mut self, reads: &[Span], changes: &[(asked::Key, Option<u8>)]) {
        let transacted = self.caller.transact(|transaction| {
            for span in reads.iter().take(MAX_PARTS) {
                match span {
                    Span::Only(key) => drop(transaction.get(key.0)?),
                    span => drop(transaction.range(span.range())?),
                }
            }
            for (key, value) in changes.iter().take(MAX_PARTS) {
                match value {
                    Some(value) => transaction.put(key.0, *value),
                    None => transaction.delete(key.0),
                }
            }
            // It sees what it wrote itself.
            if let Some((key, value)) = changes.iter().take(MAX_PARTS).last() {
                assert_eq!(transaction.get(key.0)?.map(|read| *read.value()), *value);
            }
            Ok(())
        });
        transacted.expect("nobody else writes");
    }

    fn read_at(&self, back: u64) {
        let revision = self.store().revision().get().saturating_sub(back).max(1);
        let at = Revision::try_from(revision).expect("it is at least 1");
        let Some(state) = self.past.get(&revision) else { return };
        if let Ok(snapshot) = self.store().snapshot_at(at) {
            assert_eq!(snapshot.iter().collect::<State>(), *state, "at {revision}");
        } else {
            let is_kept = back <= u64::from(self.input.commits) && revision >= self.opened;
            assert!(!is_kept, "{revision} is to be kept");
        }
        for key in 0..asked::KEYS {
            if let Ok(entry) = self.store().get_at(key, at) {
                assert_eq!(entry.as_ref(), state.get(&key), "{key} at {revision}");
            }
        }
    }

    /// What is kept of a key is what was there.
    fn history(&self, key: u8) {
        let history = self.store().history(key);
        for version in history.versions() {
            let then = self.past.get(&version.revision().get()).and_then(|state| state.get(&key));
            assert_eq!(version.entry(), then, "{key} at {}", version.revision());
        }
        let known = self.past.range(history.since().get()..);
        let mut changed = known
            .clone()
            .zip(known.skip(1))
            .filter(|((_, before), (_, after))| before.get(&key) != after.get(&key));
        let told = |revision: &u64| {
            history.versions().iter().any(|told| told.revision().get() == *revision)
        };
        assert!(
            changed.all(|(_, (revision, _))| told(revision)),
            "{key}: a change since {}",
            history.since()
        );
    }

    fn reopen(&mut self, ended: &Ended) {
        let Some(disk) = &self.disk else { return };
        self.followed.end(&self.past);
        let disk = match ended {
            Ended::Closed => {
                self.store().close().expect("the disk works");
                disk.after_kill(0)
            }
            Ended::Killed => disk.after_kill(u64::from(self.input.seed)),
            // Only what is synced is promised to survive that.
            Ended::PowerCut if self.input.kept == Kept::Synced => {
                self.cuts += 1;
                disk.after_power_cut(u64::from(self.input.seed) + self.cuts)
            }
            Ended::PowerCut => return,
        };
        let identity = self.store().identity();
        let store = open(self.input, Some(&disk));
        assert_eq!(store.identity(), identity);
        let client = client(&self.recorder);
        client.call(StoreOperation::Reopen, || StoreOutcome::Revision(store.revision()));
        self.opened = store.revision().get();
        self.caller = client.of(&store);
        self.disk = Some(disk);
    }

    fn end(mut self) {
        self.followed.end(&self.past);
        if let Err(error) = check(&StoreModel::new(), &self.recorder.history()) {
            panic!("{error}");
        }
    }
}

/// A write has nothing to fail by but its precondition.
fn judged<T>(written: Result<T, WriteError<u8, u8>>) {
    if let Err(error) = written {
        assert!(error.conflict().is_some(), "{error}");
    }
}

fn client(
    recorder: &Recorder<StoreOperation<u8, u8>, StoreOutcome<u8, u8>>,
) -> Client<StoreOperation<u8, u8>, StoreOutcome<u8, u8>> {
    recorder.client()
}

fn open(input: &Input, disk: Option<&Disk>) -> Numbers {
    let builder = Store::builder()
        .shards(2)
        .history(usize::from(input.versions))
        .history_commits(u64::from(input.commits))
        .watch_window(0)
        .segment_bytes(4096)
        .revision_block(16)
        .compact_after(if input.compacts { 4096 } else { u64::MAX });
    let durability =
        if input.kept == Kept::Buffered { Durability::Buffered } else { Durability::Sync };
    match disk {
        None => builder.build(),
        Some(disk) => builder.durability(durability).open_on(disk).expect("what was written opens"),
    }
}
