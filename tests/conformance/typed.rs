//! What is not of a typed backend's types is never passed over.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use ifmatch::typed::Typed;
use ifmatch::{
    Backend, BackendSnapshot, KeyRange, Precondition, ReadError, Reason, Store, Txn, WatchError,
    WriteError,
};

type Inner = Store<Bytes, Bytes>;
type Users = Typed<Inner, String, (String, u32)>;

/// A store in memory never waits.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn user(name: &str) -> (String, u32) {
    (name.to_owned(), 7)
}

#[test]
fn types_go_in_and_come_out() {
    let inner = Inner::new();
    let users = Users::new(inner.clone());
    let mut watch = now(users.watch(KeyRange::all(), None)).unwrap();
    let created = now(users.put_if("a".into(), user("ada"), Precondition::Absent)).unwrap();
    let lost = now(users.put_if("a".into(), user("eve"), Precondition::Absent)).unwrap_err();
    let lost = lost.into_conflict().unwrap();
    assert_eq!(lost.key(), "a");
    assert_eq!(**lost.current().unwrap(), user("ada"));
    assert_eq!(lost.rejected(), Some(&user("eve")));
    let txn = Txn::new()
        .require("a", created.revision())
        .require_none_under("b/")
        .put("b/1", user("bob"));
    now(users.commit(txn.clone())).unwrap();
    let error = now(users.commit(txn)).unwrap_err();
    let [lost] = error.conflicts() else { panic!("{error}") };
    assert_eq!((lost.index(), lost.blockers()[0].0.as_str()), (1, "b/1"));
    assert_eq!(error.into_txn().unwrap().into_changes(), [("b/1".into(), Some(user("bob")))]);
    let mut names = Vec::new();
    for _ in 0..2 {
        let told = now(poll_fn(|context| Pin::new(&mut watch).poll_next(context)));
        let commit = told.unwrap().unwrap();
        names.extend(commit.events().iter().map(|event| event.entry().unwrap().0.clone()));
    }
    assert_eq!(names, ["ada", "bob"]);
    let page = now(now(users.snapshot()).unwrap().page(KeyRange::all(), 1)).unwrap();
    assert_eq!(page.entries[0].0, "a");
    assert!(page.rest.unwrap().contains(&"b/1".to_owned()));
}

#[test]
fn what_is_of_another_type_is_said_to_be() {
    let inner = Inner::new();
    let users = Users::new(inner.clone());
    let mut watch = now(users.watch(KeyRange::all(), None)).unwrap();
    let revision = inner.put(Bytes::from_static(b"a"), Bytes::from_static(b"\xff")).unwrap();
    let read = now(users.get(&"a".into()));
    assert!(matches!(read, Err(ReadError::Undecodable(_))), "{read:?}");
    let page = now(now(users.snapshot()).unwrap().page(KeyRange::all(), 9));
    assert!(matches!(page, Err(ReadError::Undecodable(_))), "{page:?}");

    // A conflict that cannot be shown is a refusal, and gives back what was not written.
    let error = now(users.put_if("a".into(), user("ada"), Precondition::Absent)).unwrap_err();
    match &error {
        WriteError::Refused(refused) => assert!(matches!(refused.reason(), Reason::Undecodable(_))),
        other => panic!("{other}"),
    }
    assert_eq!(error.into_rejected(), Some(user("ada")));
    let txn = Txn::new().require("a", Precondition::Absent).put("b", user("bob"));
    let error = now(users.commit(txn)).unwrap_err();
    assert!(matches!(error.reason(), Some(Reason::Undecodable(_))), "{error}");
    assert_eq!(inner.get(Bytes::from_static(b"a")).unwrap().revision(), revision);

    // A delete that took place is no refusal.
    match now(users.delete_if("a".into(), revision.into())) {
        Err(WriteError::OutcomeUnknown(unknown)) => {
            assert_eq!(unknown.revision(), Some(inner.revision()));
        }
        other => panic!("{other:?}"),
    }
    assert!(inner.is_empty());

    // A watch says it, and goes on.
    let mut next = || now(poll_fn(|context| Pin::new(&mut watch).poll_next(context))).unwrap();
    assert!(matches!(next(), Err(WatchError::Undecodable(_))));
    assert!(next().unwrap().events()[0].entry().is_none(), "the delete");
    now(users.put_if("a".into(), user("ada"), Precondition::Absent)).unwrap();
    assert_eq!(next().unwrap().events()[0].entry().unwrap().value(), &user("ada"));
}
