//! Processes killed under load: everything that any of them was told is there, whole, in the next one.
//!
//! A child (`kill/child.rs`) writes with eight threads under `Durability::Sync`, reads and watches, and says what it is
//! about to do and what it is told (`kill/line.rs`), until SIGKILL ends it: in the middle of its work, of recovery, or of
//! closing. Then what it left is opened, and compared with what was said (`kill/ledger.rs`). The directory goes on being
//! used from kill to kill.

pub(crate) mod child;
mod ledger;
mod line;

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use self::child::{COMPACTING, DIRECTORY, ROUND, SEED, SINCE};
use self::ledger::{Counts, Found, Ledger};
use self::line::{Entry, Line};
use crate::command::{Campaign, Options, Outcome, Size};
use crate::common::{Random, disk, read_files, scratch, write_files};

pub(crate) const CAMPAIGN: Campaign = Campaign {
    name: "kill",
    about: "real processes, killed at work, in recovery, while closing; without and with compactions",
    unit: "kills",
    in_tests: true,
    run: campaign,
};

fn campaign(options: &Options) -> Outcome {
    let seed = options.seed;
    let count = match options.size {
        Size::Test => 5,
        Size::Usual => 500,
        Size::Count(count) => count,
        Size::Until(_) => u64::MAX,
    };
    let mut outcome = Outcome::default();
    for (compacting, name) in [(false, "at work"), (true, "at work, and compacting")] {
        let end = match options.size {
            // Half of the time for each.
            Size::Until(time) if !compacting => {
                Some(Instant::now() + time.saturating_duration_since(Instant::now()) / 2)
            }
            Size::Until(time) => Some(time),
            _ => None,
        };
        let mut last = Instant::now();
        let goes_on = |report: &Report| {
            if last.elapsed() > Duration::from_secs(5) {
                last = Instant::now();
                eprintln!("kill: {name}: {} kills", report.kills);
            }
            end.is_none_or(|end| Instant::now() < end)
        };
        match run(count, seed, compacting, goes_on) {
            Ok(report) => {
                outcome.points += report.kills;
                println!("{name:24} {report}");
            }
            Err(violation) => outcome.violations.push(format!(
                "{name}: {violation}\nreplay: cargo campaign kill --count {count} --seed {seed}"
            )),
        }
    }
    outcome
}

/// What many kills came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) kills: u64,
    /// Of those, in the middle of opening and of closing.
    pub(crate) opening: u64,
    pub(crate) closing: u64,
    pub(crate) cuts: u64,
    pub(crate) counts: Counts,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kills, opening, closing, cuts, counts } = self;
        let Counts { writes, refused, reads, snapshots, events, .. } = counts;
        write!(
            f,
            "{kills} kills ({opening} of them in recovery, {closing} while closing); told: "
        )?;
        write!(f, "{writes} writes, {refused} refusals, {reads} reads, {snapshots} snapshots, ")?;
        write!(f, "{events} events; {} watches went on, ", counts.resumed)?;
        write!(f, "{} compactions, {cuts} cuts, ", counts.compactions)?;
        write!(f, "{} writes there that nobody was told", counts.unacknowledged)
    }
}

/// When a child is to be killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Opening(Duration),
    Working(Duration),
    Closing(Duration, Duration),
}

impl Moment {
    fn random(random: &mut Random) -> Self {
        let mut below = |micros| Duration::from_micros(random.below(micros));
        let (kind, short, long) = (below(10), below(6_000), below(150_000));
        match kind.as_micros() {
            0 => Self::Opening(short),
            1 => Self::Closing(long, short / 2),
            _ => Self::Working(long),
        }
    }
}

/// Kills `count` processes, one after the other; with `compacting`, while the log is compacted all the time. `progress` is
/// told now and then.
pub(crate) fn run(
    count: u64,
    seed: u64,
    compacting: bool,
    mut goes_on: impl FnMut(&Report) -> bool,
) -> Result<Report, String> {
    let directory = disk();
    let mut random = Random(seed);
    let (mut ledger, mut report) = (Ledger::default(), Report::default());
    for round in 0..count {
        let moment = Moment::random(&mut random);
        let outcome = one_kill(directory.path(), round, compacting, moment, &mut random, &ledger)
            .and_then(|lines| check(directory.path(), &lines, round, &mut ledger, &mut report));
        if let Err(violation) = outcome {
            let kept = directory.keep();
            return Err(format!("kill {round}, {moment:?}: {violation} (in {})", kept.display()));
        }
        report.kills += 1;
        report.counts = ledger.counts;
        if !goes_on(&report) {
            break;
        }
    }
    Ok(report)
}

/// Starts a child, kills it, and gives what it said.
fn one_kill(
    directory: &Path,
    round: u64,
    compacting: bool,
    moment: Moment,
    random: &mut Random,
    ledger: &Ledger,
) -> Result<Vec<Line>, String> {
    let mut command = Command::new(std::env::current_exe().expect("it runs"));
    command
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .env(SEED, random.next().to_string())
        .env(SINCE, ledger.watched().to_string())
        .env(COMPACTING, u8::from(compacting).to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("no child: {error}"))?;
    let stdin = child.stdin.take().expect("it is a pipe");
    let output = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let (stages, reached) = mpsc::channel();
    let reader = thread::spawn(move || listen(output, &stages));
    await_moment(moment, &reached, &stdin)?;
    let killed = kill(&mut child);
    drop(stdin);
    let lines = reader.join().expect("it only reads")?;
    killed.map(|()| lines)
}

/// Reads to the end. A last line without an end was cut by the kill.
fn listen(
    mut output: impl BufRead,
    stages: &mpsc::Sender<(Line, Instant)>,
) -> Result<Vec<Line>, String> {
    let (mut lines, mut text) = (Vec::new(), String::new());
    while output.read_line(&mut text).map_err(|error| error.to_string())? > 0 {
        if let Some(whole) = text.strip_suffix('\n') {
            let line: Line = whole.parse().map_err(|()| format!("it said {whole:?}"))?;
            if matches!(line, Line::Opening | Line::Opened { .. } | Line::Closing) {
                // Nobody asks for what comes after the moment.
                let _asked = stages.send((line.clone(), Instant::now()));
            }
            lines.push(line);
        }
        text.clear();
    }
    Ok(lines)
}

fn await_moment(
    moment: Moment,
    reached: &Receiver<(Line, Instant)>,
    mut stdin: &ChildStdin,
) -> Result<(), String> {
    let await_stage = |is: fn(&Line) -> bool| loop {
        match reached.recv_timeout(Duration::from_secs(60)) {
            Ok((line, at)) if is(&line) => return Ok(at),
            Ok(_) => {}
            Err(error) => return Err(format!("the child stands still, or is gone: {error}")),
        }
    };
    let sleep_until = |at: Instant| thread::sleep(at.saturating_duration_since(Instant::now()));
    match moment {
        Moment::Opening(after) => {
            sleep_until(await_stage(|line| *line == Line::Opening)? + after);
        }
        Moment::Working(after) => {
            sleep_until(await_stage(|line| matches!(line, Line::Opened { .. }))? + after);
        }
        Moment::Closing(work, after) => {
            sleep_until(await_stage(|line| matches!(line, Line::Opened { .. }))? + work);
            stdin.write_all(b"close\n").map_err(|error| format!("it does not listen: {error}"))?;
            sleep_until(await_stage(|line| *line == Line::Closing)? + after);
        }
    }
    Ok(())
}

/// SIGKILL: nothing of the process runs any more.
fn kill(child: &mut Child) -> Result<(), String> {
    let ended = child.try_wait().map_err(|error| error.to_string())?;
    child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
    ended.map_or(Ok(()), |status| Err(format!("the child ended by itself: {status}")))
}

/// Opens what the child left, mostly in a copy, so that the next child finds it as the kill left it.
fn check(
    directory: &Path,
    lines: &[Line],
    round: u64,
    ledger: &mut Ledger,
    report: &mut Report,
) -> Result<(), String> {
    let has = |is: fn(&Line) -> bool| lines.iter().any(is);
    let opened = has(|line| matches!(line, Line::Opened { .. }));
    let closing = has(|line| *line == Line::Closing);
    let closed = has(|line| *line == Line::Closed);
    report.opening += u64::from(!opened);
    report.closing += u64::from(closing && !closed);
    let copy = scratch();
    let path = if round % 8 == 7 {
        directory
    } else {
        write_files(copy.path(), &read_files(directory));
        copy.path()
    };
    let (found, clean) = find(path, report)?;
    if closed && !clean {
        return Err("it was closed, and is not".to_owned());
    }
    if clean && !closing && has(|line| matches!(line, Line::Acknowledged(..))) {
        return Err("it was not closed, and is".to_owned());
    }
    ledger.check(lines, &found)?;
    let (again, clean) = find(path, report)?;
    if again != found || !clean {
        return Err(format!("opened twice it is {found:?} and {again:?}"));
    }
    Ok(())
}

fn find(path: &Path, report: &mut Report) -> Result<(Found, bool), String> {
    let store = child::open(path).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("it does not open: {error} {}", cause.unwrap_or_default())
    })?;
    let recovery = store.recovery().expect("it is on a log");
    report.cuts += u64::from(recovery.cut.is_some());
    let clean = recovery.clean;
    let entries = store.iter().map(|(key, entry)| Ok((key, Entry::of(key, &entry)?)));
    let found = Found {
        revision: store.revision().get(),
        entries: entries.collect::<Result<_, String>>()?,
    };
    if found.entries.len() != store.len() {
        return Err(format!("{} entries of {}", found.entries.len(), store.len()));
    }
    store.close().map_err(|error| format!("it does not close: {error}"))?;
    Ok((found, clean))
}
