//! The suite of `ifmatch::testing::conformance` on the local store, and on a backend that was written with nothing but the
//! public API; and the proof that it bites.

#![cfg(not(ifmatch_model))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod table;
mod teeth;
mod toy;
mod typed;

use std::time::Duration;

use bytes::Bytes;
use ifmatch::testing::conformance::{self, Space};
use ifmatch::testing::{Recorder, StoreModel, check};
use ifmatch::typed::Typed;
use ifmatch::{Durability, Store, backend_conformance};

use toy::{Lacks, Toy};

type Local = Store<Bytes, Bytes>;

/// Little is kept of the past, so that what is said of it is tested, too.
const SMALL_WINDOW: usize = 64;

fn on_log(durability: Durability) -> Space<Local> {
    let directory = tempfile::tempdir().unwrap();
    let builder = Local::builder().durability(durability).history_commits(1_000);
    Space::new(builder.open(directory.path()).unwrap()).keeping(directory)
}

backend_conformance!(store_in_memory, || Space::new(Local::new()));
backend_conformance!(store_with_history, || {
    Space::new(Local::builder().history(100).history_commits(1_000).build())
});
backend_conformance!(store_with_a_small_window, || {
    Space::new(Local::builder().watch_window(SMALL_WINDOW).history(2).history_commits(3).build())
});
backend_conformance!(store_on_a_synced_log, || on_log(Durability::Sync));
backend_conformance!(store_on_a_log_that_is_synced_in_time, || {
    on_log(Durability::Interval(Duration::from_millis(5)))
});
backend_conformance!(store_on_a_buffered_log, || on_log(Durability::Buffered));
backend_conformance!(recorded_store, || {
    Space::new(Recorder::new().client().of_backend(Local::new()))
});
// A layer over a backend is one.
backend_conformance!(typed_over_a_store, || {
    Space::new(Typed::<_, Bytes, Bytes>::new(Local::builder().history(100).build()))
});
backend_conformance!(toy_in_full, || Space::new(Toy::new()));
backend_conformance!(toy_with_a_small_window, || Space::new(Toy::new().keeping(SMALL_WINDOW)));
backend_conformance!(toy_that_can_do_little, || Space::new(Toy::new().lacking(Lacks::Everything)));

/// As on a server: all cases in one store, each under a prefix of its own.
#[test]
fn cases_share_a_store_at_the_same_time() {
    let (store, toy) = (Local::new(), Toy::new());
    std::thread::scope(|scope| {
        for name in conformance::names() {
            let (store, toy) = (store.clone(), toy.clone());
            scope.spawn(move || {
                let prefix = format!("{name}/");
                let on = prefix.clone();
                conformance::check(name, move || Space::shared(store.clone(), on.clone()))
                    .unwrap_or_else(|failure| panic!("{name} on the store: {failure}"));
                conformance::check(name, move || Space::shared(toy.clone(), prefix.clone()))
                    .unwrap_or_else(|failure| panic!("{name} on the toy: {failure}"));
            });
        }
    });
}

/// Whatever the suite asks for and is told, on one store, has an order.
#[test]
fn what_the_cases_are_told_is_linearizable() {
    let recorder = Recorder::new();
    let store = recorder.client().of_backend(Local::new());
    std::thread::scope(|scope| {
        for name in conformance::names() {
            let (store, prefix) = (store.clone(), format!("{name}/"));
            scope.spawn(move || {
                conformance::check(name, move || Space::shared(store.clone(), prefix.clone()))
                    .unwrap_or_else(|failure| panic!("{name}: {failure}"));
            });
        }
    });
    let history = recorder.take();
    assert!(history.len() > 1_000, "{} calls were recorded", history.len());
    check(&StoreModel::new(), &history).unwrap();
}

#[test]
fn the_table_says_what_a_store_passes() {
    let source = ("tests/conformance/main.rs", include_str!("main.rs"));
    table::is_true("`Store` in memory", &Local::new(), source);
    let directory = tempfile::tempdir().unwrap();
    table::is_true("`Store` on a log", &Local::builder().open(directory.path()).unwrap(), source);
}

#[test]
fn a_case_that_hangs_or_panics_fails() {
    struct Hanging(bool);

    impl conformance::Harness for Hanging {
        type Backend = Local;

        async fn space(&self) -> Space<Local> {
            assert!(!self.0, "on purpose");
            std::future::pending().await
        }

        fn patience(&self) -> Duration {
            Duration::from_millis(if self.0 { 60_000 } else { 50 })
        }
    }

    let name = conformance::names()[0];
    let failure = conformance::check(name, Hanging(false)).unwrap_err().to_string();
    assert!(failure.starts_with("it did not end within"), "{failure}");
    let failure = conformance::check(name, Hanging(true)).unwrap_err().to_string();
    assert!(failure.starts_with("it panicked"), "{failure}");
    let failure = conformance::check("none", Hanging(false)).unwrap_err().to_string();
    assert!(failure.starts_with("there is no case none"), "{failure}");
}
