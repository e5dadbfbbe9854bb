//! One history across restarts: threads on a simulated disk, until it is halted or fails, and again on what is left of it.
//!
//! Under `Sync` whatever somebody was told holds ever after, so that it is one history, and the model's. Under weaker
//! durability a power cut or a failing disk takes back an end of it: what is found has to be what some beginning of the order of
//! revisions made, and each life is a history of its own. A kill takes back nothing, nor does a power cut after a close, and what
//! was found once is found again.

use std::time::Duration;

use ifmatch::testing::disk::{Disk, Fault};
use ifmatch::testing::{
    Call, Entry, Model, Recorder, StoreModel, StoreOperation, StoreOutcome, check, strategies,
};
use ifmatch::{Durability, KeyRange, Revision};

use super::plan::{Verdict, one_of, plans};
use super::setup::Setup;
use super::threads::{Actor, round};
use super::{History, Store};
use crate::common::Random;

const LIVES: u64 = 3;

/// How a life ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Kill,
    PowerCut,
}

/// What is known at a restart.
struct Found {
    revision: Revision,
    entries: Vec<(String, Entry<u64>)>,
}

fn durability(random: &mut Random) -> Durability {
    match random.below(4) {
        0 | 1 => Durability::Sync,
        2 => Durability::Buffered,
        _ => Durability::Interval(Duration::from_micros(200)),
    }
}

/// Several lives; the history of all of them, if it has to be one.
pub(super) fn lives(random: &mut Random) -> (String, Result<History, String>) {
    let (setup, durability) = (Setup::random(random), durability(random));
    let mut trace = format!("{setup}, crashes under {durability:?}");
    let done = live(random, setup, durability, &mut trace);
    (trace, done)
}

fn live(
    random: &mut Random,
    setup: Setup,
    durability: Durability,
    trace: &mut String,
) -> Result<History, String> {
    let clients = usize::try_from(2 + random.below(3)).unwrap();
    let plans = plans(random, clients, 40);
    let mut actors = Actor::all(&plans);
    let recorder = Recorder::new();
    let mut disk = Disk::new().with_threads();
    let mut past: Option<Found> = None;
    let is_exact = matches!(durability, Durability::Sync);
    for _ in 0..=LIVES {
        let store = reopen(setup, durability, &disk, &recorder)?;
        if let Some(before) = past.take() {
            past = Some(found_again(&before, &store)?);
        }
        let may_fail = prepare_fault(random, &disk, trace);
        let range =
            random.one_in(2).then(|| one_of(random, strategies::ranges(strategies::keys())));
        round(&mut actors, 12, &store, &recorder, range, random)?;
        let end = *random.pick(&[End::Close, End::Kill, End::PowerCut, End::PowerCut]);
        *trace += &format!(", {end:?}");
        let (left, is_closed) = die(store, &disk, end, random);
        disk = left;
        recorder.end_open_calls();
        if !is_exact {
            let history = recorder.take();
            let store = setup.open_on(durability, &disk)?;
            let left = found(&store);
            let keeps_all = is_closed || !(may_fail || matches!(end, End::PowerCut));
            judge_life(past.as_ref(), &history, &left, keeps_all)?;
            past = Some(left);
            // What clients know of revisions may be taken back.
            actors.iter_mut().for_each(Actor::forget);
        }
    }
    Ok(recorder.take())
}

fn reopen(
    setup: Setup,
    durability: Durability,
    disk: &Disk,
    recorder: &super::Recorder,
) -> Result<Store, String> {
    let client = recorder.client();
    let open = client.begin(StoreOperation::Reopen);
    let store = setup.open_on(durability, disk)?;
    open.end(StoreOutcome::Revision(store.revision()));
    Ok(store)
}

/// Something that goes wrong on the way, mostly. Whether that is a call that fails, which may take back what was not synced.
fn prepare_fault(random: &mut Random, disk: &Disk, trace: &mut String) -> bool {
    let call = disk.calls() + random.below(30);
    match random.below(4) {
        0 => {
            disk.halt_at(call);
            *trace += &format!(", halted at {call}");
            false
        }
        1 => {
            let fault = *random.pick(&[Fault::Io, Fault::NoSpace]);
            disk.fail_at(call, fault);
            *trace += &format!(", {fault:?} at {call}");
            true
        }
        _ => false,
    }
}

/// The disk as it is left, and whether the store was closed.
fn die(store: Store, disk: &Disk, end: End, random: &mut Random) -> (Disk, bool) {
    let seed = random.next();
    let left = match end {
        // A close that fails leaves what a kill leaves; after one that does not the power may go.
        End::Close => {
            let is_closed = store.close().is_ok();
            drop(store);
            disk.halt();
            let is_cut = is_closed && random.one_in(2);
            let left = if is_cut { disk.after_power_cut(seed) } else { disk.after_kill(seed) };
            return (left, is_closed);
        }
        End::Kill => {
            disk.halt();
            disk.after_kill(seed)
        }
        End::PowerCut => {
            disk.halt();
            disk.after_power_cut(seed)
        }
    };
    drop(store);
    (left, false)
}

fn found(store: &Store) -> Found {
    let scan = store.iter();
    let revision = scan.revision();
    Found { revision, entries: scan.map(|(key, entry)| (key, Entry::from(&entry))).collect() }
}

/// What is there when it is opened once more, and nothing was written in between.
fn found_again(before: &Found, store: &Store) -> Result<Found, String> {
    let again = found(store);
    if again.entries == before.entries && again.revision >= before.revision {
        return Ok(again);
    }
    let (then, now) = (&before.entries, &again.entries);
    Err(format!(
        "at {} there was {then:?}, and opened again, at {}, {now:?}",
        before.revision, again.revision
    ))
}

/// A life under a weaker durability: what everybody was told is linearizable, and some beginning of it is what was left, or all of
/// it.
fn judge_life(past: Option<&Found>, history: &History, left: &Found, keeps_all: bool) -> Verdict {
    let model = || match past {
        None => StoreModel::new(),
        Some(Found { revision, entries }) => {
            StoreModel::starting_with(entries.iter().cloned(), *revision)
        }
    };
    check(&model(), history).map_err(|error| error.to_string())?;
    let told = |call: &Call<_, _>| model().revision(&call.operation, call.outcome.as_ref()?);
    let mut ends: Vec<_> = history.calls().iter().filter_map(told).collect();
    ends.push(past.map_or(Revision::MIN, |past| past.revision));
    let newest = left.entries.iter().map(|(_, entry)| entry.revision).max();
    ends.retain(|end| Some(*end) >= newest);
    ends.extend(newest);
    ends.sort_unstable();
    ends.dedup();
    if keeps_all {
        ends = vec![Revision::MAX];
    }
    let is_beginning = |end: &Revision| check(&model(), &until(history, *end, left, told)).is_ok();
    if ends.iter().any(is_beginning) {
        Ok(())
    } else {
        let made = if keeps_all { "is not all" } else { "no beginning made" };
        Err(format!("{:?} is left at {}, which {made}", left.entries, left.revision))
    }
}

/// What was told of revisions up to this one, and what was found after it.
fn until(
    history: &History,
    end: Revision,
    left: &Found,
    told: impl Fn(&Call<super::Operation, super::Told>) -> Option<Revision>,
) -> History {
    let stays = |call: &&Call<_, _>| match &call.outcome {
        None => true,
        Some(_) => told(call).is_some_and(|revision| revision <= end),
    };
    let mut beginning: History = history.calls().iter().filter(stays).cloned().collect();
    let scan = StoreOperation::Scan(KeyRange::all());
    let scanned = StoreOutcome::Scanned { revision: None, entries: left.entries.clone() };
    beginning.push(u32::MAX, scan, u64::MAX - 1..u64::MAX, Some(scanned));
    beginning
}
