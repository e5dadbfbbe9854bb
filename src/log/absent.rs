//! What stands in for the log in a build without the feature `log`: types that nothing can be a value of, so that the
//! commit path is one, and what it does for a log is compiled away.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::task::Waker;

use crate::error::{LogFailure, SyncError};
use crate::log_stats::LogStats;
use crate::revision::Revision;
use crate::sync::MutexGuard;

/// There is none.
#[derive(Debug)]
pub(crate) struct Log(Infallible);

/// There is none.
#[derive(Debug)]
pub(crate) struct Tail(Infallible);

/// There is none.
#[derive(Debug)]
pub(crate) struct Record(Infallible);

/// There is none.
#[derive(Debug)]
pub(crate) struct Frontier(Infallible);

#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Closed,
    Failed(LogFailure),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Superseded {
    pub(crate) hash: u64,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Frontier {
    pub(crate) fn durable(&self) -> u64 {
        match self.0 {}
    }

    pub(crate) fn durable_live(&self) -> (u64, u64) {
        match self.0 {}
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        match self.0 {}
    }

    pub(crate) fn stats(&self) -> LogStats {
        match self.0 {}
    }
}

pub(crate) enum Shortage {
    Room,
    Closed,
    Failed(LogFailure),
}

pub(crate) enum RoomRefused {
    NoSpace(Arc<io::Error>),
    Ended,
}

impl Record {
    pub(crate) fn payload(&self) -> &[u8] {
        match self.0 {}
    }
}

impl Tail {
    pub(crate) fn room(&mut self, _: &Record, _: usize) -> Result<(), Shortage> {
        match self.0 {}
    }

    pub(crate) fn append(&mut self, _: u64, _: u64, _: &Record) {
        match self.0 {}
    }

    pub(crate) fn supersede(&mut self, _: Superseded) {
        match self.0 {}
    }

    pub(crate) fn shares_batch(&self, _: u64) -> bool {
        match self.0 {}
    }
}

impl Log {
    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        match self.0 {}
    }

    pub(crate) fn wait(&self, _: Revision) -> Result<(), LogFailure> {
        match self.0 {}
    }

    pub(crate) fn make_room(&self, _: usize) -> Result<(), RoomRefused> {
        match self.0 {}
    }

    pub(crate) fn submit(&self, _: Revision) {
        match self.0 {}
    }

    pub(crate) fn poll_durable(
        &self,
        _: Revision,
        _: u64,
        _: &Waker,
    ) -> Option<Result<(), LogFailure>> {
        match self.0 {}
    }

    pub(crate) fn poll_room(
        &self,
        _: usize,
        _: u64,
        _: &mut Option<u64>,
        _: &Waker,
    ) -> Option<RoomRefused> {
        match self.0 {}
    }

    pub(crate) fn sync(&self) -> Result<(), SyncError> {
        match self.0 {}
    }

    pub(crate) fn close(&self) -> Result<(), SyncError> {
        match self.0 {}
    }
}
