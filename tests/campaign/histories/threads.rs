//! Real threads on one store, and a watch on what they do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ifmatch::testing::{Planned, Plans, Player, WatchClient, strategies};
use ifmatch::{KeyRange, WatchError};

use super::plan::{Verdict, one_of, plans};
use super::setup::Setup;
use super::{History, Recorder, Store};
use crate::common::{RaisesOnPanic, Random, together};

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

/// Threads that play their plans on a store, and what they were told.
pub(super) fn race(random: &mut Random) -> (String, Result<History, String>) {
    let setup = Setup::random(random);
    let clients = usize::try_from(2 + random.below(7)).unwrap();
    let mut actors = Actor::all(&plans(random, clients, 40));
    let opened = setup.open();
    let recorder = Recorder::new();
    let range = random.one_in(2).then(|| one_of(random, strategies::ranges(strategies::keys())));
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
    let seed = random.next();
    let done = AtomicBool::new(false);
    let watch = range
        .map(|range| recorder.client().of(store).watch(range, None).expect("a watch from now on"));
    thread::scope(|scope| {
        let watcher = watch.map(|watch| scope.spawn(|| follow(watch, store, &done)));
        {
            let _watcher_ends = RaisesOnPanic(&done);
            play(actors, steps, store, recorder, seed);
        }
        done.store(true, Ordering::Release);
        watcher.map_or(Ok(()), |watcher| watcher.join().unwrap())
    })
}

fn play(actors: &mut [Actor], steps: usize, store: &Store, recorder: &Recorder, seed: u64) {
    let actors: Vec<_> = actors.iter_mut().map(std::sync::Mutex::new).collect();
    together(u64::try_from(actors.len()).unwrap(), |number| {
        let client = recorder.client().of(store);
        let mut random = Random::of(seed, number);
        let mut actor = actors[usize::try_from(number).unwrap()].lock().unwrap();
        let steps = steps.min(actor.plan.len());
        let plan: Vec<_> = actor.plan.drain(..steps).collect();
        // In pieces: what was submitted is waited for within one.
        for piece in plan.chunks(3) {
            actor.player.play(piece, &client);
            // On few cores threads would come one after the other.
            if random.one_in(2) {
                thread::yield_now();
            }
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
