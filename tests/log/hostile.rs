//! Files that somebody made to do harm: their checksums hold, and what they say cannot be.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ifmatch::{Builder, OpenError, Store, maintenance};

use crate::common::format::{FRAME_HEADER, Kind, SEGMENT_HEADER, frames, seal, segment_name};
use crate::common::{Files, read_files, scratch, write_files};

type Numbers = Store<u64, u64>;

fn builder() -> Builder<u64, u64> {
    Store::builder().compact_after(u64::MAX)
}

/// A checkpoint with one entry, and a segment that writes its key once more.
fn files() -> Files {
    let directory = scratch();
    let store = builder().open(directory.path()).unwrap();
    store.put(7, 1).unwrap();
    store.compact().unwrap();
    store.put(7, 2).unwrap();
    store.close().unwrap();
    read_files(directory.path())
}

fn checkpoint_name(number: u64) -> String {
    format!("{number:020}.checkpoint")
}

/// Opens what is not a log, and looks at it from outside; neither may panic.
fn opened(files: &Files) -> Result<Numbers, OpenError> {
    let directory = scratch();
    write_files(directory.path(), files);
    let look = || maintenance::verify(directory.path(), &mut |_| {});
    let looked = catch_unwind(AssertUnwindSafe(look)).expect("looking at it panics");
    let opened = catch_unwind(AssertUnwindSafe(|| builder().open(directory.path())));
    let opened = opened.expect("opening it panics");
    if opened.is_err() {
        assert_eq!(&read_files(directory.path()), files);
    }
    assert_eq!(looked.is_ok_and(|found| found.is_sound()), opened.is_ok(), "both say the same");
    opened
}

#[test]
fn a_number_that_no_segment_has_is_not_the_logs() {
    for number in [0, 1 << 63, u64::MAX - 1, u64::MAX] {
        for name in [segment_name(number), checkpoint_name(number)] {
            let files = Files::from([(name.clone(), Vec::new())]);
            let error = opened(&files).unwrap_err();
            assert!(matches!(error, OpenError::ForeignFile { .. }), "{name}: {error}");
        }
    }
}

/// Of the one entry the revision, the one that created it, and the number of writes; each that cannot be is refused.
#[test]
fn an_entry_that_cannot_be_is_damage() {
    let files = files();
    let (name, checkpoint) = files.iter().find(|(name, _)| name.ends_with(".checkpoint")).unwrap();
    let (block, entry) = (SEGMENT_HEADER, SEGMENT_HEADER + 32);
    let len =
        usize::try_from(u32::from_le_bytes(checkpoint[block + 4..block + 8].try_into().unwrap()));
    let end = entry + len.unwrap();
    let forge = |numbers: [u64; 3]| {
        let mut bytes = checkpoint.clone();
        for (at, number) in numbers.iter().enumerate() {
            bytes[entry + 8 * at..entry + 8 * at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[entry..end]);
        bytes[block + 24..block + 28].copy_from_slice(&checksum.to_le_bytes());
        seal(&mut bytes[block..entry]);
        let mut files = files.clone();
        files.insert(name.clone(), bytes);
        files
    };
    assert_eq!(*opened(&forge([2, 2, 1])).unwrap().get(7).unwrap(), 2, "as it is");
    let refused = [
        [2, 2, u64::MAX],
        [2, 2, 2],
        [2, 2, 0],
        [2, 0, 1],
        [0, 0, 1],
        [2, 3, 1],
        [3, 3, 1],
        [u64::MAX, 1, 1],
    ];
    for numbers in refused {
        let error = opened(&forge(numbers)).unwrap_err();
        let OpenError::Corrupt { file, offset: 128, .. } = error else {
            panic!("{numbers:?}: {error}");
        };
        assert_eq!(&file, name);
    }
}

/// A fuzzer's: such a log opened, and its compaction wrote an entry with more writes than revisions. So the store ended as a
/// checkpoint that no version opens.
#[test]
fn a_key_twice_in_a_commit_is_one_write_and_can_be_compacted() {
    let mut files = files();
    let name = segment_name(2);
    let bytes = files.get_mut(&name).unwrap();
    let frame = frames(bytes).into_iter().find(|frame| frame.kind == Kind::Commit).unwrap();
    // Once more in front of it, and nothing behind: it was closed in good order after this.
    let put = bytes[frame.range.start + FRAME_HEADER..][..11].to_vec();
    assert_eq!(put, [1, 1, 0, 0, 0, 7, 1, 0, 0, 0, 2]);
    bytes.truncate(frame.range.start + FRAME_HEADER);
    bytes.extend([put.clone(), put].concat());
    let header = &mut bytes[frame.range.start..];
    header[8..12].copy_from_slice(&22_u32.to_le_bytes());
    let checksum = crc32c::crc32c(&header[FRAME_HEADER..]);
    header[40..44].copy_from_slice(&checksum.to_le_bytes());
    seal(&mut header[..FRAME_HEADER]);
    bytes.resize(bytes.len().next_multiple_of(16), 0);

    let read = |store: &Numbers| {
        let entry = store.get(7).unwrap();
        (*entry, entry.revision().get(), entry.created_revision().get(), entry.write_count())
    };
    let directory = scratch();
    write_files(directory.path(), &files);
    let store = builder().open(directory.path()).unwrap();
    assert_eq!(read(&store), (2, 3, 2, 2));
    store.compact().unwrap();
    drop(store);
    assert_eq!(read(&builder().open(directory.path()).unwrap()), (2, 3, 2, 2));

    write_files(directory.path(), &files);
    maintenance::compact(directory.path(), &mut |_| {}).unwrap();
    assert_eq!(read(&builder().open(directory.path()).unwrap()), (2, 3, 2, 2));
}

/// The segment after a checkpoint may begin with commits that the checkpoint has, but not above it: what is between was lost.
#[test]
fn a_segment_that_begins_above_the_checkpoint_is_damage() {
    let mut files = files();
    let bytes = files.get_mut(&segment_name(2)).unwrap();
    bytes.truncate(SEGMENT_HEADER);
    bytes[72..80].copy_from_slice(&u64::to_le_bytes(100));
    seal(bytes);
    let error = opened(&files).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { segment: 2, offset: 0, .. }), "{error}");
}
