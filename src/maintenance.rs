//! Looking after the directory of a log: what is in it, whether it is sound, copies of it, and what to do when it is damaged.
//!
//! Everything here works on bytes: it needs neither the types nor the codec of the store, and no running one. The command
//! `ifmatch log` is these functions; [`guide`] is the page for whoever runs a store.
//!
//! | function | what it does | beside a running store |
//! | --- | --- | --- |
//! | [`verify()`] | reads everything, and says what is not as it was written | yes |
//! | [`dump()`] | shows every commit and entry, also past damage | yes |
//! | [`stats()`] | what is live, what is dead, how large it is | yes |
//! | [`backup()`] | copies one consistent state | yes, as [`Store::backup`](crate::Store::backup), too |
//! | [`restore()`] | makes a new store of a backup | into a directory of its own |
//! | [`compact()`] | replaces the log by a checkpoint | no: [`Store::compact`](crate::Store::compact) does it there |
//! | [`Repair`] | keeps what is whole before damage, in a new store | no |
//!
//! The first four change nothing, not even the lock file.
//!
//! To bytes two keys are the same if their encodings are. Of a store whose keys can be equal and encoded differently (names
//! whatever their case, `-0.0` and `0.0`), [`restore()`], [`compact()`] and [`Repair`] may bring back what was deleted under the
//! other encoding: compact such a store by [`Store::compact`](crate::Store::compact), and export it instead.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! # let (data, copy, restored) = (folder.path().join("data"), folder.path().join("copy"), folder.path().join("restored"));
//! use ifmatch::{Store, maintenance};
//!
//! let store: Store<String, u32> = Store::builder().open(&data)?;
//! let revision = store.put("key", 7)?;
//!
//! let backup = maintenance::backup(&data, &copy, &mut |_| {})?; // the store goes on meanwhile
//! assert_eq!(backup.revision, revision.get());
//!
//! maintenance::restore(&copy, &restored, maintenance::DEFAULT_BUMP, &mut |_| {})?;
//! let restored: Store<String, u32> = Store::builder().open(&restored)?;
//! assert_eq!(restored.get("key").map(|entry| entry.revision()), Some(revision));
//! assert_ne!(restored.identity(), store.identity());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod building;
mod compact;
mod dump;
mod encoded;
mod error;
mod repair;
mod restore;
mod state;
mod stats;
mod verify;

#[doc = include_str!("operations.md")]
pub mod guide {}

pub(crate) use self::backup::backup_of;
pub use self::backup::{BackedUp, backup};
pub use self::compact::{Compacted, compact};
pub use self::dump::{DumpOptions, Dumped, Item, dump};
pub use self::encoded::Encoded;
pub use self::error::MaintenanceError;
pub use self::repair::{Repair, Repaired};
pub use self::restore::{DEFAULT_BUMP, Restored, restore};
pub use self::stats::{DiskStats, Sizes, stats};
pub use self::verify::verify;
pub use crate::log::{Beyond, CheckpointFile, Cut, Damage, Inspection};

/// How far a long work is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many bytes are done.
    pub done: u64,
    /// How many there are, as far as is known.
    pub total: u64,
}

/// Is told how far it is, often: at least once for each file.
pub type OnProgress<'a> = dyn FnMut(Progress) + 'a;
