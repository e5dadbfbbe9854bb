//! What much JSON takes: away from the threads that answer requests, and only so much at a time.
//!
//! As a tree JSON takes up to fifty times the memory of its text, and a patch may go over all of it a thousand times.
//! What is small is done at once. What was begun goes on when its client has gone away, and a place is kept until it ends.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What has more bytes is much.
const MUCH: usize = 64 << 10;

/// How many at a time.
const PERMITS: usize = 4;

/// Who waits for a place is first served who came first.
#[derive(Debug)]
pub(super) struct Heavy {
    bodies: Arc<Semaphore>,
    patches: Arc<Semaphore>,
    documents: Arc<Semaphore>,
}

/// A place, until it is dropped; `None` for what needs none.
pub(super) type Place = Option<OwnedSemaphorePermit>;

impl Heavy {
    pub(super) fn new() -> Self {
        let places = || Arc::new(Semaphore::new(PERMITS));
        Self { bodies: places(), patches: places(), documents: places() }
    }

    /// A place for a patch of so many bytes, for as long as it is held as a tree.
    pub(super) async fn place(&self, bytes: usize) -> Place {
        if bytes <= MUCH {
            return None;
        }
        Some(Arc::clone(&self.patches).acquire_owned().await.expect("it is never closed"))
    }

    /// Reads a body of so many bytes, which waits for no patch.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        bytes: usize,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        run(&self.bodies, bytes, read).await
    }

    /// Does `work` on a document that is as much as so many bytes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        run(&self.documents, bytes, work).await
    }
}

async fn run<T: Send + 'static>(
    places: &Arc<Semaphore>,
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes <= MUCH {
        return work();
    }
    let place = Arc::clone(places).acquire_owned().await.expect("it is never closed");
    let work = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(work).await.expect("what is done here does not panic")
}

#[cfg(test)]
#[cfg(not(ifmatch_model))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn no_more_than_its_places_run_at_a_time_and_what_is_small_does_not_wait() {
        let (heavy, running) = (Arc::new(Heavy::new()), Arc::new(AtomicUsize::new(0)));
        let most = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..3 * PERMITS {
            let (heavy, running, most) = (heavy.clone(), running.clone(), most.clone());
            tasks.spawn(async move {
                let work = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    running.fetch_sub(1, Ordering::SeqCst);
                };
                heavy.run(MUCH + 1, work).await;
            });
        }
        assert_eq!(heavy.run(MUCH, || 7).await, 7);
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert!((2..=PERMITS).contains(&most.load(Ordering::SeqCst)), "{most:?}");

        let mut places = Vec::new();
        for _ in 0..PERMITS {
            places.push(heavy.place(MUCH + 1).await.unwrap());
        }
        assert!(heavy.place(MUCH).await.is_none());
        let more = tokio::time::timeout(Duration::from_millis(5), heavy.place(MUCH + 1)).await;
        assert!(more.is_err(), "it waits");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_keeps_its_place_until_it_ends() {
        let heavy = Heavy::new();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let ended = Arc::new(std::sync::Mutex::new(ended));
        for _ in 0..PERMITS {
            let ended = Arc::clone(&ended);
            let work = heavy.run(MUCH + 1, move || ended.lock().unwrap().recv());
            let given_up = tokio::time::timeout(Duration::from_millis(5), work).await;
            assert!(given_up.is_err());
        }
        let more = tokio::time::timeout(Duration::from_millis(5), heavy.run(MUCH + 1, || 7)).await;
        assert!(more.is_err(), "it waits");
        drop(end);
        assert_eq!(heavy.run(MUCH + 1, || 7).await, 7);
    }
}
