//! What many tests do.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use ifmatch::etcd::{Etcd, EtcdWatch};
use ifmatch::{Backend, Commit, KeyRange, Precondition, Revision, WatchError};

/// Who waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Told = Commit<Bytes, Bytes>;

pub(crate) fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// With patience: a disk may stand still for seconds.
pub(crate) async fn connect(url: &str) -> Etcd {
    Etcd::builder([url]).request_timeout(PATIENCE).connect().await.unwrap()
}

/// What operators and other programs do.
pub(crate) async fn raw(url: &str) -> etcd_client::Client {
    let mut client = etcd_client::Client::connect([url], None).await.unwrap();
    // It may have been started a moment ago.
    let began = Instant::now();
    while client.status().await.is_err() {
        assert!(began.elapsed() < PATIENCE, "there is no etcd at {url}: its log says why");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client
}

/// Compacts, until nothing of what is compacted is kept.
pub(crate) async fn compact(url: &str, at: Revision) {
    let at = i64::try_from(at.get()).unwrap();
    let client = raw(url).await;
    let physical = etcd_client::CompactionOptions::new().with_physical();
    at_last(async || match client.clone().compact(at, Some(physical.clone())).await {
        Err(error) if error.to_string().contains("has been compacted") => Ok(()),
        done => done.map(drop),
    })
    .await;
}

pub(crate) async fn put(etcd: &Etcd, name: &str, value: &str) -> Revision {
    etcd.put_if(key(name), key(value), Precondition::Any).await.unwrap().revision()
}

/// Puts until that is known to be done: after a fault one request may be lost.
pub(crate) async fn put_at_last(etcd: &Etcd, name: &str) -> Revision {
    let put = || etcd.put_if(key(name), key("1"), Precondition::Any);
    at_last(put).await.revision()
}

/// Deletes until that is known to be done.
pub(crate) async fn delete_at_last(etcd: &Etcd, name: &str) {
    at_last(|| etcd.delete_if(key(name), Precondition::Any)).await;
}

/// Does it until it is known to be done.
pub(crate) async fn at_last<T, E: Display>(mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn delete(etcd: &Etcd, name: &str) -> Revision {
    etcd.delete_if(key(name), Precondition::Any).await.unwrap().unwrap().revision()
}

pub(crate) async fn watch(etcd: &Etcd, since: Option<Revision>) -> EtcdWatch {
    etcd.watch(KeyRange::all(), since).await.unwrap()
}

/// What a watch says next; it must say something.
pub(crate) async fn next(watch: &mut EtcdWatch) -> Option<Result<Told, WatchError>> {
    let said = poll_fn(|context| Pin::new(&mut *watch).poll_next(context));
    tokio::time::timeout(PATIENCE, said).await.expect("the watch says something")
}

/// The next commit, which must come.
pub(crate) async fn told(watch: &mut EtcdWatch) -> Told {
    next(watch).await.expect("the watch goes on").unwrap()
}
