//! The stores that are raced on: small, so that everything that has a limit meets it.

use std::fmt;
use std::time::Duration;

use ifmatch::testing::disk::Disk;
use ifmatch::{Builder, Durability};
use tempfile::TempDir;

use super::Store;
use crate::common::{self, Random};

/// How a store is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    place: Place,
    shards: usize,
    window: usize,
    max_deleted: usize,
    segment_bytes: usize,
    block: u64,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Memory,
    Disk(Durability),
    Directory(Durability),
}

/// A store, and what it is on.
pub(super) struct Opened {
    pub(super) store: Store,
    _directory: Option<TempDir>,
}

impl Setup {
    pub(super) fn random(random: &mut Random) -> Self {
        let durability = match random.below(4) {
            0 | 1 => Durability::Sync,
            2 => Durability::Buffered,
            _ => Durability::Interval(Duration::from_micros(200)),
        };
        let place = match random.below(10) {
            0..=5 => Place::Memory,
            6..=8 => Place::Disk(durability),
            _ => Place::Directory(durability),
        };
        Self {
            place,
            shards: *random.pick(&[1, 2, 64]),
            window: *random.pick(&[1, 8, 1000]),
            max_deleted: *random.pick(&[0, 1, 1000]),
            segment_bytes: *random.pick(&[4096, 1 << 20]),
            block: *random.pick(&[16, 1 << 20]),
        }
    }

    fn builder(self) -> Builder<String, u64> {
        Store::builder()
            .shards(self.shards)
            .watch_window(self.window)
            .max_deleted(self.max_deleted)
            .segment_bytes(self.segment_bytes)
            .revision_block(self.block)
    }

    /// On this disk, whatever the place.
    pub(super) fn open_on(self, durability: Durability, disk: &Disk) -> Result<Store, String> {
        let opened = self.builder().durability(durability).open_on(disk);
        opened.map_err(|error| {
            format!("it does not open: {error}: {:?}", std::error::Error::source(&error))
        })
    }

    pub(super) fn open(self) -> Opened {
        let builder = self.builder();
        match self.place {
            Place::Memory => Opened { store: builder.build(), _directory: None },
            Place::Disk(durability) => {
                let disk = Disk::new().with_threads();
                let store = builder.durability(durability).open_on(&disk).unwrap();
                Opened { store, _directory: None }
            }
            Place::Directory(durability) => {
                let directory = common::scratch();
                let store = builder.durability(durability).open(directory.path()).unwrap();
                Opened { store, _directory: Some(directory) }
            }
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
