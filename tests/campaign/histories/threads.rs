//! Real threads on one store.

use std::thread;

use ifmatch::testing::Player;

use super::plan::plans;
use super::setup::Setup;
use super::{History, Recorder};
use crate::common::{Random, together};

/// Threads that play their plans on a store, and what they were told.
pub(super) fn race(random: &mut Random) -> (String, History) {
    let setup = Setup::random(random);
    let clients = usize::try_from(2 + random.below(7)).unwrap();
    let plans = plans(random, clients, 40);
    let opened = setup.open();
    let recorder = Recorder::new();
    let seed = random.next();
    together(u64::try_from(plans.clients().len()).unwrap(), |number| {
        let client = recorder.client().of(&opened.store);
        let mut random = Random::of(seed, number);
        let mut player = Player::new();
        // In pieces: what was submitted is waited for within one.
        for piece in plans.clients()[usize::try_from(number).unwrap()].chunks(3) {
            player.play(piece, &client);
            // On few cores threads would come one after the other.
            if random.one_in(2) {
                thread::yield_now();
            }
        }
    });
    (setup.to_string(), recorder.take())
}
