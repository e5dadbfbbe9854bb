//! How a store is made.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Bincode, Codec};
use crate::error::OpenError;
use crate::identity::Identity;
use crate::log::{self, Durability, Opened, Options};
use crate::revision::Revision;
use crate::storage::{Directory, Files};
use crate::sync::Arc;

use super::journal::{self, Journal};
use super::sequencer::Sequencer;
use super::shards::Shards;
use super::{FastHash, Inner, Store};

/// Makes a [`Store`]: in memory by [`build`](Self::build), on a log by [`open`](Self::open).
///
/// ```
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
    hasher: S,
    settings: Settings,
    types: PhantomData<fn(K, V, C)>,
}

#[derive(Clone, Debug)]
struct Settings {
    shards: usize,
    max_keys: u64,
    first_revision: Revision,
    durability: Durability,
    max_record_bytes: u32,
    segment_bytes: usize,
}

impl<K, V> Default for Builder<K, V> {
    fn default() -> Self {
        Self {
            hasher: FastHash::default(),
            settings: Settings {
                shards: default_shards(),
                max_keys: u64::MAX,
                first_revision: FIRST_REVISION,
                durability: Durability::default(),
                max_record_bytes: 16 << 20,
                segment_bytes: 64 << 20,
            },
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
        self.settings.shards = count;
        self
    }

    /// Hashes keys with `hasher`. See [`FastHash`] for what the default means for hostile keys.
    #[must_use]
    pub fn hasher<H: BuildHasher>(self, hasher: H) -> Builder<K, V, H, C> {
        Builder { hasher, settings: self.settings, types: PhantomData }
    }

    /// Encodes keys and values in the log with the codec `D`. A log written with another is refused.
    #[must_use]
    pub fn codec<D: Codec>(self) -> Builder<K, V, S, D> {
        Builder { hasher: self.hasher, settings: self.settings, types: PhantomData }
    }

    /// The most keys that the store holds at a time; past it a creation is refused with
    /// [`Reason::TooManyKeys`](crate::Reason::TooManyKeys). Default: no limit but memory.
    #[must_use]
    pub fn max_keys(mut self, max: u64) -> Self {
        self.settings.max_keys = max;
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

    /// When a commit counts as done. Default: [`Durability::Sync`]. It means nothing in memory.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// The most bytes that the encoding of one commit may take, at most 256 MiB; past it a write is refused with
    /// [`Reason::RecordTooLarge`](crate::Reason::RecordTooLarge). Default: 16 MiB. It means nothing in memory.
    #[must_use]
    pub fn max_record_bytes(mut self, max: u32) -> Self {
        self.settings.max_record_bytes = max.min(log::MAX_RECORD_BYTES);
        self
    }

    /// At about how many bytes the log starts its next file, between 4 KiB and 1 GiB. Default: 64 MiB.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: usize) -> Self {
        let (min, max) = log::SEGMENT_BYTES.into_inner();
        self.settings.segment_bytes = bytes.clamp(min, max);
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
        Store::from_inner(Inner {
            shards: Arc::new(Shards::new(settings.shards, hasher)),
            sequencer: Sequencer::new(newest, 0, settings.max_keys),
            journal: None,
            identity: Identity::random(),
            recovery: None,
        })
    }
}

impl<K, V, S, C> Builder<K, V, S, C>
where
    K: Clone + Hash + Ord + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
    C: Codec,
{
    /// Opens the store on the log in `directory`, which is created if it does not exist. All data is read into
    /// memory. What was found is told by [`Store::recovery`].
    ///
    /// # Errors
    /// [`OpenError`]; what is in the directory is then as it was.
    pub fn open(self, directory: impl AsRef<Path>) -> Result<Store<K, V, S>, OpenError> {
        self.open_on(Arc::new(Files::new(directory.as_ref())))
    }

    pub(crate) fn open_on(
        self,
        directory: Arc<dyn Directory>,
    ) -> Result<Store<K, V, S>, OpenError> {
        let Self { hasher, settings, .. } = self;
        let options = Options {
            codec: C::NAME,
            durability: settings.durability,
            segment_bytes: settings.segment_bytes,
            first_revision: settings.first_revision.get(),
        };
        let shards = Arc::new(Shards::new(settings.shards, hasher));
        let mut live = 0;
        let opened = Opened::open(directory, options, &mut |revision, operations| {
            journal::replay::<K, V, S, C>(&shards, revision, operations, &mut live)
        })?;
        let newest = opened.newest();
        let identity = opened.identity();
        let recovery = opened.report().clone();
        // Weak, so that the log's threads never are the last to hold the values.
        let reclaimed = Arc::downgrade(&shards);
        let log = opened.start(
            live,
            Box::new(move |hash, shown| {
                if let Some(shards) = reclaimed.upgrade() {
                    shards.trim(hash, shown);
                }
            }),
        )?;
        Ok(Store::from_inner(Inner {
            shards,
            sequencer: Sequencer::new(newest, live, settings.max_keys),
            journal: Some(Journal::new::<C>(log, settings.max_record_bytes)),
            identity,
            recovery: Some(recovery),
        }))
    }
}

impl<K, V, S, C> fmt::Debug for Builder<K, V, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
