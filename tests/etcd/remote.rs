//! The client as a backend, of a server over etcd: the suite, all cases at once on one of each.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ifmatch::client::{Client, Remote};
use ifmatch::http::{Options, ServeOptions, router, serve};
use ifmatch::testing::conformance::{Harness, Space};
use ifmatch::{Backend, Capability, backend_conformance};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::server::Server;
use crate::support::connect;

struct Shared {
    url: String,
    runtime: Runtime,
    spaces: AtomicU64,
    _etcd: Server,
}

struct Served(&'static Shared);

impl Served {
    /// In this process: nothing ends another with it that is kept for as long as it lives.
    fn over_etcd() -> Self {
        static SHARED: OnceLock<Shared> = OnceLock::new();
        Self(SHARED.get_or_init(|| {
            let (server, runtime) = (Server::start(&[]), Runtime::new().unwrap());
            let url = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                let router = router(connect(&server.url).await, Options::default());
                let options = ServeOptions::default();
                tokio::spawn(serve(listener, router, options, std::future::pending()));
                url
            });
            Shared { url, runtime, spaces: AtomicU64::new(0), _etcd: server }
        }))
    }

    async fn remote(&self) -> Remote {
        Remote::connect(Client::new(&self.0.url).unwrap()).await.unwrap()
    }
}

impl Harness for Served {
    type Backend = Remote;

    async fn space(&self) -> Space<Remote> {
        let number = self.0.spaces.fetch_add(1, Ordering::Relaxed);
        Space::shared(self.remote().await, format!("{number}/"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.runtime.block_on(future)
    }

    /// Each call is several on etcd, and all cases are at it.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(300)
    }
}

backend_conformance!(over_etcd, Served::over_etcd());

#[test]
fn what_the_store_of_a_server_lacks_is_lacking() {
    let served = Served::over_etcd();
    let remote = served.0.runtime.block_on(served.remote());
    assert!(!remote.supports(Capability::History) && remote.supports(Capability::Past));
}
