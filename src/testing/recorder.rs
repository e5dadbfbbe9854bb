//! Writes down who asked what when, and what was answered.

#[cfg(all(test, not(ifmatch_model)))]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use super::history::{Call, History};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};

/// Records a [`History`].
///
/// Each thread, task or connection records by a [`Client`] of its own, so that they do not meet: all that they share is a
/// counter, which is the clock. (What is tested runs a little more in step for that: two calls are ordered by it in the
/// memory model, too. Races within calls are not touched.)
///
/// ```
/// use ifmatch::testing::Recorder;
///
/// let recorder = Recorder::new();
/// let client = recorder.client();
/// let answer = client.call("add 2 and 2", || 4);
/// assert_eq!(answer, 4);
///
/// // A call that is never ended stays open: it may have taken effect, or may yet.
/// drop(client.begin("the connection was lost"));
///
/// let history = recorder.history();
/// assert_eq!(history.calls()[0].outcome, Some(4));
/// assert_eq!(history.calls()[1].outcome, None);
/// ```
pub struct Recorder<O, T> {
    shared: Arc<Shared<O, T>>,
}

struct Shared<O, T> {
    clock: AtomicU64,
    clients: Mutex<Clients<O, T>>,
}

struct Clients<O, T> {
    /// The number of the next one.
    next: u32,
    /// Those that still record, and those whose calls were not taken yet.
    calls: Vec<Arc<Calls<O, T>>>,
}

/// Those of one client, by when they were written down.
type Calls<O, T> = Mutex<BTreeMap<u64, Call<O, T>>>;

impl<O, T> Shared<O, T> {
    /// The next moment. Whatever happened before is before it, for everybody.
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

impl<O, T> Recorder<O, T> {
    /// Without clients.
    #[must_use]
    pub fn new() -> Self {
        let clients = Mutex::new(Clients { next: 0, calls: Vec::new() });
        let shared = Shared { clock: AtomicU64::new(0), clients };
        Self { shared: Arc::new(shared) }
    }

    /// Another client.
    ///
    /// # Panics
    /// After 2^32 clients.
    #[must_use]
    pub fn client(&self) -> Client<O, T> {
        let calls = Arc::new(Mutex::new(BTreeMap::new()));
        let mut clients = self.shared.clients.lock();
        let number = clients.next;
        clients.next = number.checked_add(1).expect("there are fewer than 2^32 clients");
        clients.calls.push(Arc::clone(&calls));
        Client { shared: Arc::clone(&self.shared), calls, number }
    }

    /// Whatever is under way has no effect after this moment, if it has any: the system was restarted.
    pub fn end_open_calls(&self) {
        let clients = self.shared.clients.lock();
        let now = self.shared.now();
        for calls in &clients.calls {
            // What is after it has begun meanwhile.
            calls.lock().range_mut(..now).for_each(|(_, call)| {
                call.returned.get_or_insert(now);
            });
        }
    }

    /// All calls until this moment. Those under way are open. Operations and outcomes are cloned under the recorder's locks:
    /// their `Clone` must not use it.
    #[must_use]
    pub fn history(&self) -> History<O, T>
    where
        O: Clone,
        T: Clone,
    {
        let clients = self.shared.clients.lock();
        let now = self.shared.now();
        let until = |calls: &Arc<Calls<O, T>>| -> Vec<_> {
            calls.lock().range(..now).map(|(_, call)| call.clone().until(now)).collect()
        };
        clients.calls.iter().flat_map(until).collect()
    }

    /// All calls until this moment, forgotten here, as are the clients that nobody holds any more. Calls under way are open, and
    /// what they are answered will not be known.
    #[must_use]
    pub fn take(&self) -> History<O, T> {
        let mut clients = self.shared.clients.lock();
        let now = self.shared.now();
        let until = |calls: &Arc<Calls<O, T>>| {
            let mut calls = calls.lock();
            let later = calls.split_off(&now);
            std::mem::replace(&mut *calls, later).into_values().map(|call| call.until(now))
        };
        let history = clients.calls.iter().flat_map(until).collect();
        // Only who holds a client makes another of it, so that one that nobody holds has no more to say; but it may have said
        // something since its calls were taken, and only then have gone.
        clients.calls.retain(|calls| Arc::strong_count(calls) > 1 || !calls.lock().is_empty());
        history
    }
}

impl<O, T> Default for Recorder<O, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O, T> Clone for Recorder<O, T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<O, T> fmt::Debug for Recorder<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

/// One who calls: a line of the timeline.
///
/// A clone is the same client, whose calls may overlap then; that is allowed, but a picture is clearer if each who calls has
/// [its own](Recorder::client).
pub struct Client<O, T> {
    shared: Arc<Shared<O, T>>,
    calls: Arc<Calls<O, T>>,
    number: u32,
}

impl<O, T> Client<O, T> {
    /// Its number, from 0.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Another client of the same recorder.
    #[must_use]
    pub fn another(&self) -> Self {
        Recorder { shared: Arc::clone(&self.shared) }.client()
    }

    /// Records a call. If `work` panics, the call stays open.
    pub fn call(&self, operation: O, work: impl FnOnce() -> T) -> T
    where
        T: Clone,
    {
        let open = self.begin(operation);
        let outcome = work();
        open.end(outcome.clone());
        outcome
    }

    /// Records a call. If the future is dropped before it is ready, the call stays open.
    pub async fn call_async(&self, operation: O, work: impl Future<Output = T>) -> T
    where
        T: Clone,
    {
        let open = self.begin(operation);
        let outcome = work.await;
        open.end(outcome.clone());
        outcome
    }

    /// Records that a call begins: to be called before it can have any effect.
    #[must_use = "dropped at once, the call stays open"]
    pub fn begin(&self, operation: O) -> OpenCall<'_, O, T> {
        self.begin_at(None, operation)
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> u64 {
        self.shared.now()
    }

    /// A call that has begun before: at this stamp.
    pub(crate) fn begin_at(&self, called: Option<u64>, operation: O) -> OpenCall<'_, O, T> {
        let mut calls = self.calls.lock();
        let number = self.shared.now();
        let (client, called) = (self.number, called.unwrap_or(number));
        calls.insert(number, Call { client, operation, called, returned: None, outcome: None });
        OpenCall { client: self, number }
    }
}

impl<O, T> Clone for Client<O, T> {
    fn clone(&self) -> Self {
        let (shared, calls) = (Arc::clone(&self.shared), Arc::clone(&self.calls));
        Self { shared, calls, number: self.number }
    }
}

impl<O, T> fmt::Debug for Client<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A call that has begun. Dropped, it stays open: nobody knows whether it took effect.
#[derive(Debug)]
pub struct OpenCall<'a, O, T> {
    client: &'a Client<O, T>,
    /// When it was written down.
    number: u64,
}

impl<O, T> OpenCall<'_, O, T> {
    /// Records what was answered: to be called when the answer is there.
    pub fn end(self, outcome: T) {
        let mut calls = self.client.calls.lock();
        let returned = self.client.shared.now();
        // Unless the history was taken meanwhile.
        if let Some(call) = calls.get_mut(&self.number) {
            (call.returned, call.outcome) = (Some(returned), Some(outcome));
        }
    }

    /// Records that nobody knows what came of it, but that it can have no effect any more: a future of this process that was
    /// dropped. Of a request that has been sent nobody knows that: drop the call, and it stays open.
    pub fn end_unknown(self) {
        let mut calls = self.client.calls.lock();
        let returned = self.client.shared.now();
        if let Some(call) = calls.get_mut(&self.number) {
            call.returned = Some(returned);
        }
    }

    /// What is asked, if that is better known by now: a closure has run.
    pub fn amend(&mut self, operation: O) {
        let mut calls = self.client.calls.lock();
        let call = calls.get_mut(&self.number);
        let old = call.map(|call| std::mem::replace(&mut call.operation, operation));
        // No drop of the caller's under a lock.
        drop(calls);
        drop(old);
    }

    /// Takes the call out of the history: it had no effect for certain, and nothing was learned by it. (It was refused.)
    pub fn discard(self) {
        let gone = self.client.calls.lock().remove(&self.number);
        drop(gone);
    }
}
