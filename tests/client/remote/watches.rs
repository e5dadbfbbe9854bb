//! Watches across connections that break, and servers that come back with another store.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use ifmatch::client::{Client, Remote, RemoteWatch};
use ifmatch::http::{documents, router};
use ifmatch::{Backend, BackendWatch, Commit, KeyRange, Precondition, ReadError, WatchError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{options, remote, serve};
use crate::support::{Server, quick};

/// Who waits longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);

async fn next(watch: &mut RemoteWatch) -> Option<Result<Commit<Bytes, Bytes>, WatchError>> {
    let said = poll_fn(|context| Pin::new(&mut *watch).poll_next(context));
    tokio::time::timeout(PATIENCE, said).await.expect("the watch says something")
}

async fn put(remote: &Remote, name: &str, value: &str) -> ifmatch::Revision {
    let (key, value) =
        (Bytes::copy_from_slice(name.as_bytes()), Bytes::copy_from_slice(value.as_bytes()));
    remote.put_if(key, value, Precondition::Any).await.unwrap().revision()
}

/// A relay that cuts each connection after some hundred bytes of the answer, more each time, wherever that is.
async fn cutting(server: &Server) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, target) = (listener.local_addr().unwrap(), server.address);
    tokio::spawn(async move {
        for limit in (500..).step_by(37) {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move {
                let (mut from_near, mut to_near) = near.split();
                let (mut from_far, mut to_far) = far.split();
                let there = tokio::io::copy(&mut from_near, &mut to_far);
                let back = async {
                    let mut limited = (&mut from_far).take(limit);
                    let _cut = tokio::io::copy(&mut limited, &mut to_near).await;
                    let _cut = to_near.shutdown().await;
                };
                tokio::select! { _ = there => {}, () = back => {} }
            });
        }
    });
    // The server asks for a second after each.
    let far = quick(format!("http://{address}")).max_retry_after(Duration::from_millis(20));
    far.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_over_connections_that_break_has_no_gap_and_no_duplicate() {
    let server = serve(documents().history(10).build()).await;
    let direct = remote(server.client()).await;
    let broken = remote(cutting(&server).await).await;
    let mut watch = broken.watch(KeyRange::all(), None).await.unwrap();
    let mut expected = Vec::new();
    for number in 0..60 {
        expected.push(put(&direct, &format!("k{}", number % 7), &number.to_string()).await);
    }
    let end = put(&direct, "end", "1").await;
    expected.push(end);
    for revision in expected {
        let commit = next(&mut watch).await.unwrap().unwrap();
        assert_eq!((commit.revision(), commit.events().len()), (revision, 1));
        assert!(watch.position() >= commit.revision());
    }
}

/// What was missed is said: the connection is away while the window of the server goes past it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_watch_missed_is_said_and_it_goes_on() {
    let store = documents().watch_window(64).build();
    let server = Server::over(store.clone(), options()).await;
    let address = server.address;
    let backend = remote(quick(server.url()).idempotency_keys(false).build().unwrap()).await;
    let mut watch = backend.watch(KeyRange::all(), None).await.unwrap();
    let first = put(&backend, "a", "1").await;
    assert_eq!(next(&mut watch).await.unwrap().unwrap().revision(), first);
    server.stop().await;
    for number in 0..200_u64 {
        store.put(Bytes::from("a"), Bytes::from(number.to_string())).unwrap();
    }
    let server = Server::of(router(store.clone(), options()), address).await;
    let WatchError::Lagged { resume, .. } = next(&mut watch).await.unwrap().unwrap_err() else {
        panic!("something is missing")
    };
    assert!(resume > first && watch.position() >= resume);
    let mut last = resume;
    while last < store.revision() {
        let commit = next(&mut watch).await.unwrap().unwrap();
        assert!(commit.revision() > last);
        last = commit.revision();
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_with_another_store_is_not_taken_for_the_same() {
    // As servers in memory do, it begins above all that was before; or below, with another log.
    for (first, second) in [(1_000, 5_000), (5_000, 1_000)] {
        let store = |at: u64| documents().first_revision(at.try_into().unwrap()).build();
        let server = Server::over(store(first), options()).await;
        let address = server.address;
        let backend = remote(server.client()).await;
        let mut watch = backend.watch(KeyRange::all(), None).await.unwrap();
        let at = put(&backend, "a", "1").await;
        assert_eq!(next(&mut watch).await.unwrap().unwrap().revision(), at);
        server.stop().await;
        let server = Server::of(router(store(second), options()), address).await;
        let said = next(&mut watch).await.unwrap();
        assert!(matches!(said, Err(WatchError::Unavailable(_))), "{said:?}");
        assert!(next(&mut watch).await.is_none(), "that was final");
        let status = backend.status().await;
        assert!(matches!(status, Err(ReadError::Unavailable(_))), "{status:?}");
        server.stop().await;
    }
}

/// A commit that the server cannot read was the end of a watch once, and of the next one, which began where it had ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_the_server_cannot_read_is_said_where_it_concerns_and_the_next_comes() {
    let store = documents().build();
    let server = Server::over(store.clone(), options()).await;
    let backend = remote(server.client()).await;
    let mut of_one = backend.watch(KeyRange::only(Bytes::from("a")), None).await.unwrap();
    let mut of_all = backend.watch(KeyRange::all(), None).await.unwrap();
    let unreadable = store.put(Bytes::from("ab"), Bytes::from(&b"\xff\x02later"[..])).unwrap();
    let after = put(&backend, "a", "1").await;
    let said = next(&mut of_all).await.unwrap();
    assert!(matches!(said, Err(WatchError::Undecodable(_))), "{said:?}");
    assert_eq!(of_all.position(), unreadable);
    for watch in [&mut of_one, &mut of_all] {
        assert_eq!(next(watch).await.unwrap().unwrap().revision(), after);
    }
    server.stop().await;
}
