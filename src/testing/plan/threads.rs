//! Plays plans at once: a thread for each, or all in one task.

use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;
use std::task::Poll;

use super::gate::Gate;
use super::{Plans, Player};
use crate::backend::Backend;
use crate::store::Store;
use crate::sync::thread;
use crate::testing::history::History;
use crate::testing::recorder::Recorder;
use crate::testing::store_model::{StoreOperation, StoreOutcome};

impl<K, V> Plans<K, V>
where
    K: Clone + Hash + Ord + Send + Sync,
    V: Clone + Send + Sync,
{
    /// Plays each plan on a thread of its own, all at once, and tells what was recorded.
    ///
    /// The plans are the same every time; how the threads take turns is not. For schedules that can be repeated, run a
    /// [`Player`] under a model checker such as shuttle.
    ///
    /// # Panics
    /// If the system has no thread for each.
    pub fn run<S>(
        &self,
        store: &Store<K, V, S>,
    ) -> History<StoreOperation<K, V>, StoreOutcome<K, V>>
    where
        S: BuildHasher + Send + Sync,
    {
        let recorder = Recorder::new();
        self.run_with(store, &recorder);
        recorder.take()
    }

    /// As [`run`](Self::run), recorded here.
    ///
    /// # Panics
    /// If the system has no thread for each.
    pub fn run_with<S>(
        &self,
        store: &Store<K, V, S>,
        recorder: &Recorder<StoreOperation<K, V>, StoreOutcome<K, V>>,
    ) where
        S: BuildHasher + Send + Sync,
    {
        let gate = Gate::new();
        thread::scope(|scope| {
            let mut doorman = gate.doorman();
            for plan in self.clients() {
                let (gate, client) = (&gate, recorder.client().of(store));
                scope.spawn(move || {
                    gate.wait();
                    // On few cores they would come one after the other.
                    Player::new().play_with(plan, &client, thread::yield_now);
                });
                doorman.has_sent_one();
            }
        });
    }

    /// Plays each plan against a backend, all in this task, and tells what was recorded. Calls overlap where a call of the
    /// backend is not ready at once. To run on several threads of a runtime, spawn a [`Player`] for each.
    pub async fn run_on<B>(&self, backend: &B) -> History<StoreOperation<K, V>, StoreOutcome<K, V>>
    where
        B: Backend<K, V>,
        K: 'static,
        V: 'static,
    {
        let recorder = Recorder::new();
        let mut clients: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = Vec::new();
        for plan in self.clients() {
            let backend = recorder.client().of_backend(backend.clone());
            clients.push(Box::pin(async move { Player::new().play_on(plan, &backend).await }));
        }
        poll_fn(|context| {
            clients.retain_mut(|client| client.as_mut().poll(context).is_pending());
            if clients.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        recorder.take()
    }
}
