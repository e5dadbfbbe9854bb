//! What is different from a store in this process: the table in `Remote`'s documentation.

use std::time::Duration;

use bytes::Bytes;
use ifmatch::client::{ClientError, Remote};
use ifmatch::http::{Options, documents};
use ifmatch::{
    Backend, BackendSnapshot, Capability, HistoryError, KeyRange, Precondition, ReadError, Reason,
    TooManySnapshots, Txn, WriteError,
};

use super::{remote, serve};
use crate::support::{Scripted, Server, answer};

fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn put(remote: &Remote, name: &str, value: impl Into<Bytes>) -> ifmatch::Revision {
    remote.put_if(key(name), value.into(), Precondition::Any).await.unwrap().revision()
}

#[tokio::test]
async fn a_snapshot_that_is_not_read_for_long_says_so() {
    let options = Options::default().pin_timeout(Duration::from_millis(200));
    let server = Server::over(documents().build(), options).await;
    let remote = remote(server.client()).await;
    let before = put(&remote, "a", "1").await;
    put(&remote, "b", "1").await;
    let snapshot = remote.snapshot().await.unwrap();
    let after = put(&remote, "a", "2").await;
    let mut wait = Duration::from_millis(400);
    let error = loop {
        match snapshot.get(&key("a")).await {
            // It was read in time, so that it is kept for as long again.
            Ok(entry) => assert_eq!(entry.unwrap().revision(), before),
            Err(error) => break error,
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    };
    let ReadError::Revision(HistoryError::Compacted { oldest, .. }) = error else {
        panic!("{error}")
    };
    assert!(oldest > snapshot.revision() && oldest <= after);
    let page = snapshot.page(KeyRange::all(), 10).await;
    assert!(matches!(page, Err(ReadError::Revision(HistoryError::Compacted { .. }))), "{page:?}");
}

/// The server gives what it has pinned up while the pages of 8 MiB are read.
#[tokio::test]
async fn a_snapshot_that_is_lost_between_two_pages_says_so() {
    let store = documents().build();
    let options = Options::default().pin_timeout(Duration::from_millis(1));
    let server = Server::over(store.clone(), options).await;
    let direct = remote(server.client()).await;
    put(&direct, "a", vec![7; 5 << 20]).await;
    let at = put(&direct, "b", vec![7; 5 << 20]).await;
    let target = server.address;
    let relay = Scripted::new(move |request| {
        let (direct, store) = (direct.clone(), store.clone());
        async move {
            let head = &request.head;
            if head.contains("cursor=") && !head.contains("cursor=%40") {
                put(&direct, "a", "2").await;
                while store.snapshot_at(at).is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            request.forward(target).await
        }
    })
    .await;
    let snapshot = remote(relay.client()).await.snapshot().await.unwrap();
    assert_eq!(snapshot.revision(), at);
    let page = snapshot.page(KeyRange::all(), 10).await;
    let Err(ReadError::Revision(HistoryError::Compacted { oldest, .. })) = page else {
        panic!("{page:?}")
    };
    assert!(oldest > at);
}

#[tokio::test]
async fn past_the_limit_of_pins_a_snapshot_says_so() {
    let server = Server::over(documents().build(), Options::default().max_pins(2)).await;
    let remote = remote(server.client()).await;
    put(&remote, "a", "1").await;
    let mut held = Vec::new();
    for value in ["1", "2"] {
        put(&remote, "b", value).await;
        // Those at one revision count as one.
        held.push((value, remote.snapshot().await.unwrap()));
        held.push((value, remote.snapshot().await.unwrap()));
    }
    put(&remote, "b", "3").await;
    let error = remote.snapshot().await.unwrap_err();
    let ReadError::Revision(HistoryError::TooManySnapshots(TooManySnapshots { max, .. })) = error
    else {
        panic!("{error}")
    };
    assert_eq!(max, 2);
    for (value, snapshot) in held {
        let page = snapshot.page(KeyRange::all(), 10).await.unwrap();
        assert_eq!((page.entries.len(), &page.entries[1].1[..]), (2, value.as_bytes()));
    }
}

/// A list that has no second page pins nothing: its snapshot is all there is, and stays.
#[tokio::test]
async fn a_snapshot_of_little_needs_nothing_of_the_server() {
    let server = serve(documents().build()).await;
    let remote = remote(server.client()).await;
    let nothing = remote.snapshot().await.unwrap();
    put(&remote, "a", "1").await;
    let one = remote.snapshot().await.unwrap();
    put(&remote, "a", "2").await;
    server.stop().await;
    assert!(nothing.page(KeyRange::all(), 10).await.unwrap().entries.is_empty());
    assert!(nothing.get(&key("a")).await.unwrap().is_none());
    let page = one.page(KeyRange::all(), 1).await.unwrap();
    assert_eq!((&page.entries[0].1[..], page.rest), (&b"1"[..], None));
    assert_eq!(one.page(KeyRange::all(), 0).await.unwrap().rest, Some(KeyRange::all()));
}

#[tokio::test]
async fn a_condition_on_what_is_no_prefix_is_refused() {
    let server = serve(documents().build()).await;
    let remote = remote(server.client()).await;
    let at = put(&remote, "a", "1").await;
    let ranges = [
        KeyRange::only(key("a")),
        KeyRange::new(std::ops::Bound::Unbounded, std::ops::Bound::Excluded(key("b"))),
        KeyRange::new(std::ops::Bound::Excluded(key("a")), std::ops::Bound::Unbounded),
    ];
    for range in ranges {
        let put = || Txn::new().put(key("lost"), key("1"));
        let error = remote.commit(put().require_none_in(range.clone())).await.unwrap_err();
        let reason = error.reason().unwrap();
        assert!(matches!(reason, Reason::Unsupported(Capability::EmptyRange)), "{reason}");
        let error = remote.commit(put().require_unchanged_in(range, at)).await.unwrap_err();
        let reason = error.reason().unwrap();
        assert!(matches!(reason, Reason::Unsupported(Capability::UnchangedRange)), "{reason}");
    }
    let all = Txn::new().require_unchanged_in(KeyRange::all(), at).put(key("b"), key("1"));
    remote.commit(all).await.unwrap();
    assert!(remote.get(&key("lost")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_transaction_may_have_as_many_operations_as_the_server_takes() {
    let server = serve(documents().build()).await;
    let remote = remote(server.client()).await;
    let many = |count: usize| {
        (0..count).fold(Txn::new(), |txn, number| txn.put(key(&format!("k{number}")), key("1")))
    };
    let error = remote.commit(many(4_094)).await.unwrap_err();
    let Some(Reason::TooManyOperations { operations: 4_094, max: 4_093 }) = error.reason() else {
        panic!("{error:?}")
    };
    assert_eq!(error.into_txn().unwrap().len(), 4_094);
    remote.commit(many(4_093)).await.unwrap();
    let empties = |count: usize| {
        let empty = |txn: Txn<Bytes, Bytes>, number| {
            txn.require_none_under(Bytes::from(format!("none/{number}/")))
        };
        (0..count).fold(Txn::new().put(key("a"), key("1")), empty)
    };
    remote.commit(empties(16)).await.unwrap();
    let error = remote.commit(empties(17)).await.unwrap_err();
    let reason = error.reason().unwrap();
    assert!(matches!(reason, Reason::TooManyOperations { operations: 17, max: 16 }), "{reason}");
}

#[tokio::test]
async fn what_the_server_finds_too_large_is_refused_as_such() {
    let server = Server::over(documents().build(), Options::default().max_body(1_000)).await;
    let remote = remote(server.client()).await;
    put(&remote, "a", vec![7; 1_000]).await;
    let large = Bytes::from(vec![7; 1_001]);
    let put = remote.put_if(key("a"), large.clone(), Precondition::Any).await.unwrap_err();
    let WriteError::Refused(refused) = &put else { panic!("{put:?}") };
    let reason = refused.reason();
    assert!(matches!(reason, Reason::RequestTooLarge { bytes: 1_002 }), "{reason}");
    assert_eq!(put.into_rejected(), Some(large.clone()));
    let error = remote.commit(Txn::new().put(key("a"), large)).await.unwrap_err();
    let reason = error.reason().unwrap();
    assert!(matches!(reason, Reason::RequestTooLarge { bytes: 1_002 }), "{reason}");
    // Nor is one that is still being sent when the answer is there taken for one whose answer was lost.
    for _ in 0..3 {
        let huge = Bytes::from(vec![7; 16 << 20]);
        let put = remote.put_if(key("a"), huge, Precondition::Any).await.unwrap_err();
        let WriteError::Refused(refused) = &put else { panic!("{put:?}") };
        assert!(matches!(refused.reason(), Reason::RequestTooLarge { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_history_begins_where_all_of_it_is_shown() {
    let server = serve(documents().history(100).history_commits(1_000).build()).await;
    let remote = remote(server.client()).await;
    let mut written = Vec::new();
    for byte in 0..5_u8 {
        written.push(put(&remote, "a", vec![byte; 3 << 20]).await);
    }
    let history = remote.history(&key("a")).await.unwrap();
    let shown: Vec<_> = history.versions().iter().map(|version| version.revision()).collect();
    assert_eq!(shown, written[3..], "8 MiB of them");
    assert_eq!(history.since(), written[3]);
    assert_eq!(history.versions()[1].entry().unwrap()[..], [4; 3 << 20]);
    // Nothing is kept of what never was, and that is known since a revision.
    let never = remote.history(&key("never")).await.unwrap();
    assert!(never.versions().is_empty() && never.since() <= written[4]);
}

#[tokio::test]
async fn what_others_wrote_is_read_as_its_body() {
    let server = serve(documents().build()).await;
    let client = server.client();
    client.put("a", &serde_json::json!({"n": 1})).await.unwrap();
    let remote = remote(client.clone()).await;
    let entry = remote.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(entry[..], *b"{\"n\":1}");
    let lost = remote.put_if(key("a"), key("x"), Precondition::Absent).await.unwrap_err();
    assert_eq!(lost.conflict().unwrap().current(), Some(&entry));
    remote.put_if(key("a"), key("x"), Precondition::from(&entry)).await.unwrap();
    let document = client.get::<ifmatch::client::Document>("a").await.unwrap().unwrap();
    assert_eq!(document.document().content_type(), "application/octet-stream");
}

#[tokio::test]
async fn a_server_that_does_not_say_which_store_it_has_is_not_connected_to() {
    let body = r#"{"status": "ready", "revision": 7}"#;
    let head = "200 OK\r\ncontent-type: application/json";
    for body in [body.to_owned(), body.replace('}', r#", "identity": "xyz", "supports": []}"#)] {
        let server = Scripted::always(answer(head, &body)).await;
        let error = Remote::connect(server.client()).await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected(_)), "{error}");
    }
}

/// A proxy that drops headers: the write took place, and that is not hidden behind a refusal.
#[tokio::test]
async fn a_write_without_its_revisions_is_of_unknown_outcome() {
    let ready = format!(
        r#"{{"status": "ready", "revision": 7, "identity": "{}", "supports": ["past"]}}"#,
        "07".repeat(16)
    );
    let ready = answer("200 OK\r\ncontent-type: application/json", &ready);
    let server = Scripted::new(move |request| {
        let done = answer("204 No Content\r\netag: \"x\"", "");
        let answer = if request.head.starts_with("GET /readyz") { ready.clone() } else { done };
        std::future::ready(answer.into_bytes())
    })
    .await;
    let remote = remote(server.client()).await;
    assert_eq!(remote.identity().to_string(), "07".repeat(16));
    assert!(remote.supports(Capability::Past) && !remote.supports(Capability::History));
    let put = remote.put_if(key("a"), key("1"), Precondition::Any).await.unwrap_err();
    assert!(matches!(put, WriteError::OutcomeUnknown(_)), "{put:?}");
}
