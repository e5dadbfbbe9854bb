//! What came out, for people and programs.

use std::fmt;

use serde_json::json;

use crate::amounts::Amount;
use crate::measure::{Sample, Series};
use crate::rates;
use crate::workload::Goal;

/// What one contender did.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Whose.
    pub name: &'static str,
    /// By round.
    pub samples: Vec<Sample>,
}

impl Figures {
    /// Of nothing yet.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, samples: Vec::new() }
    }

    /// Of one more round.
    pub fn push(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn series(&self, figure: impl Fn(&Sample) -> f64) -> Series {
        Series(self.samples.iter().map(figure).collect())
    }
}

/// One line: what all contenders did, ours first.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub workload: &'static str,
    /// What is to be reached, and with how many threads.
    pub goal: Goal,
    /// Of each contender.
    pub figures: Vec<Figures>,
}

impl Row {
    /// Of ours to the rival's rate, by round.
    fn ratio(&self) -> Series {
        rates(&self.figures[0]).over(&rates(self.rival()))
    }

    /// The same, of what was done in a second of a processor's time: for what never waits the better figure on a machine that
    /// others use, too.
    fn cpu_ratio(&self) -> Series {
        let rates = |figures: &Figures| figures.series(|sample| sample.rate / sample.cpu);
        rates(&self.figures[0]).over(&rates(self.rival()))
    }

    fn rival(&self) -> &Figures {
        let is_rival = |figures: &&Figures| figures.name == self.goal.rival;
        self.figures.iter().find(is_rival).expect("the rival takes part")
    }
}

/// As a line of a table.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.ratio();
        write!(
            f,
            "| {} {} t | {:.2} ({:.2}-{:.2}) | {:.2}",
            self.workload,
            self.goal.threads,
            ratio.median(),
            ratio.min(),
            ratio.max(),
            self.cpu_ratio().median()
        )?;
        match self.goal.ratio {
            Some(goal) => write!(f, " | {goal:.2} |")?,
            None => write!(f, " | |")?,
        }
        for figures in &self.figures {
            let rate = rates(figures).median() / 1e6;
            let p99 = figures.series(|sample| sample.p99).median() * 1e6;
            write!(f, " {rate:.2} M/s, {p99:.1} us |")?;
        }
        Ok(())
    }
}

/// All lines, in Markdown: a table for each set of contenders.
#[must_use]
pub fn table(rows: &[Row], amounts: &[Amount]) -> String {
    let (mut table, mut shown) = (String::new(), Vec::new());
    for row in rows {
        let names: Vec<_> = row.figures.iter().map(|figures| figures.name).collect();
        if names != shown {
            table +=
                &format!("\n| workload | ratio | by CPU time | goal | {} |\n", names.join(" | "));
            table += &format!("|{}\n", " --- |".repeat(4 + names.len()));
            shown = names;
        }
        table += &format!("{row}\n");
    }
    let mut head = String::new();
    for amount in amounts {
        if amount.head() != head {
            head = amount.head();
            table += &format!("\n{head}");
        }
        table += &format!("{amount}\n");
    }
    table
}

/// All lines, with the raw figures.
#[must_use]
pub fn json(rows: &[Row], amounts: &[Amount]) -> String {
    let goals: Vec<_> = rows
        .iter()
        .map(|row| {
            let (ours, rival) = (rates(&row.figures[0]).median(), rates(row.rival()).median());
            let ratio = row.ratio();
            let raw: Vec<_> = row
                .figures
                .iter()
                .map(|figures| {
                    json!({
                        "name": figures.name,
                        "rates": figures.series(|sample| sample.rate).0,
                        "cpu": figures.series(|sample| sample.cpu).0,
                        "p99_seconds": figures.series(|sample| sample.p99).0,
                        "worst_seconds": figures.series(|sample| sample.worst).0,
                    })
                })
                .collect();
            json!({
                "workload": row.workload,
                "threads": row.goal.threads,
                "ours": ours,
                "rival": rival,
                "rival_name": row.goal.rival,
                "ratio": ratio.median(),
                "ratio_min": ratio.min(),
                "ratio_max": ratio.max(),
                "ratio_by_cpu_time": row.cpu_ratio().median(),
                "goal": row.goal.ratio,
                "holds": row.goal.ratio.is_none_or(|goal| ratio.median() >= goal),
                "raw": raw,
            })
        })
        .chain(amounts.iter().map(Amount::json))
        .collect();
    serde_json::to_string_pretty(&goals).expect("numbers and names") + "\n"
}
