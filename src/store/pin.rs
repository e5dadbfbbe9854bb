//! A revision that stays readable while somebody has a pin on it.

use crate::sync::Arc as Shared;

use super::map::Map;
use super::sequencer::View;

pub(super) struct Pin<K, V, S> {
    pub(super) map: Shared<Map<K, V, S>>,
    revision: u64,
    /// How many keys are live, if that is known.
    live: Option<u64>,
    /// Kept as a function so that dropping a pin asks nothing of the types.
    unpin: fn(&Map<K, V, S>, u64, bool),
    /// Whether it counts as a snapshot.
    counted: bool,
}

impl<K: Ord, V, S> Pin<K, V, S> {
    /// Pins the newest revision of a view; `None` if there are too many snapshots.
    pub(super) fn new(map: &Shared<Map<K, V, S>>, view: View) -> Option<Self> {
        let (revision, live) = map.sequencer.pin(view)?;
        Some(Self {
            map: Shared::clone(map),
            revision,
            live: Some(live),
            unpin: Map::unpin,
            counted: view == View::Shown,
        })
    }

    /// Pins the newest revision of a view that is not a snapshot's.
    pub(super) fn unlimited(map: &Shared<Map<K, V, S>>, view: View) -> Self {
        debug_assert!(view != View::Shown, "snapshots are limited");
        Self::new(map, view).expect("there is no limit on these")
    }

    /// Takes over a pin of the past.
    pub(super) fn of_past(map: &Shared<Map<K, V, S>>, revision: u64) -> Self {
        Self { map: Shared::clone(map), revision, live: None, unpin: Map::unpin, counted: true }
    }
}

impl<K, V, S> Pin<K, V, S> {
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn live(&self) -> Option<u64> {
        self.live
    }
}

impl<K, V, S> Drop for Pin<K, V, S> {
    fn drop(&mut self) {
        (self.unpin)(&self.map, self.revision, self.counted);
    }
}
