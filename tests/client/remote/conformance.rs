//! The suite: each case on a server of its own.

use std::future::Future;

use ifmatch::backend_conformance;
use ifmatch::client::Remote;
use ifmatch::http::{PreconditionStatus, documents};
use ifmatch::testing::conformance::{self, Harness, Space};
use ifmatch::testing::{Recorder, StoreModel, check};
use ifmatch::typed::Typed;

use super::{block_on, options, remote, serve, table};
use crate::support::{Server, quick};

/// What is behind the server. In a window a write counts three times, by its `Idempotency-Key`.
#[derive(Clone, Copy)]
enum Over {
    Memory,
    History,
    SmallWindow,
    Log,
}

/// Whether writes have an `Idempotency-Key`.
#[derive(Clone, Copy)]
struct Harnessed {
    over: Over,
    keys: bool,
}

impl Harnessed {
    const fn over(over: Over) -> Self {
        Self { over, keys: true }
    }

    async fn remote(self) -> (Remote, Box<dyn std::any::Any + Send + Sync>) {
        let directory = tempfile::tempdir().unwrap();
        let store = match self.over {
            Over::Memory => documents().build(),
            Over::History => documents().history(100).history_commits(1_000).build(),
            Over::SmallWindow => {
                documents().watch_window(192).history(2).history_commits(3).build()
            }
            Over::Log => documents().history_commits(1_000).open(directory.path()).unwrap(),
        };
        // Conflicts of headers have another status there, and mean the same.
        let options = match self.over {
            Over::Log => options().precondition_status(PreconditionStatus::PreconditionFailed),
            _ => options(),
        };
        let server = Server::over(store, options).await;
        let client = quick(server.url()).idempotency_keys(self.keys).build().unwrap();
        (remote(client).await, Box::new((server, directory)))
    }
}

impl Harness for Harnessed {
    type Backend = Remote;

    async fn space(&self) -> Space<Remote> {
        let (remote, kept) = self.remote().await;
        Space::new(remote).keeping(kept)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }
}

backend_conformance!(over_memory, Harnessed::over(Over::Memory));
backend_conformance!(over_history, Harnessed::over(Over::History));
backend_conformance!(over_a_small_window, Harnessed::over(Over::SmallWindow));
backend_conformance!(over_a_log, Harnessed::over(Over::Log));
backend_conformance!(without_idempotency_keys, Harnessed { over: Over::History, keys: false });

/// The layer of types, over it.
struct InTypes;

impl Harness for InTypes {
    type Backend = Typed<Remote, bytes::Bytes, bytes::Bytes>;

    async fn space(&self) -> Space<Self::Backend> {
        let (remote, kept) = Harnessed::over(Over::History).remote().await;
        Space::new(Typed::new(remote)).keeping(kept)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }
}

backend_conformance!(typed, InTypes);

#[test]
fn the_table_says_what_a_client_passes() {
    let server = block_on(serve(documents().build()));
    let remote = block_on(remote(server.client()));
    let source = ("tests/client/remote/conformance.rs", include_str!("conformance.rs"));
    table::is_true("`client::Remote`", &remote, source);
}

/// Whatever the suite asks for and is told, all at once on one server, has an order.
#[test]
fn what_the_cases_are_told_is_linearizable() {
    struct Recorded(ifmatch::testing::RecordedBackend<Remote, bytes::Bytes, bytes::Bytes>, String);

    impl Harness for Recorded {
        type Backend = ifmatch::testing::RecordedBackend<Remote, bytes::Bytes, bytes::Bytes>;

        async fn space(&self) -> Space<Self::Backend> {
            Space::shared(self.0.clone(), self.1.clone())
        }

        fn block_on<F: Future>(&self, future: F) -> F::Output {
            block_on(future)
        }
    }

    let recorder = Recorder::new();
    let server = block_on(serve(documents().history(100).build()));
    let store = block_on(async { remote(server.client()).await });
    let store = recorder.client().of_backend(store);
    std::thread::scope(|scope| {
        for name in conformance::names() {
            let harness = Recorded(store.clone(), format!("{name}/"));
            scope.spawn(move || {
                conformance::check(name, harness)
                    .unwrap_or_else(|failure| panic!("{name}: {failure}"));
            });
        }
    });
    let history = recorder.take();
    assert!(history.len() > 1_000, "{} calls were recorded", history.len());
    check(&StoreModel::new(), &history).unwrap();
}
