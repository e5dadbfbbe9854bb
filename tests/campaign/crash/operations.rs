//! What a run does, decided before it begins.

use ifmatch::testing::disk::Fault;

use super::camera::Crash;
use crate::common::Random;

/// Keys are less than this.
pub(super) const KEYS: u64 = 8;

/// A step of a workload. Sizes are in bytes.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Put {
        key: u64,
        size: usize,
    },
    /// On condition that nobody wrote meanwhile, or, if it is `stale`, on one that fails.
    PutIf {
        key: u64,
        size: usize,
        stale: bool,
    },
    Create {
        key: u64,
        size: usize,
    },
    Delete {
        key: u64,
    },
    DeleteIf {
        key: u64,
        stale: bool,
    },
    /// Puts, and deletes what is there, of several keys; `fails` adds a condition that does not hold.
    Commit {
        keys: Vec<u64>,
        size: usize,
        fails: bool,
    },
    Update {
        key: u64,
        size: usize,
    },
    /// Swaps two values, as a closure.
    Swap {
        keys: [u64; 2],
    },
    /// Submits all, then waits for each.
    Batch {
        keys: Vec<u64>,
        size: usize,
    },
    Read {
        key: u64,
    },
    Scan,
    Snapshot,
    Watch,
    Sync,
    Compact,
    /// While others write.
    CompactBeside {
        keys: Vec<u64>,
        size: usize,
    },
    /// Closes in good order, and opens again.
    Reopen,
    /// Drops the store without a word, and opens again.
    Drop,
    /// Crashes before the call that comes after so many others.
    Crash {
        crash: Crash,
        after: u64,
    },
    /// Lets the call go wrong that comes after so many others.
    Fail {
        fault: Fault,
        after: u64,
    },
    /// From now on there is room for so many bytes more, or without limit.
    Capacity {
        more: Option<usize>,
    },
}

/// A random workload of so many steps.
pub(super) fn random(random: &mut Random, steps: u64) -> Vec<Operation> {
    let faulty = random.one_in(2);
    (0..steps).map(|_| step(random, faulty)).collect()
}

fn step(random: &mut Random, faulty: bool) -> Operation {
    let key = random.below(KEYS);
    let size = size(random);
    let keys =
        |random: &mut Random| (0..2 + random.below(3)).map(|at| (key + at * 3) % KEYS).collect();
    match random.below(100) {
        0..=17 => Operation::Put { key, size },
        18..=25 => Operation::PutIf { key, size, stale: random.one_in(3) },
        26..=30 => Operation::Create { key, size },
        31..=36 => Operation::Delete { key },
        37..=39 => Operation::DeleteIf { key, stale: random.one_in(3) },
        40..=49 => Operation::Commit { keys: keys(random), size, fails: random.one_in(4) },
        50..=52 => Operation::Update { key, size },
        53..=55 => Operation::Swap { keys: [key, (key + 1) % KEYS] },
        56..=63 => Operation::Batch { keys: keys(random), size },
        64..=66 => Operation::Read { key },
        67..=68 => Operation::Scan,
        69..=70 => Operation::Snapshot,
        71..=72 => Operation::Watch,
        73..=76 => Operation::Sync,
        77..=79 => Operation::Compact,
        80..=82 => Operation::CompactBeside { keys: keys(random), size },
        83..=85 => Operation::Reopen,
        86 => Operation::Drop,
        87..=91 => {
            let crash = *random.pick(&[Crash::Kill, Crash::PowerCut]);
            Operation::Crash { crash, after: random.below(12) }
        }
        92..=93 => {
            let more = (!random.one_in(3)).then(|| usize::try_from(random.below(6000)).unwrap());
            Operation::Capacity { more: more.filter(|_| faulty) }
        }
        _ if faulty => {
            Operation::Fail { fault: *random.pick(&Fault::ALL), after: random.below(25) }
        }
        _ => Operation::Put { key, size },
    }
}

fn size(random: &mut Random) -> usize {
    let most = *random.pick(&[4, 40, 40, 200, 900]);
    usize::try_from(random.below(most)).unwrap()
}

/// Workloads that between them make each kind of call in each phase.
pub(super) fn fixed() -> Vec<Vec<Operation>> {
    use Operation as O;
    let put = |key, size| O::Put { key, size };
    let keys = || vec![0, 1, 2];
    let small = vec![
        put(0, 10),
        O::PutIf { key: 0, size: 10, stale: false },
        O::PutIf { key: 0, size: 10, stale: true },
        O::Create { key: 1, size: 300 },
        O::Commit { keys: keys(), size: 20, fails: false },
        O::Commit { keys: keys(), size: 20, fails: true },
        O::Delete { key: 1 },
        O::DeleteIf { key: 2, stale: true },
        O::Batch { keys: vec![3, 4, 5], size: 30 },
        O::Watch,
        O::Snapshot,
        O::Sync,
        O::Reopen,
        O::Read { key: 0 },
        put(6, 10),
        O::Watch,
        O::Reopen,
        O::Scan,
    ];
    let rotating = vec![
        put(0, 800),
        put(1, 900),
        put(2, 900),
        O::Snapshot,
        put(0, 900),
        put(3, 900),
        O::Batch { keys: keys(), size: 800 },
        O::Swap { keys: [0, 1] },
        put(1, 900),
        O::Crash { crash: Crash::Kill, after: 0 },
        O::Watch,
        put(4, 10),
        O::Update { key: 4, size: 20 },
        O::Crash { crash: Crash::PowerCut, after: 1 },
        put(5, 900),
        O::Drop,
        put(5, 900),
    ];
    let compacting = vec![
        put(0, 900),
        put(1, 900),
        O::Delete { key: 0 },
        O::Compact,
        put(2, 900),
        O::Compact,
        O::Reopen,
        put(2, 400),
        put(3, 900),
        put(4, 900),
        O::Crash { crash: Crash::Kill, after: 0 },
        O::Compact,
        O::Delete { key: 3 },
        O::CompactBeside { keys: keys(), size: 50 },
        O::Reopen,
        put(3, 10),
        O::CompactBeside { keys: keys(), size: 300 },
        O::Crash { crash: Crash::PowerCut, after: 0 },
        put(3, 10),
        O::Compact,
        O::Scan,
    ];
    // What a compaction is interrupted in, at each of its calls, is found by what comes next.
    let interrupted = (0..20).step_by(3).flat_map(|after| {
        [
            put(after % KEYS, 500),
            O::Commit { keys: keys(), size: 100, fails: false },
            O::Crash { crash: if after % 2 == 0 { Crash::Kill } else { Crash::PowerCut }, after },
            O::Compact,
            O::Watch,
        ]
    });
    vec![small, rotating, compacting, interrupted.collect()]
}
