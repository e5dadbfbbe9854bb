//! Servers, proxies and networks that fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ifmatch::Revision;
use ifmatch::client::{
    Backoff, ClientError, ClientPrecondition, ClientTxn, ConflictKind, EntityTag, Outcome,
};
use ifmatch::http::{Options, documents};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{Scripted, Server, answer, problem, quick, read_request};

/// A relay to `server` that loses the answers to the first `lost` writes after they took place.
async fn losing(server: &Server, lost: usize) -> Scripted {
    let target = server.address;
    let writes = AtomicUsize::new(0);
    Scripted::new(move |request| {
        let is_read = request.head.starts_with("GET");
        let loses = !is_read && writes.fetch_add(1, Ordering::SeqCst) < lost;
        async move {
            let answer = request.forward(target).await;
            if loses { answer[..answer.len().min(20)].to_vec() } else { answer }
        }
    })
    .await
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_repeated_and_takes_place_once() {
    let server = Server::new().await;
    let relay = losing(&server, 2).await;
    let written = relay.client().create("a", &1).await.unwrap();
    assert!(written.is_creation(), "the repeat says what the first would have");
    assert_eq!(relay.requests(), 3);
    let keys: Vec<_> = {
        let seen = relay.seen.lock().unwrap();
        let key = |head: &String| {
            let line = head.lines().find(|line| line.starts_with("idempotency-key: "));
            line.unwrap().to_owned()
        };
        seen.iter().map(key).collect()
    };
    assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 17 + 32), "{keys:?}");

    // A conditional write would else meet itself, and an unconditional one be there twice.
    let relay = losing(&server, 1).await;
    let second = relay.client().put_if("a", &2, written.etag()).await.unwrap();
    let entry = server.client().get_versioned::<u32>("a").await.unwrap().unwrap();
    assert_eq!((entry.value(), entry.write_count()), (&2, Some(2)));
    assert_eq!(entry.etag(), second.etag());

    let relay = losing(&server, 1).await;
    let txn = ClientTxn::new().require("a", entry.revision().unwrap()).put("a", &3);
    let revision = relay.client().commit(&txn).await.unwrap();
    let entry = server.client().get_versioned::<u32>("a").await.unwrap().unwrap();
    assert_eq!((entry.revision(), entry.write_count()), (Some(revision), Some(3)));

    let relay = losing(&server, 1).await;
    assert!(relay.client().delete_if("a", entry.etag()).await.unwrap().is_some());
}

#[tokio::test]
async fn increments_over_a_network_that_loses_answers_are_exact() {
    let server = Server::new().await;
    let target = server.address;
    let relay = Scripted::new(move |request| async move {
        let answer = request.forward(target).await;
        if request.number.is_multiple_of(3) { Vec::new() } else { answer }
    })
    .await;
    // Who is to create it, and gets no answer, does not know whether it did.
    server.client().create("n", &0).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let retries = Backoff::new(30, Duration::from_millis(1), Duration::from_millis(5));
        let client = quick(relay.url()).retries(retries).build().unwrap();
        tasks.spawn(async move {
            for _ in 0..25 {
                client.update("n", |n: Option<&u32>| n.copied().unwrap_or(0) + 1).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(server.client().get::<u32>("n").await.unwrap().unwrap().into_value(), 100);
}

#[tokio::test]
async fn without_a_key_a_write_whose_answer_is_lost_is_of_unknown_outcome_and_never_repeated() {
    let server = Server::new().await;
    let relay = losing(&server, 1).await;
    let client = quick(relay.url()).idempotency_keys(false).build().unwrap();
    let error = client.put("a", &1).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    let ClientError::Transport(transport) = &error else { panic!("{error}") };
    assert_eq!((transport.outcome(), transport.attempts()), (Outcome::Unknown, 1));
    assert_eq!(relay.requests(), 1);
    assert!(!relay.seen.lock().unwrap()[0].contains("idempotency-key"));
    assert_eq!(server.client().get::<u32>("a").await.unwrap().unwrap().into_value(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_has_not_got_the_request() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for keys in [true, false] {
        let client = quick(&url).idempotency_keys(keys).build().unwrap();
        let error = client.put("a", &1).await.unwrap_err();
        let ClientError::Transport(transport) = &error else { panic!("{error}") };
        assert_eq!((transport.outcome(), transport.attempts()), (Outcome::NotSent, 5));
        assert!(!error.is_outcome_unknown());
    }
}

#[tokio::test]
async fn a_read_is_repeated_until_its_answer_is_whole() {
    let server = Server::new().await;
    server.client().create("a", &"a long value").await.unwrap();
    let target = server.address;
    let relay = Scripted::new(move |request| async move {
        let answer = request.forward(target).await;
        let cut = [0, 10, answer.len() - 1].get(request.number).copied();
        answer[..cut.unwrap_or(answer.len())].to_vec()
    })
    .await;
    let entry = relay.client().get::<String>("a").await.unwrap().unwrap();
    assert_eq!(entry.value(), "a long value");
    assert_eq!(relay.requests(), 4);
}

#[tokio::test]
async fn what_is_not_the_servers_own_answer_is_neither_a_success_nor_a_conflict() {
    let cases = [
        answer("409 Conflict\r\ncontent-type: text/html", "<h1>Conflict</h1>"),
        answer("409 Conflict\r\ncontent-type: application/json", "{\"status\": 409}"),
        answer("409 Conflict\r\ncontent-type: application/problem+json", "not JSON"),
        answer("412 Precondition Failed", ""),
        answer("302 Found\r\nlocation: /elsewhere", ""),
        answer("404 Not Found", ""),
        answer("404 Not Found\r\ncontent-type: text/html", "<h1>no-such-route</h1>"),
        answer("200 OK", "no tag"),
        answer("204 No Content\r\netag: no-quotes", ""),
        answer("202 Accepted\r\netag: \"x\"", ""),
        problem("200 OK", "not-found", "", ""),
        answer("500 Internal Server Error", "panic"),
    ];
    for text in cases {
        let server = Scripted::always(text.clone()).await;
        let client = server.client();
        let error = client.put("a", &1).await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected(_)), "{text}: {error}");
        assert!(client.get::<u32>("a").await.is_err(), "{text}");
        assert!(client.delete("a").await.is_err(), "{text}");
        assert!(client.head("a").await.is_err(), "{text}");
        assert!(client.commit(&ClientTxn::new()).await.is_err(), "{text}");
        assert!(client.update("a", |_: Option<&u32>| 1).await.is_err(), "{text}");
        // A HEAD that was no success is followed by a GET.
        let sent = if text.starts_with("HTTP/1.1 200") { 6 } else { 7 };
        assert_eq!(server.requests(), sent, "each was sent once: {text}");
    }
}

#[tokio::test]
async fn a_server_that_asks_to_come_again_is_asked_again_within_bounds() {
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        let busy = problem(status, "unavailable", "\r\nretry-after: 1", "");
        let server = Scripted::new(move |request| {
            let done = answer("204 No Content\r\netag: \"x\"", "");
            let answer = if request.number == 0 { busy.clone() } else { done };
            std::future::ready(answer.into_bytes())
        })
        .await;
        let started = Instant::now();
        server.client().put("a", &1).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(1), "it waits as long as it was asked to");
        assert_eq!(server.requests(), 2);
    }
    // Too long a wait, and none at all, are the caller's to decide on.
    for headers in ["\r\nretry-after: 3600", ""] {
        let text = problem("503 Service Unavailable", "unavailable", headers, "");
        let server = Scripted::always(text).await;
        let error = server.client().put("a", &1).await.unwrap_err();
        let ClientError::Problem(problem) = error else { panic!("{error}") };
        assert_eq!(problem.retry_after().is_some(), !headers.is_empty());
        assert_eq!(server.requests(), 1);
    }
    let always = problem("503 Service Unavailable", "unavailable", "\r\nretry-after: 0", "");
    let server = Scripted::always(always).await;
    assert!(server.client().get::<u32>("a").await.is_err());
    assert_eq!(server.requests(), 5, "the attempts are counted");
    let unkeyed = quick(server.url()).idempotency_keys(false).build().unwrap();
    assert!(unkeyed.put("a", &1).await.is_err());
    assert_eq!(server.requests(), 6, "a write without a key is not repeated");
}

#[tokio::test]
async fn an_outcome_that_the_server_does_not_know_is_not_repeated() {
    let text = problem("503 Service Unavailable", "outcome-unknown", "", "");
    let server = Scripted::always(text).await;
    let error = server.client().put("a", &1).await.unwrap_err();
    assert!(error.is_outcome_unknown());
    assert_eq!(server.requests(), 1);
}

/// The story: the server said that it did not know, with Retry-After, as it does of a write whose record it cannot read. The
/// next attempt was refused, or met no server, and the write was told as not done.
#[tokio::test]
async fn an_outcome_that_is_unknown_stays_so_when_the_request_is_repeated() {
    let unknown = problem("503 Service Unavailable", "outcome-unknown", "\r\nretry-after: 0", "");
    let proxy = answer("503 Service Unavailable\r\nretry-after: 0", "<h1>Busy</h1>");
    let busy = problem("503 Service Unavailable", "unavailable", "\r\nretry-after: 0", "");
    for (first, is_unknown) in [(unknown, true), (proxy, true), (busy.clone(), false)] {
        let (then, busy) = (first.clone(), busy.clone());
        let server = Scripted::new(move |request| {
            let answer = if request.number == 0 { &then } else { &busy };
            std::future::ready(answer.clone().into_bytes())
        })
        .await;
        let error = server.client().put("a", &1).await.unwrap_err();
        assert_eq!((error.is_outcome_unknown(), server.requests()), (is_unknown, 5), "{first}");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = quick(format!("http://{}", listener.local_addr().unwrap())).build().unwrap();
        let ends = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(listener);
            read_request(&mut stream).await.unwrap();
            stream.write_all(first.as_bytes()).await.unwrap();
        };
        let (error, ()) = tokio::join!(client.put("a", &1), ends);
        assert_eq!(error.unwrap_err().is_outcome_unknown(), is_unknown, "{first}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_given_up() {
    let server = Scripted::new(|_| async {
        std::future::pending::<()>().await;
        Vec::new()
    })
    .await;
    let client = quick(server.url()).request_timeout(Duration::from_millis(50)).build().unwrap();
    let error = client.put("a", &1).await.unwrap_err();
    let ClientError::Transport(transport) = &error else { panic!("{error}") };
    assert_eq!((transport.outcome(), transport.attempts()), (Outcome::Unknown, 5));
    assert_eq!(server.requests(), 5);
    assert!(!error.to_string().contains("127.0.0.1"), "the key and the server are not shown");
}

#[tokio::test]
async fn an_answer_is_bounded_exactly() {
    for (bytes, fits) in [(100, true), (101, false)] {
        let body = format!("\"{}\"", "x".repeat(bytes - 2));
        let server = Scripted::always(answer("200 OK\r\netag: \"x\"", &body)).await;
        let client = quick(server.url()).max_answer_bytes(100).build().unwrap();
        let read = client.get::<String>("a").await;
        assert_eq!(read.is_ok(), fits, "{read:?}");
    }
}

#[tokio::test]
async fn the_token_and_the_name_are_sent_with_every_request() {
    let server = Scripted::always(answer("204 No Content\r\netag: \"x\"", "")).await;
    let client = quick(server.url()).bearer_token("abc123").user_agent("mine/1").build().unwrap();
    client.put("a", &1).await.unwrap();
    let head = server.seen.lock().unwrap()[0].clone();
    assert!(head.contains("authorization: Bearer abc123"), "{head}");
    assert!(head.contains("user-agent: mine/1"), "{head}");
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_written() {
    let server = Server::new().await;
    let target = server.address;
    for refusal in [
        problem("503 Busy", "unavailable", "\r\nretry-after: 0", ""),
        problem("401 Unauthorized", "unauthorized", "", ""),
        answer("403 Forbidden", "a proxy's"),
    ] {
        let relay = Scripted::new(move |request| {
            let refusal = refusal.clone();
            async move {
                if request.number > 0 {
                    return refusal.into_bytes();
                }
                request.forward(target).await;
                Vec::new()
            }
        })
        .await;
        let error = relay.client().put("a", &1).await.unwrap_err();
        assert!(relay.requests() > 1 && error.is_outcome_unknown(), "{error}");
    }
    assert!(server.client().get::<u32>("a").await.unwrap().is_some(), "it was written");

    let refusing = Scripted::always(problem("401 Unauthorized", "unauthorized", "", "")).await;
    assert!(!refusing.client().put("a", &1).await.unwrap_err().is_outcome_unknown());
}

#[tokio::test]
async fn a_commit_whose_answer_cannot_be_read_is_not_taken_for_a_failure() {
    let server = Scripted::always(answer("200 OK\r\ncontent-type: application/json", "{}")).await;
    let error = server.client().commit(&ClientTxn::new().put("a", &1)).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
}

#[tokio::test]
async fn a_merge_that_is_no_value_of_the_type_is_not_written() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Both {
        mine: u32,
        theirs: u32,
    }
    let server = Server::new().await;
    let client = server.client();
    client.put("a", &Both { mine: 1, theirs: 1 }).await.unwrap();
    let base = client.get::<Both>("a").await.unwrap().unwrap();
    client.put("a", &serde_json::json!({"mine": 1, "theirs": "text"})).await.unwrap();
    let mine = Both { mine: 2, theirs: 1 };
    assert!(client.update_merging(&base, &mine, &Default::default()).await.is_err());
    let now = client.get::<serde_json::Value>("a").await.unwrap().unwrap();
    assert_eq!(
        now.value(),
        &serde_json::json!({"mine": 1, "theirs": "text"}),
        "an error, and no write"
    );
}

/// What has no room is the record of the `Idempotency-Key`; a delete would make some.
#[tokio::test]
async fn a_delete_passes_though_there_is_no_room_to_record_it() {
    let store = documents().max_keys(1).build();
    store.put(Bytes::from("a"), Bytes::from("1")).unwrap();
    let server = Server::over(store, Options::default()).await;
    let client = server.client();
    let error = client.put("b", &1).await.unwrap_err();
    assert!(matches!(&error, ClientError::Problem(problem) if problem.status() == 507), "{error}");
    assert!(client.delete("a").await.unwrap().is_some());
    assert!(client.delete("a").await.unwrap().is_none());
}

/// An attempt that was not answered may yet take place, and is known by its key only.
#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_not_sent_without_its_key() {
    let full = problem("507 Insufficient Storage", "storage-full", "", "");
    let server = Scripted::new(move |request| {
        std::future::ready(if request.number == 0 { Vec::new() } else { full.clone().into() })
    })
    .await;
    let error = server.client().delete("a").await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|head| head.contains("idempotency-key: ")), "{seen:?}");
}

/// Of a revision, or a tag, there is nothing left to be deleted; of whatever is there may be, by the attempt before.
#[tokio::test]
async fn a_delete_whose_answer_was_lost_may_yet_take_place_though_nothing_is_there() {
    let missing = problem("404 Not Found", "not-found", "", "");
    let tag = EntityTag::new("\"x\"").unwrap();
    for (precondition, is_open) in [
        (ClientPrecondition::Any, true),
        (ClientPrecondition::Present, true),
        (ClientPrecondition::Revision(Revision::MIN), false),
        (ClientPrecondition::Tag(tag), false),
    ] {
        let missing = missing.clone();
        let server = Scripted::new(move |request| {
            std::future::ready(if request.number == 0 { vec![] } else { missing.clone().into() })
        })
        .await;
        let deleted = server.client().delete_if("a", precondition.clone()).await;
        let told = deleted.map_err(|error| error.is_outcome_unknown());
        assert_eq!(told, if is_open { Err(true) } else { Ok(None) }, "{precondition:?}");
        assert_eq!(server.client().delete("a").await.unwrap(), None, "it was sent once");
    }
}

/// It would be done twice, if the key is deleted before the first attempt comes.
#[tokio::test]
async fn an_update_that_may_yet_take_place_is_not_made_again() {
    let server = Scripted::new(|request| {
        let answer = match (request.head.starts_with("GET"), request.number) {
            (true, _) => problem("404 Not Found", "not-found", "", ""),
            (false, 1) => String::new(),
            (false, 2) => problem("409 Conflict", "already-exists", "", ""),
            (false, _) => answer("204 No Content\r\netag: \"x\"", ""),
        };
        std::future::ready(answer.into_bytes())
    })
    .await;
    let error = server.client().update("n", |_: Option<&u32>| 1).await.unwrap_err();
    let kind = error.conflict().map(|conflict| conflict.kind());
    assert_eq!((kind, error.is_outcome_unknown()), (Some(ConflictKind::Exists), true));
    assert_eq!(server.requests(), 3, "it is read, written, and asked again what came of that");
}

/// Of another's 507 nobody knows whether the delete took place before it.
#[tokio::test]
async fn a_delete_is_not_sent_again_because_somebody_on_the_way_has_no_room() {
    let server = Scripted::new(|_| {
        std::future::ready(
            b"HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 0\r\n\r\n".to_vec(),
        )
    })
    .await;
    let error = server.client().delete("a").await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert!(server.seen.lock().unwrap().iter().all(|head| head.contains("idempotency-key: ")));
}
