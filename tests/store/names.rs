//! The public face, as programs outside are written against it: this compiles, and does what the names say.

use std::error::Error;
use std::time::Duration;

use ifmatch::{
    Conflict, Durability, Event, Precondition, Revision, Store, TxError, Txn, Versioned, WatchError,
};

use crate::common::{block_on, scratch};

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
}

fn user(name: &str) -> User {
    User { name: name.to_owned() }
}

#[derive(Debug, thiserror::Error)]
#[error("nobody is called {0}")]
struct Nobody(String);

#[test]
fn a_program_with_all_the_names_works() -> Result<(), Box<dyn Error>> {
    let store: Store<String, User> = Store::new();
    program(&store)?;
    let directory = scratch();
    let store = Store::<String, User>::builder()
        .history(3)
        .durability(Durability::Sync)
        .open(directory.path().join("data"))?;
    program(&store)?;
    let earlier = store.get("alice").ok_or("alice")?;
    let newer = store.put("alice", user("Alice the Third"))?;
    assert_eq!(store.get_at("alice", earlier.revision())?, Some(earlier));
    assert_eq!(store.snapshot_at(newer)?.len(), store.len());
    assert_eq!(store.history("alice").versions().last().map(|v| v.revision()), Some(newer));
    store.sync()?;
    store.close()?;
    Ok(())
}

fn program(store: &Store<String, User>) -> Result<(), Box<dyn Error>> {
    one_key(&store.clone())?;
    many_keys(store)?;
    order_and_time(store)?;
    change(store)
}

fn one_key(store: &Store<String, User>) -> Result<(), Box<dyn Error>> {
    let revision: Revision = store.create("alice", user("Alice"))?;
    let newer = store.put_if("alice", user("Alicia"), revision)?;
    store.put("bob", user("Bob"))?;
    let error = store.put_if("alice", user("Ally"), revision).unwrap_err();
    let conflict: &Conflict<String, User> = error.conflict().ok_or("a conflict")?;
    assert_eq!((conflict.key().as_str(), conflict.expected()), ("alice", revision.into()));
    assert_eq!(conflict.current().map(|current| current.name.as_str()), Some("Alicia"));
    assert_eq!(conflict.revision(), Some(newer));
    assert_eq!(error.into_rejected(), Some(user("Ally")));
    assert!(store.delete_if("bob", Precondition::Present)?.is_some());
    assert!(store.delete("bob")?.is_none());
    let read: Versioned<User> = store.get("alice").ok_or("alice")?;
    assert_eq!(
        (read.revision(), read.created_revision(), read.write_count()),
        (newer, revision, 2)
    );
    assert_eq!(read.value().name, read.name);
    store.update("alice", |current: Option<&User>| -> User {
        user(&format!("{} II", current.map_or("", |user| &user.name)))
    })?;
    assert!(store.contains("alice") && store.len() == 1);
    assert!(store.revision() >= newer);
    Ok(())
}

fn many_keys(store: &Store<String, User>) -> Result<(), Box<dyn Error>> {
    let before = store.revision();
    let txn = Txn::new()
        .require("alice", Precondition::Present)
        .require_none_under("users/")
        .require_unchanged_under("users/", before)
        .put("users/carol", user("Carol"))
        .delete("nobody");
    let revision: Revision = store.commit(txn.clone())?;
    assert!(revision > before);
    let error = store.commit(txn.clone()).unwrap_err();
    assert_eq!(error.conflict().map(|conflict| conflict.index()), Some(1));
    let failing: Vec<_> = error.conflicts().iter().map(|c| (c.index(), c.key().as_str())).collect();
    assert_eq!(failing, [(1, "users/carol"), (2, "users/carol")]);
    assert!(store.submit(txn.clone()).wait().is_err());
    assert!(block_on(store.submit(txn)).is_err());
    let answer = store.transact(|t| {
        let alice = t.get("alice")?.ok_or_else(|| Nobody("alice".to_owned()))?;
        t.put("users/alice", User::clone(&alice));
        Ok(alice.name.len())
    })?;
    assert!(answer > 0);
    let ((), at) = store.transact_at(|t| {
        t.put("users/alice", user("Alice"));
        Ok(())
    })?;
    assert_eq!(store.get("users/alice").ok_or("alice")?.revision(), at);
    let changes = error.into_txn().ok_or("it was not committed")?.into_changes();
    assert_eq!(changes.len(), 2);
    let error = store
        .transact(|t| -> Result<(), TxError> {
            t.get("zoe")?.ok_or_else(|| Nobody("zoe".to_owned()))?;
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.downcast_ref::<Nobody>().map(|nobody| nobody.0.as_str()), Some("zoe"));
    Ok(())
}

fn order_and_time(store: &Store<String, User>) -> Result<(), Box<dyn Error>> {
    let keys = |scan: &mut dyn Iterator<Item = (String, Versioned<User>)>| -> Vec<String> {
        scan.map(|(key, _)| key).collect()
    };
    assert_eq!(keys(&mut store.prefix("users/")), ["users/alice", "users/carol"]);
    assert_eq!(keys(&mut store.range("a".."b")), ["alice"]);
    assert_eq!(keys(&mut store.range("alice"..).rev()).len(), 3);
    let snapshot = store.snapshot();
    assert_eq!((snapshot.revision(), snapshot.len()), (store.revision(), 3));
    assert_eq!(snapshot.get("alice"), store.get("alice"));
    assert_eq!(
        keys(&mut snapshot.prefix("users/")).len() + keys(&mut snapshot.range(.."b")).len(),
        3
    );
    assert_eq!(store.snapshot_at(snapshot.revision())?.revision(), snapshot.revision());
    assert!(store.get_at("alice", snapshot.revision())?.is_some());
    assert!(!store.history("alice").versions().is_empty());
    assert_eq!(store.stats().keys(), 3);
    Ok(())
}

fn change(store: &Store<String, User>) -> Result<(), Box<dyn Error>> {
    let mut watch = store.watch().prefix("users/").since(store.revision()).open()?;
    let mut others = store.watch().key("alice").range("b".."c").with_previous().open()?;
    let put = store.put("users/dora", user("Dora"))?;
    let deleted = store.delete("users/dora")?.ok_or("dora")?.revision();
    let commit = watch.recv()?;
    assert_eq!(commit.revision(), put);
    assert!(matches!(commit.events(), [Event::Put { key, .. }] if key == "users/dora"));
    let commit = watch.recv_timeout(Duration::from_secs(10))?;
    assert!(matches!(commit.events(), [Event::Delete { revision, .. }] if *revision == deleted));
    assert!(matches!(watch.try_recv(), Err(WatchError::Empty)));
    assert!(matches!(others.recv_timeout(Duration::ZERO), Err(WatchError::Timeout)));
    Ok(())
}
