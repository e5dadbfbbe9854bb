//! A log of format 1 becomes one of format 2 while the machine crashes at every call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use ifmatch::testing::disk::Disk;
use ifmatch::{Durability, Store};

use crate::common::Files;
use crate::expected::{Entry, Expected, entries};
use crate::{Account, Status, cases};

type Accounts = Store<String, Account>;

/// What the next process finds, how many writes were acknowledged, the newest revision, and the call.
type Picture = (Disk, u64, u64, String);

/// Segments end while this is written.
const WRITES: u64 = 60;

fn open(disk: &Disk) -> Result<Accounts, ifmatch::OpenError> {
    let builder = Store::builder().segment_bytes(4096).shards(1).compact_after(u64::MAX);
    builder.durability(Durability::Sync).open_on(disk)
}

fn account(number: u64) -> Account {
    let owner = format!("{number:0100}");
    Account { owner, balance: 0, limit: None, tags: Vec::new(), status: Status::Open }
}

/// Opens, writes, compacts, writes and closes, with crashes before each call.
fn upgrade(files: &Files) -> Vec<Picture> {
    let disk = Disk::with_files(files.clone());
    let (told, newest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (taken, pictures) = mpsc::channel();
    let state = (Arc::clone(&told), Arc::clone(&newest));
    disk.on_call(move |disk, step| {
        let (told, newest) = (state.0.load(Ordering::SeqCst), state.1.load(Ordering::SeqCst));
        let crashed = [
            disk.as_synced(),
            disk.after_kill(step.number),
            disk.after_power_cut(step.number),
            disk.after_kill(step.number).after_power_cut(step.number),
        ];
        for crashed in crashed {
            let _taken = taken.send((crashed, told, newest, step.to_string()));
        }
    });
    let store = open(&disk).unwrap();
    for number in 1..=WRITES {
        let revision = store.put("upgraded", account(number)).unwrap();
        told.store(number, Ordering::SeqCst);
        newest.store(revision.get(), Ordering::SeqCst);
        if number == WRITES - 10 {
            store.compact().unwrap();
        }
    }
    store.close().unwrap();
    disk.on_call(|_, _| {});
    pictures.try_iter().collect()
}

#[test]
fn a_crash_at_any_call_of_an_upgrade_loses_nothing() {
    let is_bincode = |case: &(String, Files, Expected)| case.2.codec == "bincode-2";
    for (case, files, expected) in cases("v1").into_iter().filter(is_bincode) {
        for (disk, told, newest, step) in upgrade(&files) {
            let case = format!("{case}, before {step}");
            let store = open(&disk).unwrap_or_else(|error| panic!("{case}: {error}"));
            let found = entries(&store);
            let (new, old): (Vec<Entry>, Vec<_>) =
                found.into_iter().partition(|entry| entry.key == "upgraded");
            let before = expected.entries.iter().filter(|entry| entry.key != "upgraded");
            assert!(old.iter().eq(before), "{case}");
            let written = new.first().map_or(0, |entry| entry.value.owner.parse().unwrap());
            assert!(written >= told && written <= WRITES, "{case}: {written} of {told}");
            let next = store.put("upgraded", account(0)).unwrap().get();
            assert!(next > newest && next >= expected.next_revision, "{case}: a revision again");
        }
    }
}
