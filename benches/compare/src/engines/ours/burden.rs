//! Watches that are followed, and snapshots that are kept, while something else is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ifmatch::{Snapshot, Store, WatchError};

use crate::engine::Burden;

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
}

/// One thread takes what all watches tell, by turns.
struct Following {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Following {
    fn new<V: Send + Sync + 'static>(store: &Store<String, V>, watchers: usize) -> Self {
        let open = |_| store.watch().open().expect("there is room for watches");
        let mut watches: Vec<_> = (0..watchers).map(open).collect();
        let ends = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for watch in &mut watches {
                    while let Ok(_) | Err(WatchError::Lagged { .. }) = watch.try_recv() {}
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { ends, thread: Some(thread) }
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
