//! What is known of revisions that nobody was told, of restarts, and of ranges that changed: to the number.

use ifmatch::Precondition::{Absent, Any, Present};
use ifmatch::Requirement;
use ifmatch::testing::StoreOperation::{Get, Reopen, Revision, Transact, Update};
use ifmatch::testing::{Model, Step, StoreModel, StoreOperation, StoreOutcome, check};

use crate::all_orders::is_linearizable;
use crate::rows::{
    NOTHING, Row, commit, committed, counted, delete, deleted, history, lost, newest, none, put,
    read, scan, scanned, transacted, unchanged, watch, watched, written,
};
use crate::simulated::{entry, revision};

fn agree(name: &str, model: &StoreModel<u8, u64>, rows: Vec<Row>, expected: bool) {
    let history = history(rows);
    assert_eq!(is_linearizable(model, &history), expected, "{name}: all orders");
    let checked = check(model, &history);
    assert_eq!(checked.is_ok(), expected, "{name}: {checked:?}");
}

#[test]
fn an_open_write_is_below_whatever_had_to_find_it() {
    // The write that was told 4 found what the open one wrote.
    for (created, expected) in [(1, false), (2, true), (3, true), (4, false), (5, false)] {
        let rows = vec![
            (0, 0, put(1, 5, Any), None),
            (2, 3, put(1, 6, Present), written(4)),
            (4, 5, Get(1), read((4, created, 2, 6))),
        ];
        agree(&format!("created at {created}"), &StoreModel::new(), rows, expected);
    }
}

#[test]
fn open_writes_have_a_revision_each() {
    for told in 2..6 {
        let both = [Requirement::Key(0, Present), Requirement::Key(1, Present)];
        let rows = vec![
            (0, 0, put(0, 1, Any), None),
            (0, 0, put(1, 1, Any), None),
            (2, 3, commit(&both, &[(2, Some(1))]), committed(told)),
        ];
        agree(&format!("both before {told}"), &StoreModel::new(), rows, told >= 4);
        for (one, other) in [(2, 2), (2, 3), (3, 2), (3, 3), (2, 4), (4, 3)] {
            let rows = vec![
                (0, 0, put(0, 1, Any), None),
                (0, 0, put(1, 1, Any), None),
                (2, 3, commit(&both, &[(2, Some(1))]), committed(told)),
                (4, 5, Get(0), read((one, one, 1, 1))),
                (4, 5, Get(1), read((other, other, 1, 1))),
            ];
            let expected = one != other && one < told && other < told;
            agree(&format!("{one} and {other} before {told}"), &StoreModel::new(), rows, expected);
        }
    }
}

#[test]
fn a_read_of_the_newest_revision_leaves_no_room_below_it() {
    for (told, expected) in [(1, false), (2, true), (3, true)] {
        let rows = vec![
            (0, 0, put(0, 1, Any), None),
            (2, 3, Get(0), read((told, told, 1, 1))),
            (4, 5, Revision, newest(told)),
            (6, 7, Revision, newest(told)),
        ];
        agree(&format!("{told}"), &StoreModel::new(), rows, expected);
    }
}

#[test]
fn a_restart_is_after_all_that_took_effect() {
    let first = || (0, 1, put(0, 1, Any), written(2));
    let empty = StoreModel::new();
    for (told, expected) in [(1, false), (2, true), (3, true)] {
        agree("at a revision", &empty, vec![first(), (2, 3, Reopen, newest(told))], expected);
    }
    for (seen, expected) in [(2, true), (4, true), (5, true), (6, false)] {
        let rows = vec![
            (0, 0, put(0, 1, Any), None),
            (1, 2, Get(0), read((seen, seen, 1, 1))),
            (3, 4, Reopen, newest(5)),
            (5, 6, put(1, 1, Any), written(6)),
        ];
        agree("after an open write", &empty, rows, expected);
        let rows = vec![
            (0, 0, put(0, 1, Any), None),
            (3, 4, Reopen, newest(5)),
            (5, 6, Get(0), NOTHING),
            (7, 8, Get(0), read((seen, seen, 1, 1))),
        ];
        agree("before an open write", &empty, rows, seen == 6);
    }
}

#[test]
fn a_range_is_told_to_have_changed_only_as_it_has() {
    let gone = || {
        vec![(0, 1, put(0, 1, Any), written(2)), (2, 3, delete(0, Any), deleted(3, (2, 2, 1, 1)))]
    };
    let and = |told| {
        let mut rows = gone();
        rows.push((4, 5, commit(&[unchanged(0..5, 2)], &[]), told));
        rows
    };
    let empty = StoreModel::new();
    agree("a delete", &empty, and(lost(0, 0, None, 0)), true);
    agree("with blockers", &empty, and(lost(0, 0, None, 1)), false);
    agree("of a key that was never there", &empty, and(lost(0, 1, None, 0)), false);
    agree("of what is not there", &empty, and(lost(0, 0, Some((2, 2, 1, 1)), 0)), false);
    let outside = vec![
        (0, 1, put(7, 1, Any), written(2)),
        (2, 3, commit(&[unchanged(0..5, 1)], &[]), lost(0, 7, Some((2, 2, 1, 1)), 0)),
    ];
    agree("outside of the range", &empty, outside, false);
}

/// What was deleted before the history began, nobody knows.
#[test]
fn the_past_is_believed_until_it_is_known() {
    let model = || StoreModel::starting_with([], revision(5));
    for (since, expected) in [(3, true), (4, true), (5, false), (6, false)] {
        let rows = vec![(0, 1, commit(&[unchanged(0..5, since)], &[]), lost(0, 0, None, 0))];
        agree(&format!("deleted since {since}"), &model(), rows, expected);
    }
    let state = model().initial();
    assert_eq!(format!("{state:?}"), "revision 5");
}

/// Words of a violation, in full.
#[test]
fn why_a_call_cannot_come_next_is_said_in_words() {
    let first = || (0, 1, put(0, 1, Any), written(2));
    for (rows, expected) in [
        (
            vec![first(), (2, 3, put(0, 2, ifmatch::Precondition::Absent), written(3))],
            "0 is 1 at 2 (created at 2, write 1); it was required to be absent; the newest revision is 2, it was told 3.",
        ),
        (
            vec![(0, 1, delete(0, Present), deleted(2, (2, 2, 1, 1)))],
            "0 was never written; it was required to be there; it was told 1 at 2 (created at 2, write 1); the newest revision is 1, it was told 2.",
        ),
        (
            vec![first(), (2, 3, commit(&[unchanged(0..5, 1)], &[]), committed(2))],
            "0 is 1 at 2 (created at 2, write 1), required to be unchanged since 1; the newest revision is 2, it was told 2.",
        ),
        (
            vec![(0, 1, put(0, 1, Any), written(3)), (2, 3, put(1, 1, Any), written(2))],
            "it was told revision 3, and was over before call 1 began, which was told revision 2.",
        ),
        (
            vec![(0, 1, put(0, 2, Present), lost(0, 0, Some((2, 2, 1, 1)), 0))],
            "0 was never written; it was required to be there; it was told that precondition 0 fails: 0 is 1 at 2 (created at 2, write 1).",
        ),
    ] {
        let error = check(&StoreModel::new(), &history(rows)).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot come next: {expected}")), "{error}");
    }
}

/// A closure says what it wrote by its outcome alone: without it, it is the write that it was.
#[test]
fn what_a_closure_wrote_is_known_when_its_outcome_is_forgotten() {
    let model = StoreModel::<u8, u64>::new();
    let updated = StoreOutcome::Updated { read: None, value: 7, revision: revision(2) };
    let written = put(1, 7, Any);
    assert_eq!(model.forget(&Update(1), &updated), Some(written));
    let changes = vec![(1, Some(7)), (2, None)];
    let transacted = StoreOutcome::Transacted {
        reads: Vec::new(),
        changes: changes.clone(),
        revision: revision(2),
    };
    let commit = StoreOperation::Commit { requirements: Vec::new(), changes };
    assert_eq!(model.forget(&Transact, &transacted), Some(commit));
    let restarted = StoreOutcome::Revision(revision(2));
    assert_eq!(model.forget(&Reopen, &restarted), None);
}

/// What was there before the history began is there, with all that is known of it.
#[test]
fn a_store_starts_with_what_is_in_it() {
    let model = || StoreModel::starting_with([(0, entry(3, 2, 2, 7))], revision(5));
    assert_eq!(format!("{:?}", model().initial()), "revision 5, 0: 7 at 3 (created at 2, write 2)");
    for (is, expected) in [((3, 2, 2, 7), true), ((3, 2, 2, 8), false), ((4, 2, 2, 7), false)] {
        agree("what is read", &model(), vec![(0, 1, Get(0), read(is))], expected);
    }
    agree("it is not nothing", &model(), vec![(0, 1, Get(0), NOTHING)], false);
    agree("it goes on", &model(), vec![(0, 1, put(0, 8, Present), counted(6, 2, 3))], true);
    agree("it is over", &model(), vec![(0, 1, put(0, 8, Present), counted(5, 2, 3))], false);
}

#[test]
fn what_is_known_of_a_revision_is_shown() {
    let model = StoreModel::<u8, u64>::new();
    let mut state = model.initial();
    for key in 0..2 {
        assert_eq!(model.step(&mut state, &put(key, 1, Any), None), Step::Changed);
    }
    assert_eq!(
        format!("{state:?}"),
        "revision 3 or more, 0: 1 at 2 or more (created at 2 or more, write 1), \
         1: 1 at 3 or more (created at 3 or more, write 1)"
    );
    let found = read((5, 5, 1, 1));
    assert_eq!(model.step(&mut state, &Get(0), found.as_ref()), Step::Changed);
    assert_eq!(
        format!("{state:?}"),
        "revision 6 or more, 0: 1 at 5 (created at 5, write 1), \
         1: 1 at 6 or more (created at 6 or more, write 1)"
    );
    let restarted = newest(8);
    assert_eq!(model.step(&mut state, &Reopen, restarted.as_ref()), Step::Changed);
    assert_eq!(
        format!("{state:?}"),
        "revision 8, 0: 1 at 5 (created at 5, write 1), 1: 1 at 6 to 8 (created at 6 to 8, write 1)"
    );
}

/// Each kind of call that could not be, in a state with 0 and without 1, of revision 3.
#[test]
fn each_answer_that_cannot_be_is_said_beside_what_is() {
    let model =
        StoreModel::starting_with([(0, entry(3, 2, 2, 7)), (5, entry(2, 2, 1, 8))], revision(3));
    let is = "0 is 7 at 3 (created at 2, write 2)";
    let both = format!("{is}, 5 is 8 at 2 (created at 2, write 1)");
    let newest = |told: u64| format!("the newest revision is 3, it was told {told}");
    let was = "1 at 2 (created at 2, write 1)";
    let updated = |read, at| Some(StoreOutcome::Updated { read, value: 1, revision: revision(at) });
    let total = |keys| Some(StoreOutcome::Counted { revision: Some(revision(3)), keys });
    let two = [(0, (2, 2, 1, 1)), (1, (2, 2, 1, 1))];
    let unfit = [none(0..5), Requirement::Key(1, revision(9).into()), Requirement::Key(0, Any)];
    for (asked, told, expected) in [
        (Get(0), NOTHING, format!("{is}; it was told that nothing is there")),
        (Get(1), read((2, 2, 1, 1)), format!("1 was never written; it was told {was}")),
        (
            StoreOperation::Contains(0),
            Some(StoreOutcome::Contained(false)),
            format!("{is}; it was told that nothing is there"),
        ),
        (
            StoreOperation::Contains(1),
            Some(StoreOutcome::Contained(true)),
            "1 was never written; it was told that something is there".to_owned(),
        ),
        (
            put(0, 1, Any),
            counted(4, 3, 5),
            format!("{is}; it was told created at 3; it was told write 5; {}", newest(4)),
        ),
        (
            put(0, 1, Absent),
            written(4),
            format!("{is}; it was required to be absent; {}", newest(4)),
        ),
        (
            delete(0, Any),
            Some(StoreOutcome::Deleted(None)),
            format!("{is}; it was told that nothing is there"),
        ),
        (
            delete(0, revision(2)),
            deleted(4, (2, 2, 1, 1)),
            format!("{is}; it was required at revision 2; it was told {was}; {}", newest(4)),
        ),
        (Update(0), updated(None, 4), format!("{is}; it read nothing; {}", newest(4))),
        (Update(0), updated(Some(6), 4), format!("{is}; it read 6; {}", newest(4))),
        (
            commit(&unfit, &[]),
            committed(4),
            format!(
                "{is}, where nothing was required to be; 1 was never written, it was required at revision 9; {is}; {}",
                newest(4)
            ),
        ),
        (
            commit(&[unchanged(0..9, 2)], &[]),
            lost(0, 0, None, 0),
            format!(
                "{both}, required to be unchanged since 2; it was told that precondition 0 fails: 0 is nothing"
            ),
        ),
        (
            commit(&[none(0..9)], &[]),
            lost(0, 0, Some((2, 2, 1, 1)), 3),
            format!(
                "{both}, where nothing was required to be; it was told that precondition 0 fails: 0 is {was} and 2 others"
            ),
        ),
        (
            commit(&[none(0..9)], &[]),
            lost(0, 0, Some((2, 2, 1, 1)), 1),
            format!(
                "{both}, where nothing was required to be; it was told that precondition 0 fails: 0 is {was}"
            ),
        ),
        (scan(), scanned(&two), format!("{both}; it was told 0: {was}, 1: {was}")),
        (scan(), scanned(&[]), format!("{both}; it was told nothing")),
        (
            watch(3),
            watched(4, &[(0, Some((2, 2, 1, 1))), (1, None)]),
            format!("{both}; it was told 0: {was}, 1 deleted; {}", newest(4)),
        ),
        (watch(2), watched(3, &[]), format!("{both}; it was told of no change; {}", newest(3))),
        (
            StoreOperation::Len,
            total(1),
            format!("there are 2 keys; it was told that there are 1; {}", newest(3)),
        ),
        (
            Transact,
            transacted(&[(1, Some((2, 2, 1, 1))), (0, None)], &[], 3),
            format!(
                "nothing is in the range; it read 1: {was}; {is}; it read nothing; {}",
                newest(3)
            ),
        ),
        (Revision, crate::rows::newest(2), newest(2)),
        (Reopen, crate::rows::newest(2), newest(2)),
    ] {
        let mut state = model.initial();
        assert_eq!(model.step(&mut state, &asked, told.as_ref()), Step::Impossible, "{asked:?}");
        assert_eq!(model.explain(&state, &asked, told.as_ref()), expected, "{asked:?}");
    }
}
