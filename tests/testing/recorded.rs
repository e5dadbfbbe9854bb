//! What racing threads were told by a store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use ifmatch::testing::{self, Recorder, StoreModel, check};
use ifmatch::{Precondition, Store, Txn};

use crate::common::{Random, from_env, together};

fn race(
    threads: u64,
    steps: u64,
    keys: u64,
    seed: u64,
) -> ifmatch::testing::History<
    ifmatch::testing::StoreOperation<u64, u64>,
    ifmatch::testing::StoreOutcome<u64, u64>,
> {
    let store: Store<u64, u64> = Store::new();
    let recorder = Recorder::new();
    together(threads, |thread| {
        let client = recorder.client().of(&store);
        let mut random = Random::of(seed, thread);
        for _ in 0..steps {
            let key = random.below(keys);
            match random.below(12) {
                0..=4 => drop(client.get(key)),
                5..=7 => {
                    let seen = client.get(key);
                    let precondition =
                        seen.as_ref().map_or(Precondition::Absent, |seen| seen.into());
                    let _conflict = client.put_if(key, random.next(), precondition);
                }
                8 => drop(client.delete(key)),
                9 => drop(client.revision()),
                10 => {
                    let txn = Txn::new()
                        .require(key, Precondition::Present)
                        .put(key, 1)
                        .delete((key + 1) % keys);
                    let _conflict = client.commit(txn);
                }
                _ => drop(client.scan(key..key + 4)),
            }
        }
    });
    recorder.take()
}

#[test]
fn what_racing_threads_are_told_is_linearizable() {
    for seed in 0..from_env("IFMATCH_RACES", 20) {
        check(&StoreModel::new(), &race(4, 300, 8, seed)).unwrap();
    }
}

#[test]
#[ignore = "it is for a look at the time it takes"]
fn a_million() {
    let history = race(4, 250_000, 1000, 1);
    let started = Instant::now();
    check(&StoreModel::new(), &history).unwrap();
    println!("{} calls in {:?}", history.len(), started.elapsed());
}

/// Each clone of a recorded backend was a client for ever.
#[test]
fn clients_that_nobody_holds_are_forgotten_with_their_calls() {
    let recorder: ifmatch::testing::Recorder<&str, ()> = ifmatch::testing::Recorder::new();
    let stays = recorder.client();
    for round in 0..3 {
        let leaves = stays.another();
        leaves.call("of one who leaves", || ());
        drop(leaves);
        stays.call("of one who stays", || ());
        assert_eq!(recorder.history().len(), 2, "in round {round}");
        let taken = recorder.take();
        let clients: Vec<_> = taken.iter().map(|call| call.client).collect();
        assert_eq!(clients, [0, round + 1], "nobody has the number of another");
    }
    assert!(recorder.take().is_empty());
}

/// The calls of a client that was there when others were taken, and has gone since, are taken the next time.
#[test]
fn calls_of_a_client_that_goes_while_others_are_taken_are_kept() {
    for _ in 0..from_env("IFMATCH_ROUNDS", 60) {
        let recorder: Recorder<u64, ()> = Recorder::new();
        let (goes, stays) = (recorder.client(), recorder.client());
        (0..10_000).for_each(|number| stays.call(number, || ()));
        let begun = AtomicBool::new(false);
        let taken = thread::scope(|scope| {
            let begun = &begun;
            scope.spawn(move || {
                begun.store(true, Ordering::SeqCst);
                (0..1_500).for_each(|number| goes.call(number, || ()));
            });
            while !begun.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            recorder.take().len()
        });
        assert_eq!(taken + recorder.take().len(), 11_500);
    }
}

/// What ends while a history is made of it is still under way in there: else it would have ended before calls that are missing.
#[test]
fn a_history_has_all_that_began_before_anything_in_it_ended() {
    for _ in 0..from_env("IFMATCH_ROUNDS", 20) {
        let recorder: Recorder<u64, ()> = Recorder::new();
        let (first, slow, fast) = (recorder.client(), recorder.client(), recorder.client());
        // It takes a moment to copy them.
        (0..10_000).for_each(|number| first.call(number, || ()));
        let is_over = AtomicBool::new(false);
        let histories: Vec<_> = thread::scope(|scope| {
            let is_over = &is_over;
            let work = || (0..2_000).for_each(|_| std::hint::spin_loop());
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    slow.call(0, work);
                }
            });
            scope.spawn(move || {
                (0..20_000).take_while(|_| !is_over.load(Ordering::SeqCst)).for_each(|number| {
                    fast.call(number, || ());
                });
            });
            let histories = (0..10).map(|_| recorder.history()).collect();
            is_over.store(true, Ordering::SeqCst);
            histories
        });
        let all = recorder.take();
        for history in histories {
            let end = history.iter().filter_map(|call| call.returned).max();
            let began = |calls: &testing::History<_, _>| {
                calls.iter().filter(|call| Some(call.called) < end).count()
            };
            assert_eq!(began(&history), began(&all));
        }
    }
}

#[test]
fn a_call_that_was_given_up_has_no_effect_afterwards() {
    let recorder: Recorder<&str, ()> = Recorder::new();
    let client = recorder.client();
    client.begin("given up").end_unknown();
    client.call("later", || ());
    let history = recorder.take();
    let [given_up, later] = history.calls() else { panic!("{history:?}") };
    assert!(given_up.precedes(later) && given_up.outcome.is_none(), "{history:?}");
}
