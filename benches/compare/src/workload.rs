//! What the contenders have to do.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use crate::engine::{Contender, Engine, Key, value, write_value};
use crate::engines::{self, BY_HAND, BY_HAND_LOG, RAW};
use crate::flight::Flight;
use crate::keys::{Requests, Spread};
use crate::measure::{Sample, round};

/// What each thread does, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reads a key.
    Get,
    /// Reads a key, and swaps its value if it is still at that revision.
    GetSwap,
    /// 95 reads, and 5 times a read and a swap.
    Mostly,
    /// Has so many reads with a swap under way, as futures.
    InFlight(usize),
}

/// Of so many operations of a mix the last one swaps.
const PERIOD: u64 = 20;

impl Action {
    /// Whether the operation of this number, from 0, swaps what it reads.
    #[must_use]
    const fn swaps(self, number: u64) -> bool {
        match self {
            Self::Get => false,
            Self::GetSwap | Self::InFlight(_) => true,
            Self::Mostly => number % PERIOD == PERIOD - 1,
        }
    }
}

/// Where what is written is when the write returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Home {
    /// In memory.
    Memory,
    /// Where it survives the process.
    Logged,
    /// Where it survives a power cut.
    Durable,
    /// In memory, of values whose size is known only then.
    Sized,
}

impl Home {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Logged, Self::Durable, Self::Sized];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Logged => "logged",
            Self::Durable => "durable",
            Self::Sized => "sized",
        }
    }

    /// What is above its table.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Memory | Self::Sized => "In memory",
            Self::Logged => "Logged: what is written survives the process",
            Self::Durable => "Durable: what is written survives a power cut",
        }
    }

    /// The one that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|home| home.name() == name)
    }

    /// One operation in so many is timed. Looking at the clock twice is nothing beside a call of the system. In memory it is a
    /// number that has no divisor in common with [`PERIOD`]: else it would always be the same ones of a mix.
    #[must_use]
    const fn timed(self) -> u64 {
        match self {
            Self::Memory | Self::Sized => 17,
            Self::Logged | Self::Durable => 1,
        }
    }

    /// Who takes part.
    #[must_use]
    pub fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Memory => engines::IN_MEMORY,
            Self::Logged => engines::LOGGED,
            Self::Durable => engines::DURABLE,
            Self::Sized => engines::SIZED,
        }
    }
}

/// What is to be reached.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// With so many threads.
    pub threads: usize,
    /// At least this ratio to the rival's rate; without one it is only looked at.
    pub ratio: Option<f64>,
    /// At most this ratio to the rival's 99th percentile.
    pub p99: Option<f64>,
    /// Who that is.
    pub rival: &'static str,
}

const fn goal(threads: usize, ratio: f64, rival: &'static str) -> Goal {
    Goal { threads, ratio: Some(ratio), p99: None, rival }
}

const fn look(threads: usize, rival: &'static str) -> Goal {
    Goal { threads, ratio: None, p99: None, rival }
}

/// One line or several of the table: one for each number of threads.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// As on the command line.
    pub name: &'static str,
    /// Where it is written to.
    pub home: Home,
    /// Which keys.
    pub spread: Spread,
    /// What is done.
    pub action: Action,
    /// With how many threads.
    pub goals: &'static [Goal],
}

/// All that there are.
pub static WORKLOADS: [Workload; 9] = [
    Workload {
        name: "get",
        home: Home::Memory,
        spread: Spread::Uniform,
        action: Action::Get,
        goals: &[goal(1, 1.1, BY_HAND), goal(2, 1.1, BY_HAND), goal(8, 1.1, BY_HAND)],
    },
    Workload {
        name: "get-zipf",
        home: Home::Memory,
        spread: Spread::Zipf,
        action: Action::Get,
        goals: &[look(1, BY_HAND), goal(2, 1.1, BY_HAND), look(8, BY_HAND)],
    },
    Workload {
        name: "swap",
        home: Home::Memory,
        spread: Spread::Uniform,
        action: Action::GetSwap,
        goals: &[goal(1, 1.0, BY_HAND), goal(2, 1.0, BY_HAND), look(8, BY_HAND)],
    },
    Workload {
        name: "swap-zipf",
        home: Home::Memory,
        spread: Spread::Zipf,
        action: Action::GetSwap,
        goals: &[
            look(1, BY_HAND),
            look(2, BY_HAND),
            Goal { p99: Some(0.5), ..goal(8, 0.9, BY_HAND) },
        ],
    },
    Workload {
        name: "mixed",
        home: Home::Memory,
        spread: Spread::Uniform,
        action: Action::Mostly,
        goals: &[look(1, BY_HAND), look(2, BY_HAND), look(8, BY_HAND)],
    },
    Workload {
        name: "mixed-zipf",
        home: Home::Memory,
        spread: Spread::Zipf,
        action: Action::Mostly,
        goals: &[look(1, BY_HAND), look(2, BY_HAND), look(8, BY_HAND)],
    },
    Workload {
        name: "logged",
        home: Home::Logged,
        spread: Spread::Uniform,
        action: Action::GetSwap,
        goals: &[goal(1, 1.2, BY_HAND_LOG), goal(2, 2.0, BY_HAND_LOG), goal(8, 2.0, BY_HAND_LOG)],
    },
    Workload {
        name: "durable",
        home: Home::Durable,
        spread: Spread::Uniform,
        action: Action::GetSwap,
        goals: &[
            goal(1, 0.9, RAW),
            look(2, BY_HAND_LOG),
            goal(8, 2.0, BY_HAND_LOG),
            goal(64, 1.7, BY_HAND_LOG),
        ],
    },
    Workload {
        name: "in-flight",
        home: Home::Durable,
        spread: Spread::Uniform,
        action: Action::InFlight(1024),
        goals: &[goal(1, 0.7, RAW)],
    },
];

/// An engine with all keys in it.
pub fn filled(
    contender: &Contender,
    directory: &Path,
    keys: u32,
    value_bytes: usize,
) -> Box<dyn Engine> {
    let engine = (contender.open)(directory);
    let entries = (0..u64::from(keys)).map(|number| (Key::new(number), value(number, value_bytes)));
    engine.fill(&mut { entries });
    engine
}

impl Workload {
    /// The one that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }

    /// Whether this contender can do it.
    #[must_use]
    pub fn takes(&self, contender: &Contender) -> bool {
        contender.submits || !matches!(self.action, Action::InFlight(_))
    }

    /// A round of one contender.
    #[must_use]
    pub fn round(
        &self,
        engine: &dyn Engine,
        (keys, value_bytes): (u32, usize),
        threads: usize,
        length: Duration,
        seed: u64,
    ) -> Sample {
        let requests =
            |thread| Requests::new(self.spread, keys, threads, seed << 8 | thread as u64);
        if let Action::InFlight(most) = self.action {
            return round(threads, length, 1, |thread| {
                let mut flight = Flight::new(engine, requests(thread), most);
                move |_| flight.step()
            });
        }
        round(threads, length, self.home.timed(), |thread| {
            let (mut requests, action) = (requests(thread), self.action);
            let mut value = value(0, value_bytes);
            move |number| {
                let key = Key::new(requests.next());
                let read = engine.get(key.as_str()).expect("every key is there");
                if action.swaps(number) {
                    // Lost races count: they are answers, too.
                    write_value(number, &mut value);
                    black_box(engine.swap(key.as_str(), read.0, &value));
                }
                black_box(read);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, PERIOD, WORKLOADS};
    use crate::measure::is_timed;

    /// As often as they are done.
    #[test]
    fn both_kinds_of_operation_of_a_mix_are_timed() {
        let mixed = WORKLOADS.iter().filter(|workload| workload.action == Action::Mostly);
        assert_eq!(mixed.clone().count(), 2);
        for workload in mixed {
            let stride = workload.home.timed();
            let timed = (0..stride * PERIOD).filter(|number| is_timed(*number, stride));
            let swaps = timed.clone().filter(|number| workload.action.swaps(*number)).count();
            assert_eq!((swaps, timed.count()), (1, PERIOD as usize), "{}", workload.name);
        }
    }
}
