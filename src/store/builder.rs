//! How a store is made.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

use crate::codec::Bincode;
use crate::identity::Identity;
use crate::log::Frontier;
use crate::revision::Revision;
use crate::sync::Arc;

use super::index::Index;
use super::map::Map;
#[cfg(feature = "log")]
use super::open::LogSettings;
use super::retention::Bounds;
use super::sequencer::Sequencer;
use super::shards::Shards;
use super::window::{MIN_WINDOW, Window};
use super::{FastHash, Inner, Store};

/// Makes a [`Store`]: in memory by [`build`](Self::build), on a log by `open` (feature `log`, a default).
///
#[cfg_attr(feature = "log", doc = "```")]
#[cfg_attr(not(feature = "log"), doc = "```ignore")]
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("data");
/// use ifmatch::{Durability, Store};
///
/// let store = Store::<String, u32>::builder().durability(Durability::Buffered).open(&path)?;
/// store.put("key", 7)?;
/// store.close()?;
///
/// let store = Store::<String, u32>::builder().open(&path)?; // Durability::Sync
/// assert_eq!(*store.get("key").expect("was put"), 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Builder<K, V, S = FastHash, C = Bincode> {
    pub(super) hasher: S,
    pub(super) settings: Settings,
    #[cfg(feature = "log")]
    pub(super) log: LogSettings,
    pub(super) types: PhantomData<fn(K, V, C)>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `None`: as many as the cores want. To ask how many there are takes time.
    pub(super) shards: Option<usize>,
    pub(super) max_keys: u64,
    pub(super) first_revision: Revision,
    pub(super) bounds: Bounds,
    pub(super) window: usize,
}

impl Settings {
    pub(super) fn shards(&self) -> usize {
        self.shards.unwrap_or_else(default_shards)
    }

    pub(super) fn sequencer<K, V>(
        &self,
        newest: u64,
        live: u64,
        window: Window<K, V>,
        log_end: Option<Arc<Frontier>>,
    ) -> Sequencer<K, V> {
        Sequencer::new(newest, live, self.max_keys, self.bounds, window, log_end)
    }
}

impl<K, V> Default for Builder<K, V> {
    fn default() -> Self {
        Self {
            hasher: FastHash::default(),
            settings: Settings {
                shards: None,
                max_keys: u64::MAX,
                first_revision: FIRST_REVISION,
                bounds: Bounds {
                    versions: 1,
                    commits: 0,
                    max_deleted: 1 << 16,
                    max_snapshots: 1 << 20,
                },
                window: 4_096,
            },
            #[cfg(feature = "log")]
            log: LogSettings::default(),
            types: PhantomData,
        }
    }
}

/// An empty store is at revision 1, as an empty etcd is, so that "everything since the revision of the store" is
/// well-defined from the start.
const FIRST_REVISION: Revision = {
    match Revision::MIN.next() {
        Some(second) => second,
        None => Revision::MIN,
    }
};

fn default_shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(8, usize::from);
    (cores * 32).next_power_of_two().max(256)
}

impl<K, V, S, C> Builder<K, V, S, C> {
    /// How many shards the map has: rounded up to a power of two, at most 65,536. More shards let more threads
    /// work at once and cost 128 bytes each. Default: 32 for each core, and at least 256.
    #[must_use]
    pub fn shards(mut self, count: usize) -> Self {
        self.settings.shards = Some(count);
        self
    }

    /// Hashes keys with `hasher`. See [`FastHash`] for what the default means for hostile keys.
    #[must_use]
    pub fn hasher<H: BuildHasher>(self, hasher: H) -> Builder<K, V, H, C> {
        Builder {
            hasher,
            settings: self.settings,
            #[cfg(feature = "log")]
            log: self.log,
            types: PhantomData,
        }
    }

    /// The most keys that the store holds at a time; past it a creation is refused with
    /// [`Reason::TooManyKeys`](crate::Reason::TooManyKeys). Default: no limit but memory.
    #[must_use]
    pub fn max_keys(mut self, max: u64) -> Self {
        self.settings.max_keys = max;
        self
    }

    /// Keeps the last `versions` versions of each key, the current one included, deletes included; for
    /// [`Store::history`] and [`Store::get_at`]. Default: 1, which is no history; 0 is the same.
    ///
    /// It is kept in memory and begins when the store is opened.
    #[must_use]
    pub fn history(mut self, versions: usize) -> Self {
        self.settings.bounds.versions = versions.max(1);
        self
    }

    /// Keeps all versions that were current during the last `commits` revisions, so that each of these can be read whole,
    /// by [`Store::snapshot_at`] and [`Store::get_at`]. Default: 0.
    ///
    /// It is kept in memory and begins when the store is opened.
    #[must_use]
    pub fn history_commits(mut self, commits: u64) -> Self {
        self.settings.bounds.commits = commits;
        self
    }

    /// How many deleted keys have a [`history`](Self::history): past it, those that were deleted longest ago lose
    /// theirs. Default: 65,536.
    #[must_use]
    pub fn max_deleted(mut self, keys: usize) -> Self {
        self.settings.bounds.max_deleted = keys;
        self
    }

    /// How many changes of recent commits are kept, at least 64, for [watches](Store::watch) to resume from and for
    /// transactions to check ranges with. Default: 4,096.
    ///
    /// The newest commit is kept whatever it has, and up to seven changes more, because they leave by eights. What is not yet
    /// durable is kept beside, and leaves as more is written later. It costs the memory of the values, new and old, that so
    /// many changes wrote, and a part of each write's time: see the README.
    #[must_use]
    pub fn watch_window(mut self, changes: usize) -> Self {
        self.settings.window = changes.max(MIN_WINDOW);
        self
    }

    /// How many snapshots, and scans that are not of a snapshot, there may be at a time. Default: 1,048,576.
    #[must_use]
    pub fn max_snapshots(mut self, max: u64) -> Self {
        self.settings.bounds.max_snapshots = max;
        self
    }

    /// The revision of a new store's first commit, at least 2 (an empty store is at 1). An existing log goes on
    /// above it. Default: 2.
    ///
    /// A store in memory that starts again from nothing, but whose clients remember revisions, must start above all
    /// it ever handed out: seconds since 1970 times 2^20 will do.
    #[must_use]
    pub fn first_revision(mut self, revision: Revision) -> Self {
        self.settings.first_revision = revision.max(FIRST_REVISION);
        self
    }
}

impl<K, V, S, C> Builder<K, V, S, C>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// Makes a store in memory.
    #[must_use]
    pub fn build(self) -> Store<K, V, S> {
        let Self { hasher, settings, .. } = self;
        let newest = settings.first_revision.get() - 1;
        let shards = Shards::new(settings.shards(), hasher);
        let window = Window::new(newest, settings.window);
        let sequencer = settings.sequencer(newest, 0, window, None);
        Store::from_inner(Inner {
            map: Arc::new(Map::new(shards, Index::new(), sequencer)),
            journal: None,
            identity: Identity::random(),
            #[cfg(feature = "log")]
            recovery: None,
        })
    }
}

impl<K, V, S, C> fmt::Debug for Builder<K, V, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
