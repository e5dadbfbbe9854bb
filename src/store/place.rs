//! What a commit does to one key, within its turn: nothing here fails. It allocates only to note, for snapshots and
//! history, what is superseded.

use triomphe::Arc;

use crate::versioned::{Draft, Versioned};

use super::sequencer::Turn;
use super::versions::{Node, Span, Versions};
use super::window::Change;

/// Whether [`put`] needs no more room than `versions` have.
pub(super) fn can_put<K, V>(turn: &Turn<'_, K, V>, versions: &Versions<V>) -> bool {
    let (older, live) = versions.newest();
    versions.has_room() || (live.is_some() && !turn.keeps(older))
}

/// Puts the next version of a key that the map has, with room for it.
pub(super) fn put<K, V>(
    turn: &mut Turn<'_, K, V>,
    hash: u64,
    key: &Arc<K>,
    versions: &mut Versions<V>,
    draft: Draft<V>,
) -> Change<K, V> {
    let (older, live) = versions.newest();
    let keep = turn.keeps(older);
    let was_live = live.is_some();
    let kept = if keep { live.cloned() } else { None };
    let entry = draft.seal(turn.revision(), live);
    let replaced = versions.install(Node::live(entry.clone()), keep);
    turn.count_kept(i64::from(keep) - i64::from(!was_live));
    supersede(turn, hash, versions, keep);
    if !was_live {
        turn.unburied(hash, older);
    }
    Change { key: Arc::clone(key), entry: Some(entry), previous: kept.or(replaced) }
}

/// The first version of a key that the map does not have.
pub(super) fn create<K, V>(
    turn: &Turn<'_, K, V>,
    key: &Arc<K>,
    draft: Draft<V>,
) -> (Change<K, V>, Versions<V>) {
    let entry = draft.seal(turn.revision(), None);
    let versions = Versions::of(entry.clone());
    (Change { key: Arc::clone(key), entry: Some(entry), previous: None }, versions)
}

/// Whether a delete leaves nothing of the key: the slot is to be taken out of the map.
pub(super) fn leaves_nothing<K, V>(turn: &Turn<'_, K, V>, versions: &Versions<V>) -> bool {
    turn.in_memory() && versions.len() == 1 && !turn.keeps(versions.newest().0)
}

/// Whether [`bury`] needs no more room than `versions` have.
pub(super) fn can_bury<K, V>(turn: &Turn<'_, K, V>, versions: &Versions<V>) -> bool {
    versions.has_room()
        || (matches!(versions, Versions::Many(..)) && !turn.keeps(versions.newest().0))
}

/// Deletes a key of which something is left.
pub(super) fn bury<K, V>(
    turn: &mut Turn<'_, K, V>,
    hash: u64,
    key: &Arc<K>,
    versions: &mut Versions<V>,
) -> Change<K, V> {
    let (older, live) = versions.newest();
    let previous = live.cloned();
    let keep = turn.keeps(older);
    let revision = turn.revision();
    versions.install(Node::deleted(revision), keep);
    turn.count_kept(1 + i64::from(keep));
    supersede(turn, hash, versions, keep);
    if !keep && !turn.in_memory() {
        // The tombstone is to go when it is shown, whatever it replaced.
        turn.superseded(hash, Span { from: older.get(), until: revision.get() });
    }
    turn.buried(hash);
    Change { key: Arc::clone(key), entry: None, previous }
}

/// The delete of a key of which nothing is left.
pub(super) fn forget<K, V>(
    turn: &mut Turn<'_, K, V>,
    key: &Arc<K>,
    newest: &Versioned<V>,
) -> Change<K, V> {
    turn.replaced();
    Change { key: Arc::clone(key), entry: None, previous: Some(newest.clone()) }
}

fn supersede<K, V>(turn: &mut Turn<'_, K, V>, hash: u64, versions: &Versions<V>, keep: bool) {
    if !keep {
        turn.replaced();
    } else if let Some(span) = versions.span(turn.kept_by_count()) {
        turn.superseded(hash, span);
    }
}
