//! What a read that overlaps a write may see.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Store;
use crate::log::names;
use crate::storage::{Directory, File, Files};

use super::{Damage, Inspection, Visitor, inspect};

/// A directory whose newest segment, read for the first time, lacks what was written first.
#[derive(Debug)]
struct Overlapping {
    files: Files,
    /// What is not seen, in bytes from the start of the file.
    hole: std::ops::Range<u64>,
    /// How many reads see it so.
    reads: u32,
    /// A name, and how many listings lack it.
    unlisted: (String, AtomicU32),
    /// How many openings of a file come too late: it is gone.
    too_late: AtomicU32,
}

impl Overlapping {
    /// As the files are.
    fn of(path: &Path) -> Self {
        let (files, unlisted) = (Files::new(path), (String::new(), AtomicU32::new(0)));
        Self { files, hole: 0..0, reads: 0, unlisted, too_late: AtomicU32::new(0) }
    }
}

/// Takes one away, if there is one.
fn take_one(left: &AtomicU32) -> bool {
    let one_less = |left: u32| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
}

impl Directory for Overlapping {
    fn path(&self) -> &Path {
        self.files.path()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        let (unlisted, left) = &self.unlisted;
        let mut names = self.files.list()?;
        if take_one(left) {
            names.retain(|name| name != unlisted);
        }
        Ok(names)
    }
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn File>> {
        if take_one(&self.too_late) {
            return Err(io::ErrorKind::NotFound.into());
        }
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
        if !unseen.is_empty() && take_one(&self.reads) {
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
        let overlapping =
            Overlapping { hole: 1000..1200, reads, ..Overlapping::of(directory.path()) };
        let found = inspect(&overlapping, &mut Nobody).unwrap();
        assert_eq!(found.is_sound(), is_sound, "{reads} reads: {found:?}");
        if is_sound {
            assert_eq!((found.commits, found.torn_tail), (20, None));
        }
    }
}

/// A listing that is made while files are removed and renamed may lack one that was there all the time: where a segment seems
/// to be missing, the next listing says whether it is.
#[test]
fn a_segment_that_the_next_listing_has_is_not_missing() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Store::<u32, String>::builder().segment_bytes(4096);
    let store = builder.open(directory.path()).unwrap();
    for key in 0..100 {
        store.put(key, "v".repeat(100)).unwrap();
    }
    for (listings, is_sound) in [(0, true), (1, true), (u32::MAX, false)] {
        let unlisted = (names::segment(2), AtomicU32::new(listings));
        let overlapping = Overlapping { unlisted, ..Overlapping::of(directory.path()) };
        let found = inspect(&overlapping, &mut Nobody).unwrap();
        assert_eq!(found.is_sound(), is_sound, "{listings} listings: {found:?}");
        assert!(!is_sound || found.commits == 100, "{listings} listings: {found:?}");
    }
}

/// A clean-up removes files that were listed before it. What is there then is whole by itself.
#[test]
fn a_file_that_is_gone_before_it_is_opened_is_looked_for_again() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u32, String> = Store::builder().open(directory.path()).unwrap();
    store.put(1, "v".to_owned()).unwrap();
    for too_late in [0, 1, 50] {
        let too_late = AtomicU32::new(too_late);
        let overlapping = Overlapping { too_late, ..Overlapping::of(directory.path()) };
        let found = inspect(&overlapping, &mut Nobody).unwrap();
        assert!(found.is_sound() && found.commits == 1, "{found:?}");
    }
    // It is not looked for without end.
    let too_late = AtomicU32::new(u32::MAX);
    inspect(&Overlapping { too_late, ..Overlapping::of(directory.path()) }, &mut Nobody)
        .unwrap_err();
}

#[test]
fn a_damage_is_told_with_what_is_known_of_it() {
    let (file, what) = ("1.segment".to_owned(), "it is wrong");
    let whole = Damage { file, offset: 0, bytes: 0, what, revision: None };
    let cases = [
        (whole.clone(), "1.segment: it is wrong"),
        (Damage { offset: 128, ..whole.clone() }, "1.segment is damaged at byte 128: it is wrong"),
        (
            Damage { bytes: 64, ..whole.clone() },
            "1.segment is damaged at byte 0: it is wrong; 64 bytes cannot be read",
        ),
        (
            Damage { offset: 128, bytes: 64, revision: Some(9), ..whole },
            "1.segment is damaged at byte 128: it is wrong; 64 bytes cannot be read, of revision 9",
        ),
    ];
    for (damage, told) in cases {
        assert_eq!(damage.to_string(), told);
    }
}

#[test]
fn an_inspection_as_json_names_the_identity_as_the_store_does() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u32, String> = Store::builder().open(directory.path()).unwrap();
    let found: Inspection = inspect(&Files::new(directory.path()), &mut Nobody).unwrap();
    let json = serde_json::to_value(&found).unwrap();
    let identity = json["identity"].as_str().expect("digits").to_owned();
    assert_eq!(identity, store.identity().to_string());
    assert!(identity.len() == 32 && identity.chars().all(|digit| digit.is_ascii_hexdigit()));
}
