//! Each contender in a process of its own, which does what it is told line by line.
//!
//! In one process the contenders are not equal: whose memory is allocated first, and how the next one's lies between it, changes
//! the rate of a read by a third. So each has its own heap, and is asked in turn.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::{Burden, Contender, Heard, Key, VALUE_BYTES, value};
use crate::keys;
use crate::measure::Sample;
use crate::workload::{Home, Workload, filled};

/// What there is to know before the first round.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Filled {
    /// How long it took to open, and to write all keys.
    pub seconds: f64,
    /// By how much the process grew.
    pub resident_bytes: u64,
}

/// What a contender is asked for.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// To read all keys once.
    WarmUp,
    /// To write some of the keys again, so often, or for so long.
    Update {
        keys: u32,
        updates: u64,
        seed: u64,
        at_most: Duration,
    },
    Burden(Burden),
    /// What who follows has heard since this was asked last.
    Heard,
    Round {
        workload: String,
        threads: usize,
        length: Duration,
        seed: u64,
    },
}

/// What a process is started with.
pub const SERVE: &str = "--serve";

/// A contender at work.
pub struct Process {
    /// Who.
    pub contender: Contender,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one, and waits until it has all keys.
    pub fn start(home: Home, contender: Contender, directory: &Path, keys: u32) -> (Self, Filled) {
        Self::of_values(home, contender, directory, keys, VALUE_BYTES)
    }

    /// The same, with values of another size.
    pub fn of_values(
        home: Home,
        contender: Contender,
        directory: &Path,
        keys: u32,
        value_bytes: usize,
    ) -> (Self, Filled) {
        let program = std::env::current_exe().expect("this program is a file");
        let mut child = Command::new(program)
            .args([SERVE, home.name(), contender.name, &keys.to_string(), &value_bytes.to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let mut process = Self { contender, child, input, output };
        let filled = process.answer();
        (process, filled)
    }

    /// Lets it work.
    pub fn round(
        &mut self,
        workload: &Workload,
        threads: usize,
        length: Duration,
        seed: u64,
    ) -> Sample {
        let workload = workload.name.to_owned();
        self.tell(&Request::Round { workload, threads, length, seed });
        self.answer()
    }

    /// Lets it write some of its keys again, so often, or for so long. The same seed has the same ones written. Returns how often
    /// it did.
    pub fn update(&mut self, keys: u32, updates: u64, seed: u64, at_most: Duration) -> u64 {
        self.tell(&Request::Update { keys, updates, seed, at_most });
        self.answer()
    }

    /// Gives it something to do beside.
    pub fn burden(&mut self, burden: Burden) {
        self.tell(&Request::Burden(burden));
        self.answer()
    }

    /// What who follows its writes has heard since this was asked last.
    pub fn heard(&mut self) -> Heard {
        self.tell(&Request::Heard);
        self.answer()
    }

    fn tell(&mut self, command: &Request) {
        let line = serde_json::to_string(command).expect("numbers and a name");
        let input = self.input.as_mut().expect("it has not been ended");
        writeln!(input, "{line}").expect("the contender lives");
    }

    fn answer<T: DeserializeOwned>(&mut self) -> T {
        let line = self.output.next().expect("the contender lives").expect("it answers");
        serde_json::from_str(&line).expect("it answers what it was asked")
    }
}

/// Lets all contenders read all keys, at the same time.
pub fn warm_up(processes: &mut [&mut Process]) {
    processes.iter_mut().for_each(|process| process.tell(&Request::WarmUp));
    processes.iter_mut().for_each(|process| process.answer());
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is the end of its work.
        drop(self.input.take());
        let _status = self.child.wait();
    }
}

/// The other side: is one contender.
pub fn serve(arguments: &[String]) {
    let [home, name, keys, value_bytes, directory] = arguments else {
        panic!("see Process::start")
    };
    let home = Home::named(home).expect("there is such a home");
    let is_it = |contender: &&Contender| contender.name == name;
    let contender = home.contenders().iter().find(is_it).expect("there is such a contender");
    let keys = keys.parse().expect("a number");
    let value_bytes = value_bytes.parse().expect("a number");
    let (before, begin) = (resident_bytes(), Instant::now());
    let engine = filled(contender, Path::new(directory), keys, value_bytes);
    let seconds = begin.elapsed().as_secs_f64();
    say(&Filled { seconds, resident_bytes: resident_bytes().saturating_sub(before) });
    for line in std::io::stdin().lines() {
        match serde_json::from_str(&line.expect("text")).expect("a command") {
            Request::WarmUp => {
                for number in 0..u64::from(keys) {
                    black_box(engine.get(Key::new(number).as_str()));
                }
                say(&());
            }
            Request::Update { keys, updates, seed, at_most } => {
                let mut numbers = keys::uniform(keys, seed);
                let (begin, mut done) = (Instant::now(), 0);
                let entries =
                    (0..updates).take_while(|_| begin.elapsed() < at_most).map(|update| {
                        done += 1;
                        (Key::new(numbers()), value(seed << 32 | update, value_bytes))
                    });
                engine.fill(&mut { entries });
                say(&done);
            }
            Request::Burden(burden) => {
                engine.burden(burden);
                say(&());
            }
            Request::Heard => say(&engine.heard()),
            Request::Round { workload, threads, length, seed } => {
                let workload = Workload::named(&workload).expect("there is such a workload");
                say(&workload.round(engine.as_ref(), (keys, value_bytes), threads, length, seed));
            }
        }
    }
}

fn say(answer: &impl Serialize) {
    println!("{}", serde_json::to_string(answer).expect("numbers"));
}

/// How much memory this process has now.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|pages| pages.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}
