//! What a history and the order that was found of it are, beside whether there is one.

use ifmatch::testing::{History, check};

use crate::register::{Asked, Register, Told};

#[test]
fn the_order_has_every_call_once_and_each_after_what_it_needs() {
    let mut history = History::new();
    history.push(0, Asked::Swap(1, 2), 0..10, Some(Told::Done));
    history.push(1, Asked::Write(1), 1..9, Some(Told::Done));
    history.push(2, Asked::Read, 2..8, Some(Told::Read(2)));
    let found = check(&Register, &history).unwrap();
    assert_eq!(found.order(), [1, 0, 2]);
}

#[test]
fn a_history_can_be_extended_by_another() {
    let (mut all, mut more) = (History::new(), History::new());
    all.push(0, Asked::Write(1), 0..1, Some(Told::Done));
    more.push(0, Asked::Read, 2..3, Some(Told::Read(0)));
    assert!(check(&Register, &all).is_ok() && check(&Register, &more).is_ok());
    all.extend(more);
    assert_eq!(all.len(), 2);
    assert!(check(&Register, &all).is_err(), "together they have no order");
}

#[test]
fn a_history_is_read_call_by_call() {
    let mut history = History::new();
    history.push(3, Asked::Write(1), 0..1, Some(Told::Done));
    history.push(4, Asked::Read, 2..3, None);
    let clients: Vec<_> = history.iter().map(|call| call.client).collect();
    assert_eq!(clients, [3, 4]);
    let mut ends = Vec::new();
    for call in &history {
        ends.push(call.returned);
    }
    assert_eq!(ends, [Some(1), None], "a call that stays open has no end");
}
