//! What a disk promises never breaks, and what it threatens happens.

use std::collections::BTreeSet;
use std::sync::mpsc;

use super::{Call, Disk, Fault};
use crate::storage::{Directory as _, File, read_all, write_all_at};
use crate::sync::{Arc, thread};

const SECTOR: usize = super::content::SECTOR;
const SEEDS: u64 = 400;

const WORKS: &str = "nothing is planned to go wrong";

/// A disk on which the directory exists durably, and is empty.
fn made() -> Disk {
    let disk = Disk::new();
    disk.create().expect(WORKS);
    disk.sync_parents().expect(WORKS);
    disk
}

/// And a file with a durable name and this content.
fn with_file(content: &[u8]) -> (Disk, Box<dyn File>) {
    let disk = made();
    let file = disk.create_file("file").expect(WORKS);
    write_all_at(&*file, content, 0).expect(WORKS);
    file.sync().expect(WORKS);
    disk.sync().expect(WORKS);
    (disk, file)
}

fn after_power_cuts(disk: &Disk) -> impl Iterator<Item = Disk> {
    (0..SEEDS).map(|seed| disk.after_power_cut(seed))
}

/// What the file may be found to be.
fn contents(disk: &Disk) -> BTreeSet<Vec<u8>> {
    after_power_cuts(disk).map(|cut| cut.files().remove("file").expect("it is durable")).collect()
}

fn names(disk: &Disk) -> Vec<String> {
    disk.files().into_keys().collect()
}

#[test]
fn what_is_synced_is_never_lost() {
    let (disk, file) = with_file(&[1; 3000]);
    assert_eq!(contents(&disk), BTreeSet::from([vec![1; 3000]]));
    file.write_at(&[2; 100], 1000).unwrap();
    file.sync().unwrap();
    let mut expected = vec![1; 3000];
    expected[1000..1100].fill(2);
    assert_eq!(contents(&disk), BTreeSet::from([expected.clone()]));
    assert_eq!(disk.as_synced().files()["file"], expected);
    // Nor is it by what is written elsewhere.
    file.write_at(&[3; 10], 2900).unwrap();
    assert!(contents(&disk).iter().all(|content| content[..2560] == expected[..2560]));
}

#[test]
fn of_what_is_not_synced_any_part_survives() {
    let (disk, file) = with_file(&[1; 4 * SECTOR]);
    file.write_at(&[2; 3 * SECTOR], 0).unwrap();
    let found = contents(&disk);
    let whole = |content: &Vec<u8>| {
        content.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0]))
    };
    let sectors: BTreeSet<Vec<u8>> = found
        .iter()
        .filter(|content| whole(content))
        .map(|content| content.chunks(SECTOR).map(|sector| sector[0]).collect())
        .collect();
    assert_eq!(sectors.len(), 8, "each subset of three sectors: {sectors:?}");
    assert!(sectors.iter().all(|sectors| sectors[3] == 1), "this one was not written");
    assert_eq!(disk.as_synced().files()["file"], vec![1; 4 * SECTOR]);
}

#[test]
fn all_or_nothing_of_many_sectors_survives_often_enough() {
    let (disk, file) = with_file(&[1; 100 * SECTOR]);
    file.write_at(&[2; 100 * SECTOR], 0).unwrap();
    let found = contents(&disk);
    for value in [1, 2] {
        assert!(found.contains(&vec![value; 100 * SECTOR]), "{value}");
    }
}

#[test]
fn at_most_one_sector_is_torn() {
    let (disk, file) = with_file(&[1; 4 * SECTOR]);
    file.write_at(&[2; 4 * SECTOR], 0).unwrap();
    let mut torn_somewhere = 0;
    for content in contents(&disk) {
        let torn = |sector: &&[u8]| sector.contains(&1) && sector.contains(&2);
        let torn: Vec<_> = content.chunks(SECTOR).filter(torn).collect();
        assert!(torn.len() <= 1);
        for sector in &torn {
            let changes = sector.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert_eq!(changes, 1, "one part is old and one new");
        }
        torn_somewhere += torn.len();
    }
    assert!(torn_somewhere > 10);
}

#[test]
fn a_sector_survives_as_it_was_at_any_time_since_the_sync() {
    let (disk, file) = with_file(&[1; SECTOR]);
    for value in 2..5 {
        file.write_at(&[value; SECTOR], 0).unwrap();
    }
    let found = contents(&disk);
    for value in 1..5 {
        assert!(found.contains(&vec![value; SECTOR]), "{value}");
    }
}

/// As the end of a log does that is not synced: each commit writes it anew.
#[test]
fn a_sector_that_is_written_often_survives_at_any_of_its_last_contents() {
    let (disk, file) = with_file(&[1; SECTOR]);
    for content in 2..=19 {
        file.write_at(&[content; SECTOR], 0).unwrap();
    }
    let cuts = (0..10 * SEEDS).map(|seed| disk.after_power_cut(seed).files()["file"].clone());
    let found: BTreeSet<u8> = cuts
        .filter(|content| content.iter().all(|byte| *byte == content[0]))
        .map(|content| content[0])
        .collect();
    let expected: BTreeSet<u8> = [1].into_iter().chain(3..=19).collect();
    assert_eq!(found, expected, "as it is durable, and the last 17");
}

#[test]
fn the_length_may_be_ahead_of_the_data_or_behind() {
    let (disk, file) = with_file(&[1; SECTOR]);
    file.write_at(&[2; 2 * SECTOR], 512).unwrap();
    let found = contents(&disk);
    let lens: BTreeSet<_> = found.iter().map(Vec::len).collect();
    assert_eq!((lens.first(), lens.last()), (Some(&SECTOR), Some(&(3 * SECTOR))));
    assert!(lens.len() > 10, "and between");
    let hole = |content: &Vec<u8>| {
        content.len() == 3 * SECTOR && content[SECTOR..].iter().all(|byte| *byte == 0)
    };
    assert!(found.iter().any(hole));
    assert!(found.iter().all(|content| content[..SECTOR] == [1; SECTOR]));
}

#[test]
fn where_the_data_is_not_there_a_removed_file_may_show() {
    let (disk, file) = with_file(&[]);
    let old = disk.create_file("old").unwrap();
    old.write_at(&[7; 8 * SECTOR], 0).unwrap();
    disk.remove("old").unwrap();
    file.write_at(&[2; 4 * SECTOR], 0).unwrap();
    let found = contents(&disk);
    assert!(found.iter().any(|content| content.contains(&7)));
    assert!(found.iter().any(|content| content.contains(&0)));
    file.sync().unwrap();
    assert_eq!(contents(&disk), BTreeSet::from([vec![2; 4 * SECTOR]]));
}

#[test]
fn a_cut_that_is_not_synced_may_be_lost() {
    let (disk, file) = with_file(&[1; 4 * SECTOR]);
    file.set_len(512).unwrap();
    let found = contents(&disk);
    assert!(found.contains(&vec![1; 4 * SECTOR]) && found.contains(&vec![1; SECTOR]));
    assert!(found.iter().all(|content| content.len() >= SECTOR));
    file.sync().unwrap();
    assert_eq!(contents(&disk), BTreeSet::from([vec![1; SECTOR]]));
}

#[test]
fn names_are_durable_when_the_directory_is_synced() {
    let (disk, _file) = with_file(&[1]);
    disk.create_file("new").unwrap().write_at(&[2], 0).unwrap();
    disk.rename("file", "renamed").unwrap();
    let found: BTreeSet<_> = after_power_cuts(&disk).map(|cut| names(&cut)).collect();
    for expected in [&["file"][..], &["renamed"], &["file", "renamed"], &["new"], &[]] {
        assert!(
            found.contains(&expected.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()),
            "{expected:?}"
        );
    }
    let kept = |cut: Disk| cut.files().remove("renamed").is_none_or(|content| content == [1]);
    assert!(after_power_cuts(&disk).all(kept), "its content is durable under either name");
    assert_eq!(names(&disk.as_synced()), ["file"]);
    disk.sync().unwrap();
    let found: BTreeSet<_> = after_power_cuts(&disk).map(|cut| names(&cut)).collect();
    assert_eq!(found, BTreeSet::from([vec!["new".to_owned(), "renamed".to_owned()]]));
    disk.remove("new").unwrap();
    let found: BTreeSet<_> = after_power_cuts(&disk).map(|cut| names(&cut).len()).collect();
    assert_eq!(found, BTreeSet::from([1, 2]));
}

/// Both names of a renamed file are of one file.
#[test]
fn a_file_with_two_names_is_one_file() {
    let (disk, _file) = with_file(&[1]);
    disk.rename("file", "renamed").unwrap();
    let both = after_power_cuts(&disk).find(|cut| names(cut).len() == 2).unwrap();
    both.open_file("file").unwrap().write_at(&[9], 0).unwrap();
    assert_eq!(both.files()["renamed"], [9]);
}

#[test]
fn a_directory_that_is_not_synced_into_its_parent_may_be_gone() {
    let disk = Disk::new();
    disk.create().unwrap();
    disk.create_file("file").unwrap();
    disk.sync().unwrap();
    let there = |cut: &Disk| cut.list().is_ok();
    let found: BTreeSet<_> = after_power_cuts(&disk).map(|cut| there(&cut)).collect();
    assert_eq!(found, BTreeSet::from([false, true]));
    assert!(!there(&disk.as_synced()));
    disk.sync_parents().unwrap();
    assert!(after_power_cuts(&disk).all(|cut| names(&cut) == ["file"]));
}

#[test]
fn a_kill_loses_nothing_and_makes_nothing_durable() {
    let (disk, file) = with_file(&[1; SECTOR]);
    let lock = disk.lock("LOCK").unwrap();
    file.write_at(&[2; SECTOR], 0).unwrap();
    disk.create_file("new").unwrap();
    let next = disk.after_kill(7);
    assert_eq!(next.files(), disk.files());
    let _relocked = next.lock("LOCK").expect("the lock went with its process");
    assert_eq!(disk.lock("LOCK").unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(contents(&next).len(), contents(&disk).len());
    assert_eq!(names(&next.as_synced()), ["file"]);
    next.open_file("file").unwrap().write_at(&[3; SECTOR], 0).unwrap();
    assert_eq!(disk.files()["file"], [2; SECTOR], "the old process's disk is another");
    drop(lock);
    let _relocked = disk.lock("LOCK").unwrap();
}

/// "Can Applications Recover from fsync Failures?" (Rebello et al., USENIX ATC 2020).
#[test]
fn after_a_failed_sync_only_writing_again_helps() {
    let mut lost = 0;
    let mut kept = 0;
    let mut dropped = 0;
    for seed in 0..50 {
        let (disk, file) = with_file(&[1; 4 * SECTOR]);
        let disk = disk.with_seed(seed);
        file.write_at(&[2; 4 * SECTOR], 0).unwrap();
        disk.fail_every(Call::Sync, Fault::Io);
        file.sync().unwrap_err();
        disk.clear_faults();
        file.sync().expect("and nothing is said of what the first one lost");
        assert_eq!(read_all(&*file).unwrap(), [2; 4 * SECTOR], "it reads as it was written");
        let synced = disk.as_synced().files().remove("file").unwrap();
        kept += usize::from(synced.contains(&2));
        lost += usize::from(synced.contains(&1));
        let reread = disk.after_kill(seed).files().remove("file").unwrap();
        for ((read, synced), written) in reread.iter().zip(&synced).zip([2; 4 * SECTOR]) {
            assert!(*read == *synced || *read == written);
        }
        dropped += usize::from(reread != [2; 4 * SECTOR]);
        file.write_at(&[2; 4 * SECTOR], 0).unwrap();
        assert_eq!(disk.after_kill(seed).files()["file"], [2; 4 * SECTOR], "it is dirty again");
        file.sync().unwrap();
        assert_eq!(disk.as_synced().files()["file"], [2; 4 * SECTOR]);
    }
    assert!(lost > 10 && kept > 10 && dropped > 5, "{lost} {kept} {dropped}");
}

#[test]
fn caches_can_be_dropped_where_they_are() {
    let (disk, file) = with_file(&[1; SECTOR]);
    file.write_at(&[2; SECTOR], 0).unwrap();
    (0..50).for_each(|seed| disk.drop_caches(seed));
    assert_eq!(read_all(&*file).unwrap(), [2; SECTOR], "it is dirty");
    disk.fail_every(Call::Sync, Fault::NoSpace);
    while disk.as_synced().files()["file"] == [2; SECTOR] {
        file.write_at(&[2; SECTOR], 0).unwrap();
        file.sync().unwrap_err();
    }
    file.sync().unwrap_err();
    (0..50).for_each(|seed| disk.drop_caches(seed));
    assert_eq!(read_all(&*file).unwrap(), disk.as_synced().files()["file"]);
}

#[test]
fn a_failed_sync_of_the_directory_leaves_names_open() {
    let found: BTreeSet<_> = (0..50)
        .map(|seed| {
            let disk = made().with_seed(seed);
            disk.create_file("a").unwrap();
            disk.create_file("b").unwrap();
            disk.fail_every(Call::SyncDirectory, Fault::Io);
            disk.sync().unwrap_err();
            let found = names(&disk.as_synced());
            disk.clear_faults();
            disk.sync().unwrap();
            assert_eq!(names(&disk.as_synced()).len(), 2);
            found.len()
        })
        .collect();
    assert_eq!(found, BTreeSet::from([0, 1, 2]));
}

/// Makes one such call, and tells whether it succeeded and what is there.
fn one_call(disk: &Disk, file: &dyn File, call: Call) -> (bool, String) {
    let before = disk.calls();
    let outcome = match call {
        Call::Create => disk.create(),
        Call::SyncParents => disk.sync_parents(),
        Call::List => disk.list().map(drop),
        Call::Lock => disk.lock("LOCK").map(drop),
        Call::CreateFile => disk.create_file("new").map(drop),
        Call::OpenFile => disk.open_file("file").map(drop),
        Call::Len => file.len().map(drop),
        Call::Read => file.read_at(&mut [0; 100], 0).map(drop),
        Call::Write => file.write_at(&[2; 100], 0).map(drop),
        Call::SetLen => file.set_len(7),
        Call::Sync => file.sync(),
        Call::Rename => disk.rename("file", "renamed"),
        Call::Remove => disk.remove("file"),
        Call::SyncDirectory => disk.sync(),
    };
    assert_eq!(disk.calls(), before + 1, "{call:?} is one call");
    (outcome.is_ok(), format!("{:?} {:?}", disk.files(), disk.as_synced().files()))
}

#[test]
fn every_kind_of_call_fails_by_number_and_by_kind() {
    for call in Call::ALL {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.applies_to(call)) {
            let mut outcomes = BTreeSet::new();
            for seed in 0..40 {
                let [by_kind, by_number] = [false, true].map(|by_number| {
                    let disk = Disk::with_files([("file", vec![1; 100])]).with_seed(seed);
                    let file = disk.open_file("file").unwrap();
                    file.write_at(&[3; 100], 0).unwrap();
                    disk.create_file("another").unwrap();
                    if by_number {
                        disk.fail_at(disk.calls(), fault);
                    } else {
                        disk.fail_every(call, fault);
                    }
                    one_call(&disk, &*file, call)
                });
                assert_eq!(by_kind, by_number, "{call:?} {fault:?}");
                assert_eq!(by_kind.0, fault == Fault::Short, "{call:?} {fault:?}");
                outcomes.insert(by_kind.1);
            }
            let changes = [
                Call::CreateFile,
                Call::Write,
                Call::SetLen,
                Call::Sync,
                Call::Rename,
                Call::Remove,
                Call::SyncDirectory,
            ];
            let open = changes.contains(&call) && fault != Fault::Interrupted;
            assert_eq!(outcomes.len() > 1, open, "{call:?} {fault:?}: {}", outcomes.len());
        }
    }
}

#[test]
fn faults_that_cannot_happen_to_a_call_do_nothing() {
    let disk = made();
    disk.fail_every(Call::List, Fault::Short);
    disk.list().unwrap();
    let faults =
        |call| Fault::ALL.into_iter().filter(|fault: &Fault| fault.applies_to(call)).count();
    assert_eq!(Call::ALL.map(faults), [2, 2, 1, 2, 2, 1, 1, 3, 4, 2, 2, 2, 2, 2]);
}

#[test]
fn transfers_are_short_and_interrupted_and_come_to_an_end() {
    let disk = made();
    disk.set_short_transfers(7);
    let file = disk.create_file("file").unwrap();
    let bytes: Vec<u8> = (0..=255).collect();
    write_all_at(&*file, &bytes, 0).unwrap();
    assert_eq!(read_all(&*file).unwrap(), bytes);
    assert!(disk.calls() > 4 * 256 / 7);
}

#[test]
fn a_full_disk_takes_what_fits() {
    let (disk, file) = with_file(&[1; 100]);
    disk.set_capacity(Some(150));
    assert_eq!(file.write_at(&[2; 100], 80).unwrap(), 70);
    let full = file.write_at(&[2; 1], 150).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.write_at(&[3; 100], 0).unwrap(), 100, "what is there can be overwritten");
    file.set_len(200).unwrap_err();
    disk.set_capacity(None);
    file.set_len(200).unwrap();
    assert_eq!(disk.used(), 200);
}

#[test]
fn a_halted_disk_stays_as_it_was() {
    let (disk, file) = with_file(&[1; 100]);
    disk.halt_at(disk.calls() + 1);
    file.write_at(&[2; 100], 0).unwrap();
    let calls = disk.calls();
    file.write_at(&[3; 100], 0).unwrap_err();
    file.sync().unwrap_err();
    disk.remove("file").unwrap_err();
    assert_eq!((disk.files()["file"].clone(), disk.calls()), (vec![2; 100], calls));
    let next = disk.after_kill(0);
    next.open_file("file").unwrap().write_at(&[3; 100], 0).unwrap();
}

#[test]
fn an_observer_sees_each_call_before_it_is_made() {
    let disk = made();
    let (tell, told) = mpsc::channel();
    disk.on_call(move |disk, step| tell.send((step.to_string(), disk.files().len())).unwrap());
    disk.fail_at(disk.calls() + 1, Fault::NoSpace);
    let file = disk.create_file("file").unwrap();
    file.write_at(&[1], 0).unwrap_err();
    disk.rename("file", "new").unwrap();
    let told: Vec<_> = told.try_iter().collect();
    let expected =
        [("2: CreateFile file", 0), ("3: Write file, NoSpace", 1), ("4: Rename file", 1)];
    assert_eq!(told, expected.map(|(step, files)| (step.to_owned(), files)));
    // It may put an end to it.
    disk.on_call(|disk, step| {
        assert_eq!((step.call, step.file), (Call::Len, "new"), "the name that it has now");
        disk.halt();
    });
    file.len().unwrap_err();
    assert!(disk.is_halted());
    disk.remove("new").unwrap_err();
    assert_eq!(names(&disk), ["new"]);
}

#[test]
fn held_syncs_begin_when_they_are_released() {
    let (disk, file) = with_file(&[1]);
    file.write_at(&[2], 0).unwrap();
    disk.hold_syncs();
    let syncing = thread::spawn(move || file.sync().unwrap());
    disk.wait_for_held_sync();
    assert_eq!(disk.as_synced().files()["file"], [1]);
    disk.release_syncs();
    syncing.join().unwrap();
    assert_eq!(disk.as_synced().files()["file"], [2]);
}

#[test]
fn files_can_be_looked_at_put_in_and_taken_out() {
    let disk = Disk::with_files([("a", vec![1]), ("b", vec![2])]);
    disk.insert("a", vec![3]);
    disk.insert("c", vec![4]);
    disk.take_out("b");
    let expected = [("a".to_owned(), vec![3]), ("c".to_owned(), vec![4])];
    assert!(after_power_cuts(&disk).all(|cut| cut.files().into_iter().eq(expected.clone())));
}

/// The same seed and the same calls: the same disk; and other seeds are others.
#[test]
fn a_seed_repeats() {
    let run = |seed| {
        let (disk, file) = with_file(&[1; 3000]);
        let disk = disk.with_seed(seed);
        disk.fail_every(Call::Write, Fault::Io);
        file.write_at(&[2; 2000], 500).unwrap_err();
        disk.fail_every(Call::Sync, Fault::Io);
        file.sync().unwrap_err();
        (disk.after_power_cut(seed).files(), disk.after_kill(seed).files())
    };
    let runs: BTreeSet<_> = (0..20).map(run).collect();
    assert_eq!(runs, (0..20).map(run).collect());
    assert!(runs.len() > 10);
}

/// A campaign takes an image at every call.
#[test]
fn an_image_shares_what_is_durable() {
    let (disk, _file) = with_file(&[1; 3000]);
    let cut = disk.after_power_cut(1);
    let of = |disk: &Disk| {
        let mut state = disk.shared.state.lock();
        let file = state.find("file").unwrap();
        Arc::clone(state.content(file).live())
    };
    assert!(!Arc::ptr_eq(&of(&disk), &of(&cut)), "live and durable are two");
    assert!(Arc::ptr_eq(&of(&cut), &of(&cut.after_power_cut(2))));
}
