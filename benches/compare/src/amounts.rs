//! What a store takes: memory, time to open, room on the disk. Less is better.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Plan;
use crate::engine::{Contender, KEY_BYTES, VALUE_BYTES};
use crate::engines::{BY_HAND, BY_HAND_LOG};
use crate::line::{Figure, Line, Target, Unit};
use crate::measure::Series;
use crate::process::Process;
use crate::workload::Home;

/// As on the command line.
pub const NAMES: [&str; 2] = ["memory", "open"];

/// How often a store that was filled is written once more before it is opened again.
const UPDATES: u64 = 5;

/// How long each may take for that.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often each is opened.
const OPENINGS: usize = 5;

/// Bytes of memory for a key, by how much the process grew while it was filled.
pub fn memory(plan: &Plan) -> Vec<Line> {
    let of = |home: Home, rival, target| {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let taken = home.contenders().iter().map(|contender| {
            let own = own(directory.path(), contender);
            let (_, filled) = Process::start(home, *contender, &own, plan.keys);
            let bytes = filled.resident_bytes as f64 / f64::from(plan.keys);
            Figure::new(contender.name, Series(vec![bytes]))
        });
        Line {
            heading: "Memory, of what is in memory alone and of what is on a log, caches included",
            workload: "memory",
            threads: 0,
            figure: if home == Home::Memory { "in memory" } else { "on a log" },
            unit: Unit::BytesAKey,
            target,
            rival: Some(rival),
            figures: taken.collect(),
            by_cpu_time: None,
        }
    };
    vec![of(Home::Memory, BY_HAND, Some(Target::Ratio(0.95))), of(Home::Logged, BY_HAND_LOG, None)]
}

fn own(directory: &Path, contender: &Contender) -> PathBuf {
    let own = directory.join(contender.name);
    std::fs::create_dir(&own).expect("it is new");
    own
}

/// Seconds to open a store after it was filled, and after it was updated; and what it has on the disk then. Who is slow to
/// update is not waited for, which is noted.
pub fn open(plan: &Plan) -> (Vec<Line>, Vec<String>) {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let homes: Vec<_> = Home::Logged
        .contenders()
        .iter()
        .map(|contender| {
            let own = own(directory.path(), contender);
            drop(Process::start(Home::Logged, *contender, &own, plan.keys));
            (contender, own)
        })
        .collect();
    let line = |figure, unit, target, figures: Vec<Series>| {
        let figures = homes.iter().zip(figures);
        let figures = figures.map(|((contender, _), series)| Figure::new(contender.name, series));
        Line {
            heading: "Opening, and the disk, after a clean end",
            workload: "open",
            threads: 0,
            figure,
            unit,
            target: Some(target),
            rival: Some(BY_HAND_LOG),
            figures: figures.collect(),
            by_cpu_time: None,
        }
    };
    let opened = || {
        let mut seconds = vec![Series::default(); homes.len()];
        for _ in 0..OPENINGS {
            for (series, (contender, own)) in seconds.iter_mut().zip(&homes) {
                let (_, opened) = Process::start(Home::Logged, **contender, own, 0);
                series.0.push(opened.seconds);
            }
        }
        seconds
    };
    let filled = line("filled", Unit::Seconds, Target::Ratio(0.6), opened());
    let (updates, mut notes) = (UPDATES * u64::from(plan.keys), Vec::new());
    for (contender, own) in &homes {
        let (mut process, _) = Process::start(Home::Logged, **contender, own, 0);
        let done = process.update(plan.keys, updates, PATIENCE);
        if done < updates {
            let (name, patience) = (contender.name, PATIENCE.as_secs());
            notes.push(format!(
                "open: {name} had {done} of {updates} updates after {patience} s, and no more"
            ));
        }
        eprintln!("open: {} has been updated {done} times", contender.name);
    }
    let updated =
        line("each key written 5 times more", Unit::Seconds, Target::Ratio(0.6), opened());
    let live = f64::from(plan.keys) * (KEY_BYTES + VALUE_BYTES) as f64;
    let disk = homes.iter().map(|(_, own)| Series(vec![bytes_in(own) as f64 / live]));
    let disk = line("then the disk", Unit::BytesALiveByte, Target::Amount(2.0), disk.collect());
    (vec![filled, updated, disk], notes)
}

/// Of files, by the blocks that they take: what is set aside counts, holes do not.
fn bytes_in(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;

    let entries = std::fs::read_dir(directory).expect("the directory is ours");
    let bytes = entries.map(|entry| {
        let entry = entry.expect("the directory is ours");
        let data = entry.metadata().expect("it is there");
        if data.is_dir() { bytes_in(&entry.path()) } else { data.blocks() * 512 }
    });
    bytes.sum()
}
