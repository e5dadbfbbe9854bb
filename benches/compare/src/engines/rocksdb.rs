//! RocksDB: an LSM tree in C++, whose transactions are optimistic here; the version that the system has (see Cargo.toml).
//!
//! Configured as its wiki advises whoever begins, under [Setup Options and Basic
//! Tuning](https://github.com/facebook/rocksdb/wiki/Setup-Options-and-Basic-Tuning): dynamic level sizes, blocks of 16 KiB, a
//! Bloom filter of 10 bits a key, index and filters in the cache, LZ4; and with a cache that holds all keys.
//! Its write-ahead log is on, as by default: a commit survives the process, and with
//! [`sync`](https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-%28WAL%29) a power cut.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, OptimisticTransactionDB,
    OptimisticTransactionOptions, Options, WriteBatchWithTransaction, WriteOptions,
};

use super::CACHE_BYTES;
use super::encoded::{self, FIRST, encode};
use crate::engine::{Engine, Entries};

pub fn logged(directory: &Path) -> Box<dyn Engine> {
    open(directory, false)
}

pub fn durable(directory: &Path) -> Box<dyn Engine> {
    open(directory, true)
}

fn open(directory: &Path, sync: bool) -> Box<dyn Engine> {
    let mut blocks = BlockBasedOptions::default();
    let cache = Cache::new_lru_cache(CACHE_BYTES).expect("there is memory");
    blocks.set_block_cache(&cache);
    blocks.set_block_size(16 << 10);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_max_background_jobs(6);
    options.set_bytes_per_sync(1 << 20);
    options.set_compression_type(DBCompressionType::Lz4);
    let db = OptimisticTransactionDB::open(&options, directory.join("rocksdb"));
    let mut write = WriteOptions::default();
    write.set_sync(sync);
    Box::new(RocksDb { db: db.expect("the directory is ours"), write })
}

struct RocksDb {
    db: OptimisticTransactionDB,
    write: WriteOptions,
}

impl Engine for RocksDb {
    fn get(&self, key: &str) -> Option<(u64, u8)> {
        let value = self.db.get_pinned(key).expect("the disk works");
        value.map(|value| encoded::read(&value))
    }

    fn swap(&self, key: &str, expected: u64, value: &[u8]) -> bool {
        let options = OptimisticTransactionOptions::default();
        let transaction = self.db.transaction_opt(&self.write, &options);
        let current = transaction.get_pinned_for_update(key, true).expect("the disk works");
        if current.is_none_or(|current| encoded::revision(&current) != expected) {
            return false;
        }
        transaction.put(key, encode(expected + 1, value)).expect("it is in memory");
        match transaction.commit() {
            Ok(()) => true,
            // What it is told if another one came before.
            Err(error) if error.kind() == rocksdb::ErrorKind::Busy => false,
            Err(error) => panic!("the disk works: {error}"),
        }
    }

    fn fill(&self, entries: &mut Entries<'_>) {
        loop {
            let mut batch = WriteBatchWithTransaction::<true>::default();
            for (key, value) in (&mut *entries).take(1000) {
                batch.put(key.as_str(), encode(FIRST, &value));
            }
            if batch.is_empty() {
                return;
            }
            self.db.write_opt(batch, &self.write).expect("the disk works");
        }
    }
}
