//! Recovery of arbitrary damage: a log is written, perhaps compacted; parts of its files are overwritten, cut, or replaced by what the
//! fuzzer likes, with checksums made good again if it wants, and opened.
//!
//! Opening may refuse, but not panic, hang, or invent: whatever it shows was written, unless checksums were forged.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use arbitrary::Arbitrary;
use ifmatch::maintenance::{self, DumpOptions};
use ifmatch::{Durability, Store};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    writes: Vec<(u8, Option<u16>)>,
    compacts_after: Option<u8>,
    closes: bool,
    damage: Vec<Damage>,
}

#[derive(Arbitrary, Debug)]
enum Damage {
    Overwrite { file: u8, at: u16, bytes: Vec<u8> },
    Cut { file: u8, at: u16 },
    Swap { one: u8, other: u8 },
    Remove { file: u8 },
    /// Overwrites a part of a frame's or segment's header and makes its checksum good: damage with intent.
    Forge { file: u8, at: u16, len: ForgedLen, bytes: [u8; 8], field: u8 },
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum ForgedLen {
    /// Also that of a checkpoint.
    File,
    Frame,
    /// Of a checkpoint; its place is taken as it is.
    Block,
}

fuzz_target!(|input: Input| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("data");
    let mut written: BTreeMap<(u8, u64), u16> = BTreeMap::new();
    let store = open(&path).expect("a new log opens");
    for (at, (key, value)) in input.writes.iter().take(64).enumerate() {
        if input.compacts_after.map(usize::from) == Some(at) {
            store.compact().expect("the disk works");
        }
        match value {
            Some(value) => {
                let revision = store.put(*key, *value).expect("the disk works");
                written.insert((*key, revision.get()), *value);
            }
            None => drop(store.delete(*key).expect("the disk works")),
        }
    }
    let copy = directory.path().join("copy");
    if input.closes {
        store.close().expect("the disk works");
    }
    fs::create_dir(&copy).expect("a writable directory");
    for name in files(&path) {
        fs::copy(path.join(&name), copy.join(&name)).expect("a writable directory");
    }
    drop(store);

    let mut forged = false;
    for damage in &input.damage {
        forged |= matches!(damage, Damage::Forge { .. });
        apply(damage, &copy);
    }
    // Looking at it from outside says what opening says, and changes nothing.
    let looked = maintenance::verify(&copy, &mut |_| {});
    let show = DumpOptions::default().past_damage(true);
    let _counted = maintenance::dump(&copy, &show, &mut |_| ControlFlow::Continue(()));
    let opened = open(&copy);
    if let (Ok(found), false) = (&looked, forged) {
        assert_eq!(found.is_sound(), opened.is_ok(), "{found:?}, {:?}", opened.as_ref().err());
    }
    if let Ok(found) = opened {
        for key in 0..=u8::MAX {
            if let Some(entry) = found.get(key)
                && !forged
            {
                assert_eq!(written.get(&(key, entry.revision().get())), Some(&*entry), "it was invented");
            }
        }
        drop(found);
        // What was opened once opens again.
        drop(open(&copy).expect("the log was repaired"));
    }
});

fn open(path: &PathBuf) -> Result<Store<u8, u16>, ifmatch::OpenError> {
    Store::builder().durability(Durability::Buffered).segment_bytes(4096).open(path)
}

/// Segments and checkpoints.
fn files(path: &PathBuf) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("our own names"))
        .filter(|name| name != "LOCK")
        .collect();
    names.sort();
    names
}

fn apply(damage: &Damage, directory: &PathBuf) {
    let names = files(directory);
    let pick = |file: u8| names.get(usize::from(file) % names.len().max(1)).map(|name| directory.join(name));
    match damage {
        Damage::Overwrite { file, at, bytes } => change(pick(*file), |content| {
            for (target, byte) in content.iter_mut().skip(usize::from(*at)).zip(bytes) {
                *target = *byte;
            }
        }),
        Damage::Cut { file, at } => change(pick(*file), |content| content.truncate(usize::from(*at))),
        Damage::Swap { one, other } => {
            if let (Some(one), Some(other)) = (pick(*one), pick(*other)) {
                let (left, right) = (fs::read(&one).expect("a file"), fs::read(&other).expect("a file"));
                fs::write(one, right).expect("a file");
                fs::write(other, left).expect("a file");
            }
        }
        Damage::Remove { file } => {
            if let Some(path) = pick(*file) {
                fs::remove_file(path).expect("a file");
            }
        }
        Damage::Forge { file, at, len, bytes, field } => change(pick(*file), |content| {
            let (len, start) = match len {
                ForgedLen::File => (128, 0),
                ForgedLen::Frame => (48, 128 + usize::from(*at) / 16 * 16),
                ForgedLen::Block => (32, 128 + usize::from(*at)),
            };
            if let Some(header) = content.get_mut(start..start + len) {
                let field = usize::from(*field) % (len - 12);
                header[field..field + 8].copy_from_slice(bytes);
                let checksum = crc32c::crc32c(&header[..len - 4]);
                header[len - 4..].copy_from_slice(&checksum.to_le_bytes());
            }
        }),
    }
}

fn change(path: Option<PathBuf>, edit: impl FnOnce(&mut Vec<u8>)) {
    if let Some(path) = path {
        let mut content = fs::read(&path).expect("a file");
        edit(&mut content);
        fs::write(path, content).expect("a file");
    }
}
