//! Keys of several types, named owned or borrowed.

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ifmatch::{AsKey, Precondition, Reason, Store, WriteError};

use crate::common::scratch;

/// Every operation, through a borrowed name, finds what was stored under the owned key, and the other way round.
fn agree<K, Q>(case: &str, owned: K, borrowed: impl Fn() -> Q)
where
    K: Clone + Hash + Ord + Debug,
    Q: AsKey<K>,
{
    let store = Store::<K, u8>::new();
    let first = store.create(owned.clone(), 1).unwrap();
    assert_eq!(store.get(borrowed()).unwrap().revision(), first, "{case}");
    assert!(store.contains(borrowed()), "{case}");
    let conflict = store.create(borrowed(), 2).unwrap_err().into_conflict().unwrap();
    assert_eq!(*conflict.key(), owned, "{case}");
    let second = store.put_if(borrowed(), 2, first).unwrap();
    assert_eq!(store.get(&owned).unwrap().revision(), second, "{case}");
    store.update(borrowed(), |current| current.unwrap() + 1).unwrap();
    assert_eq!(*store.get_or_create(borrowed(), || unreachable!()).unwrap(), 3, "{case}");
    store.submit_put_if(borrowed(), 4, Precondition::Present).wait().unwrap();
    assert_eq!(*store.delete(borrowed()).unwrap().unwrap().into_previous(), 4, "{case}");
    assert!(!store.contains(&owned), "{case}");
    store.put(borrowed(), 5).unwrap();
    assert_eq!(*store.get(owned.clone()).unwrap(), 5, "{case}");
    assert!(store.submit_delete_if(borrowed(), Precondition::Any).wait().unwrap().is_some());
    assert_eq!(store.len(), 0, "{case}");
}

#[test]
fn a_key_is_the_same_owned_and_borrowed() {
    agree("&str for String", String::from("käse"), || "käse");
    agree("&String for String", String::from("a"), || {
        let leaked: &'static String = Box::leak(Box::new(String::from("a")));
        leaked
    });
    agree("String for String", String::from("a"), || String::from("a"));
    agree::<Box<str>, &str>("&str for Box<str>", "a".into(), || "a");
    agree::<Arc<str>, &str>("&str for Arc<str>", "a".into(), || "a");
    agree::<Vec<u8>, &[u8]>("&[u8] for Vec<u8>", vec![0, 255], || &[0, 255][..]);
    agree::<Vec<u8>, &[u8; 3]>("&[u8; 3] for Vec<u8>", b"abc".to_vec(), || b"abc");
    agree::<Box<[u8]>, &[u8]>("&[u8] for Box<[u8]>", b"abc"[..].into(), || &b"abc"[..]);
    agree::<Arc<[u8]>, &[u8]>("&[u8] for Arc<[u8]>", b"abc"[..].into(), || &b"abc"[..]);
    agree("&Path for PathBuf", PathBuf::from("a/b"), || Path::new("a/b"));
    agree("&OsStr for OsString", OsString::from("a"), || OsStr::new("a"));
    agree("a number", 7_u64, || 7_u64);
    agree("a tuple", (7_u32, String::from("a")), || (7_u32, String::from("a")));
    agree("the unit", (), || ());
    agree::<&str, &str>("a borrowed key type", "static", || "static");
}

#[test]
fn neighbours_are_not_mixed_up() {
    let store = Store::<Vec<u8>, usize>::new();
    let keys: Vec<Vec<u8>> =
        (0..64).map(|length| vec![0; length]).chain((1..=255).map(|byte| vec![byte])).collect();
    for (index, key) in keys.iter().enumerate() {
        store.create(key, index).unwrap();
    }
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(*store.get(key.as_slice()).unwrap(), index);
    }
}

/// Hashes nothing, so that all keys look the same.
#[derive(Clone, Copy)]
struct Same;

impl BuildHasher for Same {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self
    }
}

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        7
    }
}

#[test]
fn keys_that_a_hasher_of_ones_own_cannot_tell_apart_are_not_mixed_up() {
    let directory = scratch();
    let builder = || Store::<u64, u64>::builder().max_keys(100).hasher(Same);
    for store in [builder().build(), builder().open(directory.path()).unwrap()] {
        for key in 0..100 {
            store.create(key, 2 * key).unwrap();
        }
        let Err(WriteError::Refused(refused)) = store.create(100, 0) else {
            panic!("what was set before the hasher is lost")
        };
        assert!(matches!(refused.reason(), Reason::TooManyKeys { max: 100 }));
        for key in (0..100).step_by(2) {
            assert_eq!(*store.delete(key).unwrap().unwrap().into_previous(), 2 * key);
        }
        for key in 0..100 {
            assert_eq!(store.get(key).map(|entry| *entry), (key % 2 == 1).then_some(2 * key));
        }
    }
    assert_eq!(builder().open(directory.path()).unwrap().len(), 50);
}
