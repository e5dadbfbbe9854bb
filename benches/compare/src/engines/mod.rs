//! A module for each engine.

mod by_hand;
mod by_hand_log;
mod mutex;
mod ours;
mod papaya;
mod raw;
mod scc;

use crate::engine::Contender;

/// Ours, and what it is a ratio of, come first.
pub const IN_MEMORY: [Contender; 5] = [
    Contender { name: OURS, open: ours::in_memory },
    Contender { name: BY_HAND, open: by_hand::in_memory },
    Contender { name: "papaya", open: papaya::in_memory },
    Contender { name: "scc", open: scc::in_memory },
    Contender { name: "Mutex<HashMap>", open: mutex::in_memory },
];

/// What is written survives the process.
pub const LOGGED: [Contender; 2] = [
    Contender { name: OURS, open: ours::logged },
    Contender { name: BY_HAND_LOG, open: by_hand_log::logged },
];

/// What is written survives a power cut.
pub const DURABLE: [Contender; 3] = [
    Contender { name: OURS, open: ours::durable },
    Contender { name: BY_HAND_LOG, open: by_hand_log::durable },
    Contender { name: RAW, open: raw::durable },
];

/// What ours is called.
pub const OURS: &str = "ifmatch";
/// What a good engineer writes in its place.
pub const BY_HAND: &str = "DashMap by hand";
/// The same, before a log.
pub const BY_HAND_LOG: &str = "DashMap + log by hand";
/// No store at all.
pub const RAW: &str = "raw write + fdatasync";
