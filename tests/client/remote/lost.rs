//! Answers that are lost: never a conflict that is none, never a success that is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ifmatch::client::{Backoff, Remote};
use ifmatch::http::documents;
use ifmatch::testing::{Recorder, StoreModel, check};
use ifmatch::{Backend, CommitError, Precondition, Txn, WriteError};

use super::{remote, serve};
use crate::support::{Scripted, Server, quick};

fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[derive(Clone, Copy, PartialEq)]
enum Loses {
    /// The request took place.
    Answer,
    /// It did not come, or comes later.
    Request,
}

/// A relay to `server` that loses the first write after `armed`, and what is done between that and its repeat.
struct Losing {
    relay: Scripted,
    armed: Arc<AtomicUsize>,
}

impl Losing {
    async fn new(
        server: &Server,
        loses: Loses,
        between: impl Fn() -> Txn<Bytes, Bytes> + Send + Sync + 'static,
    ) -> Self {
        let (target, armed) = (server.address, Arc::new(AtomicUsize::new(0)));
        let other = remote(server.client()).await;
        let (ready, between) = (Arc::clone(&armed), Arc::new(between));
        let relay = Scripted::new(move |request| {
            let is_write = !request.head.starts_with("GET");
            let is_lost = is_write && ready.swap(0, Ordering::SeqCst) == 1;
            let (other, between) = (other.clone(), Arc::clone(&between));
            async move {
                if !is_lost {
                    return request.forward(target).await;
                }
                if loses == Loses::Answer {
                    request.forward(target).await;
                }
                let txn = between();
                if !txn.is_empty() {
                    other.commit(txn).await.unwrap();
                }
                Vec::new()
            }
        })
        .await;
        Self { relay, armed }
    }

    async fn remote(&self, keys: bool) -> Remote {
        remote(quick(self.relay.url()).idempotency_keys(keys).build().unwrap()).await
    }

    fn arm(&self) {
        self.armed.store(1, Ordering::SeqCst);
    }
}

/// With a key the repeat says what came of the first; all of what it says.
#[tokio::test]
async fn a_write_whose_answer_is_lost_is_told_by_its_repeat() {
    let server = serve(documents().history(100).build()).await;
    let losing = Losing::new(&server, Loses::Answer, Txn::new).await;
    let remote = losing.remote(true).await;
    losing.arm();
    let created = remote.put_if(key("a"), key("1"), Precondition::Absent).await.unwrap();
    assert!(created.is_creation() && created.write_count() == 1);
    losing.arm();
    let written = remote.put_if(key("a"), key("2"), created.revision().into()).await.unwrap();
    assert_eq!((written.created_revision(), written.write_count()), (created.revision(), 2));
    losing.arm();
    let txn = Txn::new().require(key("a"), written.revision()).put(key("a"), key("3"));
    let committed = remote.commit(txn).await.unwrap();
    let entry = remote.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((entry.revision(), entry.write_count()), (committed, 3));
    losing.arm();
    let deleted = remote.delete_if(key("a"), committed.into()).await.unwrap().unwrap();
    assert_eq!((deleted.previous(), deleted.revision() > committed), (&entry, true));
    assert_eq!(losing.armed.load(Ordering::SeqCst), 0, "each was lost once");
}

/// Without a key nobody knows.
#[tokio::test]
async fn a_write_whose_answer_is_lost_is_never_a_conflict() {
    let server = serve(documents().history(100).build()).await;
    for loses in [Loses::Answer, Loses::Request] {
        let losing = Losing::new(&server, loses, Txn::new).await;
        let remote = losing.remote(false).await;
        let there = remote.put_if(key("a"), key("0"), Precondition::Any).await.unwrap();
        losing.arm();
        let put = remote.put_if(key("a"), key("1"), there.revision().into()).await;
        assert!(matches!(put, Err(WriteError::OutcomeUnknown(_))), "{put:?}");
        losing.arm();
        let put = remote.put_if(key("a"), key("1"), Precondition::Any).await;
        assert!(matches!(put, Err(WriteError::OutcomeUnknown(_))), "{put:?}");
        losing.arm();
        let deleted = remote.delete_if(key("a"), Precondition::Any).await;
        assert!(matches!(deleted, Err(WriteError::OutcomeUnknown(_))), "{deleted:?}");
        losing.arm();
        let committed = remote.commit(Txn::new().put(key("b"), key("1"))).await;
        assert!(matches!(committed, Err(CommitError::OutcomeUnknown(_))), "{committed:?}");
    }
    // That of deletes only has no key in any case.
    let losing = Losing::new(&server, Loses::Answer, Txn::new).await;
    let remote = losing.remote(true).await;
    losing.arm();
    let committed = remote.commit(Txn::new().delete(key("b"))).await;
    assert!(matches!(committed, Err(CommitError::OutcomeUnknown(_))), "{committed:?}");
}

/// The first attempt may still be on its way: what may come to hold for it is not decided by the conflict of its repeat. That a
/// revision is over is.
#[tokio::test]
async fn a_conflict_that_answers_a_repeat_is_one_only_if_it_stays_one() {
    let server = serve(documents().history(100).build()).await;
    let losing =
        Losing::new(&server, Loses::Request, || Txn::new().put(key("a"), key("theirs"))).await;
    let remote = losing.remote(true).await;
    losing.arm();
    let put = remote.put_if(key("a"), key("mine"), Precondition::Absent).await;
    assert!(matches!(put, Err(WriteError::OutcomeUnknown(_))), "{put:?}");
    let there = remote.get(&key("a")).await.unwrap().unwrap();
    losing.arm();
    let put = remote.put_if(key("a"), key("mine"), Precondition::from(&there)).await;
    let lost = put.unwrap_err().into_conflict().expect("it will never be that again");
    assert!(lost.current().is_some_and(|now| now.revision() > there.revision()));

    losing.arm();
    let txn = Txn::new().require(key("a"), Precondition::Absent).put(key("b"), key("mine"));
    let committed = remote.commit(txn).await;
    assert!(matches!(committed, Err(CommitError::OutcomeUnknown(_))), "{committed:?}");
    losing.arm();
    let txn = Txn::new()
        .require(key("a"), Precondition::Absent)
        .require(key("a"), there.revision())
        .put(key("b"), key("mine"));
    let committed = remote.commit(txn).await;
    assert!(matches!(committed, Err(CommitError::Conflicts { .. })), "{committed:?}");

    // Nor does it matter what became of what writes nothing.
    losing.arm();
    let committed = remote.commit(Txn::new().require(key("a"), Precondition::Absent)).await;
    assert!(matches!(committed, Err(CommitError::Conflicts { .. })), "{committed:?}");

    // A conflict that was not a repeat's is one, whatever it is about.
    let put = remote.put_if(key("a"), key("mine"), Precondition::Absent).await;
    assert!(put.unwrap_err().conflict().is_some());
}

/// Races over a network that loses every seventh answer: with keys all is told, without not; both have an order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_over_a_network_that_loses_answers_are_linearizable() {
    for keys in [true, false] {
        let server = serve(documents().build()).await;
        let target = server.address;
        let relay = Scripted::new(move |request| async move {
            let answer = request.forward(target).await;
            if request.number % 7 == 6 { Vec::new() } else { answer }
        })
        .await;
        let recorder = Recorder::new();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..4_u64 {
            let retries = Backoff::new(
                30,
                std::time::Duration::from_millis(1),
                std::time::Duration::from_millis(5),
            );
            let client = quick(relay.url()).retries(retries).idempotency_keys(keys);
            let backend = remote(client.build().unwrap()).await;
            let client = recorder.client().of_backend(backend);
            tasks.spawn(async move {
                let mut unknown = 0;
                for round in 0..30_u64 {
                    let name = key(["a", "b"][usize::try_from(round % 2).unwrap()]);
                    let there = client.get(&name).await.unwrap();
                    let unchanged = there.as_ref().map_or(Precondition::Absent, Precondition::from);
                    let value = key(&format!("{number}/{round}"));
                    let done = if round % 5 == 4 {
                        client.delete_if(name, unchanged).await.map(|_| ())
                    } else {
                        client.put_if(name, value, unchanged).await.map(|_| ())
                    };
                    match done {
                        Ok(()) | Err(WriteError::Conflict(_)) => {}
                        Err(WriteError::OutcomeUnknown(_)) => unknown += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                unknown
            });
        }
        let unknown: usize = tasks.join_all().await.into_iter().sum();
        // With keys it is only who was to create what others had created meanwhile.
        assert!(keys || unknown > 0, "{unknown} are unknown");
        check(&StoreModel::new(), &recorder.take()).unwrap();
    }
}
