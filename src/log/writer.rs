//! The log's hands on the disk: the open segment, and the making of the next one.
//!
//! There is one [`Writer`] for a log, and whoever holds it leads. That, not a lock, keeps two threads from
//! writing at once.

use std::fmt::Debug;
use std::io;
use std::time::Instant;

use crate::identity::Identity;
use crate::log_stats::LogStats;
use crate::storage::{Directory, File, write_all_at};
use crate::sync::Arc;

use super::compaction::create_anew;
use super::muster::Muster;
use super::names;
use super::tail::Batch;

/// Zeros are written in pieces of this many bytes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

#[derive(Debug)]
pub(super) struct Writer {
    directory: Arc<dyn Directory>,
    /// Others sync it, too (`syncer.rs`).
    file: Arc<dyn File>,
    number: u64,
    /// What the segments of this log have in common.
    signature: Signature,
    /// How many bytes it has.
    len: u64,
    /// What was done so far, but for the files.
    done: LogStats,
    /// Emptied buffers, for the next batch.
    spare: Batch,
    /// When it waits for others before it writes.
    pub(super) muster: Muster,
    /// Held for as long as anything could be written.
    _lock: Box<dyn Debug + Send>,
}

/// What the segments of one log have in common, and where their epochs come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    pub(super) codec: [u8; 16],
    pub(super) identity: Identity,
    /// Random for each opening.
    pub(super) seed: u64,
}

impl Signature {
    /// An epoch for the segment `number`, by one round of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    pub(super) fn epoch(&self, number: u64) -> u64 {
        let mut mixed = self.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Writer {
    /// `open` is the open segment: its file, its number, and how many bytes it has.
    pub(super) fn new(
        directory: Arc<dyn Directory>,
        open: (Box<dyn File>, u64, usize),
        signature: Signature,
        lock: Box<dyn Debug + Send>,
    ) -> Self {
        let (file, number, len) = open;
        Self {
            directory,
            file: file.into(),
            number,
            signature,
            len: count(len),
            done: LogStats::default(),
            spare: Batch::default(),
            muster: Muster::default(),
            _lock: lock,
        }
    }

    /// What was done so far, and the open segment.
    pub(super) fn stats(&self) -> LogStats {
        LogStats { bytes: self.len, segments: 1, ..self.done }
    }

    /// The open segment.
    pub(super) fn file(&self) -> Arc<dyn File> {
        Arc::clone(&self.file)
    }

    /// The number of the open segment.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn take_spare(&mut self) -> Batch {
        std::mem::take(&mut self.spare)
    }

    pub(super) fn keep_spare(&mut self, written: Batch) {
        self.spare = written.emptied();
    }

    pub(super) fn write(&self, bytes: &[u8], offset: usize) -> io::Result<()> {
        write_all_at(&*self.file, bytes, file_offset(offset))
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        let started = Instant::now();
        self.file.sync()?;
        let elapsed = started.elapsed();
        self.done.count_sync(elapsed);
        self.muster.synced_in(elapsed);
        Ok(())
    }

    /// Sets space aside by writing zeros. Unlike `fallocate` it is portable, it makes a full disk show here,
    /// where nothing depends on it yet, and later writes change no metadata, which makes their sync cheaper.
    pub(super) fn extend(&mut self, from: usize, to: usize) -> io::Result<()> {
        write_zeros(&*self.file, from, to)?;
        self.len = self.len.max(count(to));
        Ok(())
    }

    /// Ends the file where the log ends.
    pub(super) fn truncate(&mut self, len: usize) -> io::Result<()> {
        self.file.set_len(file_offset(len))?;
        self.len = count(len);
        Ok(())
    }

    /// Takes back, durably, what was set aside after `len`, also in part by an attempt that failed.
    pub(super) fn cut_to(&mut self, len: usize) -> io::Result<()> {
        if self.file.len()? > file_offset(len) {
            self.truncate(len)?;
            self.sync()?;
        }
        Ok(())
    }

    /// The segment after this one, unnamed, with `allocated` bytes set aside.
    pub(super) fn prepare_next(&self, allocated: usize) -> io::Result<NextSegment> {
        NextSegment::prepare(&self.directory, self.number + 1, self.signature, allocated)
    }

    /// Makes `next` the open segment, durably, with `header`, and then ends the one before at `end` with the mark that says
    /// so. Returns that one's number and how many bytes it has.
    pub(super) fn move_to(
        &mut self,
        next: NextSegment,
        header: &[u8],
        (mark, end): (&[u8], u32),
    ) -> io::Result<(u64, u64)> {
        let (number, allocated) = (next.number, next.allocated);
        let file = next.publish(&*self.directory, header)?;
        let before = std::mem::replace(&mut self.file, file.into());
        let ended =
            (std::mem::replace(&mut self.number, number), end_segment(&*before, mark, end)?);
        self.len = count(allocated);
        Ok(ended)
    }

    pub(super) fn directory(&self) -> Arc<dyn Directory> {
        Arc::clone(&self.directory)
    }

    pub(super) fn allows_threads(&self) -> bool {
        self.directory.allows_threads()
    }

    pub(super) fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// A segment under construction: a file under its `.new` name.
#[derive(Debug)]
pub(super) struct NextSegment {
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) allocated: usize,
    file: Box<dyn File>,
}

impl NextSegment {
    /// If it fails it leaves nothing behind, as far as the file system lets it.
    pub(super) fn prepare(
        directory: &Arc<dyn Directory>,
        number: u64,
        signature: Signature,
        allocated: usize,
    ) -> io::Result<Self> {
        let name = names::unfinished(&names::segment(number));
        let file = create_anew(&**directory, &name)?;
        if let Err(error) = write_zeros(&*file, 0, allocated) {
            drop(file);
            // A left-over is removed at the next open; the error that counts is the first.
            let _left_over = directory.remove(&name);
            return Err(error);
        }
        Ok(Self { number, epoch: signature.epoch(number), allocated, file })
    }

    /// Writes the header and gives the segment its name, durably.
    pub(super) fn publish(
        self,
        directory: &dyn Directory,
        header: &[u8],
    ) -> io::Result<Box<dyn File>> {
        write_all_at(&*self.file, header, 0)?;
        self.file.sync()?;
        let name = names::segment(self.number);
        directory.rename(&names::unfinished(&name), &name)?;
        directory.sync()?;
        Ok(self.file)
    }
}

/// Ends a segment that is synced up to `end`: writes the mark there, cuts off what follows, and syncs. Returns how many bytes
/// the segment has.
pub(super) fn end_segment(file: &dyn File, mark: &[u8], end: u32) -> io::Result<u64> {
    let len = u64::from(end) + count(mark.len());
    write_all_at(file, mark, end.into())?;
    file.set_len(len)?;
    file.sync()?;
    Ok(len)
}

fn write_zeros(file: &dyn File, from: usize, to: usize) -> io::Result<()> {
    let mut offset = from;
    while offset < to {
        let piece = ZEROS.len().min(to - offset);
        write_all_at(file, &ZEROS[..piece], file_offset(offset))?;
        offset += piece;
    }
    Ok(())
}

/// A number of bytes.
pub(super) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn file_offset(offset: usize) -> u64 {
    u64::try_from(offset).expect("a file offset fits 64 bits")
}
