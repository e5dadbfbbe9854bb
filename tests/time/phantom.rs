//! Conditions on a range hold when the transaction is committed: what appears in it, changes in it or goes from it
//! meanwhile is never missed.
//!
//! Each test lets threads race for something of which there can be only one, thousands of times. In each round two
//! would succeed if a range were checked only before the commit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use ifmatch::{CommitError, Conflict, Precondition, Revision, Store, Txn};

use crate::common::{Raises, Random, from_env, within};
use crate::home::{HOMES, Home};

type Subject = Store<String, u64>;
type Error = CommitError<String, u64>;

/// What one of the two threads of a round came to.
type Outcome = Result<Revision, Error>;

fn rounds(home: Home) -> u64 {
    let rounds = from_env("IFMATCH_ROUNDS", 2_000);
    if home == Home::Memory { rounds } else { rounds / 20 }
}

/// Runs `act` on two threads that begin each round at about the same time, with a third that keeps the sequencer busy
/// elsewhere, and hands what they came to to `judge`.
fn race<T: Send>(
    store: &Subject,
    rounds: u64,
    prepare: impl Fn(u64),
    act: impl Fn(u64, u64) -> T + Sync,
    judge: impl Fn(u64, T, T),
) {
    let is_over = AtomicBool::new(false);
    let arrived = AtomicU64::new(0);
    // Spinning, because who sleeps until the other has arrived begins too late.
    let play = |me: u64, round: u64| {
        arrived.fetch_add(1, Ordering::AcqRel);
        while arrived.load(Ordering::Acquire) < 2 * (round + 1) {
            if is_over.load(Ordering::Acquire) {
                return None;
            }
            thread::yield_now();
        }
        // Sometimes one, sometimes the other is a little later.
        (0..Random(round * 2 + me).below(200)).for_each(|_| std::hint::spin_loop());
        Some(act(me, round))
    };
    thread::scope(|scope| {
        scope.spawn(|| make_noise(store, &is_over));
        let (sender, receiver) = mpsc::channel();
        let play = &play;
        scope.spawn(move || {
            for outcome in (0..rounds).map_while(|round| play(1, round)) {
                let _judged_meanwhile = sender.send(outcome);
            }
        });
        let _at_the_end = Raises(&is_over);
        for round in 0..rounds {
            prepare(round);
            let one = play(0, round).expect("it is not over");
            judge(round, one, receiver.recv().expect("the other did not panic"));
        }
    });
}

/// Commits that concern nobody, so that there is something to look through.
fn make_noise(store: &Subject, is_over: &AtomicBool) {
    let mut number = 0;
    while !is_over.load(Ordering::Acquire) {
        number += 1;
        store.put(format!("noise/{}", number % 50), number).unwrap();
        let txn = (0..5).fold(Txn::new(), |txn, key| txn.put(format!("noises/{key}"), 0));
        store.commit(txn).unwrap();
        if number % 64 == 0 {
            thread::yield_now();
        }
    }
}

/// Runs `test` everywhere, with a window that the noise moves on quickly.
fn everywhere(test: fn(Home, &Subject)) {
    everywhere_with(256, test);
}

fn everywhere_with(window: usize, test: fn(Home, &Subject)) {
    within(120 + rounds(Home::Memory) / 20, move || {
        for home in HOMES {
            let store_test = |store: &Subject| test(home, store);
            home.run(|builder| builder.shards(64).watch_window(window), store_test, |_| {});
        }
    });
}

/// Adds a demand, and others before and after it that always hold.
fn among_others(
    txn: Txn<String, u64>,
    demand: impl FnOnce(Txn<String, u64>) -> Txn<String, u64>,
) -> Txn<String, u64> {
    let txn = txn.require("nothing/1", Precondition::Absent).require_none_under("nothing/");
    demand(txn).require_none_under("nobody/").require("nobody/1", Precondition::Any)
}

fn conflict(outcome: &Outcome) -> &Conflict<String, u64> {
    let error = outcome.as_ref().expect_err("only one can win");
    error.conflict().unwrap_or_else(|| panic!("no conflict: {error}"))
}

/// Exactly one of two won, and the other was told of the winner's key.
fn one_won(round: u64, outcomes: [Outcome; 2], key: impl Fn(usize) -> String) {
    let winners: Vec<usize> = (0..2).filter(|index| outcomes[*index].is_ok()).collect();
    assert_eq!(winners.len(), 1, "round {round}: {outcomes:?}");
    let winner = winners[0];
    let conflict = conflict(&outcomes[1 - winner]);
    assert_eq!(*conflict.key(), key(winner), "round {round}");
    assert_eq!(conflict.revision(), outcomes[winner].as_ref().ok().copied(), "round {round}");
}

#[test]
fn of_two_that_require_an_empty_range_and_fill_it_one_wins() {
    everywhere(|home, store| {
        let key = |round: u64, me: u64| format!("seat/{round}/{me}");
        let act = |me: u64, round: u64| {
            let txn =
                among_others(Txn::new(), |txn| txn.require_none_under(format!("seat/{round}/")));
            store.commit(txn.put(key(round, me), me))
        };
        let judge = |round, one: Outcome, other: Outcome| {
            one_won(round, [one, other], |winner| key(round, u64::try_from(winner).unwrap()));
        };
        race(store, rounds(home), |_| {}, act, judge);
    });
}

/// Two that require the same range unchanged and change it. What the other did, each looks at after it has read the
/// revision since which it asks: with both changes unseen, only one of the two can be committed.
fn race_for_a_page(home: Home, store: &Subject, judge: fn(u64, [(bool, Outcome); 2])) {
    let key = |round: u64, me: u64| format!("page/{round}/{me}");
    let prepare = |round: u64| assert!(store.put(key(round, 0), 7).unwrap().get() > 0);
    let act = |me: u64, round: u64| {
        let since = store.revision();
        let seen = store.get(key(round, 1 - me)).map(|entry| *entry);
        let untouched = seen == (me == 1).then_some(7);
        let txn = among_others(Txn::new(), |txn| {
            txn.require_unchanged_under(format!("page/{round}/"), since)
        });
        // One is overwritten or deleted, the other created.
        let txn = match (me, round % 2) {
            (0, 0) => txn.delete(key(round, 0)),
            _ => txn.put(key(round, me), me),
        };
        (untouched, store.commit(txn))
    };
    race(store, rounds(home), prepare, act, |round, one, other| judge(round, [one, other]));
}

#[test]
fn of_two_that_require_an_unchanged_range_and_change_it_one_wins() {
    everywhere_with(1 << 20, |home, store| {
        race_for_a_page(home, store, |round, outcomes| {
            if outcomes.iter().all(|(untouched, _)| *untouched) {
                let won = outcomes.iter().filter(|(_, told)| told.is_ok()).count();
                assert_eq!(won, 1, "round {round}: {outcomes:?}");
            }
            for error in outcomes.into_iter().filter_map(|(_, told)| told.err()) {
                let conflict = error.conflict().unwrap_or_else(|| panic!("round {round}: {error}"));
                assert!(conflict.key().starts_with(&format!("page/{round}/")), "{round}");
            }
        });
    });
}

#[test]
fn a_change_of_a_range_that_has_left_the_window_is_not_taken_for_none() {
    everywhere_with(64, |home, store| {
        race_for_a_page(home, store, |round, outcomes| {
            if outcomes.iter().all(|(untouched, _)| *untouched) {
                let won = outcomes.iter().filter(|(_, told)| told.is_ok()).count();
                assert!(won <= 1, "round {round}: {outcomes:?}");
            }
        });
    });
}

#[test]
fn a_range_that_a_transaction_saw_empty_is_empty_when_it_is_committed() {
    everywhere(|home, store| {
        let act = |me: u64, round: u64| {
            let prefix = format!("room/{round}/");
            let booked = store.transact(|transaction| {
                transaction.get("nothing/1")?;
                transaction.prefix("nothing/")?;
                let is_free = transaction.prefix(prefix.as_str())?.is_empty();
                transaction.prefix("nobody/")?;
                if is_free {
                    transaction.put(format!("{prefix}{me}"), me);
                }
                Ok(is_free)
            });
            booked.unwrap()
        };
        let judge = |round: u64, one: bool, other: bool| {
            assert!(one != other, "round {round}: booked by {one} and {other}");
            assert_eq!(store.prefix(format!("room/{round}/")).count(), 1);
        };
        race(store, rounds(home), |_| {}, act, judge);
    });
}

#[test]
fn of_two_doctors_on_call_one_stays() {
    everywhere(|home, store| {
        let doctor = |round: u64, me: u64| format!("on call/{round}/{me}");
        let prepare = |round: u64| {
            let txn = (0..2).fold(Txn::new(), |txn, me| txn.put(doctor(round, me), me));
            store.commit(txn).unwrap();
        };
        let act = |me: u64, round: u64| {
            let start = format!("on call/{round}/");
            let end = format!("on call/{round}0");
            let left = store.transact(|transaction| {
                let leaves = transaction.range(start.as_str()..end.as_str())?.len() > 1;
                if leaves {
                    transaction.delete(doctor(round, me));
                }
                Ok(leaves)
            });
            left.unwrap()
        };
        let judge = |round: u64, one: bool, other: bool| {
            assert!(one != other, "round {round}: {one} and {other} have left");
            assert_eq!(store.prefix(format!("on call/{round}/")).count(), 1, "round {round}");
        };
        race(store, rounds(home), prepare, act, judge);
    });
}

#[test]
fn a_team_that_is_in_use_is_not_deleted_and_a_deleted_team_gets_no_member() {
    everywhere(|home, store| {
        let team = |round: u64| format!("team/{round}");
        let member = |round: u64| format!("member/{round}/ada");
        let prepare = |round: u64| assert!(store.put(team(round), 0).unwrap().get() > 0);
        let act = |me: u64, round: u64| {
            let txn = Txn::new();
            store.commit(if me == 0 {
                txn.require_none_under(format!("member/{round}/")).delete(team(round))
            } else {
                txn.require(team(round), Precondition::Present).put(member(round), 1)
            })
        };
        let judge = |round: u64, deletion: Outcome, joining: Outcome| {
            match (&deletion, &joining) {
                (Ok(_), Err(_)) => {
                    let conflict = conflict(&joining);
                    assert_eq!((conflict.key(), conflict.current()), (&team(round), None));
                }
                (Err(_), Ok(joined)) => {
                    let conflict = conflict(&deletion);
                    assert_eq!((conflict.index(), conflict.blocker_count()), (0, 1));
                    assert_eq!(conflict.blockers()[0].0, member(round));
                    assert_eq!(conflict.blockers()[0].1.revision(), *joined);
                }
                _ => panic!("round {round}: {deletion:?} and {joining:?}"),
            }
            assert_eq!(store.contains(team(round)), store.contains(member(round)));
        };
        race(store, rounds(home), prepare, act, judge);
    });
}

#[test]
fn a_single_write_into_a_range_is_before_the_transaction_and_blocks_it_or_after_it() {
    everywhere(|home, store| {
        let act = |me: u64, round: u64| {
            if me == 0 {
                let txn = Txn::new().require_none_under(format!("item/{round}/"));
                store.commit(txn.put(format!("sealed/{round}"), 0))
            } else {
                Ok(store.create(format!("item/{round}/1"), 1).unwrap())
            }
        };
        let judge = |round: u64, sealing: Outcome, item: Outcome| {
            let item = item.unwrap();
            match sealing {
                Ok(sealed) => {
                    assert!(sealed < item, "round {round}: {item} was missed at {sealed}")
                }
                Err(error) => {
                    let conflict = error.conflict().expect("it is blocked");
                    assert_eq!(conflict.revision(), Some(item), "round {round}");
                    assert_eq!(conflict.blocker_count(), 1, "round {round}");
                }
            }
        };
        race(store, rounds(home), |_| {}, act, judge);
    });
}

#[test]
fn what_has_left_the_window_meanwhile_is_looked_at_again() {
    everywhere_with(64, |home, store| {
        let act = |me: u64, round: u64| {
            if me == 0 {
                let txn = Txn::new().require_none_under(format!("item/{round}/"));
                return store.commit(txn.put(format!("sealed/{round}"), 0));
            }
            let item = store.create(format!("item/{round}/1"), 1).unwrap();
            // Each of these is more than the window holds.
            for _ in 0..3 {
                let txn = (0..100).fold(Txn::new(), |txn, key| txn.put(format!("large/{key}"), 0));
                store.commit(txn).unwrap();
            }
            Ok(item)
        };
        race(
            store,
            rounds(home),
            |_| {},
            act,
            |round, sealing, item| {
                let (Ok(item), sealing) = (item, sealing) else {
                    panic!("the item was not created")
                };
                match sealing {
                    Ok(sealed) => {
                        assert!(sealed < item, "round {round}: {item} was missed at {sealed}")
                    }
                    Err(error) => assert_eq!(error.conflict().unwrap().revision(), Some(item)),
                }
            },
        );
    });
}

#[test]
fn a_delete_in_a_range_is_a_change_of_it() {
    everywhere(|home, store| {
        let key = |round: u64| format!("basket/{round}/apple");
        let prepare = |round: u64| assert!(store.put(key(round), 1).unwrap().get() > 0);
        let act = |me: u64, round: u64| {
            if me == 1 {
                return (store.delete(key(round)).unwrap().expect("it is there").revision(), 0);
            }
            let order = format!("order/{round}");
            let ordered = store.transact(|transaction| {
                let basket = transaction.prefix(format!("basket/{round}/"))?;
                transaction.put(&order, u64::try_from(basket.len()).unwrap());
                Ok(())
            });
            ordered.unwrap();
            let order = store.get(&order).expect("it was ordered");
            (order.revision(), *order)
        };
        let judge = |round: u64, order: (Revision, u64), deletion: (Revision, u64)| {
            let expected = u64::from(order.0 < deletion.0);
            assert_eq!(
                order.1, expected,
                "round {round}: ordered at {}, emptied at {}",
                order.0, deletion.0
            );
        };
        race(store, rounds(home) / 2, prepare, act, judge);
    });
}
