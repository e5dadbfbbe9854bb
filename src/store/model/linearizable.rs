//! Any operations, under any schedule, are linearizable: what each thread was told is recorded, and an order is looked for.

use shuttle::rand::{RngCore, thread_rng};

use super::crashes::below;
use super::{ByKey, Numbers, builder, check, in_memory, join_all, on};
use crate::log::Durability;
use crate::storage::disk::Disk;
use crate::sync::thread;
use crate::testing::{
    Recorder, StoreClient, StoreModel, StoreOperation, StoreOutcome, check as linearize,
};
use crate::{Precondition, Revision, Txn};

type Calls = Recorder<StoreOperation<u32, u32>, StoreOutcome<u32, u32>>;
type Client = StoreClient<u32, u32, ByKey>;

/// Two in one shard, with the same hash, and one in the other.
fn any_key() -> u32 {
    [0, 100, 1][usize::try_from(below(3)).expect("it is small")]
}

fn any_value() -> u32 {
    u32::try_from(below(1_000_000)).expect("it is small")
}

fn any_precondition(client: &Client, key: u32) -> Precondition {
    match below(4) {
        0 => Precondition::Any,
        1 => Precondition::Absent,
        2 => Precondition::Present,
        _ => client.get(key).map_or(Precondition::Absent, |seen| seen.revision().into()),
    }
}

fn any_txn(client: &Client) -> Txn<u32, u32> {
    let (key, other) = (any_key(), any_key());
    let txn = match below(4) {
        0 => Txn::new(),
        1 => Txn::new().require_none_in(0..50),
        2 => Txn::new().require_unchanged_in(0..200, client.revision()),
        _ => Txn::new().require(other, any_precondition(client, other)),
    };
    let txn = if below(3) == 0 { txn.delete(key) } else { txn.put(key, any_value()) };
    if key == other { txn } else { txn.put(other, any_value()) }
}

/// Some reads alone are two operations.
fn any_operation(client: &Client) {
    let key = any_key();
    match below(12) {
        0 | 1 => drop(client.get(key)),
        2 | 3 => drop(client.put_if(key, any_value(), any_precondition(client, key))),
        4 => drop(client.create(key, any_value())),
        5 => drop(client.delete_if(key, any_precondition(client, key))),
        6 => drop(client.update(key, |value| value.map_or(0, |value| value + 1))),
        7 => drop(client.scan(..)),
        8 => drop(client.revision()),
        9 | 10 => drop(client.commit(any_txn(client))),
        _ => drop(client.transact(|t| {
            let read = t.get(key)?.map_or(0, |value| *value);
            let count = t.range(..)?.len();
            t.put(any_key(), read + u32::try_from(count).expect("it is small"));
            Ok(())
        })),
    }
}

fn play(recorder: &Calls, store: &Numbers, threads: u32, operations: u32) {
    let threads = (1..threads).map(|_| {
        let client = recorder.client().of(store);
        thread::spawn(move || (0..operations).for_each(|_| any_operation(&client)))
    });
    let threads: Vec<_> = threads.collect();
    let client = recorder.client().of(store);
    (0..operations).for_each(|_| any_operation(&client));
    join_all(threads);
}

fn is_linearizable(recorder: &Calls, start: Revision) {
    let history = recorder.take();
    if let Err(error) = linearize(&StoreModel::starting_with([], start), &history) {
        panic!("{error}");
    }
}

fn any_operations_are_linearizable(store: &Numbers, threads: u32, operations: u32) {
    let (recorder, start) = (Calls::new(), store.revision());
    play(&recorder, store, threads, operations);
    is_linearizable(&recorder, start);
}

#[test]
fn any_operations_of_two_threads_are_linearizable() {
    check(|| any_operations_are_linearizable(&in_memory(), 2, 4));
}

#[test]
fn any_operations_of_three_threads_are_linearizable() {
    check(|| any_operations_are_linearizable(&in_memory(), 3, 3));
}

/// The smallest window, so that conditions on ranges cannot always be judged.
#[test]
fn any_operations_beside_a_small_window_are_linearizable() {
    check(|| {
        let store = builder().watch_window(1).build();
        any_operations_are_linearizable(&store, 3, 2);
    });
}

#[test]
fn any_operations_on_a_log_are_linearizable() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        any_operations_are_linearizable(&store, 2, 3);
    });
}

#[test]
fn any_operations_on_a_buffered_log_are_linearizable() {
    check(|| {
        let store = on(&Disk::new().with_threads(), Durability::Buffered);
        any_operations_are_linearizable(&store, 2, 3);
    });
}

/// Before the power is cut and after. A compaction is under way now and then.
#[test]
fn any_operations_with_a_power_cut_between_are_linearizable() {
    check(|| {
        let disk = Disk::new().with_threads();
        let (store, recorder) = (on(&disk, Durability::Sync), Calls::new());
        let start = store.revision();
        disk.halt_at(disk.calls() + below(36));
        let compacting = (below(4) == 0).then(|| {
            let store = store.clone();
            thread::spawn(move || drop(store.compact()))
        });
        play(&recorder, &store, 2, 3);
        join_all(compacting.into_iter().collect());
        recorder.end_open_calls();
        let reopened = recorder.client();
        let open = reopened.begin(StoreOperation::Reopen);
        let found = on(&disk.after_power_cut(thread_rng().next_u64()), Durability::Sync);
        open.end(StoreOutcome::Revision(found.revision()));
        drop(reopened.of(&found).scan(..));
        play(&recorder, &found, 2, 1);
        is_linearizable(&recorder, start);
    });
}
