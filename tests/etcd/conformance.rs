//! The suite on etcd: all cases at once in one cluster, as on a server that others use, and one after another, when nobody
//! else writes.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ifmatch::backend_conformance;
use ifmatch::etcd::Etcd;
use ifmatch::testing::conformance::{Harness, Space};
use ifmatch::typed::Typed;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::server::Server;
use crate::table;

/// etcd tells more often that nothing has happened.
const OPTIONS: [&str; 1] = ["--experimental-watch-progress-notify-interval=100ms"];

struct Shared {
    server: Server,
    runtime: Runtime,
    spaces: AtomicU64,
    turn: Arc<Semaphore>,
}

impl Shared {
    fn start() -> Self {
        Self {
            server: Server::start(&OPTIONS),
            runtime: Runtime::new().unwrap(),
            spaces: AtomicU64::new(0),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    async fn etcd(&self) -> Etcd {
        let number = self.spaces.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("space/{number}/");
        Etcd::builder([&self.server.url]).namespace(namespace).connect().await.unwrap()
    }
}

struct Beside(&'static Shared);

impl Beside {
    fn others() -> Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        Self(SHARED.get_or_init(Shared::start))
    }
}

impl Harness for Beside {
    type Backend = Etcd;

    async fn space(&self) -> Space<Etcd> {
        Space::shared(self.0.etcd().await, "a/")
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.runtime.block_on(future)
    }
}

struct Alone(&'static Shared);

impl Alone {
    fn in_turn() -> Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        Self(SHARED.get_or_init(Shared::start))
    }
}

impl Harness for Alone {
    type Backend = Etcd;

    async fn space(&self) -> Space<Etcd> {
        let turn = Arc::clone(&self.0.turn).acquire_owned().await.unwrap();
        Space::new(self.0.etcd().await).keeping(turn)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.runtime.block_on(future)
    }

    /// It waits for its turn.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(300)
    }
}

#[test]
fn the_table_says_what_etcd_passes() {
    let shared = Beside::others().0;
    let etcd = shared.runtime.block_on(shared.etcd());
    let source = ("tests/etcd/conformance.rs", include_str!("conformance.rs"));
    table::is_true("`etcd::Etcd`", &etcd, source);
}

backend_conformance!(beside_others, Beside::others());
backend_conformance!(alone, Alone::in_turn());

/// The layer of types, over etcd.
struct InTypes(Beside);

impl Harness for InTypes {
    type Backend = Typed<Etcd, Bytes, Bytes>;

    async fn space(&self) -> Space<Self::Backend> {
        Space::shared(Typed::new(self.0.0.etcd().await), "a/")
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

backend_conformance!(typed, InTypes(Beside::others()));
