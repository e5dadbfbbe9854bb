//! The disk as the log sees it.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use crate::storage::{Directory, File};
use crate::sync::MutexGuard;

use super::Disk;
use super::call::{Call, Fault, Step};
use super::names::Id;
use super::state::State;

/// What a call is about.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// A name, or none.
    Name(&'a str),
    File(Id),
}

/// A call that has begun: the disk, and the error that it is to end with.
struct Begun<'a> {
    state: MutexGuard<'a, State>,
    fault: Option<Fault>,
}

impl Begun<'_> {
    /// Does it, or fails; then by chance it is done all the same.
    fn unless_failing<T>(
        &mut self,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(error) = self.fault.and_then(Fault::error) else { return act(&mut self.state) };
        if self.state.random().coin() {
            // Whether it could have been is of no interest: what is told is the fault.
            let _done = act(&mut self.state);
        }
        Err(error)
    }

    /// Does what changes nothing, or fails.
    fn or_error(self) -> io::Result<Self> {
        match self.fault.and_then(Fault::error) {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Of `len` bytes, how many are to be transferred.
    fn transferred(&mut self, len: usize) -> io::Result<usize> {
        if self.fault == Some(Fault::Short) && len > 1 {
            return Ok(1 + self.state.random().below(len - 1));
        }
        let plan = &mut self.state.plan;
        let Some(at_most) = plan.transfer_at_most else { return Ok(len) };
        plan.interrupted = !plan.interrupted;
        if plan.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(len.min(at_most))
    }
}

impl Disk {
    fn begin(&self, call: Call, target: Target<'_>) -> io::Result<Begun<'_>> {
        let mut state = self.shared.state.lock();
        let number = state.calls;
        state.plan.halted |= state.plan.halts_at == Some(number);
        let fault = state.plan.fault(number, call);
        if !state.plan.halted {
            state.calls += 1;
            if let Some(observer) = state.observer.clone() {
                let file = match target {
                    Target::Name(name) => name.to_owned(),
                    Target::File(file) => state.names.of(file).unwrap_or_default().to_owned(),
                };
                drop(state);
                observer(self, &Step { number, call, file: &file, fault });
                state = self.shared.state.lock();
            }
        }
        if state.plan.halted {
            return Err(io::Error::other("the simulated disk has halted"));
        }
        Ok(Begun { state, fault })
    }

    /// A call about what is in the directory.
    fn begin_within(&self, call: Call, name: &str) -> io::Result<Begun<'_>> {
        let begun = self.begin(call, Target::Name(name))?;
        if begun.state.exists { Ok(begun) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn handle(&self, file: Id) -> Box<dyn File> {
        Box::new(Handle { disk: self.clone(), file })
    }
}

impl Directory for Disk {
    fn path(&self) -> &Path {
        Path::new("simulated")
    }

    fn allows_threads(&self) -> bool {
        self.threads
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let begun = self.begin_within(Call::List, "")?.or_error()?;
        Ok(begun.state.names.iter().map(|(name, _)| name.to_owned()).collect())
    }

    fn create(&self) -> io::Result<()> {
        self.begin(Call::Create, Target::Name(""))?.unless_failing(|state| {
            state.exists = true;
            Ok(())
        })
    }

    fn sync_parents(&self) -> io::Result<()> {
        self.begin(Call::SyncParents, Target::Name(""))?.unless_failing(|state| {
            state.exists_durably = state.exists;
            Ok(())
        })
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Debug + Send>> {
        let mut begun = self.begin_within(Call::Lock, name)?.or_error()?;
        if begun.state.names.get(name).is_none() {
            begun.state.create(name)?;
        }
        if !begun.state.locked.insert(name.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock { disk: self.clone(), name: name.to_owned() }))
    }

    fn create_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut begun = self.begin_within(Call::CreateFile, name)?;
        let file = begun.unless_failing(|state| state.create(name))?;
        begun.state.opened(file);
        drop(begun);
        Ok(self.handle(file))
    }

    fn open_file(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut begun = self.begin_within(Call::OpenFile, name)?.or_error()?;
        let file = begun.state.find(name)?;
        begun.state.opened(file);
        drop(begun);
        Ok(self.handle(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.begin_within(Call::Rename, from)?.unless_failing(|state| state.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.begin_within(Call::Remove, name)?.unless_failing(|state| state.remove(name))
    }

    fn sync(&self) -> io::Result<()> {
        let mut begun = self.begin_within(Call::SyncDirectory, "")?;
        let state = &mut *begun.state;
        match begun.fault.and_then(Fault::error) {
            Some(error) => {
                let mut random = state.random().split();
                state.names.fail_to_sync(&mut random);
                Err(error)
            }
            None => {
                state.sync_names();
                Ok(())
            }
        }
    }
}

#[derive(Debug)]
struct Lock {
    disk: Disk,
    name: String,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.shared.state.lock().locked.remove(&self.name);
    }
}

/// An open file.
#[derive(Debug)]
struct Handle {
    disk: Disk,
    file: Id,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.disk.shared.state.lock().closed(self.file);
    }
}

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut begun = self.disk.begin(Call::Len, Target::File(self.file))?.or_error()?;
        let len = begun.state.content(self.file).live().len();
        Ok(u64::try_from(len).expect("it is in memory"))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut begun = self.disk.begin(Call::Read, Target::File(self.file))?.or_error()?;
        let len = begun.transferred(buffer.len())?;
        let live = begun.state.content(self.file).live();
        let rest = live.get(position(offset)..).unwrap_or_default();
        let len = len.min(rest.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut begun = self.disk.begin(Call::Write, Target::File(self.file))?;
        let offset = position(offset);
        let error = begun.fault.and_then(Fault::error);
        if let Some(error) = error {
            if begun.fault != Some(Fault::Interrupted) {
                let room = end_of_room(&mut begun.state, self.file).saturating_sub(offset);
                let written = begun.state.random().below(bytes.len().min(room) + 1);
                begun.state.content(self.file).write(&bytes[..written], offset);
            }
            return Err(error);
        }
        let room = end_of_room(&mut begun.state, self.file).saturating_sub(offset);
        let written = begun.transferred(bytes.len())?.min(room);
        if written == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        begun.state.content(self.file).write(&bytes[..written], offset);
        Ok(written)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = position(len);
        self.disk.begin(Call::SetLen, Target::File(self.file))?.unless_failing(|state| {
            if len > end_of_room(state, self.file) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.content(self.file).set_len(len);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.pass_hold();
        let mut begun = self.disk.begin(Call::Sync, Target::File(self.file))?;
        let state = &mut *begun.state;
        match begun.fault.and_then(Fault::error) {
            Some(error) => {
                let mut random = state.random().split();
                state.content(self.file).fail_to_sync(&mut random);
                Err(error)
            }
            None => {
                state.content(self.file).sync();
                state.syncs += 1;
                Ok(())
            }
        }
    }
}

/// How long the file can become.
fn end_of_room(state: &mut State, file: Id) -> usize {
    let Some(capacity) = state.capacity else { return usize::MAX };
    state.content(file).live().len() + capacity.saturating_sub(state.used())
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("it is in memory")
}
