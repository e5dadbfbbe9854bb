//! What the clients of a store record.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ifmatch::testing::disk::{Call as DiskCall, Disk, Fault};
use ifmatch::testing::{
    Call, Expect, History, Planned, Player, RangeRead, Recorder, StoreModel, check,
};
use ifmatch::{
    CommitError, Durability, KeyRange, Precondition, Requirement, Store, TransactError, TxError,
    Txn, WriteError,
};

use crate::simulated::{Asked, Told};

type TestStore = Store<u8, u64>;
type TestRecorder = Recorder<Asked, Told>;
type Recorded = History<Asked, Told>;

/// What was asked and told last.
fn last(history: &Recorded) -> &Call<Asked, Told> {
    history.calls().iter().max_by_key(|call| call.called).unwrap()
}

/// The ranges that were read, each with the keys that were found.
fn reads(history: &Recorded) -> Vec<(KeyRange<u8>, Vec<u8>)> {
    let Some(Told::Transacted { reads, .. }) = &last(history).outcome else {
        panic!("no closure: {history:?}");
    };
    let keys = |read: &RangeRead<u8, u64>| read.entries.iter().map(|(key, _)| *key).collect();
    reads.iter().map(|read| (read.range.clone(), keys(read))).collect()
}

/// A store with keys 3 and 7.
fn store(recorder: &TestRecorder) -> TestStore {
    let store = Store::new();
    let client = recorder.client().of(&store);
    client.put(3, 30).unwrap();
    client.put(7, 70).unwrap();
    store
}

#[test]
fn what_a_transaction_reads_around_its_own_writes_is_recorded() {
    use std::ops::Bound::{Excluded, Unbounded};
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    client
        .transact(|t| {
            t.put(5, 50);
            t.delete(3);
            let found = t.range(..)?;
            assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [5, 7]);
            // A key of its own tells nothing of the store.
            t.get(5)?;
            Ok(())
        })
        .unwrap();
    let expected = [
        (KeyRange::new(Unbounded, Excluded(3)), vec![]),
        (KeyRange::new(Excluded(3), Excluded(5)), vec![]),
        (KeyRange::new(Excluded(5), Unbounded), vec![7]),
    ];
    assert_eq!(reads(&recorder.history()), expected);
    check(&StoreModel::new(), &recorder.take()).unwrap();
}

/// A range read was once left out of the history for one key of the transaction's own in it.
#[test]
fn a_phantom_beside_a_key_of_its_own_is_found() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    client.transact(|t| (t.put(0, 1), t.range(..)).1.map(drop)).unwrap();
    let history = recorder.take();
    check(&StoreModel::new(), &history).unwrap();
    // Nobody wrote key 7, and still it was read.
    let writes_seven = |call: &&Call<_, _>| matches!(call.operation, Asked::Put { key: 7, .. });
    let phantom = history.calls().iter().filter(|call| !writes_seven(call)).cloned().collect();
    check(&StoreModel::new(), &phantom).unwrap_err();
}

#[test]
fn a_transaction_tells_at_which_revision_it_reads() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let (read_at, revision) = client
        .transact_at(|t| {
            t.put(0, 1);
            Ok(t.revision())
        })
        .unwrap();
    assert_eq!(Some(revision), read_at.next());
}

/// A store whose log fails as soon as it is told to.
fn failing() -> (TestStore, Disk) {
    let disk = Disk::new().with_threads();
    let store: TestStore = Store::builder().durability(Durability::Sync).open_on(&disk).unwrap();
    store.put(3, 30).unwrap();
    store.put(7, 70).unwrap();
    (store, disk)
}

#[test]
fn an_update_of_unknown_outcome_was_on_top_of_what_it_saw() {
    for (key, precondition) in [(3, Precondition::Present), (4, Precondition::Absent)] {
        let (store, disk) = failing();
        let recorder = Recorder::new();
        let client = recorder.client().of(&store);
        let told = client.update(key, |_| {
            disk.fail_every(DiskCall::Sync, Fault::Io);
            1
        });
        assert!(matches!(told, Err(WriteError::OutcomeUnknown(_))), "{told:?}");
        let history = recorder.take();
        let (operation, outcome) = (&last(&history).operation, &last(&history).outcome);
        assert_eq!(*operation, Asked::Put { key, value: 1, precondition });
        assert_eq!(*outcome, None);
    }
}

#[test]
fn a_closure_of_unknown_outcome_was_on_top_of_what_it_read() {
    use std::ops::Bound::{Excluded, Included};
    let (store, disk) = failing();
    let seven = store.get(7).unwrap().revision();
    let recorder = Recorder::new();
    let told = recorder.client().of(&store).transact(|t| {
        t.get(4)?;
        t.range(6..9)?;
        t.put(1, 1);
        disk.fail_every(DiskCall::Sync, Fault::Io);
        Ok(())
    });
    assert!(matches!(told, Err(TransactError::Commit(CommitError::OutcomeUnknown(_)))), "{told:?}");
    let history = recorder.take();
    let requirements = vec![
        Requirement::NoneIn(KeyRange::only(4)),
        Requirement::Key(7, seven.into()),
        Requirement::NoneIn(KeyRange::new(Included(6), Excluded(7))),
        Requirement::NoneIn(KeyRange::new(Excluded(7), Excluded(9))),
    ];
    let changes = vec![(1, Some(1))];
    assert_eq!(last(&history).operation, Asked::Commit { requirements, changes });
    assert_eq!(last(&history).outcome, None);
}

#[test]
fn a_closure_that_gives_up_has_read() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let told = client.transact(|t| {
        t.put(0, 1);
        t.get(7)?;
        Err::<(), _>(TxError::new("no"))
    });
    assert!(matches!(told, Err(TransactError::Aborted(_))), "{told:?}");
    assert_eq!(reads(&recorder.history()), [(KeyRange::only(7), vec![7])]);
    check(&StoreModel::new(), &recorder.take()).unwrap();
}

#[test]
fn a_closure_that_loses_its_last_race_has_read() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let other = client.clone();
    let told = client.transact(|t| {
        t.get(7)?;
        t.put(0, 1);
        other.put(7, 71)?;
        Ok(())
    });
    assert!(matches!(&told, Err(TransactError::Commit(error)) if error.conflict().is_some()));
    let closure = |call: &&Call<_, _>| matches!(call.operation, Asked::Transact);
    let history = recorder.take();
    let closure = history.calls().iter().find(closure).unwrap().clone();
    assert_eq!(reads(&[closure].into_iter().collect()), [(KeyRange::only(7), vec![7])]);
    check(&StoreModel::new(), &history).unwrap();
}

#[test]
fn an_update_that_loses_its_last_race_was_told_what_is_there() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let (other, mut value) = (client.clone(), 0);
    let told = client.update(7, |_| {
        value += 1;
        other.put(7, value).unwrap();
        0
    });
    assert!(matches!(told, Err(WriteError::Conflict(_))), "{told:?}");
    let history = recorder.take();
    let told = |call: &&Call<Asked, Told>| matches!(call.outcome, Some(Told::Read(_)));
    let Some(Told::Read(Some(entry))) = &history.calls().iter().find(told).unwrap().outcome else {
        panic!("{history:?}");
    };
    assert_eq!(entry.value, value);
    check(&StoreModel::new(), &history).unwrap();
}

#[test]
fn a_clone_is_another_client_and_prefixes_are_scanned() {
    let recorder = Recorder::new();
    let store: Store<String, u64> = Store::new();
    let client = recorder.client().of(&store);
    client.put("a/1", 1).unwrap();
    client.put("b/1", 1).unwrap();
    let found = client.clone().prefix("a/");
    assert_eq!(found.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a/1"]);
    let history = recorder.take();
    let clients: Vec<_> = history.calls().iter().map(|call| call.client).collect();
    assert_eq!(clients, [0, 0, 1]);
    check(&StoreModel::new(), &history).unwrap();
}

#[test]
fn what_was_submitted_can_be_awaited() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let mut pending = pin!(client.submit(Txn::new().put(9, 90)));
    let Poll::Ready(told) = pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("memory is never waited for");
    };
    assert_eq!(last(&recorder.history()).outcome, Some(Told::Committed(told.unwrap())));
    check(&StoreModel::new(), &recorder.take()).unwrap();
}

#[test]
fn a_single_write_that_was_submitted_is_recorded() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let put = client.submit_put_if(9, 90, Precondition::Absent);
    assert_eq!(last(&recorder.history()).outcome, None, "it is not waited for yet");
    let written = put.wait().unwrap();
    let told = Told::Written {
        revision: written.revision(),
        created_revision: Some(written.revision()),
        write_count: Some(1),
    };
    assert_eq!(last(&recorder.history()).outcome, Some(told));
    let lost = client.submit_delete_if(3, written.revision()).wait();
    assert!(matches!(lost, Err(WriteError::Conflict(_))), "{lost:?}");
    assert!(matches!(last(&recorder.history()).outcome, Some(Told::Conflicts(_))));
    let deleted = client.submit_delete_if(9, written.revision()).wait().unwrap();
    assert_eq!(deleted.map(|deleted| *deleted.previous().value()), Some(90));
    assert!(matches!(last(&recorder.history()).outcome, Some(Told::Deleted(Some(_)))));
    check(&StoreModel::new(), &recorder.take()).unwrap();
}

#[test]
fn what_is_read_of_a_snapshot_was_so_when_it_was_taken() {
    let recorder = Recorder::new();
    let client = recorder.client().of(&store(&recorder));
    let snapshot = client.snapshot();
    client.put(9, 90).unwrap();
    client.delete(3).unwrap();
    let found = snapshot.scan(..);
    assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [3, 7]);
    assert!(snapshot.get(9).is_none() && snapshot.get(3).is_some());
    assert_eq!((snapshot.len(), client.len()), (2, 2));
    let history = recorder.take();
    check(&StoreModel::new(), &history).unwrap();
    // As if one of its reads had told what is there by now.
    let late = client.scan(..);
    for told in history.calls() {
        let (Some(Told::Scanned { .. } | Told::Counted { .. }), Some(returned)) =
            (&told.outcome, told.returned)
        else {
            continue;
        };
        let mut bad = history.clone();
        let wrong = match &told.operation {
            Asked::Len => Told::Counted { revision: Some(snapshot.revision()), keys: 3 },
            Asked::Scan(range) => Told::Scanned {
                revision: Some(snapshot.revision()),
                entries: late
                    .iter()
                    .filter(|(key, _)| range.contains(key))
                    .map(|(key, entry)| (*key, entry.into()))
                    .collect(),
            },
            _ => continue,
        };
        bad.push(99, told.operation.clone(), told.called..returned, Some(wrong));
        assert!(
            check(&StoreModel::new(), &bad).is_err(),
            "{:?} was told otherwise",
            told.operation
        );
    }
}

/// What a player that goes on expects of a key: the precondition of its next put.
fn expected_after(steps: &[Planned<u8, u64>], key: u8, meanwhile: impl Fn(&TestStore)) -> Asked {
    let recorder = Recorder::new();
    let store = store(&recorder);
    let (client, mut player) = (recorder.client().of(&store), Player::new());
    let (last_step, first) = steps.split_last().unwrap();
    player.play(first, &client);
    meanwhile(&store);
    player.step(last_step, &client);
    player.step(&Planned::Put { key, value: 0, expect: Expect::Seen }, &client);
    last(&recorder.history()).operation.clone()
}

#[test]
fn a_player_learns_what_its_closure_wrote() {
    let transact =
        Planned::Transact { reads: vec![KeyRange::only(3)], changes: vec![(3, Some(31))] };
    let asked = expected_after(&[transact], 3, |_| {});
    // After the puts of 3 and 7, which are 2 and 3.
    let precondition = Precondition::Revision(4.try_into().unwrap());
    assert_eq!(asked, Asked::Put { key: 3, value: 0, precondition });
}

#[test]
fn a_player_learns_what_is_gone() {
    let whole = || vec![KeyRange::all()];
    let steps = [
        Planned::Scan(KeyRange::all()),
        Planned::Transact { reads: whole(), changes: vec![(9, Some(9))] },
    ];
    for step in steps {
        let asked = expected_after(&[Planned::Get(7), step], 7, |store| {
            store.delete(7).unwrap();
        });
        assert_eq!(asked, Asked::Put { key: 7, value: 0, precondition: Precondition::Absent });
    }
}
