//! surrealmx: versions in memory, before a log if need be.
//!
//! With its defaults. Reads are `with_value`, which its
//! [documentation](https://docs.rs/surrealmx/1.1.0/surrealmx/) has as the fastest; a compare-and-swap is a transaction, refused
//! at its commit if another one came before. (Its `putc` compares the value and not the revision, and would have to be told it.)
//! Its log is written by whoever commits (`AolMode::SynchronousOnCommit`), and synced or not (`FsyncMode`), as the table of its
//! documentation has it for what survives a crash of the process, and of the system. It takes no snapshots here, whose period
//! is the user's choice: its log keeps what is overwritten.

use std::path::Path;

use surrealmx::{
    AolMode, Database, DatabaseOptions, Error, FsyncMode, PersistenceOptions, SnapshotMode,
};

use super::encoded::{self, FIRST, encode};
use crate::engine::{Engine, Entries};

pub fn in_memory(_: &Path) -> Box<dyn Engine> {
    Box::new(SurrealMx(Database::new()))
}

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, FsyncMode::Never)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, FsyncMode::EveryAppend)
}

fn open(directory: &Path, mode: FsyncMode) -> Box<dyn Engine> {
    let log = PersistenceOptions::new(directory.join("surrealmx"))
        .with_aol_mode(AolMode::SynchronousOnCommit)
        .with_snapshot_mode(SnapshotMode::Never)
        .with_fsync_mode(mode);
    let db = Database::new_with_persistence(DatabaseOptions::default(), log);
    Box::new(SurrealMx(db.expect("the directory is ours")))
}

struct SurrealMx(Database);

impl Engine for SurrealMx {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        self.0.with_value(key, encoded::read).expect("it works")
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let mut transaction = self.0.transaction(true);
        let current = transaction.with_value(key, encoded::revision).expect("it works");
        if current != Some(expected) {
            transaction.cancel().expect("it works");
            return false;
        }
        transaction.set(key, encode(expected + 1, value)).expect("it works");
        match transaction.commit() {
            Ok(()) => true,
            Err(Error::KeyReadConflict | Error::KeyWriteConflict) => false,
            Err(error) => panic!("it works: {error}"),
        }
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let mut transaction = self.0.transaction(true);
            let mut count = 0;
            for (key, value) in (&mut *entries).take(1000) {
                transaction.set(key.as_str(), encode(FIRST, &value)).expect("it works");
                count += 1;
            }
            transaction.commit().expect("nobody else writes");
            if count == 0 {
                return;
            }
        }
    }
}
