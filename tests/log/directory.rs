//! The directory: whose it is, what may be in it, and when it is free again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ifmatch::{OpenError, Store};

use crate::common::{read_files, scratch, within};
use crate::history::{Stop, open};

/// Set for the child that [`a_directory_open_in_another_process_is_locked_until_that_ends`] starts.
const HOLD: &str = "IFMATCH_TEST_HOLD";

#[test]
fn a_directory_open_in_this_process_is_locked() {
    let directory = scratch();
    let store = open(directory.path()).unwrap();
    let other_handle = store.clone();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { path } if path == directory.path()), "{error}");
    drop(store);
    assert!(
        matches!(open(directory.path()).unwrap_err(), OpenError::Locked { .. }),
        "a handle is left"
    );
    other_handle.put(1, vec![1]).unwrap();
    drop(other_handle);
    assert_eq!(*open(directory.path()).unwrap().get(1).unwrap(), [1]);
}

#[test]
fn a_directory_open_in_another_process_is_locked_until_that_ends() {
    let directory = scratch();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["directory::holder", "--exact", "--nocapture"])
        .env(HOLD, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("held")), "the child did not open the store");
    let files = read_files(directory.path());
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert_eq!(read_files(directory.path()), files);
    child.kill().unwrap();
    child.wait().unwrap();
    let store = open(directory.path()).unwrap();
    assert_eq!(*store.get(1).unwrap(), [1]);
    assert!(!store.recovery().unwrap().clean);
}

#[test]
fn holder() {
    let Some(directory) = std::env::var_os(HOLD) else { return };
    let store = open(directory.as_ref()).unwrap();
    store.put(1, vec![1]).unwrap();
    println!("\nheld");
    loop {
        thread::park();
    }
}

#[test]
fn a_directory_is_free_the_moment_its_store_is_closed_or_dropped() {
    within(60, || {
        let directory = scratch();
        for round in 0..300_u64 {
            let store = open(directory.path()).unwrap();
            let value = round.to_le_bytes().to_vec();
            store.put(1, value.clone()).unwrap();
            match round % 3 {
                0 => drop(store),
                1 => store.close().unwrap(),
                _ => {
                    // A future that was polled leaves the log's threads at work.
                    crate::common::block_on(store.submit_put_if(
                        1,
                        value,
                        ifmatch::Precondition::Any,
                    ))
                    .unwrap();
                    drop(store);
                }
            }
        }
        assert_eq!(*open(directory.path()).unwrap().get(1).unwrap(), 299_u64.to_le_bytes());
    });
}

/// A process that is being started has, for a moment, a copy of every open file of its parent, and with it of the
/// lock.
#[test]
fn a_directory_is_free_at_once_though_processes_are_being_started() {
    within(60, || {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let program = std::env::current_exe().unwrap();
                while !done.load(Ordering::Relaxed) {
                    let child = Command::new(&program).arg("--help").stdout(Stdio::null()).spawn();
                    child.unwrap().wait().unwrap();
                }
            });
            let directory = scratch();
            for round in 0..400 {
                let opened = open(directory.path()).map(|store| store.close());
                if let Err(error) = opened {
                    done.store(true, Ordering::Relaxed);
                    panic!("round {round}: {error}");
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn an_open_that_failed_lets_the_directory_go() {
    let history = crate::history::History::new(5, 10, Stop::Clean);
    let directory = scratch();
    crate::common::write_files(directory.path(), &history.files);
    let foreign = directory.path().join("notes.txt");
    for _ in 0..20 {
        fs::write(&foreign, "mine").unwrap();
        open(directory.path()).unwrap_err();
        fs::remove_file(&foreign).unwrap();
        open(directory.path()).unwrap();
    }
}

#[test]
fn a_foreign_file_is_named_and_nothing_is_touched() {
    for name in
        ["notes.txt", ".hidden", "1.segment", "LOCK2", "0000000000000000001.segment", "käse"]
    {
        for populated in [false, true] {
            let directory = scratch();
            if populated {
                open(directory.path()).unwrap().put(1, vec![1]).unwrap();
            }
            let foreign = directory.path().join(name);
            fs::write(&foreign, "mine").unwrap();
            let files = read_files(directory.path());
            let entries = fs::read_dir(directory.path()).unwrap().count();
            let error = open(directory.path()).unwrap_err();
            assert!(
                matches!(&error, OpenError::ForeignFile { path } if *path == foreign),
                "{error}"
            );
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(read_files(directory.path()), files, "{name}");
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), entries, "{name}");
        }
    }
}

#[test]
fn lost_and_found_is_tolerated() {
    let directory = scratch();
    fs::create_dir(directory.path().join("lost+found")).unwrap();
    open(directory.path()).unwrap().put(1, vec![1]).unwrap();
    assert_eq!(open(directory.path()).unwrap().len(), 1);
    assert!(directory.path().join("lost+found").is_dir());
}

#[test]
fn a_directory_is_made_with_its_parents() {
    let directory = scratch();
    let path = directory.path().join("a/b/c");
    open(&path).unwrap().put(1, vec![1]).unwrap();
    assert_eq!(open(&path).unwrap().len(), 1);
}

#[test]
fn a_path_that_is_a_file_is_an_error_and_the_file_stays() {
    let directory = scratch();
    let path = directory.path().join("file");
    fs::write(&path, "mine").unwrap();
    for path in [path.clone(), path.join("below")] {
        let error = open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_segment_that_is_a_directory_is_an_error() {
    let directory = scratch();
    fs::create_dir(directory.path().join("00000000000000000001.segment")).unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    use std::os::unix::fs::PermissionsExt;

    let directory = scratch();
    let path = directory.path().join("data");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(path.join("probe"), "").is_ok() {
        // The superuser writes where he likes.
        return;
    }
    let error = open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_store_keeps_its_identity_and_a_new_one_has_another() {
    let (one, other) = (scratch(), scratch());
    let identity = open(one.path()).unwrap().identity();
    for _ in 0..3 {
        assert_eq!(open(one.path()).unwrap().identity(), identity);
    }
    assert_ne!(open(other.path()).unwrap().identity(), identity);
    assert_ne!(Store::<u8, u8>::new().identity(), identity);
}
