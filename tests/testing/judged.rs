//! Histories that were judged wrongly once, and a generator that is mean in the ways in which they were: calls that ended
//! without an outcome, and a recorder that is read while others record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use ifmatch::testing::{
    Call, Entry, History, Recorder, StoreModel, StoreOperation, StoreOutcome, check,
};
use ifmatch::{KeyRange, Precondition, Requirement, Revision, Store, Txn};

use crate::all_orders::is_linearizable;
use crate::common::{Random, from_env};

type Asked = StoreOperation<u8, u8>;
type Told = StoreOutcome<u8, u8>;

fn revision(number: u64) -> Revision {
    Revision::try_from(number).unwrap()
}

fn put(key: u8) -> Asked {
    StoreOperation::Put { key, value: 7, precondition: Precondition::Any }
}

fn nothing() -> Told {
    StoreOutcome::Read(None)
}

/// A first write, at this revision.
fn first(number: u64) -> Told {
    let at = revision(number);
    let entry = Entry { revision: at, created_revision: at, write_count: 1, value: 7 };
    StoreOutcome::Read(Some(entry))
}

fn call(
    operation: Asked,
    called: u64,
    returned: Option<u64>,
    outcome: Option<Told>,
) -> Call<Asked, Told> {
    Call { client: 0, operation, called, returned, outcome }
}

fn agree(calls: impl IntoIterator<Item = Call<Asked, Told>>, expected: bool) {
    let history: History<_, _> = calls.into_iter().collect();
    assert_eq!(is_linearizable(&StoreModel::new(), &history), expected, "all orders");
    let checked = check(&StoreModel::new(), &history);
    assert_eq!(checked.is_ok(), expected, "the checker: {checked:?}");
}

/// A read was put into the order at once, and the write that had ended before it began could come no more.
#[test]
fn a_read_of_something_else_does_not_end_a_write_that_nobody_was_told_of() {
    agree(
        [
            call(put(1), 0, Some(5), None),
            call(Asked::Get(0), 6, Some(7), Some(nothing())),
            call(Asked::Get(1), 8, Some(9), Some(first(2))),
            call(Asked::Revision, 10, Some(11), Some(Told::Revision(revision(2)))),
        ],
        true,
    );
}

#[test]
fn what_was_over_before_a_restart_has_no_effect_after_it() {
    let after = |outcome| {
        [
            call(put(1), 0, Some(5), None),
            call(Asked::Reopen, 6, Some(7), Some(Told::Revision(revision(1)))),
            call(Asked::Get(1), 8, Some(9), Some(nothing())),
            call(Asked::Get(1), 10, Some(11), Some(outcome)),
        ]
    };
    agree(after(nothing()), true);
    agree(after(first(2)), false);
}

/// Keys were looked at one by one, and what revisions say of all of them together was not.
#[test]
fn reads_alone_tell_revisions_that_all_keys_share() {
    let open = |key| call(put(key), 0, None, None);
    let reads = |reads: &[(u8, Told)]| {
        let reads = reads
            .iter()
            .zip((3..).step_by(2))
            .map(|((key, told), at)| call(Asked::Get(*key), at, Some(at + 1), Some(told.clone())));
        [open(0), open(1)].into_iter().chain(reads).collect::<Vec<_>>()
    };
    agree(reads(&[(0, first(5)), (1, first(6))]), true);
    agree(reads(&[(0, first(5)), (1, first(5))]), false);
    // The story of kine#3: N + 1 was seen before N.
    agree(reads(&[(0, first(7)), (1, nothing()), (1, first(6))]), false);
}

#[test]
fn nothing_is_known_to_be_unchanged_since_the_future() {
    let commit = |since| {
        let requirements = vec![Requirement::UnchangedIn(KeyRange::all(), revision(since))];
        let operation = Asked::Commit { requirements, changes: vec![(0, Some(1))] };
        [call(operation, 0, Some(1), Some(Told::Committed(revision(2))))]
    };
    agree(commit(1), true);
    agree(commit(2), false);
    agree(commit(1000), false);
}

#[test]
fn keys_are_counted_at_one_moment() {
    let told = |at: Option<u64>, keys, is_there| {
        let counted = Told::Counted { revision: at.map(revision), keys };
        let written = |number| StoreOutcome::Written {
            revision: revision(number),
            created_revision: None,
            write_count: None,
        };
        [
            call(put(1), 0, Some(1), Some(written(2))),
            call(put(2), 2, Some(9), Some(written(3))),
            call(put(1), 3, Some(9), Some(written(4))),
            call(Asked::Len, 4, Some(11), Some(counted)),
            call(Asked::Contains(2), 12, Some(13), Some(Told::Contained(is_there))),
        ]
    };
    for keys in 0..4 {
        agree(told(None, keys, true), keys == 1 || keys == 2);
        agree(told(Some(2), keys, true), keys == 1);
        agree(told(Some(4), keys, true), keys == 2);
    }
    agree(told(None, 2, false), false);
    // One that is deleted and put again is one.
    let deleted = |keys| {
        let entry = Entry {
            revision: revision(2),
            created_revision: revision(2),
            write_count: 1,
            value: 7,
        };
        let delete = Asked::Delete { key: 1, precondition: Precondition::Any };
        [
            call(put(1), 0, None, None),
            call(delete, 1, Some(2), Some(Told::Deleted(Some((revision(3), entry))))),
            call(Asked::Len, 3, Some(4), Some(Told::Counted { revision: None, keys })),
            call(put(1), 5, None, None),
            call(Asked::Get(1), 6, Some(7), Some(first(4))),
            call(Asked::Len, 8, Some(9), Some(Told::Counted { revision: None, keys: keys + 1 })),
        ]
    };
    agree(deleted(0), true);
    agree(deleted(1), false);
}

/// Clients were read one after the other, so that a read was there, and not the write that it saw.
#[test]
fn a_history_is_of_one_moment() {
    /// Lets others go on while it is cloned.
    #[derive(Debug)]
    struct Gate(&'static str, Option<Arc<[Barrier; 2]>>);
    impl Clone for Gate {
        fn clone(&self) -> Self {
            for barrier in self.1.iter().flat_map(|gate| gate.iter()) {
                barrier.wait();
            }
            Self(self.0, None)
        }
    }
    let recorder = Recorder::new();
    let (writer, between, reader) = (recorder.client(), recorder.client(), recorder.client());
    let gate = Arc::new([Barrier::new(2), Barrier::new(2)]);
    between.call(Gate("between", Some(Arc::clone(&gate))), || ());
    let history = thread::scope(|scope| {
        let taking = scope.spawn(|| recorder.history());
        gate[0].wait();
        writer.call(Gate("write", None), || ());
        reader.call(Gate("read of it", None), || ());
        gate[1].wait();
        taking.join().unwrap()
    });
    let names: Vec<_> = history.calls().iter().map(|call| call.operation.0).collect();
    assert_eq!(names, ["between"]);
    assert_eq!(recorder.take().len(), 3);
}

#[test]
fn what_racing_threads_are_told_is_linearizable_whenever_it_is_taken() {
    let store: Store<u8, u8> = Store::new();
    let recorder = Recorder::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            let client = recorder.client().of(&store);
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    client.put(0, 1).unwrap();
                    let _seen = client.get(0);
                    thread::yield_now();
                }
            });
        }
        for _ in 0..200 {
            let history = recorder.history();
            if history.len() > 2_000 {
                break;
            }
            if let Err(error) = check(&StoreModel::new(), &history) {
                over.store(true, Ordering::Relaxed);
                panic!("{error}");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// Calls that had not begun were ended.
#[test]
fn only_calls_that_have_begun_are_ended() {
    let recorder: Recorder<u8, ()> = Recorder::new();
    let clients: Vec<_> = (0..32).map(|_| recorder.client()).collect();
    clients.iter().for_each(|client| (0..500).for_each(|_| client.call(0, || ())));
    let (last, over) = (recorder.client(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                drop(last.begin(0));
            }
        });
        (0..20).for_each(|_| recorder.end_open_calls());
        over.store(true, Ordering::Relaxed);
    });
    let history = recorder.take();
    let is_backwards = |call: &&Call<_, _>| call.returned.is_some_and(|end| end < call.called);
    assert_eq!(history.calls().iter().filter(is_backwards).count(), 0);
}

/// What a store was asked one by one, then stretched over each other, in part forgotten, and now and then disturbed.
fn disturbed(random: &mut Random) -> History<Asked, Told> {
    let store: Store<u8, u8> = Store::new();
    let recorder = Recorder::new();
    let client = recorder.client().of(&store);
    for _ in 0..3 + random.below(5) {
        let [key, value] = [2, 3].map(|most| u8::try_from(random.below(most)).unwrap());
        let precondition = match random.below(5) {
            0 | 1 => Precondition::Any,
            2 => Precondition::Absent,
            3 => Precondition::Present,
            _ => revision(2 + random.below(4)).into(),
        };
        match random.below(9) {
            0 | 1 => drop(client.put_if(key, value, precondition)),
            2 => drop(client.delete_if(key, precondition)),
            3 | 4 => {
                let since = revision(1 + random.below(store.revision().get()));
                let txn = match random.below(3) {
                    0 => Txn::new().require_none_in(KeyRange::only(1 - key)),
                    1 => Txn::new().require_unchanged_in(KeyRange::all(), since),
                    _ => Txn::new().require(key, precondition),
                };
                let txn = if random.below(3) > 0 { txn.put(key, value) } else { txn };
                drop(client.commit(if random.below(2) == 0 { txn.delete(1 - key) } else { txn }));
            }
            5 => drop(client.scan(..)),
            6 => drop(client.revision()),
            _ => drop(client.get(key)),
        }
    }
    let mut calls: Vec<_> = recorder.take().into_iter().collect();
    for (call, point) in calls.iter_mut().zip((8..).step_by(4)) {
        call.called = point - random.below(9);
        call.returned = Some(point + random.below(9));
        match random.below(6) {
            0 => (call.returned, call.outcome) = (None, None),
            1 => call.outcome = None,
            _ => {}
        }
    }
    if random.below(2) == 0 {
        let count = u64::try_from(calls.len()).unwrap();
        let [one, other] = [(); 2].map(|()| usize::try_from(random.below(count)).unwrap());
        let earlier = 2 + random.below(8);
        match (random.below(2), calls[one].outcome.clone()) {
            (0, Some(outcome)) if calls[other].outcome.is_some() => {
                calls[other].outcome = Some(outcome);
            }
            _ => {
                let call = &mut calls[one];
                call.called = call.called.saturating_sub(earlier);
                call.returned =
                    call.returned.map(|end| end.saturating_sub(earlier).max(call.called));
            }
        }
    }
    calls.into_iter().collect()
}

#[test]
fn the_checker_says_what_trying_all_orders_says_of_calls_that_ended_without_an_outcome() {
    let seed = from_env("IFMATCH_SEED", 1);
    let (mut good, mut bad) = (0, 0);
    for number in 0..from_env("IFMATCH_RUNS", 3_000) {
        let history = disturbed(&mut Random::of(seed, number));
        let expected = is_linearizable(&StoreModel::new(), &history);
        let checked = check(&StoreModel::new(), &history);
        assert_eq!(checked.is_ok(), expected, "{number}: {checked:?} {history:?}");
        if expected { good += 1 } else { bad += 1 }
    }
    assert!(good > 500 && bad > 100, "{good} good, {bad} bad: both are tried");
}
