//! A directory in memory that fails on demand, holds syncs back, and forgets what was not synced. For tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::path::Path;

use crate::sync::{Arc, Condvar, Mutex};

use super::{Directory, File};

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Create,
    Write,
    Sync,
    Rename,
    SyncDirectory,
}

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    /// The names that survive a crash.
    durable_names: BTreeMap<String, Arc<Mutex<Content>>>,
    locked: bool,
    failing: BTreeSet<Call>,
    /// How many bytes the disk holds; `None`: no limit.
    capacity: Option<usize>,
    /// Every second write is interrupted, and the others write at most this many bytes.
    write_at_most: Option<usize>,
    interrupted: bool,
    holding_syncs: bool,
    syncs: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    disk: Mutex<Disk>,
    released: Condvar,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty(Arc<Shared>);

impl Faulty {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(self.clone())
    }

    /// Makes every such call fail from now on, or work again.
    pub(crate) fn set_failing(&self, call: Call, fails: bool) {
        let mut disk = self.0.disk.lock();
        if fails {
            disk.failing.insert(call);
        } else {
            disk.failing.remove(&call);
        }
    }

    pub(crate) fn set_capacity(&self, bytes: Option<usize>) {
        self.0.disk.lock().capacity = bytes;
    }

    pub(crate) fn set_short_writes(&self, at_most: usize) {
        self.0.disk.lock().write_at_most = Some(at_most);
    }

    /// From now on a sync does not return, until the next [`release_syncs`](Self::release_syncs).
    pub(crate) fn hold_syncs(&self) {
        self.0.disk.lock().holding_syncs = true;
    }

    pub(crate) fn release_syncs(&self) {
        self.0.disk.lock().holding_syncs = false;
        self.0.released.notify_all();
    }

    /// How many file syncs have succeeded.
    pub(crate) fn syncs(&self) -> u64 {
        self.0.disk.lock().syncs
    }

    /// All bytes of all files.
    pub(crate) fn used(&self) -> usize {
        self.0.disk.lock().used()
    }

    /// The disk as it is found after the power was cut now, with nothing written that was not synced.
    pub(crate) fn after_power_cut(&self) -> Self {
        let disk = self.0.disk.lock();
        let files: BTreeMap<_, _> = disk
            .durable_names
            .iter()
            .map(|(name, content)| {
                let durable = content.lock().durable.clone();
                let content = Content { live: durable.clone(), durable };
                (name.clone(), Arc::new(Mutex::new(content)))
            })
            .collect();
        let disk = Disk { durable_names: files.clone(), files, ..Disk::default() };
        Self(Arc::new(Shared { disk: Mutex::new(disk), released: Condvar::new() }))
    }
}

impl Disk {
    fn used(&self) -> usize {
        self.files.values().map(|content| content.lock().live.len()).sum()
    }

    fn check(&self, call: Call) -> io::Result<()> {
        if self.failing.contains(&call) {
            return Err(io::Error::other(format!("{call:?} was made to fail")));
        }
        Ok(())
    }
}

impl Directory for Faulty {
    fn path(&self) -> &Path {
        Path::new("faulty")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.disk.lock().files.keys().cloned().collect())
    }

    fn create(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_parents(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _name: &str) -> io::Result<Box<dyn Debug + Send>> {
        let mut disk = self.0.disk.lock();
        if disk.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        disk.locked = true;
        Ok(Box::new(Lock(self.clone())))
    }

    fn create_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut disk = self.0.disk.lock();
        disk.check(Call::Create)?;
        if disk.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Arc::default();
        disk.files.insert(name.to_owned(), Arc::clone(&content));
        Ok(Box::new(FaultyFile { content, disk: self.clone() }))
    }

    fn open_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let disk = self.0.disk.lock();
        let content = disk.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(FaultyFile { content: Arc::clone(content), disk: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.disk.lock();
        disk.check(Call::Rename)?;
        let content = disk.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.0.disk.lock().files.remove(name);
        removed.map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.0.disk.lock();
        disk.check(Call::SyncDirectory)?;
        disk.durable_names = disk.files.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct Lock(Faulty);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.0.disk.lock().locked = false;
    }
}

#[derive(Debug)]
struct FaultyFile {
    content: Arc<Mutex<Content>>,
    disk: Faulty,
}

impl File for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.content.lock().live.len()).expect("it is in memory"))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.lock();
        let rest = content.live.get(position(offset)..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.0.disk.lock();
        disk.check(Call::Write)?;
        let mut len = bytes.len();
        if let Some(at_most) = disk.write_at_most {
            disk.interrupted = !disk.interrupted;
            if disk.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            len = len.min(at_most);
        }
        let end = position(offset) + len;
        let grows_by = end.saturating_sub(self.content.lock().live.len());
        if disk.capacity.is_some_and(|capacity| disk.used() + grows_by > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.content.lock();
        if content.live.len() < end {
            content.live.resize(end, 0);
        }
        content.live[end - len..end].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.content.lock().live.resize(position(len), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.0.disk.lock();
        while disk.holding_syncs {
            self.disk.0.released.wait(&mut disk);
        }
        disk.check(Call::Sync)?;
        disk.syncs += 1;
        let mut content = self.content.lock();
        content.durable = content.live.clone();
        Ok(())
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("it is in memory")
}
