//! A disk in memory that fails as planned, and loses what disks lose when the power is cut.
//!
//! A store that is opened on a [`Disk`] by [`Builder::open_on`](crate::Builder::open_on) does everything that it does on
//! real files, and the disk can be looked at, and crashed, at every call. So an application can crash its own use of the
//! store:
//!
//! ```
//! use ifmatch::testing::disk::Disk;
//! use ifmatch::{Store, Txn};
//!
//! type Accounts = Store<String, i64>;
//! let open = |disk: &Disk| Accounts::builder().segment_bytes(4096).shards(1).open_on(disk);
//!
//! let disk = Disk::new();
//! let store = open(&disk)?;
//! store.commit(Txn::new().put("alice", 70).put("bob", 30))?;
//!
//! // A transfer, and what the disk may look like after a power cut before each of the calls that it makes:
//! let (found, cut) = std::sync::mpsc::channel();
//! disk.on_call(move |disk, step| {
//!     for seed in 0..20 {
//!         found.send((step.to_string(), disk.after_power_cut(seed))).expect("it is received");
//!     }
//! });
//! store.commit(Txn::new().put("alice", 60).put("bob", 40))?;
//! drop(store);
//!
//! for (step, disk) in cut.try_iter() {
//!     let store = open(&disk)?; // whatever was lost, it opens
//!     let sum: i64 = store.iter().map(|(_, balance)| *balance).sum();
//!     assert_eq!(sum, 100, "power cut before {step}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a power cut leaves
//!
//! Each file has a live content, which processes read, and a durable one. A sync of the file makes its live content and
//! its length durable, a sync of the directory its names; and what is durable is never lost. Of what is not,
//! [`Disk::after_power_cut`] lets a random part survive:
//!
//! - each sector of 512 bytes that was written since the last sync, at any of the last 17 contents that it had since, and of
//!   each file at most one of them torn, with one part old and one new;
//! - the length may be the old one, the new one or between, also where the sectors are not there: those read as zeros, or
//!   as what another file, now removed, once had there; a file that was cut may be long again;
//! - each name that was created, renamed or removed is as it was or as it is; so a file that was renamed may have both
//!   names, or neither;
//! - the directory may be gone as a whole, until it was made durable that it exists.
//!
//! # What repeats
//!
//! What happens by chance on a disk is determined by its seed and by the calls. A store that is on a disk without threads,
//! which is the default, and is used by one thread, makes the same calls each time; only a store's identity and the epochs
//! of its segments are others, as their bytes are.

mod call;
mod content;
mod names;
mod random;
mod seam;
mod state;
#[cfg(all(test, not(ifmatch_model)))]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::sync::{Arc, Condvar, Mutex};

pub use self::call::{Call, Fault, Step};
use self::content::Content;
use self::random::Random;
use self::state::State;
use super::Directory;

type Observer = Arc<dyn Fn(&Disk, &Step<'_>) + Send + Sync>;

/// A simulated disk with one directory. A clone is the same disk.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
    threads: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A sync waits, or need not wait any more.
    changed: Condvar,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty disk, on which not even the directory exists.
    #[must_use]
    pub fn new() -> Self {
        Self::of(State::default(), false)
    }

    /// A disk with these files in the directory, all durable.
    #[must_use]
    pub fn with_files<N: AsRef<str>>(files: impl IntoIterator<Item = (N, Vec<u8>)>) -> Self {
        let files = files
            .into_iter()
            .map(|(name, bytes)| (name.as_ref().into(), Content::durable(Arc::new(bytes))));
        Self::of(State::durable(files), false)
    }

    fn of(state: State, threads: bool) -> Self {
        let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
        Self { shared: Arc::new(shared), threads }
    }

    /// Another seed for what happens by chance when calls fail; it is 0 at first.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.shared.state.lock().random = Some(Random::new(seed));
        self
    }

    /// A store that is opened here may start threads, as it does on real files: to write and tell what futures wait for, so
    /// that nothing has to be polled for that, and to sync where nobody waits for it, which else whoever writes does when it is
    /// time. What it does is then not the same each time.
    #[must_use]
    pub fn with_threads(mut self) -> Self {
        self.threads = true;
        self
    }

    /// The files, as a process reads them.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.shared.state.lock().live()
    }

    /// Puts a file into the directory, durably, in place of what has the name.
    pub fn insert(&self, name: &str, bytes: Vec<u8>) {
        self.shared.state.lock().insert(name, Some(bytes));
    }

    /// Takes a file out of the directory, durably, if it is there.
    pub fn take_out(&self, name: &str) {
        self.shared.state.lock().insert(name, None);
    }

    /// How many bytes the files have together.
    #[must_use]
    pub fn used(&self) -> usize {
        self.shared.state.lock().used()
    }

    /// How many calls there were; the next one has this number.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.state.lock().calls
    }

    /// How many syncs of files succeeded.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.shared.state.lock().syncs
    }

    /// Is called before each call, and may look at the disk and take what a crash leaves of it, or halt it.
    pub fn on_call(&self, observer: impl Fn(&Self, &Step<'_>) + Send + Sync + 'static) {
        self.shared.state.lock().observer = Some(Arc::new(observer));
    }

    /// Lets the call with this number go wrong. See [`Fault::applies_to`].
    pub fn fail_at(&self, number: u64, fault: Fault) {
        self.shared.state.lock().plan.at.insert(number, fault);
    }

    /// Lets all such calls go wrong from now on, or with `None` no more.
    pub fn fail_every(&self, call: Call, fault: impl Into<Option<Fault>>) {
        let every = &mut self.shared.state.lock().plan.every;
        match fault.into() {
            Some(fault) => every.insert(call, fault),
            None => every.remove(&call),
        };
    }

    /// Nothing is planned to go wrong any more.
    pub fn clear_faults(&self) {
        let plan = &mut self.shared.state.lock().plan;
        plan.at.clear();
        plan.every.clear();
        plan.transfer_at_most = None;
    }

    /// Lets reads and writes be of at most so many bytes, and every second one be interrupted.
    pub fn set_short_transfers(&self, at_most: usize) {
        self.shared.state.lock().plan.transfer_at_most = Some(at_most);
    }

    /// The files can have so many bytes together; past it a write fails for want of space. `None`: no limit.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.shared.state.lock().capacity = bytes;
    }

    /// Stands still from the call with this number on: that and all later ones fail and do nothing. So the disk is as a
    /// crash before that call finds it.
    pub fn halt_at(&self, number: u64) {
        self.shared.state.lock().plan.halts_at = Some(number);
    }

    /// Stands still from now on, as [`halt_at`](Self::halt_at) says. An observer may call it: then its call is the first
    /// to fail.
    pub fn halt(&self) {
        self.shared.state.lock().plan.halted = true;
    }

    /// Whether it stands still.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.shared.state.lock().plan.halted
    }

    /// From now on a sync of a file does not begin, until [`release_syncs`](Self::release_syncs).
    pub fn hold_syncs(&self) {
        self.shared.state.lock().holding_syncs = true;
    }

    /// Lets syncs begin again, and those that wait.
    pub fn release_syncs(&self) {
        self.shared.state.lock().holding_syncs = false;
        self.shared.changed.notify_all();
    }

    /// Blocks until a sync waits.
    pub fn wait_for_held_sync(&self) {
        let mut state = self.shared.state.lock();
        while state.held == 0 {
            self.shared.changed.wait(&mut state);
        }
    }

    fn pass_hold(&self) {
        let mut state = self.shared.state.lock();
        state.held += 1;
        while state.holding_syncs {
            self.shared.changed.notify_all();
            self.shared.changed.wait(&mut state);
        }
        state.held -= 1;
    }

    /// The disk as it may be found when the power is cut now; which of the many ways it is, the seed says. See the
    /// [module](self). Nothing is planned to go wrong there, and nobody observes it.
    #[must_use]
    pub fn after_power_cut(&self, seed: u64) -> Self {
        let found = self.shared.state.lock().after_power_cut(Random::new(seed));
        Self::of(found, self.threads)
    }

    /// The disk as it is found after a power cut that took all that was not synced.
    #[must_use]
    pub fn as_synced(&self) -> Self {
        Self::of(self.shared.state.lock().as_synced(), self.threads)
    }

    /// The disk as the next process finds it when the process is killed now, and the machine goes on: nothing is lost,
    /// and what was not durable still is not. But what a failed sync has not written may be dropped from the cache.
    #[must_use]
    pub fn after_kill(&self, seed: u64) -> Self {
        let found = self.shared.state.lock().after_kill(Random::new(seed));
        Self::of(found, self.threads)
    }

    /// Drops some of what a failed sync has not written from the cache: it reads as the disk has it.
    pub fn drop_caches(&self, seed: u64) {
        self.shared.state.lock().drop_caches(&mut Random::new(seed));
    }

    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.clone())
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        let lens: BTreeMap<_, _> = state.lens().collect();
        f.debug_struct("Disk").field("calls", &state.calls).field("files", &lens).finish()
    }
}
