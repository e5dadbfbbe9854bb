//! A box office that sells a seat twice, and the testing kit that finds it.
//!
//!     cargo run --example lost_update --features testing
//!
//! The exit code is 0 if the mistake was found in the one variant, and none in the other. The timeline is written to
//! `lost_update.html` in the directory for temporary files, or to the path that is given.

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use ifmatch::testing::{CheckErrorOf, Linearization, Model, Recorder, Step, check};
use ifmatch::{Precondition, Revision, Store, WriteError};

const SEATS: u64 = 100;
const CLERKS: u32 = 4;
const SALES: u32 = 5;

/// Sells a seat: how many are left then, and the revision of the sale.
type Sell = fn(&Store<String, u64>) -> (u64, Revision);

/// The mistake: it writes what it made of what it read, whatever has been written meanwhile.
fn sell_twice(store: &Store<String, u64>) -> (u64, Revision) {
    let seats = store.get("seats").expect("there is a hall");
    charge_the_card();
    let left = *seats - 1;
    (left, store.put("seats", left).expect("memory does not fail"))
}

/// Mended: it writes if nobody else has, and else begins again with what is there now.
fn sell_once(store: &Store<String, u64>) -> (u64, Revision) {
    let mut seats = store.get("seats").expect("there is a hall");
    charge_the_card();
    loop {
        let left = *seats - 1;
        match store.put_if("seats", left, Precondition::from(&seats)) {
            Ok(revision) => return (left, revision),
            Err(WriteError::Conflict(_)) => seats = store.get("seats").expect("there is a hall"),
            Err(error) => unreachable!("memory does not fail: {error}"),
        }
    }
}

/// Takes its time.
fn charge_the_card() {
    thread::sleep(Duration::from_millis(1));
}

/// What a box office should be: each sale takes a seat.
struct BoxOffice;

#[derive(Clone, Debug)]
struct Sale;

impl Model for BoxOffice {
    type Operation = Sale;
    type Outcome = (u64, Revision);
    type State = u64;
    type Revision = Revision;

    fn initial(&self) -> u64 {
        SEATS
    }

    fn step(&self, seats: &mut u64, _: &Sale, told: Option<&(u64, Revision)>) -> Step {
        if *seats == 0 || told.is_some_and(|(left, _)| *left != *seats - 1) {
            return Step::Impossible;
        }
        *seats -= 1;
        Step::Changed
    }

    fn revision(&self, _: &Sale, (_, revision): &(u64, Revision)) -> Option<Revision> {
        Some(*revision)
    }

    fn explain(&self, seats: &u64, _: &Sale, told: Option<&(u64, Revision)>) -> String {
        match told {
            Some((left, _)) => format!("of {seats} seats it cannot leave {left}"),
            None => format!("there are {seats} seats"),
        }
    }
}

/// Clerks sell seats, all at once.
fn try_it(sell: Sell) -> Result<Linearization, CheckErrorOf<BoxOffice>> {
    let store: Store<String, u64> = Store::new();
    store.create("seats", SEATS).expect("it is new");
    let (recorder, ready) = (Recorder::new(), Barrier::new(4));
    thread::scope(|scope| {
        for _ in 0..CLERKS {
            let (clerk, store, ready) = (recorder.client(), &store, &ready);
            scope.spawn(move || {
                ready.wait();
                for _ in 0..SALES {
                    clerk.call(Sale, || sell(store));
                }
            });
        }
    });
    check(&BoxOffice, &recorder.take())
}

fn main() -> ExitCode {
    let html = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let html = html.unwrap_or_else(|| std::env::temp_dir().join("lost_update.html"));
    let error = match try_it(sell_twice) {
        Ok(_) => {
            eprintln!("the mistake was not found");
            return ExitCode::FAILURE;
        }
        Err(error) => error,
    };
    print!("{error}");
    if let Some(Err(error)) = error.violation().map(|violation| violation.write_html(&html)) {
        eprintln!("{}: {error}", html.display());
        return ExitCode::FAILURE;
    }
    println!("\nThe timeline is in {}.", html.display());
    match try_it(sell_once) {
        Ok(_) => println!("With the precondition there is an order."),
        Err(error) => {
            eprintln!("the mended variant: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[test]
fn the_seat_that_is_sold_twice_is_found_every_time() {
    for _ in 0..20 {
        let error = try_it(sell_twice).expect_err("the mistake is found");
        let violation = error.violation().expect("it is decided");
        assert!(violation.history().len() <= 6, "{violation}");
        assert!(violation.to_html().contains("cannot come next"));
        try_it(sell_once).expect("it is mended");
    }
}
