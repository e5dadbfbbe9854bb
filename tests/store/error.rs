//! Errors are errors, and everything travels between threads, whatever the key and value types are.

use std::error::Error;
use std::fmt::{Debug, Display};

use ifmatch::{
    CodecError, Conflict, Deleted, InvalidRevision, LogFailure, OpenError, OutcomeUnknown,
    Precondition, Reason, Refused, Revision, Store, SyncError, Versioned, WriteError, Written,
};

/// A key that can do no more than a key must.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(u8);

/// A value that can do nothing.
struct Value;

fn is_debug<T: Debug>() {}
fn is_display<T: Display>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}
fn travels<T: Send + Sync + 'static>() {}

#[test]
fn errors_need_nothing_of_the_key_and_value_types() {
    is_error::<WriteError<Key, Value>>();
    is_error::<Conflict<Key, Value>>();
    is_debug::<Refused<Value>>();
    is_display::<Refused<Value>>();
    is_error::<OutcomeUnknown>();
    is_error::<OpenError>();
    is_error::<SyncError>();
    is_error::<Reason>();
    is_error::<LogFailure>();
    is_error::<CodecError>();
    is_error::<InvalidRevision>();
}

#[test]
fn what_the_store_hands_out_travels_between_threads() {
    travels::<Store<Key, Value>>();
    travels::<Versioned<Value>>();
    travels::<Conflict<Key, Value>>();
    travels::<WriteError<Key, Value>>();
    travels::<ifmatch::Pending<Key, Value, Written>>();
    travels::<ifmatch::Pending<Key, Value, Option<Deleted<Value>>>>();
    travels::<Precondition>();
    travels::<Revision>();
}

#[test]
fn an_application_can_pass_any_write_error_on_as_a_boxed_error() {
    fn create_twice() -> Result<(), Box<dyn Error + Send + Sync>> {
        let store = Store::<Key, Value>::new();
        store.create(Key(1), Value)?;
        store.create(Key(1), Value)?;
        Ok(())
    }
    let error = create_twice().unwrap_err();
    let error = error.downcast::<WriteError<Key, Value>>().unwrap();
    assert_eq!(error.conflict().unwrap().revision().unwrap().get(), 2);
    assert!(error.into_rejected().is_some());
}

#[test]
fn a_message_names_the_revisions_and_never_shows_debug_output() {
    let store = Store::<Key, Value>::new();
    let first = store.create(Key(1), Value).unwrap();
    store.put(Key(1), Value).unwrap();
    let cases = [
        (
            "a stale revision",
            store.put_if(Key(1), Value, first).map(drop),
            "conflict: the key was expected at revision 2, it is at revision 3",
        ),
        (
            "an existing key",
            store.create(Key(1), Value).map(drop),
            "conflict: the key was expected to be absent, it is at revision 3",
        ),
        (
            "a missing key",
            store.put_if(Key(2), Value, Precondition::Present).map(drop),
            "conflict: the key was expected to exist, it does not exist",
        ),
        (
            "a refused write",
            Store::<Key, Value>::builder().max_keys(0).build().create(Key(1), Value).map(drop),
            "the write was refused: the store holds 0 keys, its limit",
        ),
    ];
    for (name, outcome, message) in cases {
        assert_eq!(outcome.unwrap_err().to_string(), message, "{name}");
    }
}
