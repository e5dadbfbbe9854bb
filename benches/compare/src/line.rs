//! One figure of all contenders, and what it is held to.

use serde_json::{Value, json};

use crate::engines::OURS;
use crate::measure::Series;

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Operations a second: more is better. Of all others less is.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Bytes of memory for each key.
    BytesAKey,
    /// Bytes on the disk for each of a key or value that can be read.
    BytesALiveByte,
}

impl Unit {
    /// Whether less is better.
    #[must_use]
    pub fn is_cost(self) -> bool {
        self != Self::PerSecond
    }

    /// With the prefix that suits it.
    #[must_use]
    pub fn show(self, figure: f64) -> String {
        if figure.is_nan() {
            return "-".to_owned();
        }
        let (scaled, unit) = match self {
            Self::PerSecond => match figure {
                1e9.. => (figure / 1e9, "G/s"),
                1e6.. => (figure / 1e6, "M/s"),
                1e3.. => (figure / 1e3, "k/s"),
                _ => (figure, "/s"),
            },
            Self::Seconds => match figure {
                1.0.. => (figure, "s"),
                1e-3.. => (figure * 1e3, "ms"),
                1e-6.. => (figure * 1e6, "µs"),
                _ => (figure * 1e9, "ns"),
            },
            Self::BytesAKey => (figure, "B a key"),
            Self::BytesALiveByte => (figure, "B a live B"),
        };
        // Three digits.
        let decimals = match scaled.abs() {
            100.0.. => 0,
            10.0.. => 1,
            _ => 2,
        };
        format!("{scaled:.decimals$} {unit}")
    }
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// This ratio to the rival's, at least, or of a cost at most.
    Ratio(f64),
    /// That much.
    Amount(f64),
}

/// What it is with one contender.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Whose.
    pub name: &'static str,
    /// By round.
    pub series: Series,
    /// Of the processors that its threads could have had, by round: 1 if they never waited, nor were kept waiting by others.
    pub cpu: Option<Series>,
    /// Whether it is a limit rather than a peer.
    pub is_limit: bool,
}

impl Figure {
    /// Of a peer, whose processor's time nobody looked at.
    #[must_use]
    pub const fn new(name: &'static str, series: Series) -> Self {
        Self { name, series, cpu: None, is_limit: false }
    }
}

/// One figure of all contenders.
#[derive(Clone, Debug)]
pub struct Line {
    /// Lines under one heading share a table.
    pub heading: &'static str,
    /// What was done.
    pub workload: &'static str,
    /// By so many threads.
    pub threads: usize,
    /// Which figure of it.
    pub figure: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Without one it is only looked at.
    pub target: Option<Target>,
    /// Whom ours is measured by.
    pub rival: Option<&'static str>,
    /// Ours is first, if it takes part.
    pub figures: Vec<Figure>,
    /// The ratio of what was done in a second of a processor's time: for what never waits the better figure on a machine that
    /// others use, too.
    pub by_cpu_time: Option<f64>,
}

impl Line {
    fn figure_of(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// Its share of the processors, as a median.
    #[must_use]
    pub fn cpu_of(&self, name: &str) -> Option<f64> {
        Some(self.figure_of(name)?.cpu.as_ref()?.median())
    }

    /// Of this contender.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Series> {
        self.figure_of(name).map(|figure| &figure.series)
    }

    /// What all this is about: the workload, by how many, and which figure.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = self.workload.to_owned();
        if self.threads > 0 {
            name += &format!(", {}", self.hands());
        }
        if self.figure != "rate" {
            name += &format!(", {}", self.figure);
        }
        name
    }

    /// How many threads, or connections.
    #[must_use]
    pub fn hands(&self) -> String {
        match self.threads {
            1 => "1 thread".to_owned(),
            many if self.workload.starts_with("http") => format!("{many} connections"),
            many => format!("{many} threads"),
        }
    }

    /// Ours over the rival's, by round.
    #[must_use]
    pub fn ratio(&self) -> Option<Series> {
        self.over(self.rival?)
    }

    /// Ours over somebody's, by round.
    #[must_use]
    pub fn over(&self, name: &str) -> Option<Series> {
        Some(self.of(OURS)?.over(self.of(name)?))
    }

    /// Whether the goal is reached, if there is one.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let (figure, target) = match self.target? {
            Target::Ratio(target) => (self.ratio()?.median(), target),
            Target::Amount(target) => (self.of(OURS)?.median(), target),
        };
        Some(if self.unit.is_cost() { figure <= target } else { figure >= target })
    }

    /// Who does better than ours, beside the machine's limits.
    pub fn ahead(&self) -> impl Iterator<Item = &'static str> {
        let ours = self.of(OURS).map_or(f64::NAN, Series::median);
        let is_ahead = move |series: &Series| {
            let figure = series.median();
            if self.unit.is_cost() { figure < ours } else { figure > ours }
        };
        let peers = self.figures.iter().filter(|peer| peer.name != OURS && !peer.is_limit);
        peers.filter(move |peer| is_ahead(&peer.series)).map(|peer| peer.name)
    }

    /// One row.
    #[must_use]
    pub fn json(&self) -> Value {
        let raw: Vec<_> = self
            .figures
            .iter()
            .map(|Figure { name, series, cpu, is_limit }| {
                let cpu = cpu.as_ref().map(|cpu| &cpu.0);
                json!({"name": name, "is_limit": is_limit, "figures": series.0, "cpu": cpu})
            })
            .collect();
        let (goal, goal_is_ratio) = match self.target {
            Some(Target::Ratio(goal)) => (Some(goal), Some(true)),
            Some(Target::Amount(goal)) => (Some(goal), Some(false)),
            None => (None, None),
        };
        let ratio = self.ratio();
        json!({
            "workload": self.workload,
            "threads": self.threads,
            "figure": self.figure,
            "ours": self.of(OURS).map(Series::median),
            "rival": self.rival.and_then(|rival| self.of(rival)).map(Series::median),
            "rival_name": self.rival,
            "ratio": ratio.as_ref().map(Series::median),
            "ratio_min": ratio.as_ref().map(Series::min),
            "ratio_max": ratio.as_ref().map(Series::max),
            "ratio_by_cpu_time": self.by_cpu_time,
            "goal": goal,
            "goal_is_ratio": goal_is_ratio,
            "less_is_better": self.unit.is_cost(),
            "holds": self.holds(),
            "ahead_of_ours": self.ahead().collect::<Vec<_>>(),
            "raw": raw,
        })
    }
}
