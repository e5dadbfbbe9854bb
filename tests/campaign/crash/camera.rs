//! What takes pictures of the disk at its calls, and notes what went wrong there.

use std::sync::{Arc, Mutex, MutexGuard};

use ifmatch::testing::disk::{Call, Disk, Fault, Step};

use crate::common::Random;

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

impl Phase {
    pub(super) const ALL: [Self; 7] = [
        Self::New,
        Self::Reopen,
        Self::Recover,
        Self::Write,
        Self::Rotate,
        Self::Checkpoint,
        Self::Close,
    ];
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

/// What is to go wrong: of all calls the one with this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) number: usize,
    pub(super) fault: Fault,
    pub(super) pictures_after: u64,
}

/// Something to be done at a moment, once.
pub(super) type Errand = Box<dyn FnOnce() + Send>;

/// Takes of each call so many pictures.
pub(super) struct Camera(Mutex<Inside>);

pub(super) struct Inside {
    random: Random,
    pub(super) phase: Phase,
    pub(super) bounds: Bounds,
    /// So many pictures of each call.
    pub(super) each: u64,
    /// One picture of so many calls more.
    pub(super) more: u64,
    /// How many calls there were, on all disks; the one that is to go wrong; and what it was.
    calls: usize,
    pub(super) plan: Option<Plan>,
    pub(super) hit: Option<(Call, Phase, Fault)>,
    pub(super) pictures: Vec<Picture>,
    /// What the process that opens the store comes after; a crash within is as bad, at the least.
    pub(super) after: Option<Crash>,
    /// A call has failed since the store was opened, or the disk was halted.
    pub(super) failed: bool,
    /// What somebody else does meanwhile.
    pub(super) when_a_segment_is_named: Option<Errand>,
    /// The calls, if they are wanted.
    pub(super) trace: Option<Vec<(Call, Phase)>>,
}

impl Camera {
    pub(super) fn new(random: Random, each: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inside {
            random,
            phase: Phase::New,
            bounds: Bounds { told: 1, synced: 1, used: 1, sync_failed: false },
            each,
            more: 0,
            calls: 0,
            plan: None,
            hit: None,
            pictures: Vec::new(),
            after: None,
            failed: false,
            when_a_segment_is_named: None,
            trace: None,
        })))
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    pub(super) fn watch(self: &Arc<Self>, disk: &Disk) {
        let camera = Arc::clone(self);
        disk.on_call(move |disk, step| {
            let errand = camera.inside().look(disk, step);
            if let Some(errand) = errand {
                errand();
            }
        });
    }
}

impl Inside {
    /// Returns what is to be done now, if this is the moment.
    fn look(&mut self, disk: &Disk, step: &Step<'_>) -> Option<Errand> {
        let phase = self.phase_of(step);
        if let Some(trace) = &mut self.trace {
            trace.push((step.call, phase));
        }
        self.calls += 1;
        if let Some(fault) = step.fault
            && let Some(plan) = self.plan.take_if(|plan| plan.number + 1 == self.calls)
        {
            self.hit = Some((step.call, phase, fault));
            self.more = plan.pictures_after;
        }
        self.arm(disk, step.number + 1);
        let more = self.more.min(1);
        self.more -= more;
        for number in 0..self.each + more {
            let seed = self.random.next();
            let kind = if more > 0 { seed } else { number };
            self.take(disk, (seed, kind), (step.number, step.call));
        }
        if matches!(step.fault, Some(Fault::Io | Fault::NoSpace)) {
            self.failed = true;
            self.bounds.sync_failed |= step.call == Call::Sync;
        }
        let named = step.call == Call::Rename && step.file.ends_with(".segment.new");
        if named { self.when_a_segment_is_named.take() } else { None }
    }

    /// Lets the next call of the disk, `number`, go wrong if it is the one.
    pub(super) fn arm(&self, disk: &Disk, number: u64) {
        if let Some(plan) = &self.plan
            && plan.number == self.calls
        {
            disk.fail_at(number, plan.fault);
        }
    }

    /// Of eight kinds of pictures five are of power cuts that take what they may, and one of one that takes everything.
    pub(super) fn take(
        &mut self,
        disk: &Disk,
        (seed, kind): (u64, u64),
        (number, call): (u64, Call),
    ) {
        let (crash, disk) = match kind % 8 {
            0 | 3..=6 => (Crash::PowerCut, disk.after_power_cut(seed)),
            1 => (Crash::PowerCut, disk.as_synced()),
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
