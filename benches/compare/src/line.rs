//! One figure of all contenders, and what it is held to.

use serde_json::{Value, json};

use crate::engines::{OURS, OURS_APART};
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
        let (one, unit) = self.scale(figure);
        format!("{} {unit}", digits(figure / one))
    }

    /// A median, the least, and the most, or that there is but one.
    #[must_use]
    pub fn show_spread(self, series: &Series) -> String {
        let (one, unit) = self.scale(series.median());
        let shown = |figure: f64| digits(figure / one);
        match series.0.len() {
            0 => "-".to_owned(),
            1 => format!("{}, 1 run", self.show(series.median())),
            _ => format!(
                "{} [{}-{}] {unit}",
                shown(series.median()),
                shown(series.min()),
                shown(series.max())
            ),
        }
    }

    fn scale(self, figure: f64) -> (f64, &'static str) {
        match self {
            Self::PerSecond => match figure {
                1e9.. => (1e9, "G/s"),
                1e6.. => (1e6, "M/s"),
                1e3.. => (1e3, "k/s"),
                _ => (1.0, "/s"),
            },
            Self::Seconds => match figure {
                1.0.. => (1.0, "s"),
                1e-3.. => (1e-3, "ms"),
                1e-6.. => (1e-6, "µs"),
                _ => (1e-9, "ns"),
            },
            Self::BytesAKey => (1.0, "B a key"),
            Self::BytesALiveByte => (1.0, "B a live B"),
        }
    }
}

/// Three of them.
fn digits(scaled: f64) -> String {
    let decimals = match scaled.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{scaled:.decimals$}")
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// This ratio to the rival's, at least, or of a cost at most.
    Ratio(f64),
    /// That much, or of a cost no more, however often it is looked at.
    Amount(f64),
}

/// What it is with one contender.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Whose.
    pub name: &'static str,
    /// By round; of a worst pause one figure, the worst of all rounds.
    pub series: Series,
    /// Of the processors that its threads could have had, by round: 1 if they never waited, nor were kept waiting by others.
    pub cpu: Option<Series>,
    /// By round, where `series` is not.
    pub by_round: Option<Series>,
    /// Whether it is a limit rather than a peer.
    pub is_limit: bool,
}

impl Figure {
    /// The worst of all rounds in the place of them.
    #[must_use]
    pub fn worst(self) -> Self {
        let worst = Series(vec![self.series.max()]);
        Self { by_round: Some(self.series), series: worst, ..self }
    }

    /// Of a peer, whose processor's time nobody looked at.
    #[must_use]
    pub const fn new(name: &'static str, series: Series) -> Self {
        Self { name, series, cpu: None, by_round: None, is_limit: false }
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
    /// Why ours or the rival does not.
    pub missing: Option<String>,
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

    /// The worst of all rounds in the place of them.
    #[must_use]
    pub fn of_all_rounds(self) -> Self {
        Self { figures: self.figures.into_iter().map(Figure::worst).collect(), ..self }
    }

    /// Whether it is an amount rather than what was done by threads: it is not by rounds, but by runs.
    #[must_use]
    pub fn is_amount(&self) -> bool {
        self.threads == 0
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

    /// Ours over the rival's, by round. Wherever it is one figure, that is the median.
    #[must_use]
    pub fn ratio(&self) -> Option<Series> {
        self.over(self.rival?)
    }

    /// Ours over somebody's, by round.
    #[must_use]
    pub fn over(&self, name: &str) -> Option<Series> {
        Some(self.of(OURS)?.over(self.of(name)?))
    }

    /// Whether the goal is reached, if there is one, and it was measured.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let is_cost = self.unit.is_cost();
        let (figure, target) = match self.target? {
            Target::Ratio(target) => (self.ratio()?.median(), target),
            Target::Amount(target) => {
                let ours = self.of(OURS)?;
                (if is_cost { ours.max() } else { ours.min() }, target)
            }
        };
        Some(if is_cost { figure <= target } else { figure >= target })
    }

    /// Who does better than ours, by the ratio, beside the machine's limits and ours with other values.
    pub fn ahead(&self) -> impl Iterator<Item = &'static str> {
        let peers = self
            .figures
            .iter()
            .filter(|peer| ![OURS, OURS_APART].contains(&peer.name) && !peer.is_limit);
        peers.map(|peer| peer.name).filter(|name| {
            let ratio = self.over(name).map_or(f64::NAN, |ratio| ratio.median());
            if self.unit.is_cost() { ratio > 1.0 } else { ratio < 1.0 }
        })
    }

    /// What it is held to, if it is.
    #[must_use]
    pub fn row(&self) -> Option<Value> {
        let (Target::Ratio(goal) | Target::Amount(goal)) = self.target?;
        let mut workload = self.workload.to_owned();
        if self.figure != "rate" {
            workload += &format!(", {}", self.figure);
        }
        Some(json!({
            "workload": workload,
            "threads": self.threads,
            "ours": self.of(OURS).map(Series::median),
            "rival": self.rival.and_then(|rival| self.of(rival)).map(Series::median),
            "rival_name": self.rival,
            "ratio": self.ratio().as_ref().map(Series::median),
            "goal": goal,
            "holds": self.holds(),
        }))
    }

    /// All there is to know.
    #[must_use]
    pub fn json(&self) -> Value {
        let raw: Vec<_> = self
            .figures
            .iter()
            .map(|Figure { name, series, cpu, by_round, is_limit }| {
                let cpu = cpu.as_ref().map(|cpu| &cpu.0);
                let figures = &by_round.as_ref().unwrap_or(series).0;
                json!({"name": name, "is_limit": is_limit, "figures": figures, "cpu": cpu})
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
            "missing": self.missing,
            "ahead_of_ours": self.ahead().collect::<Vec<_>>(),
            "raw": raw,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Line, Target, Unit};
    use crate::engines::OURS;
    use crate::measure::Series;

    fn line(unit: Unit, target: Target, ours: &[f64], rival: &[f64]) -> Line {
        let figures = [(OURS, ours), ("rival", rival)];
        Line {
            heading: "",
            workload: "work",
            threads: 1,
            figure: "rate",
            unit,
            target: Some(target),
            rival: Some("rival"),
            figures: figures
                .into_iter()
                .filter(|(_, figures)| !figures.is_empty())
                .map(|(name, figures)| Figure::new(name, Series(figures.to_vec())))
                .collect(),
            missing: None,
            by_cpu_time: None,
        }
    }

    /// The medians say otherwise: 2 and 3.
    #[test]
    fn who_is_ahead_and_whether_it_holds_go_by_the_median_of_the_ratios() {
        let line = line(Unit::PerSecond, Target::Ratio(1.1), &[2.0, 9.0, 1.1], &[3.0, 3.0, 1.0]);
        let ratio = line.ratio().expect("both took part").median();
        assert!((ratio - 1.1).abs() < 1e-9, "{ratio}");
        assert_eq!((line.holds(), line.ahead().count()), (Some(true), 0));
    }

    #[test]
    fn an_amount_holds_if_the_most_does() {
        let disk = |ours: &[f64]| line(Unit::BytesALiveByte, Target::Amount(2.0), ours, &[9.0]);
        assert_eq!(disk(&[1.6, 1.7, 2.0]).holds(), Some(true));
        assert_eq!(disk(&[1.6, 1.7, 2.1]).holds(), Some(false));
    }

    /// And nothing else, nor anything less where it was not measured.
    #[test]
    fn a_row_has_its_fields() {
        for rival in [&[2.0][..], &[]] {
            let row = line(Unit::PerSecond, Target::Ratio(1.0), &[1.0], rival).row();
            let row = row.expect("it has a goal");
            let mut fields: Vec<_> = row.as_object().expect("it is one").keys().collect();
            fields.sort();
            let all =
                ["goal", "holds", "ours", "ratio", "rival", "rival_name", "threads", "workload"];
            assert_eq!(fields, all);
            assert_eq!(row["holds"].is_null(), rival.is_empty());
        }
    }

    #[test]
    fn a_spread_is_shown_in_the_unit_of_its_median() {
        let seconds = Series(vec![0.9, 1.2, 1.5]);
        assert_eq!(Unit::Seconds.show_spread(&seconds), "1.20 [0.90-1.50] s");
        assert_eq!(Unit::BytesAKey.show_spread(&Series(vec![288.2])), "288 B a key, 1 run");
    }
}
