//! Histories of which a person knows what they are, by name.

use ifmatch::testing::{History, StoreModel, check};
use ifmatch::{Precondition, Requirement};

use crate::all_orders::is_linearizable;
use crate::register::{self, Register};
use crate::rows::{
    NOTHING, Row, commit, committed, counted, delete, deleted, history, lost, newest, none, put,
    read, scan, scanned, transacted, unchanged, watch, watched, written,
};
use crate::simulated::{Asked, Told, revision};

use Precondition::{Absent, Any, Present};

fn good() -> Vec<(&'static str, Vec<Row>)> {
    use ifmatch::testing::StoreOperation::{Get, Reopen, Revision, Transact, Update};
    vec![
        ("nothing at all", vec![]),
        ("a read of nothing", vec![(0, 1, Get(0), NOTHING)]),
        (
            "a write and a read",
            vec![(0, 1, put(0, 1, Any), written(2)), (2, 3, Get(0), read((2, 2, 1, 1)))],
        ),
        (
            "a read beside a write, before it",
            vec![(0, 9, put(0, 1, Any), written(2)), (1, 2, Get(0), NOTHING)],
        ),
        (
            "a read beside a write, after it",
            vec![(0, 9, put(0, 1, Any), written(2)), (1, 2, Get(0), read((2, 2, 1, 1)))],
        ),
        (
            "revisions with gaps",
            vec![(0, 1, put(0, 1, Any), written(5)), (2, 3, put(0, 2, Any), written(900))],
        ),
        (
            "overlapping writes, in the order of revisions only",
            vec![
                (0, 9, put(0, 1, Any), written(3)),
                (1, 8, put(0, 2, Any), written(2)),
                (10, 11, Get(0), read((3, 2, 2, 1))),
            ],
        ),
        (
            "one of two swaps is lost",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 9, put(0, 2, revision(2)), written(3)),
                (2, 9, put(0, 3, revision(2)), lost(0, 0, Some((3, 2, 2, 2)), 0)),
            ],
        ),
        (
            "a swap of what was deleted is lost to nothing",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 3, delete(0, Any), deleted(3, (2, 2, 1, 1))),
                (4, 5, put(0, 2, revision(2)), lost(0, 0, None, 0)),
            ],
        ),
        (
            "a recreated key begins anew",
            vec![
                (0, 1, put(0, 1, Absent), counted(2, 2, 1)),
                (2, 3, delete(0, Present), deleted(3, (2, 2, 1, 1))),
                (4, 5, put(0, 2, Absent), counted(4, 4, 1)),
            ],
        ),
        (
            "writes are counted",
            vec![
                (0, 1, put(0, 1, Any), counted(2, 2, 1)),
                (2, 3, put(0, 1, Any), counted(3, 2, 2)),
            ],
        ),
        (
            "a delete of nothing",
            vec![(0, 1, delete(0, Any), Some(Told::Deleted(None))), (2, 3, Revision, newest(1))],
        ),
        (
            "an open call took effect",
            vec![(0, 0, put(0, 1, Any), None), (5, 6, Get(0), read((2, 2, 1, 1)))],
        ),
        (
            "an open call took effect later",
            vec![
                (0, 0, put(0, 1, Any), None),
                (5, 6, Get(0), NOTHING),
                (7, 8, Get(0), read((2, 2, 1, 1))),
            ],
        ),
        (
            "an open call took no effect",
            vec![
                (0, 0, put(0, 1, Any), None),
                (5, 6, put(0, 2, Absent), written(2)),
                (7, 8, Get(0), read((2, 2, 1, 2))),
            ],
        ),
        (
            "an open call's revision is between its neighbours",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 2, put(1, 5, Any), None),
                (3, 4, Get(1), read((4, 4, 1, 5))),
                (5, 6, put(0, 2, Any), written(5)),
            ],
        ),
        (
            "a transaction is whole",
            vec![
                (0, 9, commit(&[], &[(0, Some(1)), (1, Some(2))]), committed(2)),
                (1, 2, scan(), scanned(&[])),
                (3, 4, scan(), scanned(&[(0, (2, 2, 1, 1)), (1, (2, 2, 1, 2))])),
            ],
        ),
        (
            "a commit without effect takes no revision",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 3, commit(&[], &[(1, None)]), committed(2)),
            ],
        ),
        (
            "nobody is in the range any more",
            vec![
                (0, 1, put(1, 1, Any), written(2)),
                (2, 3, delete(1, Any), deleted(3, (2, 2, 1, 1))),
                (4, 5, commit(&[none(0..9)], &[(1, Some(2))]), committed(4)),
            ],
        ),
        (
            "a phantom is found",
            vec![
                (0, 1, put(1, 1, Any), written(2)),
                (2, 3, commit(&[none(0..9)], &[]), lost(0, 1, Some((2, 2, 1, 1)), 1)),
            ],
        ),
        (
            "a commit is told which of its keys is in the way",
            vec![
                (0, 1, put(1, 1, Any), written(2)),
                (
                    2,
                    3,
                    commit(&[Requirement::Key(0, Absent), Requirement::Key(1, Absent)], &[]),
                    lost(1, 1, Some((2, 2, 1, 1)), 0),
                ),
            ],
        ),
        (
            "a change in the range is found",
            vec![
                (0, 1, put(1, 1, Any), written(2)),
                (2, 3, commit(&[unchanged(0..9, 1)], &[]), lost(0, 1, Some((2, 2, 1, 1)), 0)),
            ],
        ),
        (
            "a delete in the range is found",
            vec![
                (0, 1, put(1, 1, Any), written(2)),
                (2, 3, delete(1, Any), deleted(3, (2, 2, 1, 1))),
                (4, 5, commit(&[unchanged(0..9, 2)], &[]), lost(0, 1, None, 0)),
            ],
        ),
        (
            "two closures that read what the other wrote",
            vec![
                (0, 9, Transact, transacted(&[(0, None)], &[(1, Some(1))], 2)),
                (0, 9, Transact, transacted(&[(1, Some((2, 2, 1, 1)))], &[(0, Some(1))], 3)),
            ],
        ),
        (
            "an update saw the one before",
            vec![
                (
                    0,
                    9,
                    Update(0),
                    Some(Told::Updated { read: None, value: 1, revision: revision(2) }),
                ),
                (
                    0,
                    9,
                    Update(0),
                    Some(Told::Updated { read: Some(1), value: 2, revision: revision(3) }),
                ),
            ],
        ),
        (
            "a restart jumps ahead",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 3, Reopen, newest(100)),
                (4, 5, put(0, 2, revision(2)), written(101)),
            ],
        ),
        (
            "a watch is told all, late",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 3, delete(0, Any), deleted(3, (2, 2, 1, 1))),
                (0, 50, watch(1), watched(2, &[(0, Some((2, 2, 1, 1)))])),
                (0, 60, watch(2), watched(3, &[(0, None)])),
                (0, 61, watch(3), watched(3, &[])),
            ],
        ),
    ]
}

fn bad() -> Vec<(&'static str, Vec<Row>)> {
    use ifmatch::testing::StoreOperation::{Get, Reopen, Revision, Transact, Update};
    let first = (0, 1, put(0, 1, Any), written(2));
    let replaced = || vec![first.clone(), (2, 3, put(0, 2, Any), written(3))];
    let and = |mut rows: Vec<Row>, row: Row| {
        rows.push(row);
        rows
    };
    let gone = || vec![first.clone(), (2, 3, delete(0, Any), deleted(3, (2, 2, 1, 1)))];
    vec![
        (
            "lost update",
            vec![
                first.clone(),
                (2, 9, put(0, 2, revision(2)), written(3)),
                (2, 9, put(0, 3, revision(2)), written(4)),
            ],
        ),
        ("stale read", and(replaced(), (4, 5, Get(0), read((2, 2, 1, 1))))),
        (
            "read of the future",
            vec![(0, 1, Get(0), read((2, 2, 1, 1))), (2, 3, put(0, 1, Any), written(2))],
        ),
        (
            "two readers see two orders",
            vec![
                (0, 9, put(0, 1, Any), written(2)),
                (1, 2, Get(0), read((2, 2, 1, 1))),
                (3, 4, Get(0), NOTHING),
            ],
        ),
        (
            "write skew",
            vec![
                (0, 9, Transact, transacted(&[(0, None)], &[(1, Some(1))], 2)),
                (0, 9, Transact, transacted(&[(1, None)], &[(0, Some(1))], 3)),
            ],
        ),
        (
            "duplicate revision",
            vec![(0, 9, put(0, 1, Any), written(2)), (0, 9, put(1, 1, Any), written(2))],
        ),
        (
            "revision order against real time",
            vec![(0, 1, put(0, 1, Any), written(3)), (2, 3, put(1, 1, Any), written(2))],
        ),
        ("the first revision is taken", vec![(0, 1, put(0, 1, Any), written(1))]),
        ("success on a dead revision", and(replaced(), (4, 5, put(0, 3, revision(2)), written(4)))),
        ("success on a deleted revision", and(gone(), (4, 5, put(0, 3, revision(2)), written(4)))),
        (
            "success of a creation over what is there",
            vec![first.clone(), (2, 3, put(0, 2, Absent), written(3))],
        ),
        (
            "conflict with a stale current",
            and(replaced(), (4, 5, put(0, 3, Absent), lost(0, 0, Some((2, 2, 1, 1)), 0))),
        ),
        (
            "conflict though the precondition held",
            vec![first.clone(), (2, 3, put(0, 2, revision(2)), lost(0, 0, Some((2, 2, 1, 1)), 0))],
        ),
        (
            "conflict with nothing though something is there",
            vec![first.clone(), (2, 3, put(0, 2, revision(9)), lost(0, 0, None, 0))],
        ),
        (
            "conflict about another key",
            vec![first.clone(), (2, 3, put(1, 2, Present), lost(0, 0, Some((2, 2, 1, 1)), 0))],
        ),
        (
            "only one of two failing preconditions is told",
            vec![(
                0,
                1,
                commit(&[Requirement::Key(0, Present), Requirement::Key(1, Present)], &[]),
                lost(0, 0, None, 0),
            )],
        ),
        (
            "a commit is told of a key that it did not ask for",
            vec![(0, 1, commit(&[Requirement::Key(1, Present)], &[]), lost(0, 2, None, 0))],
        ),
        (
            "half a transaction seen by a scan",
            vec![
                (0, 9, commit(&[], &[(0, Some(1)), (1, Some(2))]), committed(2)),
                (1, 2, scan(), scanned(&[(1, (2, 2, 1, 2))])),
            ],
        ),
        (
            "a scan of two moments",
            vec![
                (0, 1, put(0, 1, Any), written(2)),
                (2, 9, put(0, 2, Any), written(3)),
                (10, 19, put(1, 1, Any), written(4)),
                (2, 19, scan(), scanned(&[(0, (2, 2, 1, 1)), (1, (4, 4, 1, 1))])),
            ],
        ),
        (
            "phantom in require_none",
            vec![
                (0, 1, put(1, 1, Any), written(2)),
                (2, 3, commit(&[none(0..9)], &[(2, Some(1))]), committed(3)),
            ],
        ),
        (
            "too few in the way of require_none",
            vec![
                (0, 1, commit(&[], &[(0, Some(1)), (1, Some(2))]), committed(2)),
                (2, 3, commit(&[none(0..9)], &[]), lost(0, 0, Some((2, 2, 1, 1)), 1)),
            ],
        ),
        (
            "an unchanged range passes after a delete",
            and(gone(), (4, 5, commit(&[unchanged(0..9, 2)], &[(1, Some(1))]), committed(4))),
        ),
        (
            "an unchanged range fails for what came before",
            and(
                replaced(),
                (4, 5, commit(&[unchanged(0..9, 3)], &[]), lost(0, 0, Some((3, 2, 2, 2)), 0)),
            ),
        ),
        (
            "a delete is told the wrong previous",
            and(replaced(), (4, 5, delete(0, Any), deleted(4, (2, 2, 1, 1)))),
        ),
        (
            "a delete finds nothing where something is",
            vec![first.clone(), (2, 3, delete(0, Any), Some(Told::Deleted(None)))],
        ),
        ("wrong creation after a recreate", and(gone(), (4, 5, put(0, 2, Any), counted(4, 2, 1)))),
        (
            "wrong write count after a recreate",
            and(gone(), (4, 5, put(0, 2, Any), counted(4, 4, 2))),
        ),
        ("a write is counted twice", vec![first.clone(), (2, 3, Get(0), read((2, 2, 2, 1)))]),
        (
            "an open call took effect before it was called",
            vec![(0, 1, Get(0), read((2, 2, 1, 1))), (2, 2, put(0, 1, Any), None)],
        ),
        (
            "an open call took effect twice",
            vec![
                (0, 0, put(0, 1, Any), None),
                (1, 2, Get(0), read((2, 2, 1, 1))),
                (3, 4, delete(0, Any), deleted(3, (2, 2, 1, 1))),
                (5, 6, Get(0), read((4, 4, 1, 1))),
            ],
        ),
        (
            "an open call has two revisions",
            vec![
                (0, 0, put(0, 1, Any), None),
                (1, 2, Get(0), read((2, 2, 1, 1))),
                (3, 4, Get(0), read((3, 3, 1, 1))),
            ],
        ),
        (
            "an open call's revision is behind the one after it",
            vec![
                (0, 1, put(0, 1, Any), written(4)),
                (2, 2, put(1, 5, Any), None),
                (5, 6, Get(1), read((3, 3, 1, 5))),
            ],
        ),
        (
            "a restart goes back",
            vec![(0, 1, put(0, 1, Any), written(5)), (2, 3, Reopen, newest(4))],
        ),
        (
            "a restart takes back what was told",
            vec![first.clone(), (2, 3, Reopen, newest(100)), (4, 5, Get(0), NOTHING)],
        ),
        (
            "a revision of before the restart is given again",
            vec![first.clone(), (2, 3, Reopen, newest(100)), (4, 5, put(0, 2, Any), written(50))],
        ),
        (
            "an update of a stale value",
            and(
                replaced(),
                (
                    4,
                    5,
                    Update(0),
                    Some(Told::Updated { read: Some(1), value: 3, revision: revision(4) }),
                ),
            ),
        ),
        ("the newest revision goes back", and(replaced(), (4, 5, Revision, newest(2)))),
        (
            "a watch leaves one out",
            and(replaced(), (0, 9, watch(1), watched(3, &[(0, Some((3, 2, 2, 2)))]))),
        ),
        (
            "a watch tells of nothing where there was something",
            and(replaced(), (0, 9, watch(2), watched(3, &[]))),
        ),
        (
            "a watch tells half",
            vec![
                (0, 1, commit(&[], &[(0, Some(1)), (1, Some(2))]), committed(2)),
                (0, 9, watch(1), watched(2, &[(0, Some((2, 2, 1, 1)))])),
            ],
        ),
        (
            "a read is behind a watch",
            vec![
                (0, 20, put(0, 1, Any), written(2)),
                (0, 5, watch(1), watched(2, &[(0, Some((2, 2, 1, 1)))])),
                (6, 7, Get(0), NOTHING),
            ],
        ),
    ]
}

#[test]
fn the_good_are_good() {
    for (name, rows) in good() {
        let history = history(rows);
        assert!(is_linearizable(&StoreModel::new(), &history), "{name}");
        if let Err(error) = check(&StoreModel::new(), &history) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn the_bad_are_bad() {
    for (name, rows) in bad() {
        let history = history(rows);
        assert!(!is_linearizable(&StoreModel::new(), &history), "{name}");
        assert!(check(&StoreModel::new(), &history).is_err(), "{name}");
    }
}

#[test]
fn what_was_under_way_at_a_restart_has_no_effect_after_it() {
    let rows = vec![
        (0, 0, put(0, 1, Any), None),
        (6, 7, Asked::Get(0), NOTHING),
        (8, 9, Asked::Get(0), read((2, 2, 1, 1))),
    ];
    let open = history(rows);
    check(&StoreModel::new(), &open).unwrap();
    let ended = open.into_iter().map(|mut call| {
        call.returned.get_or_insert(5);
        call
    });
    assert!(check(&StoreModel::new(), &ended.collect()).is_err());
}

/// Without revisions: (called, returned, asked, told).
type Plain = (u64, u64, register::Asked, Option<register::Told>);

#[test]
fn registers_without_revisions() {
    use register::Asked::{Read, Swap, Write};
    use register::Told::{Done, Lost, Read as Is};
    let table: Vec<(&str, bool, Vec<Plain>)> = vec![
        (
            "a write, then a read",
            true,
            vec![(0, 1, Write(1), Some(Done)), (2, 3, Read, Some(Is(1)))],
        ),
        ("stale read", false, vec![(0, 1, Write(1), Some(Done)), (2, 3, Read, Some(Is(0)))]),
        (
            "two writes at once, either last",
            true,
            vec![
                (0, 9, Write(1), Some(Done)),
                (0, 9, Write(2), Some(Done)),
                (10, 11, Read, Some(Is(1))),
            ],
        ),
        (
            "two writes at once, both last",
            false,
            vec![
                (0, 9, Write(1), Some(Done)),
                (0, 9, Write(2), Some(Done)),
                (10, 11, Read, Some(Is(1))),
                (12, 13, Read, Some(Is(2))),
            ],
        ),
        (
            "a new value, then the old one",
            false,
            vec![
                (0, 9, Write(1), Some(Done)),
                (1, 2, Read, Some(Is(1))),
                (3, 4, Read, Some(Is(0))),
            ],
        ),
        (
            "both swaps of one value",
            false,
            vec![(0, 9, Swap(0, 1), Some(Done)), (0, 9, Swap(0, 2), Some(Done))],
        ),
        (
            "a swap and its loser",
            true,
            vec![(0, 9, Swap(0, 1), Some(Done)), (0, 9, Swap(0, 2), Some(Lost))],
        ),
        ("a swap is lost to nobody", false, vec![(0, 1, Swap(0, 1), Some(Lost))]),
        (
            "an open write took effect",
            true,
            vec![(0, 0, Write(1), None), (5, 6, Read, Some(Is(0))), (7, 8, Read, Some(Is(1)))],
        ),
        (
            "an open write took effect before it was called",
            false,
            vec![(5, 5, Write(1), None), (0, 1, Read, Some(Is(1)))],
        ),
        (
            "an open write took effect twice",
            false,
            vec![
                (0, 0, Write(1), None),
                (1, 2, Read, Some(Is(1))),
                (3, 4, Write(2), Some(Done)),
                (5, 6, Read, Some(Is(1))),
            ],
        ),
    ];
    for (name, is_good, rows) in table {
        let mut history = History::new();
        for (client, (called, returned, asked, told)) in (0..).zip(rows) {
            history.push(client, asked, called..returned, told);
        }
        assert_eq!(is_linearizable(&Register, &history), is_good, "{name}");
        assert_eq!(check(&Register, &history).is_ok(), is_good, "{name}");
    }
}
