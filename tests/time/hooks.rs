//! Keys and values whose user code does something once, the next time that it runs.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering as Atomically};

use ifmatch::{AsKey, AsPrefix, KeyRange};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When user code runs. Not among them are `Hash`, `Eq` and `Ord` of the key, which run under locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    CloneOfKey,
    DropOfKey,
    EncodingOfKey,
    DecodingOfKey,
    /// A borrowed name becomes a key.
    NamingOfKey,
    CloneOfValue,
    DropOfValue,
    EncodingOfValue,
    DecodingOfValue,
}

/// What is to happen the next time that user code numbered so runs. It happens once.
static HOOKS: Mutex<Option<HashMap<(Moment, u64), Hook>>> = Mutex::new(None);

type Hook = Box<dyn FnOnce() + Send>;

/// A number that nobody else has.
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    NEXT.fetch_add(1, Atomically::Relaxed)
}

pub(crate) fn on(moment: Moment, id: u64, hook: impl FnOnce() + Send + 'static) {
    HOOKS.lock().unwrap().get_or_insert_default().insert((moment, id), Box::new(hook));
}

fn run(moment: Moment, id: u64) {
    let hook = HOOKS.lock().unwrap().as_mut().and_then(|hooks| hooks.remove(&(moment, id)));
    if let Some(hook) = hook {
        hook();
    }
}

#[derive(Debug)]
pub(crate) struct Key(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Value(pub(crate) u64);

/// A borrowed name of a key.
#[derive(Clone, Copy)]
pub(crate) struct Name(pub(crate) u64);

/// All keys from this number on, up to the hundredth after it.
#[derive(Clone, Copy)]
pub(crate) struct Hundred(pub(crate) u64);

impl Clone for Key {
    fn clone(&self) -> Self {
        run(Moment::CloneOfKey, self.0);
        Self(self.0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        run(Moment::DropOfKey, self.0);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl AsKey<Key> for Name {
    fn hash_key<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
    fn cmp_key(&self, key: &Key) -> Ordering {
        self.0.cmp(&key.0)
    }
    fn into_key(self) -> Key {
        run(Moment::NamingOfKey, self.0);
        Key(self.0)
    }
}

impl AsPrefix<Key> for Hundred {
    fn into_range(self) -> KeyRange<Key> {
        KeyRange::new(Bound::Included(Key(self.0)), Bound::Excluded(Key(self.0 + 100)))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        run(Moment::EncodingOfKey, self.0);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = u64::deserialize(deserializer)?;
        run(Moment::DecodingOfKey, key);
        Ok(Self(key))
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        run(Moment::CloneOfValue, self.0);
        Self(self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        run(Moment::DropOfValue, self.0);
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        run(Moment::EncodingOfValue, self.0);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        run(Moment::DecodingOfValue, value);
        Ok(Self(value))
    }
}
