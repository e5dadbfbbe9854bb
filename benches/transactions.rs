//! What does a transaction cost beside as many single puts?
//!
//! One thread, 100,000 keys drawn at random: transactions of 1, 3, 10 and 100 keys, beside single puts of the same keys.
//! Shown are CPU nanoseconds a key, the ratio to the single puts, and transactions per CPU second. A precondition on
//! each key, and one on the range of all keys, are shown beside that.
//!
//! Then transfers between 100 accounts by `transact()`, which reads two, writes two, and is tried again if it lost a
//! race; by 1, 2 and 8 threads. Shown are transfers per second by the clock.
//!
//!     cargo bench --bench transactions              # about a minute
//!     cargo bench --bench transactions -- --quick   # seconds: shows only that it works
#![forbid(unsafe_code)]
#![allow(clippy::as_conversions, reason = "figures are floats")]

mod measure;

use ifmatch::{Precondition, Txn};
use measure::{Random, Samples, cpu_seconds, header, key, row, seconds, serious};

type Store = ifmatch::Store<String, [u8; 100]>;

const KEYS: u32 = 100_000;
const SIZES: [usize; 4] = [1, 3, 10, 100];

type Writer = (&'static str, fn(&Store, &[String]));

fn puts(keys: &[String]) -> Txn<String, [u8; 100]> {
    keys.iter().fold(Txn::new(), |txn, key| txn.put(key, [2; 100]))
}

fn commit(store: &Store, txn: Txn<String, [u8; 100]>) {
    store.commit(txn).expect("all of it holds");
}

/// Each writes the keys of one transaction. The first is the base of all ratios.
const WRITERS: [Writer; 4] = [
    ("single puts", |store, keys| {
        for key in keys {
            store.put(key, [2; 100]).expect("no limit is set");
        }
    }),
    ("a transaction", |store, keys| commit(store, puts(keys))),
    ("each key has to exist", |store, keys| {
        let require = |txn: Txn<_, _>, key| txn.require(key, Precondition::Present);
        commit(store, keys.iter().fold(puts(keys), require));
    }),
    ("nothing may be under a prefix", |store, keys| {
        commit(store, puts(keys).require_none_under("nothing/"));
    }),
];

fn sizes(rounds: usize, updates: usize) {
    let store = Store::new();
    (0..KEYS).for_each(|at| assert!(store.put(key(at), [1; 100]).is_ok()));
    let mut samples = vec![vec![Samples::default(); WRITERS.len()]; SIZES.len()];
    let mut random = Random(1);
    for round in 0..rounds {
        for (size, samples) in SIZES.iter().zip(&mut samples) {
            let count = updates / size;
            let distinct = |random: &mut Random| {
                // Neighbours, so that no key comes twice.
                let first = random.below(KEYS - 100);
                (0..*size as u32).map(|at| key(first + at * 7_919 % 100)).collect::<Vec<_>>()
            };
            let traces: Vec<_> = (0..count).map(|_| distinct(&mut random)).collect();
            for turn in 0..WRITERS.len() {
                let writer = (round + turn) % WRITERS.len();
                let write = WRITERS[writer].1;
                let seconds = cpu_seconds(|| traces.iter().for_each(|keys| write(&store, keys)));
                samples[writer].push(seconds * 1e9 / (count * size) as f64);
            }
        }
    }
    header(&["CPU ns a key; ratio", "1 key", "3 keys", "10 keys", "100 keys"]);
    for (at, (name, _)) in WRITERS.iter().enumerate() {
        let cells: Vec<String> = samples
            .iter()
            .map(|of| format!("{:.0}; {}", of[at].median(), of[at].over(&of[0])))
            .collect();
        row(&[name, &cells[0], &cells[1], &cells[2], &cells[3]]);
    }
    let rate = |of: &[Samples], size: &usize| 1e6 / (of[1].median() * *size as f64);
    let rates: Vec<String> =
        samples.iter().zip(&SIZES).map(|(of, size)| format!("{:.0}", rate(of, size))).collect();
    row(&[&"thousand transactions per CPU second", &rates[0], &rates[1], &rates[2], &rates[3]]);
}

type Bank = ifmatch::Store<u32, i64>;

/// Transfers by `threads`; by the clock, per second.
fn transfers(bank: &Bank, threads: usize, each: u32) -> f64 {
    let seconds = seconds(|| {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    let mut random = Random(thread as u64);
                    for _ in 0..each {
                        let (from, other) = (random.below(100), random.below(99));
                        let to = (from + 1 + other) % 100;
                        transfer(bank, from, to);
                    }
                });
            }
        });
    });
    threads as f64 * f64::from(each) / seconds
}

fn transfer(bank: &Bank, from: u32, to: u32) {
    let done = bank.transact(|t| {
        let [mut source, mut target] = [0, 0];
        for (account, balance) in [(from, &mut source), (to, &mut target)] {
            *balance = *t.get(account)?.expect("every account exists");
        }
        t.put(from, source - 1);
        t.put(to, target + 1);
        Ok(())
    });
    done.expect("it wins in the end");
}

fn bank(rounds: usize, each: u32) {
    let bank = Bank::new();
    (0..100).for_each(|account| assert!(bank.put(account, 1_000).is_ok()));
    let threads = [1, 2, 8];
    let mut samples = threads.map(|_| Samples::default());
    for _ in 0..rounds {
        for (threads, samples) in threads.iter().zip(&mut samples) {
            samples.push(transfers(&bank, *threads, each / *threads as u32) / 1e3);
        }
    }
    let total: i64 = bank.iter().map(|(_, balance)| *balance).sum();
    assert_eq!(total, 100_000, "no money is made or lost");
    header(&["transfers between 100 accounts", "1 thread", "2 threads", "8 threads"]);
    let cells = samples.map(|of| {
        format!("{:.0} k/s ({:.0}-{:.0})", of.median(), of.quantile(0.25), of.quantile(0.75))
    });
    row(&[&"`transact()`", &cells[0], &cells[1], &cells[2]]);
}

fn main() {
    let (rounds, updates) = if serious() { (9, 300_000) } else { (1, 2_000) };
    println!("{KEYS} keys, {updates} updates a round, {rounds} rounds");
    sizes(rounds, updates);
    bank(rounds, if serious() { 200_000 } else { 2_000 });
}
