//! How schedules are chosen, counted, and played again. All that is said to shuttle is said here.
//!
//! The environment says which: `IFMATCH_SCHEDULES` how many of each kind, `IFMATCH_SEED` which ones, `IFMATCH_SCHEDULE` the one that a
//! failure has printed. The same seed gives the same schedules. How many ran is printed, for `cargo campaign schedules`
//! to add up.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::str::FromStr;

use shuttle::scheduler::{
    DfsScheduler, PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId,
};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// So many of each kind, if it is not said.
const USUAL: usize = 4_000;

/// How many preemptions are placed by a schedule that has few of them, and one more.
const DEPTH: usize = 3;

/// No protocol needs a hundredth of it: who makes more steps goes round in circles.
const MAX_STEPS: usize = 100_000;

fn config() -> Config {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::Print;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    // The first panic is what is to be seen, not what comes of it in other threads.
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    // That it does not know weak orderings: `model.rs` says so.
    config.silence_warnings = true;
    config
}

/// Random schedules, then schedules that prefer few, well-placed preemptions (Burckhardt et al., ASPLOS 2010).
pub(crate) fn check(body: impl Fn() + Send + Sync + Clone + 'static) {
    if replay(&body) {
        return;
    }
    let (seed, count) = (said("IFMATCH_SEED").unwrap_or(1), said("IFMATCH_SCHEDULES"));
    let count = count.unwrap_or(USUAL);
    run(RandomScheduler::new_from_seed(seed, count), body.clone());
    run(PctScheduler::new_from_seed(seed, DEPTH, count), body);
}

/// Every schedule that there is. It ends when there is no other, and not before: there is no limit.
pub(super) fn exhaust(body: impl Fn() + Send + Sync + Clone + 'static) {
    if replay(&body) {
        return;
    }
    let ran = run(DfsScheduler::new(None, false), body);
    assert!(ran.ended, "some schedules were not run");
    assert_eq!(ran.different.len(), ran.count, "a schedule was run twice");
    println!("that is every schedule");
}

/// Every schedule with at most so many preemptions: switches to another thread while the one that runs could go on. Most bugs
/// need no more than two (Musuvathi, Qadeer, PLDI 2007).
pub(super) fn exhaust_preempting(
    preemptions: usize,
    body: impl Fn() + Send + Sync + Clone + 'static,
) {
    if replay(&body) {
        return;
    }
    let ran = run(FewPreemptions::new(preemptions), body);
    assert!(ran.ended, "some schedules were not run");
    assert_eq!(ran.different.len(), ran.count, "a schedule was run twice");
    println!("that is every schedule with at most {preemptions} preemptions");
}

/// Plays a schedule again, if that is asked for.
fn replay(body: &(impl Fn() + Send + Sync + Clone + 'static)) -> bool {
    let Some(schedule) = said::<String>("IFMATCH_SCHEDULE") else { return false };
    let mut scheduler = ReplayScheduler::new_from_encoded(&schedule);
    // What was recorded ends with the panic.
    scheduler.set_allow_incomplete();
    run(scheduler, body.clone());
    true
}

fn said<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What a scheduler came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ran {
    count: usize,
    /// One number for each schedule: two of the same are the same schedule.
    different: HashSet<u64>,
    /// The one that is under way.
    current: Option<u64>,
    /// The scheduler had no more.
    ended: bool,
}

impl Ran {
    fn note_end_of_schedule(&mut self) {
        self.different.extend(self.current.take());
    }
}

fn run(scheduler: impl Scheduler + 'static, body: impl Fn() + Send + Sync + 'static) -> Ran {
    let ran: Rc<RefCell<Ran>> = Rc::default();
    let counted = Counted { scheduler, ran: Rc::clone(&ran) };
    let outcome = catch_unwind(AssertUnwindSafe(|| Runner::new(counted, config()).run(body)));
    let ran = {
        let mut ran = ran.borrow_mut();
        ran.note_end_of_schedule();
        ran.clone()
    };
    println!("\nran {} schedules, {} different", ran.count, ran.different.len());
    match outcome {
        Ok(_) => ran,
        Err(panic) => resume_unwind(panic),
    }
}

/// Of the hash FNV-1a.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Counts what another chooses.
struct Counted<S> {
    scheduler: S,
    ran: Rc<RefCell<Ran>>,
}

impl<S: Scheduler> Scheduler for Counted<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let next = self.scheduler.new_execution();
        let mut ran = self.ran.borrow_mut();
        ran.note_end_of_schedule();
        match next {
            Some(_) => {
                ran.count += 1;
                ran.current = Some(OFFSET);
            }
            None => ran.ended = true,
        }
        next
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let next = self.scheduler.next_task(runnable, current, is_yielding)?;
        let number = u64::try_from(usize::from(next)).expect("threads are few");
        if let Some(current) = &mut self.ran.borrow_mut().current {
            *current = (*current ^ number).wrapping_mul(PRIME);
        }
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        self.scheduler.next_u64()
    }
}

/// Goes depth first through all schedules with few preemptions.
struct FewPreemptions {
    max: usize,
    /// The choices of the last schedule: which was taken, of how many.
    path: Vec<(usize, usize)>,
    /// How many of them, and how many preemptions, there were in the schedule that is under way.
    steps: usize,
    preemptions: usize,
    has_begun: bool,
}

impl FewPreemptions {
    fn new(max: usize) -> Self {
        Self { max, path: Vec::new(), steps: 0, preemptions: 0, has_begun: false }
    }
}

impl Scheduler for FewPreemptions {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.has_begun {
            while self.path.pop_if(|(taken, count)| *taken + 1 == *count).is_some() {}
            self.path.last_mut()?.0 += 1;
        }
        (self.steps, self.preemptions, self.has_begun) = (0, 0, true);
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let mut options: Vec<_> = runnable.iter().map(|task| task.id()).collect();
        let goes_on = current.filter(|current| !is_yielding && options.contains(current));
        if let Some(current) = goes_on {
            options.retain(|task| *task != current);
            options.insert(0, current);
            if self.preemptions == self.max {
                options.truncate(1);
            }
        }
        if self.steps == self.path.len() {
            self.path.push((0, options.len()));
        }
        let (taken, count) = self.path[self.steps];
        assert_eq!(count, options.len(), "the same schedule came to something else");
        self.steps += 1;
        self.preemptions += usize::from(goes_on.is_some() && taken > 0);
        Some(options[taken])
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("nothing is drawn where every schedule is run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Durability;
    use crate::storage::disk::Disk;
    use crate::store::model::{Writer, join_all, on};
    use crate::sync::{Arc, AtomicU64, Ordering, thread};

    /// The log's threads, too, and what is drawn.
    fn body() {
        let store = on(&Disk::new().with_threads(), Durability::Sync);
        let threads =
            (0..2).map(|key| Writer::spawn(&store, move |writer| writer.put(key, 1))).collect();
        join_all(threads);
    }

    #[test]
    fn a_seed_gives_the_same_schedules_each_time_and_another_seed_others() {
        let random = |seed| run(RandomScheduler::new_from_seed(seed, 50), body);
        let preempting = |seed| run(PctScheduler::new_from_seed(seed, DEPTH, 50), body);
        let [first, again, other] = [1, 1, 2].map(random);
        assert!(first == again && first.count == 50);
        assert!(first.different.is_disjoint(&other.different));
        let [first, again, other] = [1, 1, 2].map(preempting);
        assert!(first == again && first.different != other.different);
    }

    #[test]
    fn all_schedules_are_those_with_preemptions_enough() {
        let counts: Vec<_> =
            (0..4).map(|max| run(FewPreemptions::new(max), racing).count).collect();
        assert!(counts.is_sorted_by(|few, more| few < more), "{counts:?}");
        let all = run(DfsScheduler::new(None, false), racing);
        assert_eq!(run(FewPreemptions::new(99), racing).different, all.different);
    }

    fn racing() {
        let counter = Arc::new(AtomicU64::new(0));
        let other = Arc::clone(&counter);
        let add = |counter: &AtomicU64| {
            for _ in 0..3 {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        let thread = thread::spawn(move || add(&other));
        add(&counter);
        thread.join().expect("it does not panic");
        assert_eq!(counter.load(Ordering::SeqCst), 6);
    }
}
