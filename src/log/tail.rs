//! The open end of the log: where the sequencer appends.
//!
//! Appending copies a frame into a buffer and cannot fail; whether there is room is asked before, under the
//! same lock. Room means: space set aside in the file, a revision reserved, a batch not yet full. What makes
//! room (writing, syncing, growing the file) is the leader's business (`group.rs`), outside of this lock.

use smallvec::SmallVec;

use crate::error::LogFailure;
use crate::revision::Revision;

use super::frame::{self, Header, Kind};
use super::header;
use super::record::Record;

/// The end of the `block` of revisions that begins after `newest`.
pub(super) fn next_floor(newest: u64, block: u64) -> u64 {
    (newest + block).min(Revision::MAX.get())
}

/// A batch takes no more frames once it has more bytes than this.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// Kept free in the file for a reserve and a close frame, or a mark that the next segment exists.
pub(super) const MARKS: usize = 128;

/// The least and the most that a segment's file grows at a time, in bytes.
const MIN_GROWTH: usize = 64 << 10;
const MAX_GROWTH: usize = 4 << 20;

/// Where the open segment stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) epoch: u64,
    /// Where the next frame goes.
    pub(super) offset: usize,
    /// What it chains to.
    pub(super) chain: u32,
    /// Known to be synced up to here.
    pub(super) synced: usize,
    /// Space is set aside in the file up to here.
    pub(super) allocated: usize,
}

/// Frames to be written at once, and what becomes true when they are durable.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) epoch: u64,
    /// The newest revision, and how many keys are live at it.
    pub(super) newest: u64,
    pub(super) live: u64,
    /// The versions that commits of this batch superseded.
    pub(super) superseded: SupersededVersions,
    /// The floor that this batch reserves; it has to be synced for that.
    pub(super) floor: Option<u64>,
}

/// How far the segment of an epoch is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenTo {
    epoch: u64,
    offset: usize,
}

impl Batch {
    /// How far the segment is written with it.
    pub(super) fn end(&self) -> WrittenTo {
        WrittenTo { epoch: self.epoch, offset: self.start + self.bytes.len() }
    }

    /// Its buffers, for another one.
    pub(super) fn emptied(mut self) -> Self {
        self.bytes.clear();
        self.bytes.shrink_to(MAX_BATCH_BYTES);
        self.superseded.clear();
        self.floor = None;
        self
    }
}

/// A thread that writes alone has one in each batch.
pub(super) type SupersededVersions = SmallVec<[Superseded; 1]>;

/// A version that a commit superseded, for whoever is told when that is durable: the hash of its key, and from when until
/// when it was the newest. The log makes nothing of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Superseded {
    pub(crate) hash: u64,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// Why nothing can be appended now.
#[derive(Debug)]
pub(crate) enum Shortage {
    /// Ask for room, and try again.
    Room,
    Closed,
    Failed(LogFailure),
}

#[derive(Debug)]
enum Condition {
    Open,
    Closed,
    Failed(LogFailure),
}

/// What the leader should do to the file, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    Enough,
    ExtendTo(usize),
    /// Start the next segment, with this many bytes set aside.
    Rotate(usize),
}

/// What is set aside beyond a large record. While room is made for it others append; without this they would take its
/// room again and again.
fn slack(needed: usize, plenty: bool) -> usize {
    if plenty && needed > MIN_GROWTH { MAX_BATCH_BYTES } else { 0 }
}

/// What is set aside for a new segment at the least.
pub(super) fn least_allocation(segment_bytes: usize, plenty: bool) -> usize {
    header::LEN + if plenty { MIN_GROWTH.min(segment_bytes) } else { MARKS }
}

#[derive(Debug)]
pub(crate) struct Tail {
    condition: Condition,
    position: Position,
    segment_bytes: usize,
    /// How many revisions are reserved at once.
    block: u64,
    newest: u64,
    /// The newest revision that is not in the open batch.
    taken: u64,
    /// Revisions up to this one are reserved, durably.
    floor: u64,
    /// The last frame is a close mark: the log was closed in good order, and nothing was appended since.
    closed_in_order: bool,
    batch: Batch,
}

impl Tail {
    /// `reopened` is what stands before the position of a log that was closed in good order and is not known to be
    /// synced, the close mark at least: it is written again with the first batch.
    pub(super) fn new(
        position: Position,
        (segment_bytes, block): (usize, u64),
        (newest, floor): (u64, u64),
        live: u64,
        reopened: Option<Vec<u8>>,
    ) -> Self {
        let closed_in_order = reopened.is_some();
        let mut tail = Self {
            condition: Condition::Open,
            position,
            segment_bytes,
            block,
            newest,
            taken: newest,
            floor,
            closed_in_order,
            batch: Batch::default(),
        };
        tail.batch.newest = newest;
        tail.batch.live = live;
        tail.start_batch();
        tail.batch.bytes = reopened.unwrap_or_default();
        tail.batch.start -= tail.batch.bytes.len();
        tail
    }

    /// Whether a frame for `record` can be appended. If so, [`append`](Self::append) will not allocate, nor
    /// [`supersede`](Self::supersede) for each of so many `changes`.
    pub(crate) fn room(&mut self, record: &Record, changes: usize) -> Result<(), Shortage> {
        match &self.condition {
            Condition::Open => {}
            Condition::Closed => return Err(Shortage::Closed),
            Condition::Failed(failure) => return Err(Shortage::Failed(failure.clone())),
        }
        let frame_len = frame::frame_len(record.payload().len());
        let fits_file = self.position.offset + frame_len + MARKS <= self.position.allocated;
        // The last one may go beyond: a large record that had to find the batch empty would find it never.
        let fits_batch = self.batch.bytes.len() <= MAX_BATCH_BYTES;
        if self.newest >= self.last_usable() || !fits_file || !fits_batch {
            return Err(Shortage::Room);
        }
        self.batch.bytes.reserve(frame_len);
        self.batch.superseded.reserve(changes);
        Ok(())
    }

    /// The floor itself is no commit's: a store that stopped opens at it, and must not be taken to know one that it lost.
    fn last_usable(&self) -> u64 {
        if self.floor == Revision::MAX.get() { self.floor } else { self.floor - 1 }
    }

    /// Appends the commit `revision`, after which `live` keys are live.
    ///
    /// Only after [`room`](Self::room) said yes under the same lock.
    pub(crate) fn append(&mut self, revision: u64, live: u64, record: &Record) {
        debug_assert!(self.newest < revision && revision <= self.floor, "reserved and in order");
        self.newest = revision;
        self.batch.newest = revision;
        self.batch.live = live;
        self.push(Kind::Commit, record.payload(), record.checksum());
    }

    /// The commit just appended superseded a version.
    pub(crate) fn supersede(&mut self, superseded: Superseded) {
        self.batch.superseded.push(superseded);
    }

    /// Whether `revision` is in the batch that the next append joins: the two become durable at once, so that if
    /// they are versions of one key the older one is never shown.
    pub(crate) fn shares_batch(&self, revision: u64) -> bool {
        revision > self.taken
    }

    fn push(&mut self, kind: Kind, payload: &[u8], payload_checksum: u32) {
        const FITS: &str = "records and segments are limited to well below 4 GiB";
        let header = Header {
            kind,
            payload_len: u32::try_from(payload.len()).expect(FITS),
            offset: u32::try_from(self.position.offset).expect(FITS),
            epoch: self.position.epoch,
            revision: self.newest,
            synced: u32::try_from(self.position.synced).expect(FITS),
            chain: self.position.chain,
            payload_checksum,
        };
        self.closed_in_order = kind == Kind::Close;
        let (bytes, checksum) = header.encode();
        let frame_len = frame::frame_len(payload.len());
        debug_assert!(
            self.position.offset + frame_len <= self.position.allocated,
            "what lies beyond is about to be overwritten with zeros"
        );
        let end = self.batch.bytes.len() + frame_len;
        self.batch.bytes.extend_from_slice(&bytes);
        self.batch.bytes.extend_from_slice(payload);
        self.batch.bytes.resize(end, 0);
        self.position.chain = checksum;
        self.position.offset += frame_len;
    }

    /// Takes the batch to be written now, and leaves `empty` in its place, whose buffers are used for the next. If revisions
    /// run low, it reserves more, provided that there is space: after a clean open there is none before the first record
    /// asks for it.
    pub(super) fn take(&mut self, empty: Batch) -> Batch {
        let has_space = self.position.offset + MARKS <= self.position.allocated;
        let open = matches!(self.condition, Condition::Open) && has_space;
        let low = self.floor < Revision::MAX.get() && self.floor < self.newest + self.block / 2;
        if open && low {
            let floor = next_floor(self.newest, self.block);
            let payload = floor.to_le_bytes();
            self.push(Kind::Reserve, &payload, crc32c::crc32c(&payload));
            self.batch.floor = Some(floor);
        }
        self.swap_batch(empty)
    }

    fn swap_batch(&mut self, empty: Batch) -> Batch {
        let (newest, live) = (self.batch.newest, self.batch.live);
        let batch = std::mem::replace(&mut self.batch, empty);
        self.batch.newest = newest;
        self.batch.live = live;
        self.taken = newest;
        self.start_batch();
        batch
    }

    fn start_batch(&mut self) {
        self.batch.start = self.position.offset;
        self.batch.epoch = self.position.epoch;
    }

    /// A batch was written and synced.
    pub(super) fn synced(&mut self, batch: &Batch) {
        self.synced_up_to(batch.end());
        self.floor = batch.floor.map_or(self.floor, |floor| floor.max(self.floor));
    }

    /// What was written up to there is synced.
    pub(super) fn synced_up_to(&mut self, end: WrittenTo) {
        if end.epoch == self.position.epoch {
            self.position.synced = self.position.synced.max(end.offset);
        }
    }

    /// How many commits are in the open batch.
    pub(super) fn pending(&self) -> u64 {
        self.newest - self.taken
    }

    /// Whether the file should grow: for a record of `wanted` payload bytes, with more beside if there is `plenty` of
    /// space, or ahead of need.
    pub(super) fn growth(&self, wanted: Option<usize>, plenty: bool) -> Growth {
        let Position { offset, allocated, .. } = self.position;
        let step = offset.clamp(MIN_GROWTH, MAX_GROWTH);
        let (needed, near_the_end) = match wanted {
            Some(payload_len) => {
                let needed = frame::frame_len(payload_len) + MARKS;
                (needed, offset + needed > self.segment_bytes)
            }
            None => (step / 4, offset + self.segment_bytes / 16 > self.segment_bytes),
        };
        let enough = offset + needed <= allocated;
        if enough && wanted.is_some() {
            return Growth::Enough;
        }
        if near_the_end && offset > header::LEN {
            let first = least_allocation(self.segment_bytes, plenty);
            let wanted = wanted.map_or(0, |_| needed + slack(needed, plenty));
            return Growth::Rotate(first.max(header::LEN + wanted));
        }
        let step = if plenty { step } else { 0 };
        let ahead = (offset + step).next_multiple_of(4096).min(self.segment_bytes);
        let to = match wanted {
            Some(_) => ahead.max(offset + needed + slack(needed, plenty)),
            None => ahead,
        };
        if enough || to <= allocated { Growth::Enough } else { Growth::ExtendTo(to) }
    }

    pub(super) fn extended_to(&mut self, allocated: usize) {
        self.position.allocated = allocated;
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Goes on in the next segment; the batch taken before belongs to the last one.
    pub(super) fn move_to(&mut self, position: Position) {
        debug_assert!(self.batch.bytes.is_empty(), "the old segment's frames were taken");
        self.position = position;
        self.start_batch();
    }

    /// Refuses commits from now on. Returns whether there is anything to close: not if nothing was written since the log
    /// was opened after a close in good order.
    pub(super) fn close(&mut self) -> bool {
        self.condition = Condition::Closed;
        !self.closed_in_order
    }

    /// The close mark, to be written when everything before is synced.
    pub(super) fn close_mark(&mut self) -> Batch {
        debug_assert!(self.batch.bytes.is_empty(), "everything before was taken");
        self.push(Kind::Close, &[], crc32c::crc32c(&[]));
        self.swap_batch(Batch::default())
    }

    /// Refuses commits from now on, because the log failed.
    pub(super) fn fail(&mut self, failure: &LogFailure) {
        self.condition = Condition::Failed(failure.clone());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::record::RecordBuilder;
    use super::*;

    fn tail(allocated: usize) -> Tail {
        let start = header::LEN;
        let position = Position { epoch: 1, offset: start, chain: 0, synced: start, allocated };
        Tail::new(position, (64 << 20, 1_000), (1, 1_000), 0, None)
    }

    fn record(len: usize) -> Record {
        let mut builder = RecordBuilder::default();
        let append = |out: &mut Vec<u8>| {
            out.resize(out.len() + len, 7);
            Ok::<(), std::convert::Infallible>(())
        };
        builder.delete(append).unwrap();
        builder.finish(u32::MAX).unwrap()
    }

    /// It had to find the batch empty, and with others writing all the time never did.
    #[test]
    fn a_large_record_joins_a_batch_that_others_have_begun() {
        let mut tail = tail(64 << 20);
        let (small, large) = (record(100), record(MAX_BATCH_BYTES + 1));
        assert!(tail.room(&small, 1).is_ok());
        tail.append(2, 1, &small);
        assert!(tail.room(&large, 1).is_ok());
        tail.append(3, 2, &large);
        assert!(matches!(tail.room(&small, 1), Err(Shortage::Room)), "the batch is full");
        drop(tail.take(Batch::default()));
        assert!(tail.room(&small, 1).is_ok());
    }

    /// The file grew by exactly what it takes, which others took before it was asked again.
    #[test]
    fn room_made_for_a_large_record_is_more_than_a_batch_of_others_takes() {
        let tail = tail(4096);
        let large = 5 << 20;
        let offset = header::LEN;
        let Growth::ExtendTo(to) = tail.growth(Some(large), true) else {
            unreachable!("it is full")
        };
        assert!(to >= offset + frame::frame_len(large) + MARKS + MAX_BATCH_BYTES);
        let Growth::ExtendTo(to) = tail.growth(Some(large), false) else {
            unreachable!("it is full")
        };
        assert!((frame::frame_len(large) + MARKS..(large + 8192)).contains(&(to - offset)));
    }

    #[test]
    fn there_is_room_for_exactly_what_is_set_aside() {
        let record = record(100);
        let needed = header::LEN + frame::frame_len(record.payload().len()) + MARKS;
        assert!(tail(needed).room(&record, 1).is_ok());
        assert!(matches!(tail(needed - 1).room(&record, 1), Err(Shortage::Room)));
    }
}
