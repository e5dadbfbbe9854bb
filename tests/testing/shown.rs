//! Which calls of a violation are shown: those that a person needs to see why there is no order.

use ifmatch::Precondition::{Absent, Any, Present};
use ifmatch::testing::StoreOperation::{Get, Revision, Transact, Update};
use ifmatch::testing::{Call, Checker, History, StoreModel, check};

use crate::all_orders::is_linearizable;
use crate::rows::{
    Row, commit, committed, counted, delete, deleted, history, newest, none, put, read, scan,
    scanned, transacted, written,
};
use crate::simulated::{Asked, Told, revision};

fn updated(from: Option<u64>, value: u64, at: u64) -> Option<Told> {
    Some(Told::Updated { read: from, value, revision: revision(at) })
}

/// Each with the rows that are to be shown.
fn violations() -> Vec<(&'static str, Vec<Row>, &'static [u32])> {
    let first = || (0, 1, put(0, 1, Any), written(2));
    vec![
        (
            "a lost update, with who had the revision, who took it further, and who wrote over that",
            vec![
                (0, 1, Update(0), updated(None, 1, 2)),
                (2, 3, put(0, 2, revision(2)), written(3)),
                (4, 5, put(0, 3, revision(2)), written(4)),
            ],
            &[0, 1, 2],
        ),
        (
            "a lost update among others",
            vec![
                (0, 1, put(1, 7, Any), written(2)),
                (2, 3, put(0, 1, Any), written(3)),
                (4, 5, put(1, 8, Any), written(4)),
                (6, 7, put(0, 2, revision(3)), written(5)),
                (8, 9, put(1, 9, Any), written(6)),
                (10, 11, put(0, 3, Any), written(7)),
                (12, 13, put(0, 4, revision(3)), written(8)),
                (14, 15, put(1, 10, Any), written(9)),
            ],
            &[1, 3, 6],
        ),
        (
            "a lost update that took so long that many came between",
            [(0, 1, put(0, 1000, Any), written(2))]
                .into_iter()
                .chain((1..=40).map(|n| {
                    (n * 4 + 2, n * 4 + 3, Update(0), updated(Some(1001 - n), 1000 - n, n + 2))
                }))
                .chain([(2, 900, Update(0), updated(Some(1000), 500, 43))])
                .collect(),
            &[0, 41, 1],
        ),
        (
            "a lost update of a transaction's key",
            vec![
                (0, 1, Transact, transacted(&[], &[(0, Some(1)), (1, Some(1))], 2)),
                (2, 3, put(0, 5, revision(2)), written(3)),
                (4, 5, put(0, 6, revision(2)), written(4)),
                (6, 7, put(1, 6, revision(2)), written(5)),
            ],
            &[0, 1, 2],
        ),
        (
            "a stale read, with the write that it saw and the one that it did not see",
            vec![
                first(),
                (2, 3, put(1, 7, Any), written(3)),
                (4, 5, put(0, 2, Any), written(4)),
                (6, 7, put(0, 3, Any), written(5)),
                (8, 9, Get(0), read((2, 2, 1, 1))),
            ],
            &[0, 2, 4],
        ),
        (
            "a creation over what is there",
            vec![
                first(),
                (2, 3, put(0, 2, Any), written(3)),
                (4, 5, put(0, 3, Absent), written(4)),
            ],
            &[0, 2],
        ),
        (
            "a write of what was deleted",
            vec![
                first(),
                (2, 3, delete(0, Any), deleted(3, (2, 2, 1, 1))),
                (4, 5, put(0, 2, Present), written(4)),
            ],
            &[0, 1, 2],
        ),
        (
            "a phantom",
            vec![
                (0, 1, put(5, 1, Any), written(2)),
                (2, 3, put(1, 1, Any), written(3)),
                (4, 5, commit(&[none(0..3)], &[(2, Some(1))]), committed(4)),
            ],
            &[1, 2],
        ),
        (
            "write skew",
            vec![
                (0, 9, Transact, transacted(&[(0, None)], &[(1, Some(1))], 2)),
                (0, 9, Transact, transacted(&[(1, None)], &[(0, Some(1))], 3)),
            ],
            &[0, 1],
        ),
        (
            "one revision told twice",
            vec![first(), (2, 3, put(1, 1, Any), written(2)), (4, 5, put(0, 2, Any), written(3))],
            &[0, 1],
        ),
        (
            "revisions against time",
            vec![
                first(),
                (2, 3, put(0, 2, Any), written(4)),
                (4, 5, put(1, 1, Any), written(3)),
                (6, 7, put(1, 2, Any), written(5)),
            ],
            &[1, 2],
        ),
        (
            "an open write was seen, and then something older",
            vec![
                (0, 0, put(0, 1, Any), None),
                (10, 11, put(0, 2, Any), written(3)),
                (12, 13, Get(0), read((3, 2, 2, 2))),
                (14, 15, put(0, 3, Any), written(4)),
                (16, 17, Get(0), read((3, 2, 2, 2))),
                (18, 19, Get(0), read((4, 2, 3, 3))),
            ],
            &[0, 1, 3, 4],
        ),
        (
            "a revision of an open write, and then a lower one",
            vec![
                (0, 0, put(0, 1, Any), None),
                (8, 9, Revision, newest(5)),
                (12, 13, Get(0), read((5, 5, 1, 1))),
                (14, 15, Revision, newest(4)),
            ],
            &[0, 2, 3],
        ),
        (
            "a wrong count of writes needs the writer alone",
            vec![first(), (2, 3, put(0, 2, Any), counted(3, 2, 3))],
            &[1],
        ),
    ]
}

#[test]
fn the_calls_that_explain_a_violation_are_shown() {
    for (name, rows, expected) in violations() {
        let history = history(rows);
        let error = check(&StoreModel::new(), &history).expect_err(name);
        let violation = error.violation().expect(name);
        let shown: Vec<_> = violation.history().calls().iter().map(|call| call.client).collect();
        assert_eq!(shown, expected, "{name}: {error}");
        assert_eq!(violation.left_out(), history.len() - shown.len(), "{name}");
    }
}

/// It was found without the call that explained it.
#[test]
fn what_is_shown_contradicts_itself_beside_what_was_open() {
    for (name, rows, _) in violations() {
        let history = history(rows);
        let error = check(&StoreModel::new(), &history).expect_err(name);
        let violation = error.violation().expect(name);
        if violation.start().is_some() {
            continue;
        }
        let is_open = |call: &&Call<Asked, Told>| call.outcome.is_none();
        let open = history.calls().iter().filter(is_open).cloned();
        let beside: History<_, _> =
            violation.history().calls().iter().cloned().chain(open).collect();
        assert!(!is_linearizable(&StoreModel::new(), &beside), "{name}: {error}");
    }
}

/// Whether one of thirteen writes explains the scan takes more than the choices that there are for a smaller history: that is not
/// known, and so nobody is accused of it. (It does: the write of 7 came before the scan, all others after.) The put of 0 is
/// wrong whatever they did.
#[test]
fn what_is_not_decided_beside_others_is_not_shown() {
    let mut rows = vec![
        (0, 1, put(0, 1, Any), written(2)),
        (2, 99, scan(), scanned(&[(0, (2, 2, 1, 1)), (1, (4, 4, 1, 7))])),
        (3, 100, put(0, 2, revision(9)), written(3)),
        (4, 98, put(1, 7, Any), written(4)),
    ];
    rows.extend(
        (2..14).map(|key| (3 + u64::from(key), 98, put(key, 8, Any), written(u64::from(key) + 3))),
    );
    let error = check(&StoreModel::new(), &history(rows)).unwrap_err();
    let violation = error.violation().unwrap();
    let shown: Vec<_> = violation.history().iter().map(|call| call.client).collect();
    assert_eq!(shown, [2], "{violation}");
    assert_eq!(violation.blocked().len(), 1, "{violation}");
}

/// What is left out before the first that is shown is the state from which they start, of their key.
#[test]
fn a_violation_starts_from_what_was_there_before_its_causes() {
    let others = || vec![(0, 1, put(1, 7, Any), written(2)), (2, 3, put(0, 1, Any), written(3))];
    let mut rows = others();
    rows.extend([
        (4, 5, put(0, 2, Any), written(4)),
        (6, 7, put(1, 8, Any), written(5)),
        (8, 9, put(0, 3, Any), written(6)),
        (10, 11, Get(0), read((4, 3, 2, 2))),
    ]);
    let error = check(&StoreModel::new(), &history(rows)).unwrap_err();
    let violation = error.violation().unwrap();
    let shown: Vec<_> = violation.history().iter().map(|call| call.client).collect();
    assert_eq!(shown, [2, 4, 5], "{error}");
    assert_eq!(violation.start(), Some("revision 3, 0: 1 at 3 (created at 3, write 1)"));
    // What changed more than one key is there, with all of them.
    let both = commit(&[], &[(0, Some(1)), (1, Some(1))]);
    let rows = vec![
        (0, 1, both, committed(2)),
        (2, 3, put(0, 2, Any), written(3)),
        (4, 5, put(0, 3, Any), written(4)),
        (6, 7, Get(0), read((3, 2, 2, 2))),
    ];
    let error = check(&StoreModel::new(), &history(rows)).unwrap_err();
    let start = error.violation().unwrap().start();
    let (one, other) = ("0: 1 at 2 (created at 2, write 1)", "1: 1 at 2 (created at 2, write 1)");
    assert_eq!(start, Some(format!("revision 2, {one}, {other}").as_str()));
}

/// A limit that is lower than what a smaller history takes is one of the search for an order, not of the picture.
#[test]
fn a_violation_that_took_no_choice_is_shown_without_any() {
    for (name, rows, _) in violations() {
        let history = history(rows);
        match Checker::new().max_choices(0).check(&StoreModel::new(), &history) {
            Ok(_) => panic!("{name}"),
            Err(error) => assert!(!error.to_string().is_empty(), "{name}"),
        }
    }
}

#[test]
fn a_page_is_written_where_nothing_is_yet_and_else_it_is_said_where_it_could_not_be() {
    let rows = vec![(0, 1, put(0, 1, Any), written(2)), (2, 3, Get(0), read((3, 2, 2, 9)))];
    let error = check(&StoreModel::new(), &history(rows)).unwrap_err();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("of/a/failure.html");
    error.violation().unwrap().write_html(&path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("<!DOCTYPE html>"));
    let below_a_file = path.join("another.html");
    let error = error.violation().unwrap().write_html(&below_a_file).unwrap_err();
    assert!(error.to_string().starts_with(below_a_file.to_str().unwrap()), "{error}");
}
