//! A repair says what is lost before it does anything, keeps the original, and what it makes is a prefix.

use ifmatch::maintenance::{self, DEFAULT_BUMP, MaintenanceError, Repair};

use crate::common::format::{self, Kind, segment_name};
use crate::common::{Files, read_files, write_files};
use crate::past::{Past, Place, SHAPES, Shape, builder, names, state, verify};

/// Flips a bit in the payload, or in the header, of each of these frames of a segment, one at a time; the frame.
fn flipped(files: &Files, segment: &str, index: usize, at: usize) -> (Files, format::Frame) {
    let mut files = files.clone();
    let bytes = files.get_mut(segment).unwrap();
    let frame = format::frames(bytes)[index].clone();
    bytes[frame.range.start + at] ^= 4;
    (files, frame)
}

#[test]
fn what_is_lost_is_named_exactly_and_the_rest_is_kept() {
    for shape in SHAPES {
        for clean in [true, false] {
            let past = Past::new(shape, clean);
            for (name, bytes) in past.files.iter().filter(|(name, _)| name.ends_with("segment")) {
                let frames = format::frames(bytes);
                for (index, at) in [(0, 30), (frames.len() / 2, format::FRAME_HEADER + 2)] {
                    if frames[index].kind != Kind::Commit {
                        continue;
                    }
                    let case = format!("{shape:?}, clean: {clean}, {name}, frame {index}");
                    let (files, frame) = flipped(&past.files, name, index, at);
                    repair(&past, &files, (name, &frame), &case);
                }
            }
        }
    }
}

fn repair(past: &Past, files: &Files, (name, frame): (&str, &format::Frame), case: &str) {
    let place = Place::new(files);
    let plan = Repair::plan(place.data(), &mut |_| {}).unwrap();
    assert_eq!(read_files(&place.data()), *files, "{case}: planning changes nothing");

    let found = plan.inspection().clone();
    let [damage] = &found.damage[..] else { panic!("{case}: {found:?}") };
    assert_eq!((&*damage.file, damage.offset), (name, format::at(frame.range.start)), "{case}");
    let kept = found.whole_to.unwrap();
    let before = past.states.range(..frame.revision).next_back().map_or(1, |(newest, _)| *newest);
    let covered = found.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.revision);
    assert_eq!(kept, before.max(covered), "{case}");
    let beyond = past.revisions_after(frame.revision);
    assert_eq!(found.beyond.commits, format::at(beyond.len()), "{case}");
    assert_eq!(found.beyond.first, beyond.first().copied(), "{case}");
    assert_eq!(found.beyond.last, beyond.last().copied(), "{case}");
    assert_eq!(plan.keys(), format::at(past.at(kept).len()), "{case}");

    let repaired = plan.apply(DEFAULT_BUMP, &mut |_| {}).unwrap();
    assert_eq!(repaired.store.revision, kept, "{case}");
    assert!(repaired.store.next_revision > past.newest() + DEFAULT_BUMP, "{case}");
    assert_eq!(read_files(&repaired.original), *files, "{case}: byte for byte");
    let aside = repaired.original.file_name().unwrap().to_str().unwrap();
    assert!(aside.starts_with("data.damaged-"), "{case}: {aside}");
    assert_eq!(place.names(), ["data", aside], "{case}: and nothing else");

    let store = builder().open(place.data()).unwrap();
    assert_eq!(state(&store), past.at(kept), "{case}");
    assert_eq!(store.identity(), repaired.store.identity, "{case}");
    assert_ne!(store.identity(), found.identity, "{case}");
    let written = store.put("new", String::new()).unwrap().get();
    assert_eq!(written, repaired.store.next_revision, "{case}");
}

#[test]
fn a_missing_segment_ends_what_is_kept() {
    let past = Past::new(Shape::Segments, true);
    let mut files = past.files.clone();
    files.remove(&segment_name(2)).unwrap();
    let place = Place::new(&files);
    let plan = Repair::plan(place.data(), &mut |_| {}).unwrap();
    let first = &past.files[&segment_name(1)];
    let kept = format::frames(first).iter().map(|frame| frame.revision).max().unwrap();
    assert_eq!(plan.inspection().whole_to, Some(kept));
    plan.apply(0, &mut |_| {}).unwrap();
    assert_eq!(state(&builder().open(place.data()).unwrap()), past.at(kept));
}

#[test]
fn revisions_go_above_everything_that_was_seen_anywhere() {
    let past = Past::new(Shape::Segments, false);
    let (files, _) = flipped(&past.files, &segment_name(1), 0, 20);
    let place = Place::new(&files);
    let floor = verify(&place.data()).floor;
    assert!(floor > past.newest());
    let plan = Repair::plan(place.data(), &mut |_| {}).unwrap();
    // Nothing but the reservation of an empty log is before it.
    let repaired = plan.apply(0, &mut |_| {}).unwrap();
    assert_eq!(repaired.store.next_revision, floor + 1);
    assert_eq!(repaired.store.keys, 0);
}

#[test]
fn what_is_sound_is_left_alone() {
    for shape in SHAPES {
        let past = Past::new(shape, false);
        let place = Place::new(&past.files);
        let error = Repair::plan(place.data(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, MaintenanceError::NothingToRepair { .. }), "{error}");
        // Neither does a file of somebody else become damage.
        std::fs::write(place.data().join("notes.txt"), "mine").unwrap();
        let error = Repair::plan(place.data(), &mut |_| {}).unwrap_err();
        assert!(matches!(&error, MaintenanceError::Damaged(found) if found.damage.is_empty()));
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }
}

#[test]
fn without_a_whole_checkpoint_nothing_is_whole_and_what_can_be_read_is_said() {
    let past = Past::new(Shape::Checkpoint, true);
    let name = past.files.keys().find(|name| name.ends_with("checkpoint")).unwrap().clone();
    let mut files = past.files.clone();
    files.get_mut(&name).unwrap()[300] ^= 1;
    let place = Place::new(&files);
    let error = Repair::plan(place.data(), &mut |_| {}).unwrap_err();
    let commits = verify(&place.data()).commits;
    assert!(commits > 0);
    assert!(
        matches!(error, MaintenanceError::NothingWhole { entries: 0, commits: c } if c == commits),
        "{error}"
    );
    assert_eq!(read_files(&place.data()), files);
}

/// A checkpoint of several blocks, and commits after it.
fn large() -> Past {
    let directory = crate::common::scratch();
    let store = builder().open(directory.path()).unwrap();
    for number in 0..3_000 {
        store.put(format!("{number:05}"), "v".repeat(80)).unwrap();
    }
    store.compact().unwrap();
    let mut states = std::collections::BTreeMap::new();
    for number in 0..30 {
        let revision = store.put(format!("{:05}", number * 100), "new".to_owned()).unwrap();
        states.insert(revision.get(), state(&store));
    }
    store.close().unwrap();
    Past { files: read_files(directory.path()), states }
}

#[test]
fn without_the_entries_that_are_lost_everything_else_is_kept_if_that_is_asked_for() {
    let past = large();
    let name = past.files.keys().find(|name| name.ends_with("checkpoint")).unwrap().clone();
    let mut files = past.files.clone();
    let bytes = files.get_mut(&name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let place = Place::new(&files);
    let error = Repair::plan(place.data(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::NothingWhole { commits: 30, .. }), "{error}");

    let plan = Repair::plan_without_lost_entries(place.data(), &mut |_| {}).unwrap();
    let checkpoint = plan.inspection().checkpoint.clone().unwrap();
    let lost = checkpoint.lost_entries.unwrap();
    assert_eq!(checkpoint.entries + lost, 3_000);
    assert_eq!(plan.revision(), past.newest());
    let keys = plan.keys();
    plan.apply(0, &mut |_| {}).unwrap();
    let found = state(&builder().open(place.data()).unwrap());
    assert_eq!(format::at(found.len()), keys);
    let whole = past.at(past.newest());
    // What is there is right, but for how often it was written if that was in a lost block.
    let mut missing = Vec::new();
    for (key, entry) in &whole {
        match found.get(key) {
            Some(kept) => assert_eq!((kept.0, &kept.3), (entry.0, &entry.3), "{key}"),
            None => missing.push(key.clone()),
        }
    }
    assert!(found.keys().all(|key| whole.contains_key(key)));
    // Neighbours, as a block has them, without those that were written since.
    let first = missing.first().unwrap().parse::<u64>().unwrap();
    let last = missing.last().unwrap().parse::<u64>().unwrap();
    let written_since = (first..=last).filter(|number| number % 100 == 0).count();
    assert_eq!(last - first + 1, format::at(missing.len() + written_since));
    assert!(lost >= format::at(missing.len()), "{lost}");
}

#[test]
fn only_lost_entries_can_be_done_without() {
    let past = large();
    let name = past.files.keys().find(|name| name.ends_with("checkpoint")).unwrap().clone();
    let segment = past.files.keys().rfind(|name| name.ends_with("segment")).unwrap().clone();
    let middle = past.files[&name].len() / 2;
    let cases: [&[(&str, usize)]; 3] =
        [&[(&name, 40)], &[(&name, middle), (&segment, 400)], &[(&segment, 400)]];
    for flips in cases {
        let mut files = past.files.clone();
        for (file, at) in flips {
            files.get_mut(*file).unwrap()[*at] ^= 1;
        }
        let place = Place::new(&files);
        let plan = Repair::plan_without_lost_entries(place.data(), &mut |_| {});
        assert!(matches!(plan, Err(MaintenanceError::NothingWhole { .. })), "{flips:?}: {plan:?}");
        assert_eq!(read_files(&place.data()), files);
    }
}

#[test]
fn it_does_not_repair_what_is_in_use_or_has_changed() {
    let past = Past::new(Shape::Segments, true);
    let (files, _) = flipped(&past.files, &segment_name(2), 1, 60);
    let place = Place::new(&past.files);
    let store = builder().open(place.data()).unwrap();
    // The disk goes bad under a running store.
    write_files_under(&place, &files);
    let plan = Repair::plan(place.data(), &mut |_| {}).unwrap();
    let error = plan.apply(0, &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::Locked { .. }), "{error}");
    drop(store);

    write_files(&place.data(), &files);
    let plan = Repair::plan(place.data(), &mut |_| {}).unwrap();
    let (others, _) = flipped(&files, &segment_name(3), 1, 60);
    write_files(&place.data(), &others);
    let error = plan.apply(0, &mut |_| {}).unwrap_err();
    assert!(matches!(error, MaintenanceError::Changed { .. }), "{error}");
    assert_eq!(read_files(&place.data()), others);
    assert_eq!(place.names(), ["data"]);
    assert_eq!(names(&place.data()).len(), others.len() + 1, "a lock file");
    assert!(maintenance::verify(place.data(), &mut |_| {}).is_ok());
}

/// Writes the files over those that are there, which stay the same files.
fn write_files_under(place: &Place, files: &Files) {
    for (name, bytes) in files {
        std::fs::write(place.data().join(name), bytes).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn through_a_link_the_directory_itself_is_repaired() {
    let past = Past::new(Shape::Segments, true);
    let mut files = past.files.clone();
    let (_, bytes) = files.iter_mut().next().unwrap();
    bytes[format::SEGMENT_HEADER + 60] ^= 1;
    let place = Place::new(&files);
    std::os::unix::fs::symlink(place.data(), place.path("link")).unwrap();
    let plan = Repair::plan(place.path("link"), &mut |_| {}).unwrap();
    plan.apply(DEFAULT_BUMP, &mut |_| {}).unwrap();
    assert!(std::fs::symlink_metadata(place.path("link")).unwrap().is_symlink());
    assert!(std::fs::symlink_metadata(place.data()).unwrap().is_dir());
    assert!(builder().open(place.path("link")).unwrap().recovery().unwrap().checkpoint.is_some());
}
