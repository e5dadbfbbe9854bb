//! What a read that overlaps a write may see.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Store;
use crate::storage::{Directory, File, Files};

use super::{Visitor, inspect};

/// A directory whose newest segment, read for the first time, lacks what was written first.
#[derive(Debug)]
struct Overlapping {
    files: Files,
    /// What is not seen, in bytes from the start of the file.
    hole: std::ops::Range<u64>,
    /// How many reads see it so.
    reads: u32,
}

impl Directory for Overlapping {
    fn path(&self) -> &Path {
        self.files.path()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn File>> {
        let (file, hole) = (self.files.open_to_read(name)?, self.hole.clone());
        Ok(Box::new(Hole { file, hole, reads: AtomicU32::new(self.reads) }))
    }
    fn create(&self) -> io::Result<()> {
        unimplemented!("nothing is changed")
    }
    fn sync_parents(&self) -> io::Result<()> {
        unimplemented!("nothing is changed")
    }
    fn lock(&self, _: &str) -> io::Result<Box<dyn Debug + Send>> {
        unimplemented!("nothing is locked")
    }
    fn create_file(&self, _: &str) -> io::Result<Box<dyn File>> {
        unimplemented!("nothing is changed")
    }
    fn open_file(&self, _: &str) -> io::Result<Box<dyn File>> {
        unimplemented!("nothing is opened for writing")
    }
    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        unimplemented!("nothing is changed")
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        unimplemented!("nothing is changed")
    }
    fn sync(&self) -> io::Result<()> {
        unimplemented!("nothing is changed")
    }
}

#[derive(Debug)]
struct Hole {
    file: Box<dyn File>,
    hole: std::ops::Range<u64>,
    reads: AtomicU32,
}

impl File for Hole {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        let seen = (offset..).zip(&mut buffer[..read]);
        let unseen: Vec<_> = seen.filter(|(at, _)| self.hole.contains(at)).collect();
        let left = |reads: u32| reads.checked_sub(1);
        if !unseen.is_empty()
            && self.reads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
        {
            unseen.into_iter().for_each(|(_, byte)| *byte = 0);
        }
        Ok(read)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        unimplemented!("nothing is written")
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        unimplemented!("nothing is written")
    }
    fn sync(&self) -> io::Result<()> {
        unimplemented!("nothing is written")
    }
}

struct Nobody;

impl Visitor for Nobody {}

/// A page that a first read saw as it was before a write, while it saw what was written after that was synced, is no damage; if it
/// stays so, it is.
#[test]
fn what_a_later_read_sees_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u32, String> = Store::builder().open(directory.path()).unwrap();
    for key in 0..20 {
        store.put(key, "v".repeat(100)).unwrap();
    }
    for (reads, is_sound) in [(0, true), (1, true), (3, true), (u32::MAX, false)] {
        let files = Files::new(directory.path());
        let overlapping = Overlapping { files, hole: 1000..1200, reads };
        let found = inspect(&overlapping, &mut Nobody).unwrap();
        assert_eq!(found.is_sound(), is_sound, "{reads} reads: {found:?}");
        if is_sound {
            assert_eq!((found.commits, found.torn_tail), (20, None));
        }
    }
}
