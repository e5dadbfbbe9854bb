//! Many writes under way on one thread, as futures.

use std::hint::black_box;

use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::engine::{Engine, Key, VALUE_BYTES, write_value};
use crate::keys::Requests;

/// Writes that are under way.
pub struct Flight<'a> {
    engine: &'a dyn Engine,
    requests: Requests,
    most: usize,
    count: u64,
    pending: FuturesUnordered<BoxFuture<'a, bool>>,
}

impl<'a> Flight<'a> {
    /// So many, which are under way when it returns: what a round finds begun, the next one will.
    #[must_use]
    pub fn new(engine: &'a dyn Engine, requests: Requests, most: usize) -> Self {
        let pending = FuturesUnordered::new();
        let mut flight = Self { engine, requests, most, count: 0, pending };
        flight.begin();
        flight
    }

    /// Waits for one, and begins another.
    pub fn step(&mut self) {
        black_box(block_on(self.pending.next()));
        self.begin();
    }

    fn begin(&mut self) {
        while self.pending.len() < self.most {
            let key = Key::new(self.requests.next());
            let (revision, _) = self.engine.get(key.as_str()).expect("every key is there");
            self.count += 1;
            let mut value = [0; VALUE_BYTES];
            write_value(self.count, &mut value);
            self.pending.push(self.engine.submit(key.as_str(), revision, &value));
        }
    }
}
