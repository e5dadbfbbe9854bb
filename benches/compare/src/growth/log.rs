//! By how much has been written to the log: how long it takes to open, with as many keys as ever.

use std::time::Duration;

use super::{Growth, Reach, extend};
use crate::engine::{KEY_BYTES, VALUE_BYTES};
use crate::engines::{BY_HAND_LOG, OURS};
use crate::line::Unit;
use crate::measure::Series;
use crate::process::Process;
use crate::workload::Home;

/// How often each is opened.
const OPENINGS: usize = 3;

/// Of what the one by hand writes for a key.
const RECORD_BYTES: u64 = 24 + (KEY_BYTES + VALUE_BYTES) as u64;

pub fn growth(reach: Reach) -> [Growth; 1] {
    // In megabytes.
    let (places, keys): (&[u64], u32) = match reach {
        Reach::Tiny => (&[1, 3], 2_000),
        Reach::Quick => (&[30, 100, 300], 100_000),
        Reach::Full => (&[140, 300, 1_000, 3_000, 10_000], 1_000_000),
    };
    let directory = tempfile::tempdir().expect("a directory for temporary files");
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
    for megabytes in places {
        let records = (megabytes * 1_000_000 / RECORD_BYTES).max(written);
        for (one, own) in &contenders {
            let (mut process, _) = Process::start(Home::Logged, *one, own, 0);
            process.update(keys, records - written, Duration::MAX);
        }
        written = records;
        let mut seconds = vec![Series::default(); contenders.len()];
        for _ in 0..OPENINGS {
            for (series, (one, own)) in seconds.iter_mut().zip(&contenders) {
                series.0.push(Process::start(Home::Logged, *one, own, 0).1.seconds);
            }
        }
        let names = contenders.iter().map(|(one, _)| one.name.to_owned());
        extend(&mut curves, *megabytes as f64, names.zip(seconds));
    }
    let title = "opening after a clean end";
    let by = "MB written before";
    [Growth { file: "growth-log-open.svg", title, by, unit: Unit::Seconds, curves }]
}
