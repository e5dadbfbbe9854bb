//! How campaigns are run: also one whose runs panic comes to an end, and says so.

use std::time::{Duration, Instant};

use crate::common::within;

#[path = "../campaign/workers.rs"]
mod runs;

use runs::{End, each};

#[test]
fn a_run_that_panics_is_a_violation_and_the_others_go_on() {
    let total = within(60, || {
        each("some", 2, End::After(20), |number, numbers: &mut Vec<u64>| {
            assert!(number != 7, "on purpose");
            numbers.push(number);
            (1, None)
        })
    });
    let found: Vec<_> = total.violations.into_iter().collect();
    assert_eq!(found, [(7, "some: run 7 panicked: on purpose".to_owned())]);
    let mut done = total.collected.concat();
    done.sort_unstable();
    assert_eq!(done, (0..20).filter(|number| *number != 7).collect::<Vec<_>>());
    assert_eq!(total.points, 19);
}

#[test]
fn a_campaign_in_which_all_panics_ends_by_itself() {
    let end = End::At(Instant::now() + Duration::from_secs(60));
    let total = within(30, move || {
        each("some", 2, end, |_, (): &mut ()| -> (u64, Option<String>) { panic!("on purpose") })
    });
    assert!(total.violations.len() >= 3 && total.points == 0);
}
