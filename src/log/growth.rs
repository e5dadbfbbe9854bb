//! Space: growing the open segment ahead of need, and starting the next one.

use std::io;

use crate::error::LogFailure;
use crate::sync::Arc;

use super::frame::Continued;
use super::group::{Aftermath, NoSpace, Shared};
use super::header::{self, End, Header, Kind};
use super::tail::{Growth, MARKS, Position, least_allocation};
use super::writer::Writer;

impl Shared {
    /// Extends the segment or starts the next one. A file system that gives no space is not a failure of the
    /// log: the refusal is returned, and everything stays as it was.
    pub(super) fn grow(
        &self,
        writer: &mut Writer,
        wanted: Option<usize>,
        aftermath: &mut Aftermath,
    ) -> Result<Option<NoSpace>, LogFailure> {
        let refusal = self.try_grow(writer, wanted, true, aftermath)?;
        if refusal.is_some() && wanted.is_some() {
            // There may be just enough.
            return self.try_grow(writer, wanted, false, aftermath);
        }
        Ok(refusal)
    }

    fn try_grow(
        &self,
        writer: &mut Writer,
        wanted: Option<usize>,
        plenty: bool,
        aftermath: &mut Aftermath,
    ) -> Result<Option<NoSpace>, LogFailure> {
        let (growth, allocated) = {
            let tail = self.tail.lock();
            (tail.growth(wanted, plenty), tail.position().allocated)
        };
        match growth {
            Growth::Enough => Ok(None),
            Growth::ExtendTo(to) => match writer.extend(allocated, to) {
                Ok(()) => {
                    self.tail.lock().extended_to(to);
                    self.frontier.publish(writer.stats());
                    Ok(None)
                }
                Err(error) => Ok(Some(Arc::new(error))),
            },
            Growth::Rotate(allocated) => self.rotate(writer, allocated, aftermath),
        }
    }

    /// Starts the next segment, unless there is nothing in the open one.
    pub(super) fn rotate_if_used(
        &self,
        writer: &mut Writer,
        aftermath: &mut Aftermath,
    ) -> Result<Option<NoSpace>, LogFailure> {
        let (is_used, segment_bytes) = {
            let tail = self.tail.lock();
            (tail.position().offset > header::LEN, tail.segment_bytes())
        };
        if !is_used {
            return Ok(None);
        }
        let refusal = self.rotate(writer, least_allocation(segment_bytes, true), aftermath)?;
        match refusal {
            None => Ok(None),
            Some(_) => self.rotate(writer, least_allocation(segment_bytes, false), aftermath),
        }
    }

    /// Starts the next segment. Writers append to it from the moment the tail moves, while this one is synced
    /// and the next one's header, which states this one's end, is made durable; nothing of the next segment is
    /// written before. Last, this one is marked as continued: before anything in the next one is acknowledged.
    fn rotate(
        &self,
        writer: &mut Writer,
        allocated: usize,
        aftermath: &mut Aftermath,
    ) -> Result<Option<NoSpace>, LogFailure> {
        let prepared =
            self.make_room_for_mark(writer).and_then(|()| writer.prepare_next(allocated));
        let next = match prepared {
            Ok(next) => next,
            Err(error) => return Ok(Some(Arc::new(error))),
        };
        let (batch, header, mark, end) = {
            let mut tail = self.tail.lock();
            let batch = tail.take(writer.take_spare());
            let Position { epoch, offset, chain, .. } = tail.position();
            let offset = u32::try_from(offset).expect("a segment is smaller than 4 GiB");
            let end = End { offset, chain };
            let signature = writer.signature();
            let header = Header {
                kind: Kind::Segment,
                codec: signature.codec,
                number: next.number,
                epoch: next.epoch,
                identity: signature.identity,
                // With what is reserved at the end of this one: it may be replaced by a checkpoint.
                floor: batch.floor.unwrap_or(0).max(tail.floor()),
                newest: tail.newest(),
                previous: end,
                next_epoch: 0,
            };
            let mark = Continued { number: next.number, epoch: next.epoch };
            let mark = mark.encode(epoch, end, header.newest);
            let (header, chain) = header.encode();
            tail.move_to(Position {
                epoch: next.epoch,
                offset: header::LEN,
                chain,
                synced: header::LEN,
                allocated: next.allocated,
            });
            (batch, header, mark, end)
        };
        self.write(writer, batch, true, aftermath)?;
        aftermath.wake_threads();
        let (number, bytes) = self.sync_alone("starting a segment of the log", |open| {
            let ended = writer.move_to(next, &header, (&mark, end.offset))?;
            *open = Some(writer.file());
            Ok(ended)
        })?;
        self.frontier.close_segment(number, bytes);
        self.frontier.publish(writer.stats());
        self.compact_if_worth_it();
        Ok(None)
    }

    /// Sets space aside for the mark that ends the open segment, if there is none: after a clean open there is not. When the
    /// mark is written it is too late to refuse anything.
    fn make_room_for_mark(&self, writer: &mut Writer) -> io::Result<()> {
        let Position { offset, allocated, .. } = self.tail.lock().position();
        if offset + Continued::FRAME_LEN > allocated {
            let to = offset + MARKS;
            writer.extend(allocated, to)?;
            self.tail.lock().extended_to(to);
        }
        Ok(())
    }
}
