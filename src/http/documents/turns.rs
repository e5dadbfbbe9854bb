//! Turns: of those who read a document and write it back, one at a time.
//!
//! Whoever finds that another wrote in between tries again, so that nothing is lost without turns. But where each attempt
//! takes as long as a disk does, many who change one document would have most of them lose again and again, and some of
//! them a hundred times. Other servers over the same backend have turns of their own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use tokio::sync::{Mutex, MutexGuard};

use crate::document_key::DocumentKey;

/// Documents that share one wait for each other, which is seldom and harmless.
const QUEUES: u64 = 1_024;

/// Who is first is first.
#[derive(Debug)]
pub(super) struct Turns {
    hasher: RandomState,
    queues: Box<[Mutex<()>]>,
}

impl Turns {
    pub(super) fn new() -> Self {
        let queues = (0..QUEUES).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), queues }
    }

    /// The turn to change the document, until it is dropped.
    pub(super) async fn take(&self, key: &DocumentKey) -> MutexGuard<'_, ()> {
        let queue = usize::try_from(self.hasher.hash_one(key) % QUEUES).expect("it is small");
        self.queues[queue].lock().await
    }
}
