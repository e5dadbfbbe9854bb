//! Watches that are followed, and snapshots that are kept, while something else is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ifmatch::{Snapshot, Store, WatchError};
use parking_lot::Mutex;

use crate::engine::{Burden, Heard};

/// What there is now.
pub struct Carried<V> {
    snapshots: Vec<Snapshot<String, V>>,
    watchers: usize,
    following: Option<Following>,
}

impl<V> Default for Carried<V> {
    fn default() -> Self {
        Self { snapshots: Vec::new(), watchers: 0, following: None }
    }
}

impl<V: Send + Sync + 'static> Carried<V> {
    /// Snapshots are taken anew, or there would be nothing left for them to keep; watches go on.
    pub fn become_of(&mut self, store: &Store<String, V>, burden: Burden) {
        self.snapshots.clear();
        self.snapshots.extend((0..burden.snapshots).map(|_| store.snapshot()));
        if self.watchers != burden.watchers {
            self.following = None;
            self.following = (burden.watchers > 0).then(|| Following::new(store, burden.watchers));
            self.watchers = burden.watchers;
        }
    }

    /// Since this was asked last.
    pub fn heard(&self) -> Heard {
        let Some(following) = &self.following else { return Heard::default() };
        let mut tally = following.tally.lock();
        let lagging =
            tally.lagging.iter_mut().map(std::mem::take).filter(|lagging| *lagging).count();
        let (events, lags) = (std::mem::take(&mut tally.events), std::mem::take(&mut tally.lags));
        Heard { events, lagging, lags }
    }
}

/// Since somebody asked.
struct Tally {
    events: u64,
    lags: u64,
    /// By watch.
    lagging: Vec<bool>,
}

/// How many of one watch are taken before it is the next one's turn: as many as a store keeps for it.
const MOST_AT_ONCE: u64 = 4096;

/// One thread takes what all watches tell, by turns.
struct Following {
    ends: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    thread: Option<JoinHandle<()>>,
}

impl Following {
    fn new<V: Send + Sync + 'static>(store: &Store<String, V>, watchers: usize) -> Self {
        let open = |_| store.watch().open().expect("there is room for watches");
        let mut watches: Vec<_> = (0..watchers).map(open).collect();
        let ends = Arc::new(AtomicBool::new(false));
        let tally = Tally { events: 0, lags: 0, lagging: vec![false; watchers] };
        let tally = Arc::new(Mutex::new(tally));
        let (over, sums) = (Arc::clone(&ends), Arc::clone(&tally));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for (number, watch) in watches.iter_mut().enumerate() {
                    let (mut events, mut lags) = (0, 0);
                    loop {
                        match watch.try_recv() {
                            Ok(commit) => events += commit.events().len() as u64,
                            Err(WatchError::Lagged { .. }) => lags += 1,
                            Err(_) => break,
                        }
                        // Who writes faster than this reads would keep it at the first one for ever.
                        if events >= MOST_AT_ONCE {
                            break;
                        }
                    }
                    let mut sums = sums.lock();
                    sums.events += events;
                    sums.lags += lags;
                    sums.lagging[number] |= lags > 0;
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { ends, tally, thread: Some(thread) }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
