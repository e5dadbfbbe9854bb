//! What a store takes: memory, time to open, room on the disk. Less is better.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Plan;
use crate::engine::{Contender, KEY_BYTES, VALUE_BYTES};
use crate::engines::{BY_HAND, BY_HAND_LOG, OURS};
use crate::line::{Figure, Line, Target, Unit};
use crate::measure::Series;
use crate::process::Process;
use crate::turns::Turns;
use crate::workload::Home;

/// As on the command line.
pub const NAMES: [&str; 2] = ["memory", "open"];

/// How often each key has been written once more, about, at the first and at the last look at the disk and at how long opening
/// takes: a log grows until it is compacted, so that one look would be luck.
const UPDATES: [u64; 2] = [4, 6];
/// As far from each other as the next.
const LOOKS: u64 = 6;

/// How long each may take for the first of these updates, and for all that come after.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(30)];

/// How often each is opened after it was filled.
const OPENINGS: usize = 5;

/// How many processes are filled.
const FILLS: usize = 5;

/// Of others than ours and its rival, who takes more seconds than this is filled once.
const SLOW: f64 = 3.0;

/// Bytes of memory for a key, by how much the process grew while it was filled.
pub fn memory(plan: &Plan) -> Vec<Line> {
    let of = |home: Home, rival, target| {
        let contenders = home.contenders();
        let mut taken = vec![Series::default(); contenders.len()];
        let mut is_slow = vec![false; contenders.len()];
        let mut turns = Turns::of(&format!("memory {}", home.name()));
        for _ in 0..FILLS {
            for index in turns.next(contenders.len()) {
                if is_slow[index] {
                    continue;
                }
                let directory = plan.data.directory();
                let (_, filled) =
                    Process::start(home, contenders[index], directory.path(), plan.keys);
                taken[index].0.push(filled.resident_bytes as f64 / f64::from(plan.keys));
                let is_held = [OURS, rival].contains(&contenders[index].name);
                is_slow[index] = !is_held && filled.seconds > SLOW;
            }
        }
        let figures = contenders.iter().zip(taken);
        let figures = figures.map(|(contender, bytes)| Figure::new(contender.name, bytes));
        let (heading, figure) = match home {
            Home::Memory => ("Memory, of what is in memory alone", "in memory"),
            _ => ("Memory, of what is on a log, caches included", "on a log"),
        };
        Line {
            heading,
            workload: "memory",
            threads: 0,
            figure,
            unit: Unit::BytesAKey,
            target,
            rival: Some(rival),
            figures: figures.collect(),
            missing: None,
            by_cpu_time: None,
        }
    };
    vec![of(Home::Memory, BY_HAND, Some(Target::Ratio(0.95))), of(Home::Logged, BY_HAND_LOG, None)]
}

/// A contender with a log, and what is known of it.
struct Opened {
    contender: Contender,
    directory: PathBuf,
    filled: Series,
    updated: Series,
    /// Bytes.
    disk: Series,
}

impl Opened {
    fn new(contender: Contender, parent: &Path, keys: u32) -> Self {
        let directory = parent.join(contender.name);
        std::fs::create_dir(&directory).expect("it is new");
        drop(Process::start(Home::Logged, contender, &directory, keys));
        let [filled, updated, disk] = [const { Series(Vec::new()) }; 3];
        Self { contender, directory, filled, updated, disk }
    }

    fn open(&self) -> (Process, f64) {
        let (process, opened) = Process::start(Home::Logged, self.contender, &self.directory, 0);
        (process, opened.seconds)
    }

    /// Is updated, looked at and opened, and so on. Returns how often it was updated.
    fn update(&mut self, keys: u32) -> u64 {
        let begin = Instant::now();
        let [first, last] = UPDATES.map(|updates| updates * u64::from(keys));
        let step = (last - first) / (LOOKS - 1);
        let (mut process, _) = self.open();
        let mut done = process.update(keys, first, 0, PATIENCE[0]);
        let patience = begin.elapsed() + PATIENCE[1];
        for look in 1..=LOOKS {
            // A clean end.
            drop(process);
            self.disk.0.push(bytes_in(&self.directory) as f64);
            let seconds;
            (process, seconds) = self.open();
            self.updated.0.push(seconds);
            if look < LOOKS {
                let at_most = patience.saturating_sub(begin.elapsed());
                done += process.update(keys, step, look, at_most);
            }
        }
        done
    }
}

/// Seconds to open a store after it was filled, and after it was updated; and what it has on the disk then. Who is slow to
/// update is not waited for, which is noted.
pub fn open(plan: &Plan) -> (Vec<Line>, Vec<String>) {
    let directory = plan.data.directory();
    let contenders = Home::Logged.contenders().iter();
    let mut all: Vec<_> =
        contenders.map(|contender| Opened::new(*contender, directory.path(), plan.keys)).collect();
    let mut turns = Turns::of("open");
    for _ in 0..OPENINGS {
        for index in turns.next(all.len()) {
            let (_, seconds) = all[index].open();
            all[index].filled.0.push(seconds);
        }
    }
    let (least, most) = (UPDATES[0] * u64::from(plan.keys), UPDATES[1] * u64::from(plan.keys));
    let mut notes = Vec::new();
    for one in &mut all {
        let (done, name) = (one.update(plan.keys), one.contender.name);
        // The steps are rounded.
        if done + LOOKS < most {
            let [first, rest] = PATIENCE.map(|patience| patience.as_secs());
            notes.push(format!(
                "open: {name} had {done} of {least} to {most} updates after {first} s and {rest} s, and no more"
            ));
        }
        eprintln!("open: {name} has been updated {done} times");
    }
    let line = |figure, unit, target, of: fn(&Opened) -> Series| Line {
        heading: "Opening, and the disk, after a clean end",
        workload: "open",
        threads: 0,
        figure,
        unit,
        target: Some(target),
        rival: Some(BY_HAND_LOG),
        figures: all.iter().map(|one| Figure::new(one.contender.name, of(one))).collect(),
        missing: None,
        by_cpu_time: None,
    };
    let filled = line("filled", Unit::Seconds, Target::Ratio(0.6), |one| one.filled.clone());
    let updated = line("after 4 to 6 updates a key", Unit::Seconds, Target::Ratio(0.6), |one| {
        one.updated.clone()
    });
    let mut disk = line(
        "the disk after 4 to 6 updates a key",
        Unit::BytesALiveByte,
        Target::Amount(2.0),
        |one| one.disk.clone(),
    );
    let live = f64::from(plan.keys) * (KEY_BYTES + VALUE_BYTES) as f64;
    for figure in &mut disk.figures {
        figure.series.0.iter_mut().for_each(|bytes| *bytes /= live);
    }
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
