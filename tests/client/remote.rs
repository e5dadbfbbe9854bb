//! The client as a backend: the suite that every backend passes, against servers over several stores, and what only a backend
//! over a network does.

mod conformance;
mod differences;
mod lost;
#[path = "../conformance/table.rs"]
mod table;
mod watches;

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use ifmatch::client::{Client, Remote};
use ifmatch::http::{DocumentStore, Options};
use tokio::runtime::Runtime;

use crate::support::Server;

/// One runtime for all, on which servers and clients are.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// Watches are told often that nothing has happened.
fn options() -> Options {
    Options::default().keep_alive(Duration::from_millis(20))
}

async fn remote(client: Client) -> Remote {
    Remote::connect(client).await.unwrap()
}

/// A server over a store, and what is to be kept for it.
async fn serve(store: DocumentStore) -> Server {
    Server::over(store, options()).await
}
