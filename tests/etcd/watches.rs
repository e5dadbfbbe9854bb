//! A watch goes on, whatever happens to connections and servers, and misses nothing.

use std::time::Duration;

use bytes::Bytes;
use ifmatch::etcd::Etcd;
use ifmatch::{Backend, KeyRange, Revision, Txn, WatchError};

use crate::proxy::Proxy;
use crate::server::{Place, Server};
use crate::support::{connect, key, next, put, told, watch};

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_connections_without_a_gap_or_a_repetition() {
    let server = Server::start(&[]);
    let proxy = Proxy::to(&server.url).await;
    let (direct, through) = (connect(&server.url).await, connect(&proxy.url).await);
    let mut watch = watch(&through, None).await;
    let writer = tokio::spawn(async move {
        let mut written = Vec::new();
        for number in 0..500 {
            written.push(put(&direct, &format!("{}", number % 7), "1").await);
        }
        written
    });
    let cutter = tokio::spawn(async move {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            proxy.cut();
        }
        proxy
    });
    let mut heard = Vec::new();
    while heard.len() < 500 {
        heard.push(told(&mut watch).await.revision());
    }
    assert_eq!(heard, writer.await.unwrap());
    drop(cutter.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_survives_the_server() {
    let place = Place { is_kept: true, ..Place::alone(&[]) };
    let server = place.start();
    let etcd = connect(&server.url).await;
    let mut watch = watch(&etcd, None).await;
    let mut written: Vec<Revision> = Vec::new();
    let mut server = Some(server);
    for round in 0..3 {
        written.push(put(&etcd, "a", &round.to_string()).await);
        drop(server.take());
        server = Some(place.start());
        // A write may be caught by the old connection: it is then unknown, and looked for.
        let writer = connect(&server.as_ref().unwrap().url).await;
        written.push(put(&writer, "b", &round.to_string()).await);
    }
    for revision in written {
        assert_eq!(told(&mut watch).await.revision(), revision);
    }
    std::fs::remove_dir_all(&place.directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_server_is_gone_for_good_ends() {
    let server = Server::start(&[]);
    let etcd = Etcd::builder([&server.url])
        .reconnect_for(Duration::from_millis(200))
        .connect()
        .await
        .unwrap();
    let mut watch = watch(&etcd, None).await;
    let last = put(&etcd, "a", "1").await;
    told(&mut watch).await;
    drop(server);
    match next(&mut watch).await {
        Some(Err(WatchError::Unavailable(_))) => {}
        other => panic!("{other:?}"),
    }
    assert!(next(&mut watch).await.is_none(), "that was the end");
    assert_eq!(ifmatch::BackendWatch::position(&watch), last, "another goes on there");
}

/// More than waits for who is slow: etcd is left, and asked again.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_not_read_for_long_misses_nothing() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    let mut watch = watch(&etcd, None).await;
    let mut written = Vec::new();
    for _ in 0..40 {
        let writes = (0..100).map(|number| {
            let etcd = etcd.clone();
            async move { put(&etcd, &format!("{number}"), "1").await }
        });
        let tasks: Vec<_> = writes.map(tokio::spawn).collect();
        for task in tasks {
            written.push(task.await.unwrap());
        }
    }
    written.sort();
    let mut heard = Vec::new();
    while heard.len() < written.len() {
        heard.push(told(&mut watch).await.revision());
    }
    assert_eq!(heard, written);
}

/// Together they are more than etcd sends in a message, so that it splits them, in the midst of transactions.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_etcd_sends_in_fragments_is_whole() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    let since = put(&etcd, "a", "1").await;
    let mut written = Vec::new();
    for _ in 0..6 {
        let value = Bytes::from(vec![7; 20_000]);
        let txn = (0..70)
            .fold(Txn::new(), |txn, number| txn.put(key(&format!("{number:02}")), value.clone()));
        written.push(etcd.commit(txn).await.unwrap());
    }
    let mut watch = etcd.watch(KeyRange::all(), Some(since)).await.unwrap();
    for revision in written {
        let commit = told(&mut watch).await;
        assert_eq!((commit.revision(), commit.events().len()), (revision, 70));
    }
}
