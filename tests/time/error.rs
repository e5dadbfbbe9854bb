//! Errors are errors, and everything travels between threads, whatever the key and value types are.

use std::error::Error;
use std::fmt::{Debug, Display};

use ifmatch::{
    Canceller, Commit, CommitError, Conflict, Event, HistoryError, KeyHistory, KeyVersion, Pending,
    Precondition, Read, Revision, Scan, Snapshot, Stats, Store, TooManySnapshots, TransactError,
    TxError, Txn, Watch, WatchBuilder, WatchError,
};

use crate::model::revision;

type Subject = Store<String, u64>;

/// A key that can do no more than a key must.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Bare(u8);

/// A value that can do nothing.
struct Nothing;

fn is_debug<T: Debug>() {}
fn is_display<T: Display>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}
fn travels<T: Send + Sync + 'static>() {}
fn is_sent<T: Send + 'static>() {}

#[test]
fn errors_need_nothing_of_the_key_and_value_types() {
    is_error::<CommitError<Bare, Nothing>>();
    is_error::<TransactError<Bare, Nothing>>();
    is_error::<Conflict<Bare, Nothing>>();
    is_error::<HistoryError>();
    is_error::<TooManySnapshots>();
    is_error::<WatchError>();
    is_debug::<TxError>();
    is_display::<TxError>();
    is_debug::<Txn<Bare, Nothing>>();
    is_debug::<Snapshot<Bare, Nothing>>();
    is_debug::<Scan<Bare, Nothing>>();
    is_debug::<Watch<Bare, Nothing>>();
    is_debug::<KeyHistory<Nothing>>();
}

#[test]
fn what_is_handed_out_travels_between_threads() {
    travels::<Txn<Bare, Nothing>>();
    travels::<Snapshot<Bare, Nothing>>();
    is_sent::<Scan<Bare, Nothing>>();
    is_sent::<Watch<Bare, Nothing>>();
    travels::<WatchBuilder<Bare, Nothing>>();
    travels::<Commit<Bare, Nothing>>();
    travels::<Event<Bare, Nothing>>();
    travels::<Canceller<Bare, Nothing>>();
    travels::<KeyHistory<Nothing>>();
    travels::<KeyVersion<Nothing>>();
    travels::<Read<Nothing>>();
    travels::<TxError>();
    travels::<Stats>();
    travels::<CommitError<Bare, Nothing>>();
    travels::<Pending<Bare, Nothing, Revision>>();
}

#[test]
fn types_that_can_do_nothing_can_do_all_of_this() {
    let store = Store::<Bare, Nothing>::new();
    let at = store.commit(Txn::new().put(Bare(1), Nothing).put(Bare(2), Nothing)).unwrap();
    let mut watch = store.watch().range(Bare(1)..).with_previous().open().unwrap();
    let snapshot = store.snapshot();
    store.commit(Txn::new().require(Bare(1), at).delete(Bare(1))).unwrap();
    assert_eq!((snapshot.iter().count(), store.iter().count()), (2, 1));
    assert_eq!(watch.recv().unwrap().into_events().len(), 1);
    let error = store.commit(Txn::new().require_none_in(..).put(Bare(3), Nothing)).unwrap_err();
    let message = error.to_string();
    assert!(!message.is_empty() && !message.contains("Bare"), "{message}");
    assert_eq!(error.conflicts().len(), 1);
    let boxed: Box<dyn Error + Send + Sync> = error.into();
    let error = boxed.downcast::<CommitError<Bare, Nothing>>().unwrap();
    let txn = error.into_txn().unwrap();
    assert_eq!(txn.len(), 2);
    assert!(format!("{:?} {snapshot:?} {watch:?} {:?}", txn, store.iter()).contains("Txn"));
}

#[test]
fn messages_name_numbers_and_never_show_debug_output() {
    let store = Subject::new();
    store.put("a", 1).unwrap();
    store.put("a", 2).unwrap();
    let failing = Txn::new().require("a", Precondition::Absent).require_none_under("a");
    let cases = [
        store.commit(failing).unwrap_err().to_string(),
        store.commit(Txn::new().put("a", 1).put("a", 1)).unwrap_err().to_string(),
        store.commit(Txn::new().require_unchanged_in(.., revision(9))).unwrap_err().to_string(),
        store.watch().since(revision(9)).open().unwrap_err().to_string(),
        store.snapshot_at(revision(9)).unwrap_err().to_string(),
        store.get_at("a", revision(2)).unwrap_err().to_string(),
    ];
    for message in cases {
        let debug = ["{", "}", "Some(", "Revision(", "\"", "::"];
        assert!(
            !message.is_empty() && debug.iter().all(|mark| !message.contains(mark)),
            "{message}"
        );
        assert!(message.chars().any(|letter| letter.is_ascii_digit()), "{message}");
    }
}
