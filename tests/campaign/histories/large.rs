//! Large histories: a million calls of real threads, told as fast as they come, and checked in about a second.

use std::time::{Duration, Instant};

use ifmatch::testing::{StoreModel, check};
use ifmatch::{KeyRange, Precondition, Txn};

use super::plan::Verdict;
use super::{Recorder, Store, file};
use crate::common::{Random, together};

const THREADS: u64 = 4;
const CALLS: u64 = 1_000_000;
const KEYS: u64 = 1000;

/// A million calls, and how long they took to be checked.
pub(super) fn million(seed: u64, number: u64) -> Verdict {
    let store = Store::new();
    let recorder = Recorder::new();
    let keys: Vec<_> = (0..KEYS).map(|key| format!("{key:03}")).collect();
    together(THREADS, |thread| {
        let client = recorder.client().of(&store);
        let mut random = Random::of(seed ^ number, thread);
        let mut calls = 0;
        while calls < CALLS / THREADS {
            calls += 1;
            let key = random.pick(&keys).as_str();
            match random.below(12) {
                0..=4 => drop(client.get(key)),
                5..=7 => {
                    let seen = client.get(key);
                    calls += 1;
                    let expected = seen.as_ref().map_or(Precondition::Absent, |seen| seen.into());
                    let _conflict = client.put_if(key, random.next(), expected);
                }
                8 => drop(client.delete(key)),
                9 => drop(client.revision()),
                10 => {
                    let other = random.pick(&keys).as_str();
                    let txn = Txn::new().require(key, Precondition::Present).put(key, 1);
                    let txn = if key == other { txn } else { txn.delete(other) };
                    let _conflict = client.commit(txn);
                }
                _ => drop(client.scan(range(&keys, &mut random))),
            }
        }
    });
    let history = recorder.take();
    let (started, cpu) = (Instant::now(), cpu_time());
    let checked = check(&StoreModel::new(), &history);
    let (time, cpu) = (started.elapsed(), cpu_time() - cpu);
    println!(
        "million {number}: {} calls checked in {time:.2?}, {cpu:.2?} of a core",
        history.len()
    );
    match checked {
        Ok(_) => Ok(()),
        Err(_) => file::check(&history, &format!("{seed}-million-{number}")),
    }
}

/// What this thread has used, where that is known: others use the machine, too.
fn cpu_time() -> Duration {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
    }
    #[cfg(not(unix))]
    Duration::ZERO
}

/// A few keys in a row.
fn range(keys: &[String], random: &mut Random) -> KeyRange<String> {
    let start = usize::try_from(random.below(KEYS - 4)).unwrap();
    ifmatch::AsRange::into_range(keys[start].as_str()..keys[start + 4].as_str())
}
