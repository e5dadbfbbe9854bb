//! What etcd has dropped is never passed over in silence.

use std::time::Duration;

use bytes::Bytes;
use ifmatch::{
    Backend, BackendSnapshot, CommitError, HistoryError, KeyRange, ReadError, Revision, Txn,
    WatchError,
};

use crate::proxy::Proxy;
use crate::server::Server;
use crate::support::{compact, connect, delete, key, next, put, told, watch};

#[track_caller]
fn oldest<T>(result: Result<T, ReadError>) -> Revision {
    match result {
        Err(ReadError::Revision(HistoryError::Compacted { oldest, .. })) => oldest,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was read"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_compacted_says_so() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    let before = put(&etcd, "a", "1").await;
    let snapshot = etcd.snapshot().await.unwrap();
    put(&etcd, "a", "2").await;
    assert_eq!(**snapshot.get(&key("a")).await.unwrap().unwrap(), *b"1");
    let last = put(&etcd, "a", "3").await;
    compact(&server.url, last).await;

    assert_eq!(oldest(snapshot.get(&key("a")).await), last);
    assert_eq!(oldest(snapshot.page(KeyRange::all(), 1).await), last);
    assert_eq!(oldest(etcd.get_at(&key("a"), before).await), last);
    assert_eq!(oldest(etcd.snapshot_at(before).await), last);
    // The oldest is what it says: it can be read.
    assert_eq!(**etcd.get_at(&key("a"), last).await.unwrap().unwrap(), *b"3");

    match etcd.watch(KeyRange::all(), Some(before)).await.map(drop) {
        Err(WatchError::Compacted { oldest, .. }) => assert_eq!(oldest, last),
        other => panic!("{other:?}"),
    }
    let mut since = watch(&etcd, Some(last)).await;
    let next = put(&etcd, "b", "1").await;
    assert_eq!(told(&mut since).await.revision(), next);

    let unchanged = |since| {
        Txn::<Bytes, Bytes>::new().require_unchanged_under(&b"a"[..], since).put(key("c"), key("1"))
    };
    match etcd.commit(unchanged(before)).await {
        Err(CommitError::Compacted { index: 0, oldest, .. }) => assert_eq!(oldest, last),
        other => panic!("{other:?}"),
    }
    etcd.commit(unchanged(last)).await.unwrap();
}

/// etcd#18089: asked for what comes after a revision, of which the next is a delete at which it was compacted, etcd says
/// neither that it is compacted nor that something was deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_comes_back_does_not_miss_the_delete_at_which_etcd_was_compacted() {
    let server = Server::start(&[]);
    let proxy = Proxy::to(&server.url).await;
    let (direct, through) = (connect(&server.url).await, connect(&proxy.url).await);
    let mut watch = watch(&through, None).await;
    let put_at = put(&direct, "a", "1").await;
    assert_eq!(told(&mut watch).await.revision(), put_at);

    proxy.close(true);
    proxy.cut();
    let gone = delete(&direct, "a").await;
    compact(&server.url, gone).await;
    proxy.close(false);
    match next(&mut watch).await {
        Some(Err(WatchError::Lagged { resume, .. })) => assert_eq!(resume, gone),
        other => panic!("{other:?}"),
    }
    let later = put(&direct, "a", "2").await;
    assert_eq!(told(&mut watch).await.revision(), later);
}

/// A watch that is at the revision of the compaction has missed nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_has_all_does_not_mind_a_compaction() {
    let server = Server::start(&[]);
    let proxy = Proxy::to(&server.url).await;
    let (direct, through) = (connect(&server.url).await, connect(&proxy.url).await);
    let mut watch = watch(&through, None).await;
    put(&direct, "a", "1").await;
    let gone = delete(&direct, "a").await;
    for _ in 0..2 {
        told(&mut watch).await;
    }
    compact(&server.url, gone).await;
    proxy.cut();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let later = put(&direct, "a", "2").await;
    assert_eq!(told(&mut watch).await.revision(), later);
}

/// What is different from a store in this process, and said in the documentation.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_came_and_went_does_not_change_a_range() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    let since = put(&etcd, "in/a", "1").await;
    put(&etcd, "in/b", "1").await;
    delete(&etcd, "in/b").await;
    let txn = Txn::<Bytes, Bytes>::new().require_unchanged_under(&b"in/"[..], since);
    etcd.commit(txn.clone().put(key("done"), key("1"))).await.unwrap();
    // But not one that came back.
    delete(&etcd, "in/a").await;
    put(&etcd, "in/a", "1").await;
    let error = etcd.commit(txn.put(key("done"), key("2"))).await.unwrap_err();
    assert_eq!(error.conflict().unwrap().key(), &key("in/a"));
}
