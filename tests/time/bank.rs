//! Transfers between accounts: money is neither made nor lost, at any revision that anybody sees.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ifmatch::{Store, TransactError, Txn, WatchError};

use crate::common::{Raises, Random, from_env, together, within};
use crate::home::{HOMES, Home};

const THREADS: u64 = 8;
const ACCOUNTS: u64 = 100;
const DEPOSIT: u64 = 100;
const TOTAL: u64 = ACCOUNTS * DEPOSIT;

type Bank = Store<String, u64>;

/// The business rule: nobody owes the bank.
#[derive(Debug, PartialEq, Eq)]
struct Overdraft {
    missing: u64,
}

impl fmt::Display for Overdraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} too little", self.missing)
    }
}

impl std::error::Error for Overdraft {}

fn account(number: u64) -> String {
    format!("account/{number:03}")
}

fn open_accounts(bank: &Bank) {
    let txn = (0..ACCOUNTS).fold(Txn::new(), |txn, number| txn.put(account(number), DEPOSIT));
    bank.commit(txn).unwrap();
}

/// Transfers what may be more than there is. Whether it was.
fn transfer(bank: &Bank, from: &str, to: &str, amount: u64) -> bool {
    let mut broken = 0;
    let outcome = bank.transact(|transaction| {
        assert_eq!(broken, 0, "a broken rule is not tried again");
        let balance = *transaction.get(from)?.expect("it was opened");
        let Some(left) = balance.checked_sub(amount) else {
            broken += 1;
            return Err(Overdraft { missing: amount - balance }.into());
        };
        transaction.put(from, left);
        // Read after the write, so that a transfer to oneself changes nothing.
        let other = *transaction.get(to)?.expect("it was opened");
        transaction.put(to, other + amount);
        Ok(left)
    });
    match outcome {
        Ok(_) => true,
        Err(error @ TransactError::Aborted(_)) => {
            assert_eq!(broken, 1);
            let missing = error.downcast_ref::<Overdraft>().expect("the bank's own").missing;
            assert!((1..=amount).contains(&missing));
            let back = error.downcast::<Overdraft>().expect("the bank's own");
            assert_eq!(back, Overdraft { missing });
            false
        }
        Err(other) => panic!("{other}"),
    }
}

/// Sums the accounts by snapshot, scan and transaction for as long as the bank is open. How often it did.
fn audit(bank: &Bank, is_closed: &AtomicBool, seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut sums = 0;
    let mut held = Vec::new();
    while !is_closed.load(Ordering::Acquire) {
        let sum: u64 = match random.below(4) {
            0 => bank.prefix("account/").map(|(_, balance)| *balance).sum(),
            1 => bank
                .transact(|transaction| {
                    Ok(transaction.prefix("account/")?.iter().map(|(_, read)| **read).sum())
                })
                .unwrap(),
            2 => {
                let snapshot = bank.snapshot();
                let sum = (0..ACCOUNTS).map(|number| *snapshot.get(account(number)).unwrap()).sum();
                held.push(snapshot);
                held.truncate(5);
                sum
            }
            _ => match held.pop() {
                Some(snapshot) => snapshot.iter().rev().map(|(_, balance)| *balance).sum(),
                None => TOTAL,
            },
        };
        assert_eq!(sum, TOTAL);
        sums += 1;
    }
    sums
}

/// Follows every commit, and sums after each. The balances in the end.
fn follow(bank: &Bank, is_closed: &AtomicBool) -> BTreeMap<String, u64> {
    let snapshot = bank.snapshot();
    let mut revision = snapshot.revision();
    let mut balances: BTreeMap<String, u64> =
        snapshot.iter().map(|(key, balance)| (key, *balance)).collect();
    drop(snapshot);
    let mut watch = bank.watch().since(revision).with_previous().open().unwrap();
    loop {
        let was_closed = is_closed.load(Ordering::Acquire);
        match watch.recv_timeout(Duration::from_millis(1)) {
            Ok(commit) => {
                assert_eq!(commit.revision().get(), revision.get() + 1, "none is left out");
                revision = commit.revision();
                for event in commit.events() {
                    let previous = event.previous().map(|balance| **balance);
                    let balance = **event.entry().expect("accounts are never closed");
                    let before = balances.insert(event.key().clone(), balance);
                    assert_eq!(previous, before);
                }
                assert_eq!(balances.values().sum::<u64>(), TOTAL, "at {revision}");
            }
            Err(WatchError::Timeout) if was_closed => return balances,
            Err(WatchError::Timeout) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

fn run(home: Home, transfers: u64) {
    let test = |bank: &Bank| {
        open_accounts(bank);
        let is_closed = AtomicBool::new(false);
        let refused = AtomicU64::new(0);
        thread::scope(|scope| {
            let follower = scope.spawn(|| follow(bank, &is_closed));
            let auditors: Vec<_> = (0..2)
                .map(|seed| {
                    scope.spawn({
                        let is_closed = &is_closed;
                        move || audit(bank, is_closed, seed)
                    })
                })
                .collect();
            let at_the_end = Raises(&is_closed);
            together(THREADS, |thread| {
                let mut random = Random(thread);
                for _ in 0..transfers / THREADS {
                    // A few accounts have most of the traffic.
                    let few = 1 + random.below(ACCOUNTS);
                    let (from, to) = (account(random.below(few)), account(random.below(ACCOUNTS)));
                    if !transfer(bank, &from, &to, 1 + random.below(DEPOSIT)) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            drop(at_the_end);
            let balances = follower.join().unwrap();
            let sums: u64 = auditors.into_iter().map(|auditor| auditor.join().unwrap()).sum();
            assert!(sums > 0, "nobody audited");
            let now = bank.iter().map(|(key, balance)| (key, *balance));
            assert_eq!(now.collect::<BTreeMap<_, _>>(), balances, "{home:?}");
        });
        let refused = refused.load(Ordering::Relaxed);
        assert!(refused > 0, "no transfer was ever refused");
        let committed = transfers / THREADS * THREADS - refused;
        assert_eq!(bank.revision().get(), 2 + committed, "the refused took no revision");
    };
    let check = |bank: &Bank| {
        assert_eq!(bank.iter().map(|(_, balance)| *balance).sum::<u64>(), TOTAL, "{home:?}");
    };
    home.run(|builder| builder.watch_window(1 << 20), test, check);
}

#[test]
fn every_sum_of_all_accounts_is_the_same_at_every_revision() {
    let transfers = from_env("IFMATCH_TRANSFERS", 8_000);
    within(120 + transfers / 200, move || {
        for home in HOMES {
            run(home, if home == Home::Memory { transfers } else { transfers / 8 });
        }
    });
}
