//! What is in a file: as processes see it, and as the disk has it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::sync::Arc;

use super::random::Random;

/// What a disk writes at once, in bytes; but the power may fail within.
pub(super) const SECTOR: usize = 512;

/// Of a sector that is written often without a sync, no more contents than this are remembered.
const MAX_EARLIER: usize = 16;

type Sector = [u8; SECTOR];

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// What a process reads: the page cache.
    live: Arc<Vec<u8>>,
    /// What the disk has, which may go beyond the length that is durable.
    durable: Arc<Vec<u8>>,
    durable_len: usize,
    /// The sectors that the next sync writes, with the contents that they had since the last one before the present one:
    /// the cache may have been written back at any of them.
    dirty: BTreeMap<usize, Vec<Sector>>,
    /// The sectors that a failed sync left clean and did not write: only the cache has what is live.
    unwritten: BTreeSet<usize>,
    /// The least and the largest length since the last sync.
    lens: (usize, usize),
}

impl Content {
    pub(super) fn durable(bytes: Arc<Vec<u8>>) -> Self {
        Self {
            durable_len: bytes.len(),
            lens: (bytes.len(), bytes.len()),
            durable: Arc::clone(&bytes),
            live: bytes,
            ..Self::default()
        }
    }

    /// What a process reads.
    pub(super) fn live(&self) -> &Arc<Vec<u8>> {
        &self.live
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if end > self.live.len() {
            self.set_len(end);
        }
        self.touch(offset..end);
        Arc::make_mut(&mut self.live)[offset..end].copy_from_slice(bytes);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let before = self.live.len();
        self.touch(len.min(before)..len.max(before));
        Arc::make_mut(&mut self.live).resize(len, 0);
        self.lens = (self.lens.0.min(len), self.lens.1.max(len));
    }

    /// Makes the sectors of these bytes dirty.
    fn touch(&mut self, bytes: Range<usize>) {
        if bytes.is_empty() {
            return;
        }
        for number in bytes.start / SECTOR..bytes.end.div_ceil(SECTOR) {
            self.unwritten.remove(&number);
            let Some(earlier) = self.dirty.get_mut(&number) else {
                self.dirty.insert(number, Vec::new());
                continue;
            };
            let present = sector(&self.live, number);
            if earlier.last() != Some(&present) {
                if earlier.len() == MAX_EARLIER {
                    earlier.remove(0);
                }
                earlier.push(present);
            }
        }
    }

    pub(super) fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.write_back(dirty.into_keys());
        self.sync_len();
    }

    /// Some of what was dirty is written, and nothing is dirty any more.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        let likelihood = random.likelihood();
        let dirty = std::mem::take(&mut self.dirty);
        let (written, unwritten): (Vec<_>, Vec<_>) =
            dirty.into_keys().partition(|_| random.happens(&likelihood));
        self.write_back(written.into_iter());
        self.unwritten.extend(unwritten);
        if random.coin() {
            self.sync_len();
        }
    }

    fn write_back(&mut self, sectors: impl Iterator<Item = usize>) {
        let durable = Arc::make_mut(&mut self.durable);
        for number in sectors {
            let start = number * SECTOR;
            let end = self.live.len().min(start + SECTOR);
            // Else the file has been cut.
            if let Some(written) = self.live.get(start..end) {
                durable.resize(durable.len().max(end), 0);
                durable[start..end].copy_from_slice(written);
            }
        }
    }

    fn sync_len(&mut self) {
        let len = self.live.len();
        Arc::make_mut(&mut self.durable).resize(len, 0);
        self.durable_len = len;
        self.lens = (len, len);
    }

    /// What a power cut leaves; `stale` is what was once where the file's sectors may be now.
    pub(super) fn after_power_cut(&self, random: &mut Random, stale: Option<&[u8]>) -> Self {
        let len = self.len_after_power_cut(random);
        if self.dirty.is_empty() && len == self.durable.len() {
            return Self::durable(Arc::clone(&self.durable));
        }
        let mut bytes = Vec::clone(&self.durable);
        let written = bytes.len().next_multiple_of(SECTOR);
        bytes.resize(len, 0);
        if let Some(stale) = stale
            && let Some(stale) = stale.get(written..stale.len().min(len))
        {
            bytes[written..written + stale.len()].copy_from_slice(stale);
        }
        let likelihood = random.likelihood();
        let torn =
            (!self.dirty.is_empty() && random.coin()).then(|| random.below(self.dirty.len()));
        for (at, (number, earlier)) in self.dirty.iter().enumerate() {
            let torn = torn == Some(at);
            if !torn && !random.happens(&likelihood) {
                continue;
            }
            let present = sector(&self.live, *number);
            let new = match random.below(2 * earlier.len() + 2) {
                at if at < earlier.len() => &earlier[at],
                _ => &present,
            };
            let all = 0..SECTOR;
            let survives = match torn.then(|| random.below(SECTOR)) {
                None => all,
                Some(cut) if random.coin() => 0..cut,
                Some(cut) => cut..SECTOR,
            };
            let start = number * SECTOR;
            let end = len.min(start + survives.end);
            if let Some(place) = bytes.get_mut(start + survives.start..end) {
                place.copy_from_slice(&new[survives.start..end - start]);
            }
        }
        Self::durable(Arc::new(bytes))
    }

    fn len_after_power_cut(&self, random: &mut Random) -> usize {
        let (least, most) = (self.lens.0.min(self.durable_len), self.lens.1.max(self.durable_len));
        if least == most {
            return least;
        }
        match random.below(4) {
            0 => self.durable_len,
            1 | 2 => self.live.len(),
            _ => least + random.below(most - least + 1),
        }
    }

    /// What was made durable.
    pub(super) fn synced(&self) -> Self {
        if self.durable.len() == self.durable_len {
            return Self::durable(Arc::clone(&self.durable));
        }
        let mut bytes = Vec::clone(&self.durable);
        bytes.resize(self.durable_len, 0);
        Self::durable(Arc::new(bytes))
    }

    /// Some of what only the cache has is dropped from it: it reads as the disk has it.
    pub(super) fn drop_cache(&mut self, random: &mut Random) {
        if self.unwritten.is_empty() {
            return;
        }
        let likelihood = random.likelihood();
        let live = Arc::make_mut(&mut self.live);
        let durable = &self.durable;
        self.unwritten.retain(|number| {
            let dropped = random.happens(&likelihood);
            let start = number * SECTOR;
            let end = live.len().min(start + SECTOR);
            if dropped && let Some(place) = live.get_mut(start..end) {
                place.copy_from_slice(&sector(durable, *number)[..place.len()]);
            }
            !dropped
        });
    }
}

/// A sector's bytes; zeros beyond the end.
fn sector(bytes: &[u8], number: usize) -> Sector {
    let mut sector = [0; SECTOR];
    let start = bytes.len().min(number * SECTOR);
    let found = &bytes[start..bytes.len().min(start + SECTOR)];
    sector[..found.len()].copy_from_slice(found);
    sector
}
