//! etcd's limits, each as an error that says which.

use bytes::Bytes;
use ifmatch::etcd::Etcd;
use ifmatch::{
    Backend, BackendSnapshot, CommitError, KeyRange, Precondition, ReadError, Reason, Txn,
    WriteError,
};

use crate::server::Server;
use crate::support::{connect, key, put};

type Transaction = Txn<Bytes, Bytes>;

fn puts(count: usize) -> Transaction {
    (0..count).fold(Txn::new(), |txn, number| txn.put(key(&format!("{number}")), key("1")))
}

#[track_caller]
fn too_many(error: CommitError<Bytes, Bytes>) -> (usize, usize) {
    match error.reason() {
        Some(Reason::TooManyOperations { operations, max }) => (*operations, *max),
        _ => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_may_have_as_many_operations_as_etcd_takes() {
    for (options, max) in [(&["--max-txn-ops=7"][..], 7), (&[], 128)] {
        let server = Server::start(options);
        let etcd = connect(&server.url).await;
        etcd.commit(puts(max)).await.unwrap();
        let error = etcd.commit(puts(max + 1)).await.unwrap_err();
        assert_eq!(too_many(error), (max + 1, max));
        // Nor is the limit of this crate told where etcd's is lower.
        let most = Transaction::MAX_OPERATIONS;
        let error = etcd.commit(puts(most + 1)).await.unwrap_err();
        assert_eq!(too_many(error), (most + 1, max));
        // Preconditions count for themselves.
        let demands = |count| {
            (0..count).fold(puts(max), |txn, _| txn.require(key("0"), Precondition::Present))
        };
        etcd.commit(demands(max)).await.unwrap();
        assert_eq!(too_many(etcd.commit(demands(max + 1)).await.unwrap_err()), (max + 1, max));
        // A range that must not change has one for each of its keys, and one for itself.
        let since = etcd.status().await.unwrap().revision;
        let unchanged = |end: String| {
            let range =
                KeyRange::new(std::ops::Bound::Unbounded, std::ops::Bound::Excluded(end.into()));
            Transaction::new().require_unchanged_in(range, since).put(key("z"), key("1"))
        };
        let mut names: Vec<String> = (0..max).map(|number| number.to_string()).collect();
        names.sort();
        etcd.commit(unchanged(names[max - 1].clone())).await.unwrap();
        let error = etcd.commit(unchanged("a".to_owned())).await.unwrap_err();
        assert_eq!(too_many(error), (max + 1, max));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_etcd_finds_too_large_is_refused_as_such() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    let fits = Bytes::from(vec![7; (1536 << 10) - 1_000]);
    etcd.put_if(key("a"), fits, Precondition::Absent).await.unwrap();
    // One that etcd takes apart and refuses, and one that it does not even read.
    for size in [1536 << 10, 20 << 20] {
        let value = Bytes::from(vec![7; size]);
        let error = etcd.put_if(key("b"), value.clone(), Precondition::Any).await.unwrap_err();
        match &error {
            WriteError::Refused(refused) => match refused.reason() {
                Reason::RequestTooLarge { bytes } => {
                    assert_eq!(*bytes, u64::try_from(size).unwrap() + 1);
                }
                other => panic!("{other}"),
            },
            other => panic!("{other}"),
        }
        assert_eq!(error.into_rejected(), Some(value.clone()));
        let error = etcd.commit(Transaction::new().put(key("b"), value)).await.unwrap_err();
        assert!(matches!(error.reason(), Some(Reason::RequestTooLarge { .. })), "{error}");
    }
    assert!(etcd.get(&key("b")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_as_short_as_an_answer_may_be() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    for number in 0..20 {
        put(&etcd, &format!("{number:02}"), &"x".repeat(30_000)).await;
    }
    let narrow = Etcd::builder([&server.url]).max_response_bytes(100_000).connect().await.unwrap();
    let snapshot = narrow.snapshot().await.unwrap();
    let page = snapshot.page(KeyRange::all(), 100).await.unwrap();
    assert_eq!((page.entries.len(), page.rest), (20, None));
    put(&etcd, "large", &"x".repeat(100_001)).await;
    let error = narrow.get(&key("large")).await.unwrap_err();
    assert!(matches!(error, ReadError::Unavailable(_)), "{error}");
    let error = narrow.snapshot().await.unwrap().page(KeyRange::all(), 100).await.unwrap_err();
    assert!(matches!(error, ReadError::Unavailable(_)), "{error}");
    // What cannot be told as a conflict was not written all the same.
    let error = narrow.put_if(key("large"), key("mine"), Precondition::Absent).await.unwrap_err();
    assert_eq!(error.into_rejected(), Some(key("mine")));
    assert_eq!(etcd.get(&key("large")).await.unwrap().unwrap().len(), 100_001);
}

/// What was written is part of the answer, so that one that is too large to be read may be of a write that took place.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_too_large_is_refused_only_if_it_did_not_take_place() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    let narrow = Etcd::builder([&server.url]).max_response_bytes(500).connect().await.unwrap();
    let long = key(&"k".repeat(5_000));
    let written = narrow.put_if(long.clone(), key("1"), Precondition::Any).await;
    assert!(matches!(written, Err(WriteError::OutcomeUnknown(_))), "{written:?}");
    assert!(etcd.get(&long).await.unwrap().is_some());
    let written = narrow.commit(puts(128)).await;
    assert!(matches!(written, Err(CommitError::OutcomeUnknown(_))), "{written:?}");
    assert!(etcd.get(&key("127")).await.unwrap().is_some());
    let deleted =
        (0..128).fold(Transaction::new(), |txn, number| txn.delete(key(&format!("{number}"))));
    let deleted = narrow.commit(deleted).await;
    assert!(matches!(deleted, Err(CommitError::OutcomeUnknown(_))), "{deleted:?}");
    assert!(etcd.get(&key("127")).await.unwrap().is_none());

    put(&etcd, "large", &"x".repeat(501)).await;
    narrow.status().await.unwrap();
    let absent = Transaction::new().require(key("large"), Precondition::Absent);
    let error = narrow.commit(absent.put(key("large"), key("mine"))).await.unwrap_err();
    assert_eq!(error.into_txn().unwrap().changes().len(), 1);
    assert_eq!(etcd.get(&key("large")).await.unwrap().unwrap().len(), 501);
}
