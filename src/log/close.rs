//! Ending the log in good order.

use crate::error::{LogFailure, SyncError};

use super::group::{Aftermath, Ending, Shared, or_bug};
use super::writer::Writer;

impl Shared {
    /// Closes the log in good order: everything synced, a close mark, the file cut to its length.
    pub(super) fn close(&self) -> Result<(), SyncError> {
        self.housekeeping.end();
        let writer = self.take_writer();
        // After a sync that is under way; there will be none beside the leader's.
        *self.open.lock() = None;
        let Some(mut writer) = writer else {
            return match &self.group.lock().ending {
                Ending::Failed(failure) => Err(SyncError::Failed(failure.clone())),
                Ending::NotYet | Ending::Closed => Ok(()),
            };
        };
        let mut aftermath = Aftermath::default();
        let closed = or_bug(|| self.try_close(&mut writer, &mut aftermath));
        // The lock on the directory goes with it, before anybody can see that the log is closed.
        drop(writer);
        self.end(&mut self.group.lock(), &closed, &mut aftermath);
        aftermath.wake_threads();
        self.settle(aftermath);
        closed.map_err(SyncError::Failed)
    }

    fn try_close(&self, writer: &mut Writer, aftermath: &mut Aftermath) -> Result<(), LogFailure> {
        let batch = {
            let mut tail = self.tail.lock();
            if tail.close() {
                Ok(tail.take(writer.take_spare()))
            } else {
                Err(tail.position().offset)
            }
        };
        let batch = match batch {
            Ok(batch) => batch,
            Err(end) => {
                return self.sync_alone("closing the log", |_| writer.cut_to(end));
            }
        };
        self.write(writer, batch, true, aftermath)?;
        let mark = self.tail.lock().close_mark();
        let end = mark.start + mark.bytes.len();
        self.sync_alone("closing the log", |_| {
            writer.write(&mark.bytes, mark.start)?;
            writer.truncate(end)?;
            writer.sync()
        })?;
        self.frontier.publish(writer.stats());
        Ok(())
    }

    /// Lets the directory go after a failure, when nothing will be written any more.
    pub(super) fn abandon(&self) {
        drop(self.group.lock().writer.take());
    }
}
