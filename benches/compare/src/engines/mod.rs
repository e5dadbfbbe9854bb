//! A module for each engine.

mod by_hand;
mod by_hand_log;
mod encoded;
mod fjall;
mod mutex;
mod ours;
mod papaya;
mod raw;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod scc;
mod sled;
mod surrealkv;
mod surrealmx;
#[cfg(test)]
mod tests;

use crate::engine::Contender;

/// Ours, and what it is a ratio of, come first.
pub const IN_MEMORY: &[Contender] = &[
    Contender::new(OURS, ours::in_memory),
    Contender::new(BY_HAND, by_hand::in_memory),
    Contender::new("DashMap by hand, foldhash", by_hand::foldhash),
    Contender::new(OURS_APART, ours::sized),
    Contender::new("papaya", papaya::in_memory),
    Contender::new("scc", scc::in_memory),
    Contender::new("Mutex<HashMap>", mutex::in_memory),
    Contender::new("surrealmx", surrealmx::in_memory),
];

/// What is written survives the process.
pub const LOGGED: &[Contender] = &[
    Contender::new(OURS, ours::logged),
    Contender::new(BY_HAND_LOG, by_hand_log::logged),
    Contender::new("surrealmx", surrealmx::logged),
    Contender::new("surrealkv", surrealkv::logged),
    #[cfg(feature = "rocksdb")]
    Contender::new("rocksdb", rocksdb::logged),
    Contender::new("fjall", fjall::logged),
    Contender::new("sled (every 500 ms)", sled::logged),
    Contender::new("redb (at the next sync)", redb::logged),
];

/// What is written survives a power cut.
pub const DURABLE: &[Contender] = &[
    Contender { submits: true, ..Contender::new(OURS, ours::durable) },
    Contender::new(BY_HAND_LOG, by_hand_log::durable),
    Contender { submits: true, is_limit: true, ..Contender::new(RAW, raw::durable) },
    Contender::new("surrealmx", surrealmx::durable),
    Contender { submits: true, ..Contender::new("surrealkv", surrealkv::durable) },
    #[cfg(feature = "rocksdb")]
    Contender::new("rocksdb", rocksdb::durable),
    Contender::new("fjall", fjall::durable),
    Contender::new("sled (no flush of the disk)", sled::durable),
    Contender::new("redb", redb::durable),
];

/// Of values of any size.
pub const SIZED: &[Contender] =
    &[Contender::new(OURS, ours::sized), Contender::new(BY_HAND, by_hand::in_memory)];

/// For caches whose size is the user's choice: all keys and values fit. It is the default of sled and redb.
const CACHE_BYTES: usize = 1 << 30;

/// What ours is called.
pub const OURS: &str = "ifmatch";
/// Ours with values that are a piece of their own, as those of the others are: for what it costs, not as a peer.
pub const OURS_APART: &str = "ifmatch, Arc<[u8]>";
/// What a good engineer writes in its place.
pub const BY_HAND: &str = "DashMap by hand";
/// The same, before a log.
pub const BY_HAND_LOG: &str = "DashMap + log by hand";
/// No store at all.
pub const RAW: &str = "raw write + fdatasync";
