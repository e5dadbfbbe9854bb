//! What takes pictures of the disk at its calls, and notes what went wrong there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use ifmatch::testing::disk::{Call, Disk, Fault, Step};

use crate::random::Random;

/// What a store is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Opening where nothing is.
    New,
    /// Opening what was closed in good order.
    Reopen,
    /// Opening what was not.
    Recover,
    Write,
    /// Starting a segment, while writing.
    Rotate,
    Checkpoint,
    Close,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Crash {
    Kill,
    PowerCut,
}

/// What may be demanded of whatever is found, in revisions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    /// The newest that anybody was told, in any way.
    pub(super) told: u64,
    /// And what of that was told before the last sync that succeeded.
    pub(super) synced: u64,
    /// The newest that is known to have been handed out.
    pub(super) used: u64,
    /// A sync failed since the store was opened: what is in the cache need not stay there.
    pub(super) sync_failed: bool,
}

/// The disk as a crash finds it.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) disk: Disk,
    pub(super) crash: Crash,
    pub(super) bounds: Bounds,
    /// The call before which it was taken.
    pub(super) number: u64,
    pub(super) call: Call,
}

/// Takes of each call so many pictures.
#[derive(Debug)]
pub(super) struct Camera(Mutex<Inside>);

#[derive(Debug)]
pub(super) struct Inside {
    random: Random,
    pub(super) phase: Phase,
    pub(super) bounds: Bounds,
    /// Of so many calls, after the one that goes wrong, so many pictures each.
    pub(super) each: u64,
    pub(super) pictures: Vec<Picture>,
    /// What the process that opens the store comes after; a crash within is as bad, at the least.
    pub(super) after: Option<Crash>,
    /// A call has failed since the store was opened, or the disk was halted.
    pub(super) failed: bool,
    /// What there was, and how it went wrong.
    pub(super) seen: BTreeMap<(Call, Phase, Option<Fault>), u64>,
    /// The calls of a run, if they are wanted.
    pub(super) trace: Option<Vec<(u64, Call, Phase)>>,
}

impl Camera {
    pub(super) fn new(random: Random, each: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inside {
            random,
            phase: Phase::New,
            bounds: Bounds { told: 1, synced: 1, used: 1, sync_failed: false },
            each,
            pictures: Vec::new(),
            after: None,
            failed: false,
            seen: BTreeMap::new(),
            trace: None,
        })))
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    pub(super) fn watch(self: &Arc<Self>, disk: &Disk) {
        let camera = Arc::clone(self);
        disk.on_call(move |disk, step| camera.inside().look(disk, step));
    }
}

impl Inside {
    fn look(&mut self, disk: &Disk, step: &Step<'_>) {
        let phase = self.phase_of(step);
        *self.seen.entry((step.call, phase, step.fault)).or_default() += 1;
        if let Some(trace) = &mut self.trace {
            trace.push((step.number, step.call, phase));
        }
        for _ in 0..self.each {
            let seed = self.random.next();
            self.take(disk, seed, (step.number, step.call));
        }
        if matches!(step.fault, Some(Fault::Io | Fault::NoSpace)) {
            self.failed = true;
            self.bounds.sync_failed |= step.call == Call::Sync;
        }
    }

    pub(super) fn take(&mut self, disk: &Disk, seed: u64, (number, call): (u64, Call)) {
        let (crash, disk) = match seed % 8 {
            0..=4 => (Crash::PowerCut, disk.after_power_cut(seed)),
            5 => (Crash::PowerCut, disk.as_synced()),
            _ => (Crash::Kill, disk.after_kill(seed)),
        };
        let crash = self.after.map_or(crash, |after| crash.max(after));
        self.pictures.push(Picture { disk, crash, bounds: self.bounds, number, call });
    }

    fn phase_of(&self, step: &Step<'_>) -> Phase {
        let rotates = step.file.ends_with(".segment.new")
            || matches!(step.call, Call::Rename | Call::SyncDirectory | Call::SetLen);
        if self.phase == Phase::Write && rotates { Phase::Rotate } else { self.phase }
    }
}
