//! surrealkv: an LSM tree with a pipeline of commits, which are futures; each thread waits for its own.
//!
//! Its sizes are those that it finds for this machine
//! ([`auto_tune_options`](https://docs.rs/surrealkv/1.2.0/surrealkv/autotune/fn.auto_tune_options.html)), and the cache holds
//! all keys. A commit of `Durability::Eventual` is with the system, where it survives the process; one of `Immediate` is synced,
//! [into a log of zeros](https://docs.rs/surrealkv/1.2.0/surrealkv/struct.Options.html#method.with_wal_preallocation), the
//! faster way. A transaction that writes is refused at its commit if another one wrote its key since it began.

use std::path::Path;

use futures::future::{BoxFuture, FutureExt, ready};
use surrealkv::autotune::auto_tune_options;
use surrealkv::{Durability, Error, Mode, Options, Transaction, Tree, TreeBuilder};
use tokio::runtime::Runtime;

use super::CACHE_BYTES;
use super::encoded::{self, FIRST, encode};
use crate::engine::{Engine, Entries};

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Eventual)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, Durability::Immediate)
}

fn open(directory: &Path, durability: Durability) -> Box<dyn Engine> {
    let runtime = Runtime::new().expect("threads can be started");
    let options = auto_tune_options(Options::new())
        .with_path(directory.join("surrealkv"))
        .with_block_cache_capacity(CACHE_BYTES as u64)
        .with_wal_preallocation(durability == Durability::Immediate);
    let within = runtime.enter();
    let tree = TreeBuilder::with_options(options).build().expect("the directory is ours");
    drop(within);
    Box::new(SurrealKv { runtime, tree, durability })
}

struct SurrealKv {
    runtime: Runtime,
    tree: Tree,
    durability: Durability,
}

impl SurrealKv {
    /// All but its commit, if the key is still at this revision.
    fn prepared(&self, key: &str, expected: u64, value: &[u8]) -> Option<Transaction> {
        let mut transaction = self.tree.begin().expect("it is open");
        transaction.set_durability(self.durability);
        let current = transaction.get(key.as_bytes()).expect("the disk works")?;
        if encoded::revision(&current) != expected {
            return None;
        }
        let value = encode(expected + 1, value);
        transaction.set(key.as_bytes(), &value[..]).expect("it is in memory");
        Some(transaction)
    }
}

/// Or refused, because another one came before.
fn is_done(committed: Result<(), Error>) -> bool {
    match committed {
        Ok(()) => true,
        Err(Error::TransactionWriteConflict | Error::TransactionRetry) => false,
        Err(error) => panic!("the disk works: {error}"),
    }
}

impl Engine for SurrealKv {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let transaction = self.tree.begin_with_mode(Mode::ReadOnly).expect("it is open");
        let value = transaction.get(key.as_bytes()).expect("the disk works");
        value.map(|value| encoded::read(&value))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let Some(mut transaction) = self.prepared(key, expected, value) else { return false };
        is_done(self.runtime.block_on(transaction.commit()))
    }

    fn submit<'a>(&'a self, key: &str, expected: u64, value: &[u8]) -> BoxFuture<'a, bool> {
        let Some(mut transaction) = self.prepared(key, expected, value) else {
            return ready(false).boxed();
        };
        let committed = self.runtime.spawn(async move { transaction.commit().await });
        committed.map(|joined| is_done(joined.expect("it does not panic"))).boxed()
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let mut transaction = self.tree.begin().expect("it is open");
            let mut count = 0;
            for (key, value) in (&mut *entries).take(1000) {
                let value = encode(FIRST, &value);
                transaction.set(key.as_str().as_bytes(), &value[..]).expect("it is in memory");
                count += 1;
            }
            if count == 0 {
                return;
            }
            transaction.set_durability(self.durability);
            self.runtime.block_on(transaction.commit()).expect("nobody else writes");
        }
    }
}

impl Drop for SurrealKv {
    fn drop(&mut self) {
        self.runtime.block_on(self.tree.close()).expect("the disk works");
    }
}
