//! Processes killed under load: what was acknowledged is there, and no revision ever names two things.
//!
//! `IFMATCH_KILLS` says how many are killed (10 unless it is set).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use ifmatch::{Durability, Store};

use crate::common::{Random, disk, read_files, scratch, together, within, write_files};

const THREADS: u64 = 8;
/// Each thread has its own.
const KEYS: u64 = 6;
/// The key that is written between two writers.
const OURS: u64 = THREADS * KEYS;

const DIRECTORY: &str = "IFMATCH_TEST_CRASH";
const BUFFERED: &str = "IFMATCH_TEST_BUFFERED";
const ROUND: &str = "IFMATCH_TEST_ROUND";
const ROUNDS: &str = "IFMATCH_KILLS";

fn open(directory: &Path, durability: Durability) -> Store<u64, String> {
    let builder = Store::builder().segment_bytes(64 << 10);
    builder.durability(durability).open(directory).unwrap()
}

#[test]
fn child() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let buffered = env::var_os(BUFFERED).is_some();
    let durability = if buffered { Durability::Buffered } else { Durability::Sync };
    let round = env::var(ROUND).unwrap();
    let store = open(directory.as_ref(), durability);
    println!();
    together(THREADS, |thread| {
        for n in 0_u64.. {
            let key = thread * KEYS + n % KEYS;
            // The writer, its count, and something to fill segments with.
            let value = format!("{round}-{n}-{}", "x".repeat(usize::try_from(n % 97).unwrap()));
            let mut line = String::new();
            if n % 16 == 15 {
                let Some(deleted) = store.delete(key).unwrap() else { continue };
                writeln!(line, "@ {key} {} -", deleted.revision()).unwrap();
            } else {
                let revision = store.put(key, value.clone()).unwrap();
                writeln!(line, "@ {key} {revision} {value}").unwrap();
            }
            std::io::stdout().write_all(line.as_bytes()).unwrap();
        }
    });
}

/// An acknowledged write; without a value it was a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    key: u64,
    revision: u64,
    value: Option<String>,
}

fn parse(line: &str) -> Option<Told> {
    // A line that was cut by the kill has no end.
    let mut words = line.strip_suffix('\n')?.strip_prefix("@ ")?.split(' ');
    let key = words.next()?.parse().ok()?;
    let revision = words.next()?.parse().ok()?;
    let value = words.next()?;
    Some(Told { key, revision, value: (value != "-").then(|| value.to_owned()) })
}

/// Starts a writer, kills it after `time`, and gives all that it was told.
fn killed(directory: &Path, durability: Durability, round: u64, time: Duration) -> Vec<Told> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["crash::child", "--exact", "--nocapture"]);
    command.env(DIRECTORY, directory).env(ROUND, round.to_string()).env_remove(BUFFERED);
    if durability == Durability::Buffered {
        command.env(BUFFERED, "1");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        let (mut told, mut line) = (Vec::new(), String::new());
        while output.read_line(&mut line).unwrap() > 0 {
            told.extend(parse(&line));
            line.clear();
        }
        told
    });
    thread::sleep(time);
    assert!(child.try_wait().unwrap().is_none(), "the writer ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// The number that a writer gave its write: the round and the count.
fn number(value: &str) -> (u64, u64) {
    let mut words = value.split('-').map(|word| word.parse().unwrap_or(0));
    (words.next().unwrap(), words.next().unwrap())
}

/// What all rounds so far agree on.
#[derive(Default)]
struct Ledger {
    /// What each revision names.
    names: HashMap<u64, (u64, Option<String>)>,
    /// The newest acknowledged write of each key.
    newest: HashMap<u64, Told>,
    newest_revision: u64,
    acknowledged: usize,
    unacknowledged: usize,
    cuts: usize,
}

impl Ledger {
    fn name(&mut self, revision: u64, key: u64, value: Option<&str>) {
        let content = (key, value.map(str::to_owned));
        let known = self.names.entry(revision).or_insert_with(|| content.clone());
        assert_eq!(*known, content, "revision {revision} names two things");
    }

    fn tell(&mut self, told: Vec<Told>, floor: u64) {
        self.acknowledged += told.len();
        for told in told {
            assert!(told.revision > floor, "{told:?} was handed out before");
            self.name(told.revision, told.key, told.value.as_deref());
            self.newest_revision = self.newest_revision.max(told.revision);
            let newest = self.newest.entry(told.key).or_insert_with(|| told.clone());
            assert!(newest.revision <= told.revision, "one writer's revisions increase");
            *newest = told;
        }
    }

    /// Every acknowledged write is there, or a later one by the same writer, which was killed before it could say so.
    fn check(&mut self, store: &Store<u64, String>) {
        self.cuts += usize::from(store.recovery().unwrap().cut.is_some());
        assert!(store.revision().get() >= self.newest_revision, "a revision would come again");
        let mut live = 0;
        for key in 0..=OURS {
            let entry = store.get(key);
            live += u64::from(entry.is_some());
            if let Some(entry) = &entry {
                self.name(entry.revision().get(), key, Some(entry.value()));
            }
            let Some(told) = self.newest.get(&key).cloned() else { continue };
            match (&entry, &told.value) {
                (Some(entry), Some(value)) if entry.revision().get() == told.revision => {
                    assert_eq!(entry.value(), value);
                }
                (Some(entry), value) => {
                    assert!(entry.revision().get() > told.revision, "{told:?} is lost: {entry:?}");
                    let is_later =
                        value.as_ref().is_none_or(|value| number(value) < number(entry.value()));
                    assert!(is_later, "{told:?} is lost: {entry:?}");
                    self.unacknowledged += 1;
                    let (revision, value) = (entry.revision().get(), Some(entry.value().clone()));
                    self.newest.insert(key, Told { key, revision, value });
                }
                (None, None) => {}
                (None, Some(value)) => {
                    // The delete that comes after this very write was not acknowledged.
                    assert_eq!(next_of_key(number(value).1) % 16, 15, "{told:?} is lost");
                    self.unacknowledged += 1;
                    self.newest.remove(&key);
                }
            }
        }
        assert_eq!(u64::try_from(store.len()).unwrap(), live);
    }
}

/// The count of the write that a thread makes of the same key next.
fn next_of_key(n: u64) -> u64 {
    n + KEYS
}

fn survive(durability: Durability) {
    let rounds: u64 = env::var(ROUNDS).map_or(10, |rounds| rounds.parse().unwrap());
    within(60 + rounds * 10, move || {
        let directory = disk();
        let mut ledger = Ledger::default();
        let mut random = Random(u64::from(std::process::id()));
        // On a disk so slow that hardly a write is told within a round there are more rounds.
        for round in 0..20 * rounds {
            if round >= rounds && ledger.acknowledged > 100 {
                break;
            }
            let floor = ledger.newest_revision;
            let time = Duration::from_millis(20 + random.below(200));
            let told = killed(directory.path(), durability, round, time);
            let wrote = !told.is_empty();
            ledger.tell(told, floor);
            if round % 2 == 0 {
                // A copy, so that the next writer finds what the kill left.
                let copy = scratch();
                write_files(copy.path(), &read_files(directory.path()));
                ledger.check(&open(copy.path(), durability));
            } else {
                let store = open(directory.path(), durability);
                assert!(!(wrote && store.recovery().unwrap().clean));
                ledger.check(&store);
                let next = store.put(OURS, round.to_string()).unwrap().get();
                assert!(next > ledger.newest_revision);
                ledger.name(next, OURS, Some(&round.to_string()));
                ledger.newest_revision = next;
            }
        }
        assert!(ledger.acknowledged > 100, "only {} writes", ledger.acknowledged);
        println!(
            "{durability:?}: {rounds} processes killed, {} writes acknowledged and none lost, {} \
             revisions each with one content, {} keys held a later write than acknowledged, {} cuts",
            ledger.acknowledged,
            ledger.names.len(),
            ledger.unacknowledged,
            ledger.cuts,
        );
    });
}

#[test]
fn what_was_acknowledged_synced_survives_being_killed() {
    survive(Durability::Sync);
}

#[test]
fn what_was_acknowledged_buffered_survives_being_killed() {
    survive(Durability::Buffered);
}
