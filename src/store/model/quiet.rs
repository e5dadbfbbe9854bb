//! A directory in memory whose calls are no steps of a schedule, so that what is left to try out is the log's own order.
//!
//! Nothing is lost by that: where each commit is synced, nobody but the leader of the log looks at the disk between two calls.
//! What happens when the power is cut between two calls is tried out on the simulated disk (`crashes.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::storage::{Directory, File};

#[derive(Clone, Debug, Default)]
pub(super) struct Quiet(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<String, Arc<Mutex<Bytes>>>,
    locked: BTreeSet<String>,
    syncs_fail: bool,
}

/// What is read, and what was synced of it.
#[derive(Clone, Debug, Default)]
struct Bytes {
    live: Vec<u8>,
    synced: Vec<u8>,
}

/// Threads of a schedule take turns on one thread, and none lets go of it while it has such a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.try_lock().expect("no schedule switches here")
}

impl Quiet {
    pub(super) fn fail_syncs(&self) {
        lock(&self.0).syncs_fail = true;
    }

    /// What a power cut leaves that takes all that was not synced; names are durable at once.
    pub(super) fn as_synced(&self) -> Self {
        let files = lock(&self.0).files.clone();
        let synced = |file: &Mutex<Bytes>| {
            let synced = lock(file).synced.clone();
            Arc::new(Mutex::new(Bytes { live: synced.clone(), synced }))
        };
        let files = files.into_iter().map(|(name, file)| (name, synced(&file))).collect();
        Self(Arc::new(Mutex::new(Content { files, ..Content::default() })))
    }

    pub(super) fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.clone())
    }

    fn file(&self, name: &str) -> io::Result<Arc<Mutex<Bytes>>> {
        lock(&self.0).files.get(name).cloned().ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Directory for Quiet {
    fn path(&self) -> &Path {
        Path::new("quiet")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).files.keys().cloned().collect())
    }

    /// Threads of the log are too many for all schedules.
    fn allows_threads(&self) -> bool {
        false
    }

    fn create(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_parents(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Debug + Send>> {
        if !lock(&self.0).locked.insert(name.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock { quiet: self.clone(), name: name.to_owned() }))
    }

    fn create_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let bytes = Arc::<Mutex<Bytes>>::default();
        lock(&self.0).files.insert(name.to_owned(), Arc::clone(&bytes));
        Ok(Box::new(Handle { quiet: self.clone(), bytes }))
    }

    fn open_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Handle { quiet: self.clone(), bytes: self.file(name)? }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.file(from)?;
        let files = &mut lock(&self.0).files;
        files.remove(from);
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.0).files.remove(name);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Lock {
    quiet: Quiet,
    name: String,
}

impl Drop for Lock {
    fn drop(&mut self) {
        lock(&self.quiet.0).locked.remove(&self.name);
    }
}

#[derive(Debug)]
struct Handle {
    quiet: Quiet,
    bytes: Arc<Mutex<Bytes>>,
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("it is in memory")
}

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(lock(&self.bytes).live.len()).expect("it is in memory"))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = lock(&self.bytes);
        let rest = bytes.live.get(position(offset)..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (start, end) = (position(offset), position(offset) + bytes.len());
        let live = &mut lock(&self.bytes).live;
        live.resize(live.len().max(end), 0);
        live[start..end].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        lock(&self.bytes).live.resize(position(len), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if lock(&self.quiet.0).syncs_fail {
            return Err(io::Error::other("a quiet disk failed, as planned"));
        }
        let bytes = &mut *lock(&self.bytes);
        bytes.synced.clone_from(&bytes.live);
        Ok(())
    }
}
