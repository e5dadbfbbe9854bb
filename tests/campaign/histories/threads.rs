//! Real threads on one store, and a watch on what they do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ifmatch::testing::{Planned, Plans, Player, WatchClient, strategies};
use ifmatch::{KeyRange, WatchError};

use super::meeting::Meeting;
use super::pace::Pace;
use super::plan::{Verdict, hot_plans, one_of, plans};
use super::setup::Setup;
use super::{History, Recorder, Store};
use crate::common::{RaisesOnPanic, Random};

/// One client's plan, and what it knows by now.
pub(super) struct Actor {
    player: Player<String>,
    plan: Vec<Planned<String, u64>>,
}

impl Actor {
    pub(super) fn all(plans: &Plans<String, u64>) -> Vec<Self> {
        let actor = |plan: &Vec<_>| Self { player: Player::new(), plan: plan.clone() };
        plans.clients().iter().map(actor).collect()
    }

    /// What it knew of revisions.
    pub(super) fn forget(&mut self) {
        self.player = Player::new();
    }
}

/// Threads that play their plans on a store, and what they were told. If it is `hot`, all are after the same keys, and mostly nobody
/// watches: who is woken by each commit takes the core of one who races.
pub(super) fn race(random: &mut Random, hot: bool) -> (String, Result<History, String>) {
    let setup = Setup::random(random);
    let clients = usize::try_from(2 + random.below(7)).unwrap();
    let plans = if hot { hot_plans(random, clients, 24) } else { plans(random, clients, 40) };
    let mut actors = Actor::all(&plans);
    let opened = setup.open();
    let recorder = Recorder::new();
    let range = random
        .one_in(if hot { 8 } else { 2 })
        .then(|| one_of(random, strategies::ranges(strategies::keys())));
    let done = round(&mut actors, usize::MAX, &opened.store, &recorder, range, random);
    (setup.to_string(), done.map(|()| recorder.take()))
}

/// Lets all play up to so many steps, while somebody watches this range.
pub(super) fn round(
    actors: &mut [Actor],
    steps: usize,
    store: &Store,
    recorder: &Recorder,
    range: Option<KeyRange<String>>,
    random: &mut Random,
) -> Verdict {
    let (pace, seed) = (Pace::random(random), random.next());
    let done = AtomicBool::new(false);
    let watch = range
        .map(|range| recorder.client().of(store).watch(range, None).expect("a watch from now on"));
    thread::scope(|scope| {
        let watcher = watch.map(|watch| scope.spawn(|| follow(watch, store, &done)));
        {
            let _watcher_ends = RaisesOnPanic(&done);
            play(actors, steps, store, recorder, pace, seed);
        }
        done.store(true, Ordering::Release);
        watcher.map_or(Ok(()), |watcher| watcher.join().unwrap())
    })
}

fn play(
    actors: &mut [Actor],
    steps: usize,
    store: &Store,
    recorder: &Recorder,
    pace: Pace,
    seed: u64,
) {
    let longest = actors.iter().map(|actor| actor.plan.len()).max().unwrap_or(0).min(steps);
    let rounds = u64::try_from(longest.div_ceil(pace.steps)).unwrap();
    let meeting = Meeting::of(actors.len());
    thread::scope(|scope| {
        let _all_come = meeting.unless_panicking();
        for (number, actor) in (0..).zip(actors) {
            let (meeting, client) = (&meeting, recorder.client().of(store));
            scope.spawn(move || {
                let _comes = meeting.unless_panicking();
                let mut random = Random::of(seed, number);
                let steps = steps.min(actor.plan.len());
                let plan: Vec<_> = actor.plan.drain(..steps).collect();
                // What was submitted is waited for within a piece.
                let mut pieces = plan.chunks(pace.steps);
                for round in 0..rounds {
                    meeting.wait(round);
                    let piece = pieces.next().unwrap_or(&[]);
                    actor.player.play_with(piece, &client, || pace.pause(&mut random));
                }
            });
        }
    });
}

/// Records what a watch is told until all is done, and that it was all.
fn follow(mut watch: WatchClient<String, u64>, store: &Store, done: &AtomicBool) -> Verdict {
    loop {
        let is_done = done.load(Ordering::Acquire);
        match watch.recv_timeout(Duration::from_millis(u64::from(!is_done))) {
            Ok(_) | Err(WatchError::Lagged { .. }) => {}
            Err(WatchError::Timeout) if !is_done => {}
            Err(WatchError::Timeout) => {
                let (shown, position) = (store.revision(), watch.finish());
                return if position >= shown {
                    Ok(())
                } else {
                    Err(format!("a watch stands still at {position}, and {shown} is shown"))
                };
            }
            // Whoever is woken after the log has failed is told so.
            Err(_) => {
                watch.finish();
                return Ok(());
            }
        }
    }
}
