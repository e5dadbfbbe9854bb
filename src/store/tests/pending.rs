//! What a future is told, and when.

use super::*;

fn counting() -> (Arc<Counting>, Waker) {
    let counting = Arc::new(Counting(AtomicU64::new(0)));
    (Arc::clone(&counting), Waker::from(counting))
}

#[test]
fn a_future_is_not_told_of_what_is_not_durable() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    disk.hold_syncs();
    let (counting, waker) = counting();
    let mut context = Context::from_waker(&waker);
    let mut pending = pin!(store.submit_put_if("a", 7, Precondition::Any));
    let mut early = vec![pending.as_mut().poll(&mut context).is_ready()];
    disk.wait_for_held_sync();
    early.push(pending.as_mut().poll(&mut context).is_ready());
    early.push(counting.0.load(Ordering::SeqCst) > 0);
    let shown_early = store.contains("a");
    disk.release_syncs();
    assert_eq!(
        (early, shown_early),
        (vec![false; 3], false),
        "told of what a power cut takes back"
    );
    eventually("it is woken", || counting.0.load(Ordering::SeqCst) > 0);
    match pending.as_mut().poll(&mut context) {
        Poll::Ready(Ok(written)) => {
            let found = open(&disk.as_synced(), Durability::Sync).unwrap();
            assert_eq!(found.get("a").map(|entry| entry.revision()), Some(written.revision()));
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_future_is_told_of_a_log_that_fails_while_it_waits() {
    let disk = Disk::new().with_threads();
    let store = warm(&disk);
    disk.hold_syncs();
    let (counting, waker) = counting();
    let mut context = Context::from_waker(&waker);
    let mut write = pin!(store.submit_put_if("a", 1, Precondition::Absent));
    let mut commit = pin!(store.submit(Txn::new().put("b", 1)));
    // These two write nothing, and rest on the first.
    let mut check = pin!(store.submit(Txn::new().require("a", Precondition::Present)));
    let mut conflict = pin!(store.submit_put_if("a", 2, Precondition::Absent));
    let mut blocked = pin!(store.submit(Txn::new().require_none_under("a").put("c", 1)));
    let early = [
        write.as_mut().poll(&mut context).is_ready(),
        commit.as_mut().poll(&mut context).is_ready(),
        check.as_mut().poll(&mut context).is_ready(),
        conflict.as_mut().poll(&mut context).is_ready(),
        blocked.as_mut().poll(&mut context).is_ready(),
    ];
    disk.fail_every(Call::Sync, Fault::Io);
    disk.release_syncs();
    assert_eq!(early, [false; 5], "told of what a power cut takes back");
    eventually("all are woken", || counting.0.load(Ordering::SeqCst) == 5);
    match write.as_mut().poll(&mut context) {
        Poll::Ready(Err(WriteError::OutcomeUnknown(_))) => {}
        other => unreachable!("{other:?}"),
    }
    match commit.as_mut().poll(&mut context) {
        Poll::Ready(Err(CommitError::OutcomeUnknown(_))) => {}
        other => unreachable!("{other:?}"),
    }
    match check.as_mut().poll(&mut context) {
        Poll::Ready(Err(CommitError::Refused { reason: Reason::Poisoned(_), .. })) => {}
        other => unreachable!("{other:?}"),
    }
    match conflict.as_mut().poll(&mut context) {
        Poll::Ready(Err(error)) => {
            assert!(matches!(reason(&error), Reason::Poisoned(_)), "{error}");
            assert_eq!(error.into_rejected(), Some(2), "the value comes back");
        }
        other => unreachable!("{other:?}"),
    }
    match blocked.as_mut().poll(&mut context) {
        Poll::Ready(Err(CommitError::Refused { reason: Reason::Poisoned(_), txn })) => {
            assert_eq!(txn.len(), 2, "the transaction comes back");
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn without_threads_a_future_is_finished_by_whoever_polls_it() {
    let disk = Disk::new();
    let store = open(&disk, Durability::Sync).unwrap();
    let (counting, waker) = counting();
    let mut context = Context::from_waker(&waker);
    // Nobody else would poll it again: a future that is pending has asked for that itself.
    let mut finish = |number: u64| {
        let mut pending = pin!(store.submit_put_if("a", number, Precondition::Any));
        for _ in 0..10 {
            counting.0.store(0, Ordering::SeqCst);
            match pending.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => assert!(counting.0.load(Ordering::SeqCst) > 0, "it sleeps on"),
            }
        }
        unreachable!("it is never finished")
    };
    for number in 0..200 {
        let revision = finish(number).unwrap().revision();
        let found = open(&disk.as_synced(), Durability::Sync).unwrap();
        assert_eq!(found.get("a").map(|entry| entry.revision()), Some(revision));
    }
    disk.set_capacity(Some(disk.used()));
    let error = (200..400).find_map(|number| finish(number).err()).expect("it gets full");
    assert!(matches!(reason(&error), Reason::NoSpace(_)), "{error}");
    disk.set_capacity(None);
    finish(400).unwrap();
}
