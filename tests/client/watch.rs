//! Following changes, across everything that may end a connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ifmatch::Revision;
use ifmatch::client::{Backoff, Client, ClientCommit, ClientError, ClientEvent, ClientTxn, Watch};
use ifmatch::http::{Options, documents, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{Scripted, Server, problem, quick, read_request};

type Item = Option<Result<ClientCommit<u64>, ClientError>>;

/// The next item, or the test fails.
async fn next(watch: &mut Watch<u64>) -> Item {
    timeout(Duration::from_secs(30), watch.next()).await.expect("something happens in time")
}

async fn commit(watch: &mut Watch<u64>) -> ClientCommit<u64> {
    next(watch).await.expect("it has not ended").unwrap()
}

#[tokio::test]
async fn a_watch_tells_every_commit_whole_and_in_order() {
    let server = Server::new().await;
    let client = server.client();
    let before = client.commit(&ClientTxn::new().put("n/a", &1)).await.unwrap();
    let mut now = client.watch::<u64>("n/");
    now.open().await.unwrap();
    let both = ClientTxn::new().put("n/a", &2).put("n/b", &2).put("other", &2);
    let both = client.commit(&both).await.unwrap();
    client.put("other", &3).await.unwrap();
    client.delete("n/a").await.unwrap();

    let mut since = client.watch::<u64>("n/").since(before);
    for watch in [&mut now, &mut since] {
        let first = commit(watch).await;
        assert_eq!(first.revision(), both);
        let keys: Vec<_> = first.events().iter().map(ClientEvent::key).collect();
        assert_eq!(keys, ["n/a", "n/b"]);
        let entry = first.events()[1].entry().unwrap();
        assert_eq!((entry.value(), entry.revision()), (&2, Some(both)));
        assert_eq!(entry.etag(), client.get::<u64>("n/b").await.unwrap().unwrap().etag());
        let second = commit(watch).await;
        assert!(matches!(&second.events()[0], ClientEvent::Delete { key, revision }
            if key == "n/a" && *revision == second.revision()));
    }
}

/// It would come back without end, and never be told more.
#[tokio::test]
async fn a_commit_that_the_server_cannot_tell_is_an_error_and_the_next_comes() {
    let store = documents().build();
    let server = Server::over(store.clone(), Options::default()).await;
    let client = server.client();
    let mut watch = client.watch::<u64>("");
    watch.open().await.unwrap();
    client.put("a", &1).await.unwrap();
    let revision =
        store.put(Bytes::from("b"), Bytes::from(&b"\xff\x02of a later version"[..])).unwrap();
    client.put("a", &2).await.unwrap();
    assert_eq!(commit(&mut watch).await.events().len(), 1);
    match next(&mut watch).await {
        Some(Err(ClientError::Decode(error))) => {
            assert_eq!(error.key(), Some("b"));
            assert!(error.to_string().contains(&format!("revision {revision} ")), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(watch.position(), Some(revision));
    let told = commit(&mut watch).await;
    assert_eq!(told.events()[0].entry().map(|entry| *entry.value()), Some(2));
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_an_error_and_the_next_commit_comes() {
    let server = Server::new().await;
    let client = server.client();
    let mut watch = client.watch::<u64>("");
    watch.open().await.unwrap();
    client.put("a", &"text").await.unwrap();
    client.put("a", &7).await.unwrap();
    let error = next(&mut watch).await.unwrap().unwrap_err();
    assert!(matches!(error, ClientError::Decode(error) if error.key() == Some("a")));
    assert_eq!(commit(&mut watch).await.events()[0].entry().unwrap().value(), &7);
}

/// Writes `numbers`, one commit each, and returns their revisions.
async fn write(client: &Client, numbers: std::ops::Range<u64>) -> Vec<Revision> {
    let mut revisions = Vec::new();
    for number in numbers {
        revisions.push(client.commit(&ClientTxn::new().put("n", &number)).await.unwrap());
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_a_server_on_a_log_is_neither_a_gap_nor_a_duplicate() {
    let directory = tempfile::tempdir().unwrap();
    let mut address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let (mut expected, mut seen) = (Vec::new(), Vec::new());
    let mut watch: Option<Watch<u64>> = None;
    for round in 0..4 {
        let store = documents().history(1_000).open(directory.path()).unwrap();
        let server = Server::of(router(store.clone(), Options::default()), address).await;
        address = server.address;
        let client = server.client();
        if watch.is_none() {
            let mut opened = client.watch::<u64>("");
            opened.open().await.unwrap();
            watch = Some(opened);
        }
        expected.extend(write(&client, round * 20..round * 20 + 20).await);
        // Of some rounds all is read, of others a part; the rest comes from the log.
        let until = expected.len() - if round == 1 { 10 } else { 0 };
        while seen.len() < until {
            seen.push(commit(watch.as_mut().unwrap()).await.revision());
        }
        server.stop().await;
        store.close().unwrap();
    }
    assert_eq!(seen, expected);
}

/// A relay that cuts each connection after a number of bytes of the answer that grows with each.
async fn cutting(target: SocketAddr, step: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut limit = 0;
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            limit += step;
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await.unwrap();
                let (mut read_near, mut write_near) = near.split();
                let (read_far, mut write_far) = far.split();
                let mut read_far = read_far.take(limit);
                tokio::select! {
                    _ = tokio::io::copy(&mut read_near, &mut write_far) => {}
                    _ = tokio::io::copy(&mut read_far, &mut write_near) => {}
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_anywhere_leave_no_gap_and_no_duplicate() {
    let server = Server::new().await;
    let client = server.client();
    let start = client.commit(&ClientTxn::new().put("n", &0)).await.unwrap();
    let relay = cutting(server.address, 97).await;
    // The server asks for a second, after each of some thirty connections.
    let far = quick(format!("http://{relay}")).max_retry_after(Duration::from_millis(20));
    let far = far.build().unwrap();
    let mut watch = far.watch::<u64>("").since(start);
    let writer = tokio::spawn(async move { write(&client, 1..201).await });
    let mut seen = Vec::new();
    while seen.len() < 200 {
        seen.push(commit(&mut watch).await.revision());
    }
    assert_eq!(seen, writer.await.unwrap());
}

/// An answer of events that does not say how long it is.
fn events(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{text}")
        .into_bytes()
}

fn put(revision: u64) -> String {
    format!(
        "id: {revision}\nevent: commit\ndata: {{\"revision\": {revision}, \"events\": [{{\"type\": \"put\", \
         \"key\": \"n\", \"revision\": {revision}, \"etag\": \"\\\"{revision}\\\"\", \"value\": {revision}}}]}}\n\n"
    )
}

#[tokio::test]
async fn it_resumes_after_the_last_whole_message_and_drops_what_comes_again() {
    let server = Scripted::new(|request| {
        let half = put(4)[..20].to_owned();
        let text = match request.number {
            0 => format!("retry: 1\nid: 1\n\n{}: alive\n\n{}{half}", put(2), put(3)),
            1 => String::new(),
            // A server that repeats itself, and knows more than we do.
            2 => format!("{}event: news\ndata: x\n\n{}id: 6\n\n", put(3), put(4)),
            _ => put(7),
        };
        std::future::ready(events(&text))
    })
    .await;
    let mut watch = server.client().watch::<u64>("a b/").since(Revision::MIN);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(commit(&mut watch).await.revision().get());
    }
    assert_eq!(seen, [2, 3, 4, 7]);
    let heads = server.seen.lock().unwrap().clone();
    assert!(heads[0].starts_with("GET /v1/watch?prefix=a%20b/&since=1 HTTP/1.1"), "{}", heads[0]);
    assert!(!heads[0].contains("last-event-id"));
    let resumed: Vec<_> = heads[1..4]
        .iter()
        .map(|head| head.lines().find_map(|line| line.strip_prefix("last-event-id: ")).unwrap())
        .collect();
    assert_eq!(resumed, ["3", "3", "6"]);
}

#[tokio::test]
async fn what_cannot_be_resumed_is_told_after_all_that_came_before_and_ends_the_watch() {
    let compacted = "event: compacted\ndata: {\"oldest_revision\": 9}\n\n";
    let server = Scripted::always(String::from_utf8(events(&(put(2) + compacted))).unwrap()).await;
    let mut watch = server.client().watch::<u64>("").since(Revision::MIN);
    assert_eq!(commit(&mut watch).await.revision().get(), 2);
    let error = next(&mut watch).await.unwrap().unwrap_err();
    let ClientError::Compacted { oldest, .. } = error else { panic!("{error}") };
    assert_eq!(oldest.map(Revision::get), Some(9));
    assert!(next(&mut watch).await.is_none());
    assert_eq!(server.requests(), 1, "it does not try again what cannot succeed");

    // As the real server says it.
    let server = Server::new().await;
    let client = server.client();
    client.put("a", &1).await.unwrap();
    let mut watch = client.watch::<u64>("").since(Revision::MAX);
    let error = next(&mut watch).await.unwrap().unwrap_err();
    assert!(matches!(error, ClientError::Compacted { .. }), "{error}");
    let mut watch = client.watch::<u64>("").since(Revision::MAX);
    assert!(matches!(watch.open().await, Err(ClientError::Compacted { .. })));
    assert!(next(&mut watch).await.is_none());
}

#[tokio::test]
async fn a_connection_that_is_silent_is_dead_and_made_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let idle = Duration::from_millis(300);
    let client = quick(url).watch_idle_timeout(idle).build().unwrap();
    let mut watch = client.watch::<u64>("").since(Revision::MIN);
    let server = async {
        let (mut first, _) = listener.accept().await.unwrap();
        read_request(&mut first).await.unwrap();
        first.write_all(&events(&put(2))).await.unwrap();
        // Signs of life keep it, for longer than it may be silent.
        for _ in 0..6 {
            tokio::time::sleep(idle / 3).await;
            first.write_all(b": alive\n\n").await.unwrap();
        }
        first.write_all(put(3).as_bytes()).await.unwrap();
        // The first stays open, and says nothing more.
        let (mut second, _) = listener.accept().await.unwrap();
        read_request(&mut second).await.unwrap();
        second.write_all(&events(&put(4))).await.unwrap();
        (first, second)
    };
    let reader = async {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(commit(&mut watch).await.revision().get());
        }
        seen
    };
    let (_open, seen) = tokio::join!(server, reader);
    assert_eq!(seen, [2, 3, 4]);
}

#[tokio::test]
async fn a_server_that_refuses_ends_the_watch_and_one_that_is_busy_does_not() {
    let refused = problem("401 Unauthorized", "unauthorized", "", "");
    let server = Scripted::always(refused).await;
    let mut watch = server.client().watch::<u64>("");
    let error = next(&mut watch).await.unwrap().unwrap_err();
    assert!(matches!(error, ClientError::Problem(problem) if problem.status() == 401));
    assert!(next(&mut watch).await.is_none());

    let server = Scripted::new(|request| {
        let busy = problem("503 Service Unavailable", "unavailable", "", "");
        let answer = if request.number < 8 { busy.into_bytes() } else { events(&put(2)) };
        std::future::ready(answer)
    })
    .await;
    let mut watch = server.client().watch::<u64>("");
    assert_eq!(commit(&mut watch).await.revision().get(), 2);
}

/// The story: without a wait between two attempts it did nothing but connect.
#[tokio::test]
async fn a_watch_pauses_between_connections_though_requests_are_not_repeated() {
    const CONNECTIONS: usize = 20;
    let server = Scripted::new(|request| {
        std::future::ready(events(&if request.number < CONNECTIONS { "".into() } else { put(2) }))
    })
    .await;
    let client = quick(server.url()).retries(Backoff::none()).build().unwrap();
    let started = Instant::now();
    assert_eq!(commit(&mut client.watch::<u64>("")).await.revision().get(), 2);
    // It is a second, more or less: each pause is random, up to 100 ms.
    assert!(started.elapsed() > Duration::from_millis(300), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_message_larger_than_allowed_ends_the_watch() {
    let server = Scripted::always(String::from_utf8(events(&put(2))).unwrap()).await;
    let client = quick(server.url()).max_answer_bytes(50).build().unwrap();
    let error = next(&mut client.watch::<u64>("")).await.unwrap().unwrap_err();
    assert!(matches!(error, ClientError::Transport(_)), "{error}");
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    let server = Server::new().await;
    let client = server.client();
    let mut watch = client.watch::<u64>("");
    watch.open().await.unwrap();
    for _ in 0..20 {
        assert!(timeout(Duration::from_millis(1), watch.next()).await.is_err());
    }
    let written = write(&client, 0..10).await;
    let mut seen = Vec::new();
    while seen.len() < written.len() {
        if let Ok(item) = timeout(Duration::from_micros(50), watch.next()).await {
            seen.push(item.unwrap().unwrap().revision());
        }
    }
    assert_eq!(seen, written);
}

#[tokio::test]
async fn a_watch_is_not_open_before_the_server_has_said_from_where_it_begins() {
    let server = Scripted::new(|request| {
        let text = if request.number == 0 { String::new() } else { "id: 1\n\n".to_owned() };
        std::future::ready(events(&text))
    })
    .await;
    server.client().watch::<u64>("").open().await.unwrap();
    assert_eq!(server.requests(), 2, "the first said nothing");

    let silent = Scripted::new(|_| std::future::ready(events(""))).await;
    assert!(silent.client().watch::<u64>("").open().await.is_err());
}
