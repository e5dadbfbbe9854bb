//! `verify` says of every log what opening it would say, changes nothing, and takes no writing for damage.

use std::sync::atomic::{AtomicBool, Ordering};

use ifmatch::maintenance::{self, Damage, MaintenanceError};
use ifmatch::{OpenError, Precondition, Store};

use crate::common::format::{self, Kind, segment_name};
use crate::common::{Files, Raises, Random, from_env, read_files, scratch, write_files};
use crate::past::{Past, Place, SHAPES, Shape, builder, names, overlapping, verify};

#[test]
fn what_is_sound_is_said_to_be_and_counted() {
    for shape in SHAPES {
        for clean in [true, false] {
            let case = format!("{shape:?}, clean: {clean}");
            let past = Past::new(shape, clean);
            let place = Place::new(&past.files);
            let found = verify(&place.data());
            assert!(found.is_sound(), "{case}: {found:?}");
            assert_eq!(found.damage, [], "{case}");
            assert_eq!((found.format, &*found.codec), (2, "bincode-2"), "{case}");
            assert_eq!(found.clean, clean, "{case}");
            assert_eq!(found.newest, past.newest(), "{case}");
            assert_eq!(found.whole_to, Some(past.newest()), "{case}");
            assert_eq!(found.torn_tail, None, "{case}");
            let bytes: usize = past.files.values().map(Vec::len).sum();
            assert_eq!(found.bytes, format::at(bytes), "{case}");
            let segments = past.files.keys().filter(|name| name.ends_with("segment")).count();
            assert_eq!(found.segments, format::at(segments), "{case}");
            let frames = past.files.iter().filter(|(name, _)| name.ends_with("segment"));
            let commits = frames.flat_map(|(_, bytes)| format::frames(bytes));
            let commits = commits.filter(|frame| frame.kind == Kind::Commit).count();
            assert_eq!(found.commits, format::at(commits), "{case}");
            assert_eq!(found.checkpoint.is_some(), shape == Shape::Checkpoint, "{case}");
            if let Some(checkpoint) = &found.checkpoint {
                let state = past.at(checkpoint.revision);
                assert_eq!(checkpoint.entries, format::at(state.len()), "{case}");
            }

            let next = found.next_revision();
            let store = builder().open(place.data()).unwrap();
            assert_eq!(store.identity(), found.identity, "{case}");
            assert_eq!(store.put("new", String::new()).unwrap().get(), next, "{case}");
        }
    }
}

#[test]
fn it_changes_nothing_and_leaves_nothing() {
    let past = Past::new(Shape::Checkpoint, false);
    let place = Place::new(&past.files);
    let before = names(&place.data());
    verify(&place.data());
    assert_eq!(names(&place.data()), before, "not even a lock file");
    assert_eq!(read_files(&place.data()), past.files);
}

#[cfg(unix)]
#[test]
fn it_reads_what_it_may_not_write() {
    use std::os::unix::fs::PermissionsExt;
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    for name in names(&place.data()) {
        let path = place.data().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400)).unwrap();
    }
    assert!(verify(&place.data()).is_sound());
}

#[test]
fn where_there_is_no_log_it_says_so() {
    let empty = scratch();
    let found = maintenance::verify(empty.path(), &mut |_| {});
    assert!(matches!(found, Err(MaintenanceError::NoLog { .. })), "{found:?}");
    let nowhere = maintenance::verify(empty.path().join("x"), &mut |_| {});
    assert!(matches!(nowhere, Err(MaintenanceError::Io { .. })), "{nowhere:?}");
    assert!(names(empty.path()).is_empty());
}

/// What opening says, in the words of a damage: the file and the place.
fn opened(place: &Place) -> Result<(), (String, u64)> {
    match builder().open(place.data()) {
        Ok(_) => Ok(()),
        Err(OpenError::Corrupt { file, offset, .. }) => Err((file, offset)),
        Err(OpenError::MissingSegment { segment }) => Err((segment_name(segment), 0)),
        Err(error) => panic!("{error:?}"),
    }
}

/// Whatever was done to a log: a store opens on it if and only if it is sound, and is refused at the first damage.
fn agree(place: &Place, files: &Files, case: &str) {
    write_files(&place.data(), files);
    let found = verify(&place.data());
    assert_eq!(&read_files(&place.data()), files, "{case}: it is as it was");
    let first = found.damage.first().map(|damage: &Damage| (damage.file.clone(), damage.offset));
    let opened = opened(place);
    assert_eq!(opened, first.clone().map_or(Ok(()), Err), "{case}: {found:?}");
    assert_eq!(found.is_sound(), first.is_none(), "{case}");
}

#[test]
fn it_says_what_opening_says_of_every_flipped_bit() {
    // Every bit is `IFMATCH_STEP=1`.
    let step = usize::try_from(from_env("IFMATCH_STEP", 61)).unwrap();
    for shape in SHAPES {
        for clean in [true, false] {
            let past = Past::new(shape, clean);
            let place = Place::new(&past.files);
            for (name, bytes) in &past.files {
                let mut files = past.files.clone();
                for bit in (0..bytes.len() * 8).step_by(step) {
                    let case = format!("{shape:?}, clean: {clean}, {name}, bit {bit}");
                    files.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
                    agree(&place, &files, &case);
                    files.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
    }
}

#[test]
fn it_says_what_opening_says_of_every_cut_and_every_missing_file() {
    let step = usize::try_from(from_env("IFMATCH_STEP", 61)).unwrap();
    for shape in SHAPES {
        let past = Past::new(shape, true);
        let place = Place::new(&past.files);
        for (name, bytes) in &past.files {
            let mut files = past.files.clone();
            for len in (0..bytes.len()).step_by(step.min(16)) {
                files.insert(name.clone(), bytes[..len].to_vec());
                agree(&place, &files, &format!("{shape:?}, {name}, cut at {len}"));
            }
            files.remove(name);
            // Without its only checkpoint a log begins with a segment that names one before it.
            agree(&place, &files, &format!("{shape:?}, without {name}"));
        }
    }
}

/// Frames of one batch say the same of how far the log was synced before.
#[test]
fn it_says_what_opening_says_of_frames_that_were_written_together() {
    let directory = scratch();
    let store = builder().segment_bytes(1 << 20).open(directory.path()).unwrap();
    let writes: Vec<_> = (0..300)
        .map(|number| store.submit_put_if(format!("{number}"), "v".to_owned(), Precondition::Any))
        .collect();
    for write in writes {
        write.wait().unwrap();
    }
    let files = read_files(directory.path());
    let place = Place::new(&files);
    let (name, bytes) = files.last_key_value().unwrap();
    let frames = format::frames(bytes);
    let together = frames.windows(2).filter(|pair| pair[0].synced == pair[1].synced).count();
    assert!(together > 0, "some were written together");
    for frame in &frames {
        let mut damaged = files.clone();
        damaged.get_mut(name).unwrap()[frame.range.start + 50] ^= 1;
        agree(&place, &damaged, &format!("{name}, {frame:?}"));
    }
}

/// The checkpoint proves what its segment had: cut before that, it is no torn tail.
#[test]
fn commits_that_the_checkpoint_proves_are_missed() {
    let (place, _) = overlapping();
    let mut files = read_files(&place.data());
    let checkpoint = verify(&place.data()).checkpoint.unwrap();
    let name = segment_name(checkpoint.segment);
    let frames = format::frames(&files[&name]);
    let proven = frames.iter().filter(|frame| frame.revision <= checkpoint.revision).count();
    assert!(proven > 0);
    // Without what comes after it, as if nothing had.
    files.retain(|other, _| *other <= name);
    let whole = files[&name].clone();
    for frame in &frames[..(proven + 2).min(frames.len())] {
        files.insert(name.clone(), whole[..frame.range.start].to_vec());
        agree(&place, &files, &format!("cut at {}", frame.range.start));
    }
    files.insert(name.clone(), whole[..frames[0].range.start].to_vec());
    write_files(&place.data(), &files);
    assert!(!verify(&place.data()).is_sound());
}

/// Two lives of one store, from a copy on, have segments of the same number.
#[test]
fn a_segment_of_another_life_does_not_continue_a_checkpoint() {
    let past = Past::new(Shape::Segments, false);
    let [one, other] = ["one", "other"].map(|life| {
        let place = Place::new(&past.files);
        let store = builder().open(place.data()).unwrap();
        store.put(life, String::new()).unwrap();
        store.compact().unwrap();
        store.put(life, String::new()).unwrap();
        store.close().unwrap();
        read_files(&place.data())
    });
    let place = Place::new(&one);
    assert!(verify(&place.data()).is_sound());
    let mixed = |from_other: &dyn Fn(&str) -> bool| -> Files {
        let pick = |(name, bytes): (&String, &Vec<u8>)| {
            let bytes = if from_other(name) { &other[name] } else { bytes };
            (name.clone(), bytes.clone())
        };
        one.iter().map(pick).collect()
    };
    for suffix in ["segment", "checkpoint"] {
        let files = mixed(&|name| name.ends_with(suffix));
        assert!(files != one && files != other);
        agree(&place, &files, suffix);
        assert!(!verify(&place.data()).is_sound());
    }
}

#[test]
fn a_mark_that_names_another_segment_is_damage() {
    let past = Past::new(Shape::Segments, true);
    let mut files = past.files.clone();
    let bytes = files.get_mut(&segment_name(1)).unwrap();
    let start = format::end(bytes);
    let (header, payload) = bytes[start..].split_at_mut(format::FRAME_HEADER);
    assert_eq!((header[4], payload[0]), (4, 2), "the mark that segment 2 follows");
    payload[0] = 3;
    header[40..44].copy_from_slice(&crc32c::crc32c(&payload[..16]).to_le_bytes());
    format::seal(header);
    let place = Place::new(&files);
    agree(&place, &files, "forged");
    assert!(!verify(&place.data()).is_sound());
}

/// Whatever else is done to a log: a store opens on it only if it is sound, and is refused only if it is not.
#[test]
fn it_says_what_opening_says_of_any_damage() {
    let mut random = Random(from_env("IFMATCH_SEED", 1));
    let pasts = SHAPES.map(|shape| [true, false].map(|clean| Past::new(shape, clean)));
    let place = Place::new(&Files::new());
    for case in 0..from_env("IFMATCH_CASES", 400) {
        let past = random.pick(random_pair(&pasts, case));
        let mut files = past.files.clone();
        let mut what = Vec::new();
        for _ in 0..=random.below(3) {
            what.push(damage(&mut files, &mut random));
        }
        write_files(&place.data(), &files);
        let found = maintenance::verify(place.data(), &mut |_| {});
        let opened = builder().open(place.data());
        let case = format!("case {case}, {what:?}: {found:?}, {:?}", opened.as_ref().err());
        match (found, opened) {
            (Ok(found), Ok(store)) => {
                assert!(found.is_sound(), "{case}");
                assert!(found.next_revision() > store.revision().get(), "{case}");
            }
            (Ok(found), Err(OpenError::Decode { .. })) => assert!(found.is_sound(), "{case}"),
            // Another codec in all headers is no damage.
            (Ok(_), Err(OpenError::OtherCodec { .. })) => {}
            (Ok(found), Err(_)) => assert!(!found.is_sound(), "{case}"),
            (Err(MaintenanceError::NewerFormat { .. }), Err(_)) => {}
            // Nothing is left: a store would begin anew.
            (Err(MaintenanceError::NoLog { .. }), Ok(_)) => assert!(files.is_empty(), "{case}"),
            (Err(error), _) => panic!("{case}: {error}"),
        }
    }
}

fn random_pair(pasts: &[[Past; 2]; 2], case: u64) -> &[Past; 2] {
    &pasts[usize::try_from(case % 2).unwrap()]
}

/// Does something to the files, and says what.
fn damage(files: &mut Files, random: &mut Random) -> String {
    let names: Vec<String> = files.keys().cloned().collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let name = random.pick(&names).clone();
    let bytes = files.get_mut(&name).unwrap();
    let at = usize::try_from(random.below(format::at(bytes.len()))).unwrap();
    match random.below(6) {
        0 => {
            let len = usize::try_from(random.below(600)).unwrap().min(bytes.len() - at);
            bytes[at..at + len].fill(0);
            format!("{len} zeros at {at} of {name}")
        }
        1 => {
            bytes.truncate(at);
            format!("{name} cut at {at}")
        }
        2 => {
            let other = random.pick(&names).clone();
            let (one, two) = (files[&name].clone(), files[&other].clone());
            files.insert(name.clone(), two);
            files.insert(other.clone(), one);
            format!("{name} and {other} swapped")
        }
        3 => {
            files.remove(&name);
            format!("{name} removed")
        }
        4 => {
            // A header that was forged: its checksum holds.
            let frames = format::frames(bytes);
            let range = match random.below(3) {
                0 => 0..format::SEGMENT_HEADER,
                _ if frames.is_empty() => 0..format::SEGMENT_HEADER,
                _ => {
                    let start = random.pick(&frames).range.start;
                    start..start + format::FRAME_HEADER
                }
            };
            let Some(header) = bytes.get_mut(range.clone()) else { return "nothing".to_owned() };
            let field = usize::try_from(random.below(format::at(header.len() - 4))).unwrap();
            header[field] = header[field].wrapping_add(1 + random.next().to_le_bytes()[0] % 3);
            format::seal(header);
            format!("byte {field} of the header at {} of {name} forged", range.start)
        }
        _ => {
            bytes[at] ^= 1 << random.below(8);
            format!("a bit of byte {at} of {name}")
        }
    }
}

#[test]
fn it_goes_on_at_damage_and_finds_the_next() {
    for shape in SHAPES {
        let past = Past::new(shape, true);
        let place = Place::new(&past.files);
        let mut files = past.files.clone();
        let mut expected = Vec::new();
        for (name, bytes) in files.iter_mut().filter(|(name, _)| name.ends_with("segment")) {
            let frames = format::frames(bytes);
            // Of each file two frames, not neighbours: one in its header, one in its payload.
            for (at, index) in [(20, 1), (format::FRAME_HEADER, frames.len() - 3)] {
                let range = frames[index].range.clone();
                bytes[range.start + at] ^= 1;
                let revision = (at > 20 && frames[index].kind == Kind::Commit)
                    .then_some(frames[index].revision);
                expected.push((name.clone(), format::at(range.start), range.len(), revision));
            }
        }
        write_files(&place.data(), &files);
        let found = verify(&place.data());
        let damage: Vec<_> = found
            .damage
            .iter()
            .map(|damage| {
                let bytes = usize::try_from(damage.bytes).unwrap();
                (damage.file.clone(), damage.offset, bytes, damage.revision)
            })
            .collect();
        assert_eq!(damage, expected, "{shape:?}");
    }
}

#[test]
fn a_segment_whose_header_is_lost_is_read_all_the_same() {
    for shape in SHAPES {
        let past = Past::new(shape, true);
        let place = Place::new(&past.files);
        let commits = verify(&place.data()).commits;
        for name in past.files.keys().filter(|name| name.ends_with("segment")) {
            let mut files = past.files.clone();
            files.get_mut(name).unwrap()[20] ^= 1;
            write_files(&place.data(), &files);
            let found = verify(&place.data());
            let [damage] = &found.damage[..] else { panic!("{shape:?}, {name}: {found:?}") };
            assert_eq!((&damage.file, damage.offset), (name, 0), "{shape:?}");
            assert_eq!(damage.bytes, format::at(format::SEGMENT_HEADER), "{shape:?}, {name}");
            assert_eq!(found.commits, commits, "{shape:?}, {name}");
        }
    }
}

/// What follows is space that was set aside, and never used.
#[test]
fn what_is_lost_at_the_end_of_a_segment_is_lost_up_to_where_the_next_one_says_that_it_ends() {
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let mut files = past.files.clone();
    let bytes = files.get_mut(&segment_name(1)).unwrap();
    let last = format::frames(bytes).pop().unwrap().range;
    bytes[last.start + format::FRAME_HEADER] ^= 1;
    // The mark that the segment is continued was not written either.
    bytes.truncate(last.end);
    bytes.resize(last.end + 4096, 0);
    write_files(&place.data(), &files);
    let found = verify(&place.data());
    let [damage] = &found.damage[..] else { panic!("{found:?}") };
    assert_eq!((&damage.file, damage.offset), (&segment_name(1), format::at(last.start)));
    assert_eq!(damage.bytes, format::at(last.len()));
}

#[test]
fn a_checkpoint_is_read_past_damage_too() {
    let past = {
        let directory = scratch();
        let store = builder().open(directory.path()).unwrap();
        for number in 0..3_000 {
            store.put(format!("{number:05}"), "v".repeat(80)).unwrap();
        }
        store.compact().unwrap();
        store.close().unwrap();
        read_files(directory.path())
    };
    let place = Place::new(&past);
    let whole = verify(&place.data()).checkpoint.unwrap();
    assert_eq!(whole.entries, 3_000);
    let mut files = past.clone();
    let bytes = files.get_mut(&whole.file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write_files(&place.data(), &files);
    let found = verify(&place.data());
    let [damage] = &found.damage[..] else { panic!("{found:?}") };
    assert_eq!(damage.file, whole.file);
    assert!(damage.offset <= format::at(middle), "{damage:?}");
    assert!(format::at(middle) < damage.offset + damage.bytes, "{damage:?}");
    assert!((64 << 10..80 << 10).contains(&damage.bytes), "one block: {damage:?}");
    let entries = found.checkpoint.as_ref().unwrap().entries;
    assert!((2_000..3_000).contains(&entries), "{entries}");
    assert_eq!(found.whole_to, None, "a checkpoint is one whole");
}

#[test]
fn foreign_and_left_over_files_are_named() {
    let past = Past::new(Shape::Checkpoint, true);
    let place = Place::new(&past.files);
    let mut files = past.files.clone();
    files.insert("00000000000000000099.segment.new".to_owned(), vec![1]);
    files.insert(segment_name(1), vec![2]);
    write_files(&place.data(), &files);
    let found = verify(&place.data());
    assert!(found.is_sound(), "{found:?}");
    let mut left_over = found.left_over.clone();
    left_over.sort();
    assert_eq!(left_over, [segment_name(1), "00000000000000000099.segment.new".to_owned()]);

    files.insert("notes.txt".to_owned(), vec![3]);
    write_files(&place.data(), &files);
    let found = verify(&place.data());
    assert_eq!(found.foreign, ["notes.txt"]);
    assert!(!found.is_sound());
}

#[test]
fn a_newer_format_is_refused_and_not_called_damage() {
    let past = Past::new(Shape::Segments, true);
    let mut files = past.files.clone();
    let header = &mut files.get_mut(&segment_name(1)).unwrap()[..format::SEGMENT_HEADER];
    header[8] = 99;
    format::seal(header);
    let place = Place::new(&files);
    let found = maintenance::verify(place.data(), &mut |_| {});
    assert!(
        matches!(found, Err(MaintenanceError::NewerFormat { found: 99, supported: 2, .. })),
        "{found:?}"
    );
}

/// What is being written, rotated and compacted meanwhile is no damage.
#[test]
fn a_store_that_writes_and_compacts_is_sound_all_the_time() {
    let directory = scratch();
    let store: Store<String, String> =
        builder().compact_after(4096).open(directory.path()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let _done = Raises(done);
                let mut number = 0_u64;
                while !done.load(Ordering::Acquire) {
                    number += 1;
                    store.put(format!("{writer}/{}", number % 50), "v".repeat(99)).unwrap();
                    if number.is_multiple_of(500) {
                        let _one_is_under_way = store.compact();
                    }
                }
            });
        }
        let _done = Raises(&done);
        let (mut newest, mut round) = (0, 0);
        // However slow the disk is, much has been written in the end; a writer that fails ends it.
        while (round < from_env("IFMATCH_ROUNDS", 150) || newest <= 1000)
            && !done.load(Ordering::Acquire)
        {
            let shown = store.revision().get();
            let found = verify(directory.path());
            assert!(found.is_sound(), "round {round}: {found:?}");
            assert!(found.newest >= shown, "round {round}: {found:?}");
            newest = newest.max(found.newest);
            round += 1;
        }
    });
}

#[test]
fn progress_comes_to_its_end() {
    let past = Past::new(Shape::Checkpoint, true);
    let place = Place::new(&past.files);
    let mut seen = Vec::new();
    let found = maintenance::verify(place.data(), &mut |progress| seen.push(progress)).unwrap();
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    let last = seen.last().unwrap();
    assert_eq!((last.done, last.total), (found.bytes, found.bytes));
}

/// Before anything of it is read: that would take as much memory.
#[test]
fn a_file_that_is_larger_than_a_segment_can_be_is_damage() {
    const MAX_LEN: u64 = 2 << 30;
    let past = Past::new(Shape::Segments, true);
    let place = Place::new(&past.files);
    let first = segment_name(1);
    let file = std::fs::OpenOptions::new().write(true).open(place.data().join(&first)).unwrap();
    // It has a hole, and takes no space.
    file.set_len(MAX_LEN + 1).unwrap();
    let found = verify(&place.data());
    let damage = &found.damage[0];
    assert_eq!((&damage.file, damage.offset, damage.bytes), (&first, 0, MAX_LEN + 1), "{damage}");
    assert_eq!(opened(&place), Err((first, 0)));
}
