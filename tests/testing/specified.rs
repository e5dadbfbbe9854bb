//! Models of one closure: the code of the guide, right and wrong.

use std::thread;

use ifmatch::Store;
use ifmatch::testing::{History, Model, Recorder, Specification, Step, check};

const SEATS: u64 = 100;

fn seats() -> impl Model<Operation = &'static str, Outcome = u64, State = u64> {
    Specification::new(SEATS, |seats: &mut u64, asked: &&str| {
        *seats -= u64::from(*asked == "sell");
        *seats
    })
}

/// As in the guide.
fn sell(store: &Store<String, u64>) -> u64 {
    loop {
        let seats = store.get("seats").unwrap();
        thread::yield_now();
        if store.put_if("seats", *seats - 1, seats.revision()).is_ok() {
            return *seats - 1;
        }
    }
}

/// The mistake: what somebody else wrote meanwhile is written over.
fn sell_twice(store: &Store<String, u64>) -> u64 {
    let seats = store.get("seats").unwrap();
    thread::yield_now();
    store.put("seats", *seats - 1).unwrap();
    *seats - 1
}

fn sold(sell: fn(&Store<String, u64>) -> u64) -> History<&'static str, u64> {
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
    let calls = (1..=20)
        .map(|sold| (sold, sold))
        .chain([(21, 20)])
        .chain((21..30).map(|sold| (sold + 1, sold)));
    for (number, sold) in calls {
        history.push(0, "sell", number * 2..number * 2 + 1, Some(SEATS - sold));
    }
    // Another client's calls beside them, so that there is more than one order.
    (0..10).for_each(|number| history.push(1, "look", number..99 + number, Some(SEATS - number)));
    let error = check(&seats(), &history).unwrap_err();
    let violation = error.violation().expect("it is decided");
    let shown: Vec<_> = violation.history().iter().map(|call| call.outcome.unwrap()).collect();
    assert_eq!(shown, [81, 80, 80], "{violation}");
    assert_eq!((violation.before(), violation.start()), (18, Some("82")), "{violation}");
    assert!(
        violation.to_string().contains("Before these calls come 18 others; the state is then 82."),
        "{violation}"
    );
}

type Told = (u32, &'static str, std::ops::Range<u64>, Option<u64>);

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
