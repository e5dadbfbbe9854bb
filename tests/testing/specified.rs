//! Models of one closure: the code of the guide, right and wrong.

use std::thread;

use ifmatch::Store;
use ifmatch::testing::{History, Model, Recorder, Specification, Step, check};

const SEATS: i64 = 100;

fn seats() -> impl Model<Operation = &'static str, Outcome = i64, State = i64> {
    Specification::new(SEATS, |seats: &mut i64, asked: &&str| {
        *seats -= i64::from(*asked == "sell");
        *seats
    })
}

/// As in the guide.
fn sell(store: &Store<String, i64>) -> i64 {
    loop {
        let seats = store.get("seats").unwrap();
        thread::yield_now();
        if store.put_if("seats", *seats - 1, seats.revision()).is_ok() {
            return *seats - 1;
        }
    }
}

/// The mistake: what somebody else wrote meanwhile is written over.
fn sell_twice(store: &Store<String, i64>) -> i64 {
    let seats = store.get("seats").unwrap();
    thread::yield_now();
    store.put("seats", *seats - 1).unwrap();
    *seats - 1
}

fn sold(sell: fn(&Store<String, i64>) -> i64) -> History<&'static str, i64> {
    let (store, recorder) = (Store::new(), Recorder::new());
    store.create("seats", SEATS).unwrap();
    thread::scope(|scope| {
        for client in [(); 4].map(|()| recorder.client()) {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..20 {
                    client.call("sell", || sell(store));
                }
            });
        }
    });
    recorder.take()
}

#[test]
fn a_seat_that_is_sold_twice_is_found_and_one_that_is_not_is_not() {
    let found = (0..10_000).find_map(|_| {
        check(&seats(), &sold(sell)).unwrap();
        check(&seats(), &sold(sell_twice)).err()
    });
    let error = found.expect("in 10,000 halls one seat is sold twice");
    let violation = error.violation().expect("it is decided");
    assert!(violation.history().len() <= 8, "{violation}");
    assert!(violation.to_string().contains("it would be answered"), "{violation}");
}

#[test]
fn where_nothing_numbers_the_calls_it_is_shown_where_the_longest_order_breaks_off() {
    let mut history = History::new();
    let calls = (1..=20).chain([20]).chain(21..30);
    for (number, sold) in (1_u64..).zip(calls) {
        history.push(0, "sell", number * 2..number * 2 + 1, Some(SEATS - sold));
    }
    // Another client's calls beside them, so that there is more than one order.
    (0..10).for_each(|number| {
        history.push(1, "look", number..99 + number, Some(SEATS - i64::try_from(number).unwrap()))
    });
    let (shown, text) = shown(&history);
    assert_eq!(shown, [81, 80, 80], "{text}");
    assert!(text.contains("Before these calls come 18 others; the state is then 82."), "{text}");
    assert!(text.contains("Call 2 cannot come next: it would be answered 79."), "{text}");
}

/// The answers that are shown.
fn shown(history: &History<&'static str, i64>) -> (Vec<i64>, String) {
    let error = check(&seats(), history).unwrap_err();
    let shown = error.violation().expect("it is decided").history();
    (shown.iter().map(|call| call.outcome.unwrap()).collect(), error.to_string())
}

#[test]
fn an_answer_that_was_never_possible_is_shown_with_the_state_that_there_was() {
    for answers in [[99, 98, 96, 95], [99, 98, 96, 97]] {
        let mut history = History::new();
        for (at, seats) in (0..).zip(answers) {
            history.push(0, "sell", at * 10..at * 10 + 5, Some(seats));
        }
        let (shown, text) = shown(&history);
        assert_eq!(shown, [96], "{text}");
        assert!(text.contains("Before these calls come 2 others; the state is then 98."), "{text}");
        assert!(text.contains("it would be answered 97."), "{text}");
    }
}

#[test]
fn a_stale_read_at_the_end_of_many_calls_is_shown() {
    let mut history = History::new();
    for (at, sold) in (1_u64..).zip(1..=60) {
        history.push(u32::from(sold % 4 == 0), "sell", at * 4..at * 4 + 6, Some(SEATS - sold));
    }
    history.push(2, "look", 999..1000, Some(SEATS - 59));
    let (shown, text) = shown(&history);
    assert_eq!(shown, [41, 40, 41], "{text}");
    assert!(text.contains("it would be answered 40."), "{text}");
}

#[test]
fn a_hall_can_be_sold_out() {
    let hall = Specification::new(1, |seats: &mut i64, _: &&str| {
        *seats -= 1;
        *seats
    });
    let mut history = History::new();
    history.push(0, "sell", 0..3, Some(0));
    history.push(1, "sell", 1..4, Some(0));
    let error = check(&hall, &history).unwrap_err();
    assert!(error.to_string().contains("it would be answered -1"), "{error}");
}

type Told = (u32, &'static str, std::ops::Range<u64>, Option<i64>);

fn is_linearizable<const N: usize>(calls: [Told; N]) -> bool {
    let mut history = History::new();
    for (client, asked, time, told) in calls {
        history.push(client, asked, time, told);
    }
    check(&seats(), &history).is_ok()
}

#[test]
fn a_call_without_outcome_does_what_it_does_or_nothing() {
    let open = (0, "sell", 0..1, None);
    let looks =
        |first, then| [open.clone(), (1, "look", 2..3, Some(first)), (1, "look", 4..5, Some(then))];
    assert!(is_linearizable(looks(100, 99)));
    assert!(is_linearizable(looks(100, 100)));
    assert!(!is_linearizable(looks(99, 100)));
    assert!(!is_linearizable(looks(99, 98)));
}

#[test]
fn what_changes_nothing_and_what_is_impossible_leave_the_state_as_it_was() {
    let model = seats();
    let mut state = model.initial();
    assert_eq!(model.step(&mut state, &"look", Some(&SEATS)), Step::Unchanged);
    assert_eq!(model.step(&mut state, &"look", None), Step::Unchanged);
    assert_eq!(model.step(&mut state, &"sell", Some(&SEATS)), Step::Impossible);
    assert_eq!(state, SEATS);
    assert_eq!(model.step(&mut state, &"sell", Some(&99)), Step::Changed);
    assert_eq!(model.step(&mut state, &"sell", None), Step::Changed);
    assert_eq!(state, 98);
}
