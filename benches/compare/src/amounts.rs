//! What a store takes: memory, time to open, room on the disk. Less is better.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

use crate::Plan;
use crate::engine::{KEY_BYTES, VALUE_BYTES};
use crate::engines::{BY_HAND, BY_HAND_LOG, OURS};
use crate::measure::Series;
use crate::process::Process;
use crate::workload::Home;

/// As on the command line.
pub const NAMES: [&str; 2] = ["memory", "open"];

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// At most this part of the rival's.
    Ratio(f64),
    /// At most that.
    Amount(f64),
}

/// One line: what each contender takes, ours first.
#[derive(Clone, Debug)]
pub struct Amount {
    name: &'static str,
    unit: &'static str,
    goal: Goal,
    rival: &'static str,
    figures: Vec<(&'static str, Series)>,
}

/// How often a store that was filled is written once more before it is opened again.
const UPDATES: u64 = 5;

/// Bytes of memory for a key, by how much the process grew while it was filled.
pub fn memory(plan: &Plan) -> Amount {
    let taken = Home::Memory.contenders().iter().map(|contender| {
        let (_, filled) = Process::start(Home::Memory, *contender, Path::new("."), plan.keys);
        let bytes = filled.resident_bytes as f64 / f64::from(plan.keys);
        (contender.name, Series(vec![bytes]))
    });
    let figures = taken.collect();
    Amount { name: "memory", unit: "B a key", goal: Goal::Ratio(0.95), rival: BY_HAND, figures }
}

/// Seconds to open a store after it was filled, and after it was updated; and what it has on the disk then.
pub fn open(plan: &Plan) -> Vec<Amount> {
    let directory = tempfile::tempdir().expect("a directory for temporary files");
    let homes: Vec<_> = Home::Logged
        .contenders()
        .iter()
        .map(|contender| {
            let own = directory.path().join(contender.name);
            std::fs::create_dir(&own).expect("it is new");
            drop(Process::start(Home::Logged, *contender, &own, plan.keys));
            (contender, own)
        })
        .collect();
    let opened = |name| {
        let mut figures: Vec<_> =
            homes.iter().map(|(contender, _)| (contender.name, Series::default())).collect();
        for _ in 0..OPENINGS {
            for (figures, (contender, own)) in figures.iter_mut().zip(&homes) {
                let (_, opened) = Process::start(Home::Logged, **contender, own, 0);
                figures.1.0.push(opened.seconds);
            }
        }
        Amount { name, unit: "s", goal: Goal::Ratio(0.6), rival: BY_HAND_LOG, figures }
    };
    let filled = opened("open");
    for (contender, own) in &homes {
        let (mut process, _) = Process::start(Home::Logged, **contender, own, 0);
        process.update(plan.keys, UPDATES * u64::from(plan.keys));
    }
    let updated = opened("open, updated");
    let live = f64::from(plan.keys) * (KEY_BYTES + VALUE_BYTES) as f64;
    let figures = homes
        .iter()
        .map(|(contender, own)| (contender.name, Series(vec![bytes_in(own) as f64 / live])));
    let (figures, goal) = (figures.collect(), Goal::Amount(2.0));
    let disk =
        Amount { name: "disk, updated", unit: "B a live B", goal, rival: BY_HAND_LOG, figures };
    vec![filled, updated, disk]
}

/// How often each is opened.
const OPENINGS: usize = 5;

/// Of files, as long as they are.
fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("the directory is ours");
    let bytes = entries.map(|entry| {
        let entry = entry.expect("the directory is ours");
        let data = entry.metadata().expect("it is there");
        if data.is_dir() { bytes_in(&entry.path()) } else { data.len() }
    });
    bytes.sum()
}

impl Amount {
    fn of(&self, name: &str) -> &Series {
        let is_it = |(contender, _): &&(&str, Series)| *contender == name;
        &self.figures.iter().find(is_it).expect("it takes part").1
    }

    fn ratio(&self) -> Series {
        self.of(OURS).over(self.of(self.rival))
    }

    fn holds(&self) -> bool {
        match self.goal {
            Goal::Ratio(most) => self.ratio().median() <= most,
            Goal::Amount(most) => self.of(OURS).median() <= most,
        }
    }

    /// One row.
    #[must_use]
    pub fn json(&self) -> Value {
        let raw =
            self.figures.iter().map(|(name, series)| json!({"name": name, "amounts": series.0}));
        let (goal, is_ratio) = match self.goal {
            Goal::Ratio(most) => (most, true),
            Goal::Amount(most) => (most, false),
        };
        json!({
            "workload": self.name,
            "threads": 1,
            "ours": self.of(OURS).median(),
            "rival": self.of(self.rival).median(),
            "rival_name": self.rival,
            "ratio": self.ratio().median(),
            "goal": goal,
            "goal_is_ratio": is_ratio,
            "less_is_better": true,
            "holds": self.holds(),
            "raw": raw.collect::<Vec<_>>(),
        })
    }

    /// What is above the rows.
    #[must_use]
    pub fn head(&self) -> String {
        let names: Vec<_> = self.figures.iter().map(|(name, _)| *name).collect();
        let line = " --- |".repeat(3 + names.len());
        format!("| less is better | ratio | goal | {} |\n|{line}\n", names.join(" | "))
    }
}

/// As a line of a table.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ratio();
        write!(f, "| {}, {}", self.name, self.unit)?;
        write!(f, " | {:.2} ({:.2}-{:.2})", ratio.median(), ratio.min(), ratio.max())?;
        match self.goal {
            Goal::Ratio(most) => write!(f, " | <= {most:.2} |")?,
            Goal::Amount(most) => write!(f, " | ours <= {most:.2} |")?,
        }
        self.figures.iter().try_for_each(|(_, series)| write!(f, " {:.2} |", series.median()))
    }
}
