//! By how much has been written to the log: how long it takes to open, with as many keys as ever.

use std::time::Duration;

use super::{Growth, Reach, extend};
use crate::Plan;
use crate::engine::{KEY_BYTES, VALUE_BYTES};
use crate::engines::{BY_HAND_LOG, OURS};
use crate::line::Unit;
use crate::measure::Series;
use crate::plot::Scale;
use crate::process::Process;
use crate::turns::Turns;
use crate::workload::Home;

/// How often each is opened at each of the looks.
const OPENINGS: usize = 5;

/// Of what the one by hand writes for a key.
const RECORD_BYTES: u64 = 24 + (KEY_BYTES + VALUE_BYTES) as u64;

/// Before each place there is a look at so much of the least that a compaction of ours waits for: how much there is to read
/// depends on when the last one was.
const BEFORE: f64 = 0.4;

/// That least, if what is live is not more.
const COMPACTED: u64 = 64 << 20;

pub fn growth(plan: &Plan, reach: Reach) -> [Growth; 1] {
    // In megabytes.
    let (places, keys): (&[u64], u32) = match reach {
        Reach::Tiny => (&[1, 3], 2_000),
        Reach::Quick => (&[30, 100, 300], 100_000),
        Reach::Full => (&[140, 300, 1_000, 3_000, 10_000], 1_000_000),
    };
    let directory = plan.data.directory();
    let contenders = Home::Logged.contenders().iter();
    let contenders: Vec<_> = contenders
        .filter(|one| [OURS, BY_HAND_LOG].contains(&one.name))
        .map(|one| {
            let own = directory.path().join(one.name);
            std::fs::create_dir(&own).expect("it is new");
            drop(Process::start(Home::Logged, *one, &own, keys));
            (*one, own)
        })
        .collect();
    let (mut curves, mut written) = (Vec::new(), u64::from(keys));
    let distance = COMPACTED.max(u64::from(keys) * RECORD_BYTES);
    let before = (distance as f64 * BEFORE) as u64 / RECORD_BYTES;
    let mut turns = Turns::of("growth log");
    for megabytes in places {
        let records = (megabytes * 1_000_000 / RECORD_BYTES).max(written);
        let mut seconds = vec![Series::default(); contenders.len()];
        let looks = [records.saturating_sub(before), records];
        let before_it = written;
        for look in looks.into_iter().filter(|look| *look >= before_it) {
            for (one, own) in &contenders {
                let (mut process, _) = Process::start(Home::Logged, *one, own, 0);
                process.update(keys, look - written, written, Duration::MAX);
            }
            written = look;
            for _ in 0..OPENINGS {
                for index in turns.next(contenders.len()) {
                    let (one, own) = &contenders[index];
                    let opened = Process::start(Home::Logged, *one, own, 0).1;
                    seconds[index].0.push(opened.seconds);
                }
            }
        }
        let names = contenders.iter().map(|(one, _)| one.name.to_owned());
        extend(&mut curves, *megabytes as f64, names.zip(seconds));
    }
    let title = "opening after a clean end";
    let by = "MB written before";
    let note = format!(
        "At each size each is opened {OPENINGS} times, and {OPENINGS} times {:.0} MB before it, if more than that had been \
         written since the size before: how much of ours there is to read depends on when it was compacted last",
        (before * RECORD_BYTES) as f64 / 1e6
    );
    [Growth {
        file: "growth-log-open.svg",
        title,
        by,
        unit: Unit::Seconds,
        scale: Scale::Logarithmic,
        curves,
        notes: vec![note],
    }]
}
