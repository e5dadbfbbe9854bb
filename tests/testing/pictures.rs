//! Violations as a person sees them, whole.

use ifmatch::Precondition::{Absent, Any, Present};
use ifmatch::testing::StoreOperation::{Get, Len, Reopen, Revision, Transact};
use ifmatch::testing::{History, Model, StoreModel, StoreOutcome, check};

use crate::register::{self, Register};
use crate::rows::{
    NOTHING, Row, commit, committed, counted, delete, deleted, history, newest, put, read, scan,
    scanned, transacted, written,
};
use crate::simulated::revision;

/// All that a violation says, a line each.
fn seen<M: Model>(model: &M, history: &History<M::Operation, M::Outcome>) -> Vec<String> {
    let error = check(model, history).unwrap_err();
    let violation = error.violation().unwrap();
    let mut seen: Vec<_> =
        violation.start().map(|start| format!("from {start}")).into_iter().collect();
    seen.extend(violation.history().iter().map(|call| {
        let told = call.outcome.as_ref().map_or("?".to_owned(), |told| format!("{told:?}"));
        format!("{}: {:?} -> {told}", call.client, call.operation)
    }));
    let (order, state) = (violation.order(), violation.state());
    seen.push(format!("{order:?}, then {state}"));
    seen.extend(
        violation
            .blocked()
            .iter()
            .map(|blocked| format!("not {}: {}", blocked.call, blocked.reason)),
    );
    seen.push(format!("{} before, {} left out", violation.before(), violation.left_out()));
    seen
}

fn sees(name: &str, rows: Vec<Row>, expected: &[&str]) {
    assert_eq!(seen(&StoreModel::new(), &history(rows)), expected, "{name}");
}

#[test]
fn what_is_shown_of_a_store() {
    let first = || (0, 1, put(0, 1, Any), written(2));
    let too_old = vec![
        first(),
        (2, 3, put(0, 2, Any), written(3)),
        (4, 5, put(0, 3, revision(2)), written(4)),
    ];
    sees(
        "a lost update",
        too_old,
        &[
            "0: put 0 = 1 -> at 2",
            "1: put 0 = 2 -> at 3",
            "2: put 0 = 3 if at 2 -> at 4",
            "[0, 1], then revision 3, 0: 2 at 3 (created at 2, write 2)",
            "not 2: 0 is 2 at 3 (created at 2, write 2); it was required at revision 2; the newest revision is 3, it was told 4",
            "0 before, 0 left out",
        ],
    );
    sees(
        "a stale read of one key among others",
        vec![
            (0, 1, put(1, 7, Any), written(2)),
            (2, 3, put(0, 1, Any), written(3)),
            (4, 5, put(0, 2, Any), written(4)),
            (6, 7, put(1, 8, revision(2)), written(5)),
            (8, 9, put(0, 3, Any), written(6)),
            (10, 11, Get(0), read((4, 3, 2, 2))),
            (12, 13, put(1, 9, Any), written(7)),
        ],
        &[
            "from revision 3, 0: 1 at 3 (created at 3, write 1)",
            "2: put 0 = 2 -> at 4",
            "4: put 0 = 3 -> at 6",
            "5: get 0 -> 2 at 4",
            "[0, 1], then revision 6, 0: 3 at 6 (created at 3, write 3)",
            "not 2: 0 is 3 at 6 (created at 3, write 3); it was told 2 at 4 (created at 3, write 2)",
            "0 before, 4 left out",
        ],
    );
    sees(
        "a read of what nobody wrote",
        vec![first(), (2, 3, Get(0), read((2, 2, 1, 9)))],
        &[
            "from revision 2, 0: 1 at 2 (created at 2, write 1)",
            "1: get 0 -> 9 at 2",
            "[], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 0: 0 is 1 at 2 (created at 2, write 1); it was told 9 at 2 (created at 2, write 1)",
            "0 before, 1 left out",
        ],
    );
    sees(
        "two creations",
        vec![(0, 9, put(0, 1, Absent), written(2)), (1, 8, put(0, 2, Absent), written(3))],
        &[
            "0: put 0 = 1 if absent -> at 2",
            "1: put 0 = 2 if absent -> at 3",
            "[0], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 1: 0 is 1 at 2 (created at 2, write 1); it was required to be absent; the newest revision is 2, it was told 3",
            "0 before, 0 left out",
        ],
    );
    sees(
        "revisions against time",
        vec![
            first(),
            (2, 3, put(0, 2, Any), written(4)),
            (4, 5, put(1, 1, Any), written(3)),
            (6, 7, put(1, 2, Any), written(5)),
        ],
        &[
            "from revision 2, 0: 1 at 2 (created at 2, write 1)",
            "1: put 0 = 2 -> at 4",
            "2: put 1 = 1 -> at 3",
            "[], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 0: it was told revision 4, and was over before call 1 began, which was told revision 3",
            "0 before, 2 left out",
        ],
    );
    sees(
        "two at once, of which the lower cannot be: the higher one is not accused",
        vec![(0, 9, put(1, 1, Any), written(3)), (1, 8, put(0, 2, Present), written(2))],
        &[
            "1: put 0 = 2 if present -> at 2",
            "[], then revision 1",
            "not 0: 0 was never written; it was required to be there; the newest revision is 1, it was told 2",
            "0 before, 1 left out",
        ],
    );
    sees(
        "a revision that was told before a lower one was asked for",
        vec![
            (0, 1, put(0, 1, Any), written(2)),
            (2, 20, put(1, 1, Any), written(5)),
            (3, 9, put(2, 1, Any), written(6)),
            (10, 19, put(3, 1, Any), written(4)),
        ],
        &[
            "from revision 2, 0: 1 at 2 (created at 2, write 1)",
            "2: put 2 = 1 -> at 6",
            "3: put 3 = 1 -> at 4",
            "[], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 0: it was told revision 6, and was over before call 1 began, which was told revision 4",
            "0 before, 2 left out",
        ],
    );
    sees(
        "an open write was seen, and then what was before it",
        vec![
            (0, 0, put(0, 1, Any), None),
            (2, 3, Get(0), read((2, 2, 1, 1))),
            (4, 5, Get(0), NOTHING),
        ],
        &[
            "0: put 0 = 1 -> ?",
            "1: get 0 -> 1 at 2",
            "2: get 0 -> nothing",
            "[0, 1], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 2: 0 is 1 at 2 (created at 2, write 1); it was told that nothing is there",
            "0 before, 0 left out",
        ],
    );
    sees(
        "an open write that explains one of two",
        vec![
            (0, 0, put(0, 1, Any), None),
            (2, 3, put(0, 2, Any), written(5)),
            (4, 5, Get(0), read((5, 3, 2, 2))),
            (6, 7, put(0, 3, Any), written(6)),
            (8, 9, Get(0), read((5, 3, 2, 2))),
        ],
        &[
            "0: put 0 = 1 -> ?",
            "1: put 0 = 2 -> at 5",
            "3: put 0 = 3 -> at 6",
            "4: get 0 -> 2 at 5",
            "[1, 2, 0], then revision 7 or more, 0: 1 at 7 or more (created at 5, write 3)",
            "not 3: 0 is 1 at 7 or more (created at 5, write 3); it was told 2 at 5 (created at 3, write 2)",
            "0 before, 1 left out",
        ],
    );
    sees(
        "a transaction is shown with what it read",
        vec![
            first(),
            (2, 3, put(1, 1, Any), written(3)),
            (4, 5, Transact, transacted(&[(1, Some((3, 3, 1, 1)))], &[(0, Some(2))], 4)),
            (6, 7, Get(0), read((2, 2, 1, 1))),
        ],
        &[
            "0: put 0 = 1 -> at 2",
            "1: put 1 = 1 -> at 3",
            "2: transact -> read [1: 1 at 3], wrote 0 = 2 at 4",
            "3: get 0 -> 1 at 2",
            "[0, 1, 2], then revision 4, 0: 2 at 4 (created at 2, write 2), 1: 1 at 3 (created at 3, write 1)",
            "not 3: 0 is 2 at 4 (created at 2, write 2); it was told 1 at 2 (created at 2, write 1)",
            "0 before, 0 left out",
        ],
    );
    sees(
        "a restart that goes back",
        vec![
            first(),
            (2, 3, put(0, 2, Any), written(3)),
            (4, 5, Reopen, newest(2)),
            (6, 7, put(0, 3, Any), written(4)),
        ],
        &[
            "from revision 2, 0: 1 at 2 (created at 2, write 1)",
            "1: put 0 = 2 -> at 3",
            "2: reopen -> at 2",
            "[], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 0: it was told revision 3, and was over before call 1 began, which was told revision 2",
            "0 before, 2 left out",
        ],
    );
    sees(
        "keys that were too many when the restart put an end to it",
        vec![
            (0, 9, put(0, 1, Any), written(3)),
            (10, 10, put(2, 2, Absent), None),
            (2, 29, delete(0, revision(3)), deleted(8, (3, 3, 1, 1))),
            (3, 31, Len, Some(StoreOutcome::Counted { revision: Some(revision(6)), keys: 2 })),
            (1, 7, Reopen, newest(11)),
        ],
        &[
            "from revision 3, 0: 1 at 3 (created at 3, write 1)",
            "4: reopen -> at 11",
            "3: len -> 2 at 6",
            "[], then revision 3, 0: 1 at 3 (created at 3, write 1)",
            "not 0: it was told revision 11, and call 1 comes first, which was told revision 6",
            "not 1: there are 1 keys; it was told that there are 2; the newest revision is 3, it was told 6",
            "0 before, 3 left out",
        ],
    );
    sees(
        "a scan that leaves one out",
        vec![
            (0, 1, put(0, 1, Any), written(2)),
            (2, 3, commit(&[], &[(0, Some(2)), (1, Some(2))]), committed(3)),
            (4, 5, put(2, 2, Any), counted(4, 4, 1)),
            (6, 7, scan(), scanned(&[(0, (3, 2, 2, 2)), (2, (4, 4, 1, 2))])),
        ],
        &[
            "from revision 4, 0: 2 at 3 (created at 2, write 2), 1: 2 at 3 (created at 3, write 1), 2: 2 at 4 (created at 4, write 1)",
            "3: scan KeyRange { start: Unbounded, end: Unbounded } -> [0: 2 at 3, 2: 2 at 4]",
            "[], then revision 4, 0: 2 at 3 (created at 2, write 2), 1: 2 at 3 (created at 3, write 1), 2: 2 at 4 (created at 4, write 1)",
            "not 0: 0 is 2 at 3 (created at 2, write 2), 1 is 2 at 3 (created at 3, write 1), 2 is 2 at 4 (created at 4, write 1); it was told 0: 2 at 3 (created at 2, write 2), 2: 2 at 4 (created at 4, write 1)",
            "0 before, 3 left out",
        ],
    );
    sees(
        "a revision that was never given, and not the read after it",
        vec![first(), (2, 3, Revision, newest(4)), (4, 5, Get(0), NOTHING)],
        &[
            "from revision 2, 0: 1 at 2 (created at 2, write 1)",
            "1: revision -> at 4",
            "[], then revision 2, 0: 1 at 2 (created at 2, write 1)",
            "not 0: the newest revision is 2, it was told 4",
            "0 before, 2 left out",
        ],
    );
}

#[test]
fn what_is_shown_of_a_register_without_revisions() {
    use register::Asked::{Read, Swap, Write};
    use register::Told::{Done, Lost, Read as Is};
    type R = (u64, u64, register::Asked, Option<register::Told>);
    let sees = |name: &str, rows: Vec<R>, expected: &[&str]| {
        let mut history = History::new();
        for (client, (called, returned, asked, told)) in (0..).zip(rows) {
            history.push(client, asked, called..returned, told);
        }
        assert_eq!(seen(&Register, &history), expected, "{name}");
    };
    sees(
        "two swaps of one value",
        vec![
            (0, 9, Write(3), Some(Done)),
            (10, 19, Swap(3, 1), Some(Done)),
            (10, 19, Swap(3, 2), Some(Done)),
            (20, 21, Read, Some(Is(2))),
        ],
        &[
            "0: Write(3) -> Done",
            "1: Swap(3, 1) -> Done",
            "2: Swap(3, 2) -> Done",
            "[0, 1], then 1",
            "not 2: it cannot be answered so in the state that there is",
            "0 before, 1 left out",
        ],
    );
    sees(
        "a swap that is lost to nobody, among other orders",
        vec![
            (0, 1, Write(2), Some(Done)),
            (0, 3, Write(5), Some(Done)),
            (4, 5, Write(1), Some(Done)),
            (6, 7, Swap(1, 2), Some(Lost)),
            (8, 9, Read, Some(Is(2))),
        ],
        &[
            "from 5",
            "2: Write(1) -> Done",
            "3: Swap(1, 2) -> Lost",
            "[0], then 1",
            "not 1: it cannot be answered so in the state that there is",
            "2 before, 3 left out",
        ],
    );
    sees(
        "a new value, and then the old one",
        vec![
            (0, 9, Write(1), Some(Done)),
            (1, 2, Read, Some(Is(1))),
            (3, 4, Read, Some(Is(0))),
            (20, 21, Write(4), Some(Done)),
            (22, 23, Read, Some(Is(4))),
        ],
        &[
            "0: Write(1) -> Done",
            "1: Read -> Read(1)",
            "2: Read -> Read(0)",
            "[0, 1], then 1",
            "not 2: it cannot be answered so in the state that there is",
            "0 before, 2 left out",
        ],
    );
    sees(
        "an open write that took effect twice",
        vec![
            (0, 0, Write(1), None),
            (1, 2, Read, Some(Is(1))),
            (3, 4, Write(2), Some(Done)),
            (5, 6, Read, Some(Is(1))),
        ],
        &[
            "0: Write(1) -> ?",
            "1: Read -> Read(1)",
            "2: Write(2) -> Done",
            "3: Read -> Read(1)",
            "[0, 1, 2], then 2",
            "not 3: it cannot be answered so in the state that there is",
            "0 before, 0 left out",
        ],
    );
    sees(
        "two reads that need two orders",
        vec![
            (0, 9, Write(1), Some(Done)),
            (0, 9, Write(2), Some(Done)),
            (0, 9, Write(3), Some(Done)),
            (10, 11, Read, Some(Is(1))),
            (12, 13, Read, Some(Is(2))),
        ],
        &[
            "0: Write(1) -> Done",
            "1: Write(2) -> Done",
            "3: Read -> Read(1)",
            "4: Read -> Read(2)",
            "[1, 0, 2], then 1",
            "not 3: it cannot be answered so in the state that there is",
            "0 before, 1 left out",
        ],
    );
    // A chain of swaps whose end was never reached.
    let mut chain: Vec<R> = (0..9_u8)
        .map(|n| (u64::from(n) * 4, u64::from(n) * 4 + 1, Swap(n, n + 1), Some(Done)))
        .collect();
    chain.push((50, 51, Read, Some(Is(8))));
    sees(
        "a long chain, where it breaks off",
        chain,
        &[
            "from 7",
            "7: Swap(7, 8) -> Done",
            "8: Swap(8, 9) -> Done",
            "9: Read -> Read(8)",
            "[0, 1], then 9",
            "not 2: it cannot be answered so in the state that there is",
            "7 before, 7 left out",
        ],
    );
    let mut chain: Vec<R> = (0..7_u8)
        .map(|n| (u64::from(n) * 4, u64::from(n) * 4 + 1, Swap(n, n + 1), Some(Done)))
        .collect();
    chain.push((50, 51, Read, Some(Is(6))));
    sees(
        "a chain that can be taken in is shown whole",
        chain,
        &[
            "0: Swap(0, 1) -> Done",
            "1: Swap(1, 2) -> Done",
            "2: Swap(2, 3) -> Done",
            "3: Swap(3, 4) -> Done",
            "4: Swap(4, 5) -> Done",
            "5: Swap(5, 6) -> Done",
            "6: Swap(6, 7) -> Done",
            "7: Read -> Read(6)",
            "[0, 1, 2, 3, 4, 5, 6], then 7",
            "not 7: it cannot be answered so in the state that there is",
            "0 before, 0 left out",
        ],
    );
    let mut many: Vec<R> = (0..9_u8).map(|n| (0, 99, Write(n), Some(Done))).collect();
    many.extend((0..9_u8).map(|n| (u64::from(n) * 4, u64::from(n) * 4 + 1, Read, Some(Is(8 - n)))));
    many.push((100, 101, Read, Some(Is(8))));
    many.push((102, 103, Read, Some(Is(7))));
    sees(
        "more than can be taken in, from the start",
        many,
        &[
            "0: Write(0) -> Done",
            "1: Write(1) -> Done",
            "2: Write(2) -> Done",
            "3: Write(3) -> Done",
            "4: Write(4) -> Done",
            "5: Write(5) -> Done",
            "6: Write(6) -> Done",
            "7: Write(7) -> Done",
            "8: Write(8) -> Done",
            "9: Read -> Read(8)",
            "10: Read -> Read(7)",
            "11: Read -> Read(6)",
            "12: Read -> Read(5)",
            "13: Read -> Read(4)",
            "14: Read -> Read(3)",
            "15: Read -> Read(2)",
            "16: Read -> Read(1)",
            "17: Read -> Read(0)",
            "18: Read -> Read(8)",
            "19: Read -> Read(7)",
            "[8, 9, 7, 10, 6, 11, 5, 12, 4, 13, 3, 14, 2, 15, 1, 16, 0, 17], then 0",
            "not 18: it cannot be answered so in the state that there is",
            "0 before, 0 left out",
        ],
    );
}
