//! One stored value with its revisions, shared between the store and its readers.
//!
//! Value and revisions live in one block behind one count. A [`Versioned`] never changes once it is
//! installed; a writer builds the next one as a [`Draft`], before it takes any lock.

use std::fmt;
use std::hint::black_box;
use std::ops::Deref;

use triomphe::{Arc, UniqueArc};

use crate::revision::Revision;

/// A value as it was stored by one commit, with the revisions that belong to it.
///
/// It dereferences to the value. Cloning it costs one atomic increment and never clones the value;
/// it stays valid however the store goes on.
///
/// ```
/// let store: ifmatch::Store<String, Vec<u8>> = ifmatch::Store::new();
/// let revision = store.put("key", b"value".to_vec())?;
/// let entry = store.get("key").expect("was put");
/// assert_eq!(entry.len(), 5); // Vec::len, by Deref
/// assert_eq!(entry.revision(), revision);
/// assert_eq!(entry.created_revision(), revision);
/// assert_eq!(entry.write_count(), 1);
/// # Ok::<(), ifmatch::WriteError<String, Vec<u8>>>(())
/// ```
pub struct Versioned<V>(Arc<Version<V>>);

struct Version<V> {
    revision: Revision,
    created: Revision,
    write_count: u64,
    value: V,
}

impl<V> Versioned<V> {
    /// For backends of your own: an entry that was read elsewhere.
    pub fn new(value: V, revision: Revision, created: Revision, write_count: u64) -> Self {
        Self(Arc::new(Version { revision, created, write_count, value }))
    }

    /// The revision of the commit that wrote this value (etcd: `mod_revision`).
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.0.revision
    }

    /// The revision of the commit that created the key (etcd: `create_revision`).
    #[must_use]
    pub fn created_revision(&self) -> Revision {
        self.0.created
    }

    /// How many writes the key has seen since it was created, the creation included (etcd: `version`).
    #[must_use]
    pub fn write_count(&self) -> u64 {
        self.0.write_count
    }

    /// The value; the same as dereferencing.
    #[must_use]
    pub fn value(&self) -> &V {
        &self.0.value
    }

    /// The value, moved out if nobody else holds it, else cloned.
    #[must_use]
    pub fn into_value(self) -> V
    where
        V: Clone,
    {
        Arc::unwrap_or_clone(self.0).value
    }

    /// Reads the count that [`drop`] is going to change, so that it is in a cache by then.
    pub(crate) fn touch(&self) {
        black_box(Arc::is_unique(&self.0));
    }
}

impl<V> Clone for Versioned<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: Clone> Clone for Version<V> {
    fn clone(&self) -> Self {
        Self {
            revision: self.revision,
            created: self.created,
            write_count: self.write_count,
            value: self.value.clone(),
        }
    }
}

impl<V> Deref for Versioned<V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.value()
    }
}

impl<V: fmt::Debug> fmt::Debug for Versioned<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Versioned")
            .field("revision", &self.revision())
            .field("created_revision", &self.created_revision())
            .field("write_count", &self.write_count())
            .field("value", self.value())
            .finish()
    }
}

/// Two entries are equal if their revisions, counts and values are.
impl<V: PartialEq> PartialEq for Versioned<V> {
    fn eq(&self, other: &Self) -> bool {
        self.revision() == other.revision()
            && self.created_revision() == other.created_revision()
            && self.write_count() == other.write_count()
            && self.value() == other.value()
    }
}

impl<V: Eq> Eq for Versioned<V> {}

/// A value on its way in: allocated, owned by the writer alone, its revisions not yet known.
pub(crate) struct Draft<V>(UniqueArc<Version<V>>);

impl<V> Draft<V> {
    pub(crate) fn new(value: V) -> Self {
        Self(UniqueArc::new(Version {
            revision: Revision::MIN,
            created: Revision::MIN,
            write_count: 1,
            value,
        }))
    }

    pub(crate) fn value(&self) -> &V {
        &self.0.value
    }

    pub(crate) fn into_value(self) -> V {
        UniqueArc::into_inner(self.0).value
    }

    /// Gives the draft its revision: as the first version of a key, or as `previous`'s successor.
    /// Neither allocates nor fails, because it runs inside the sequencer.
    pub(crate) fn seal(
        mut self,
        revision: Revision,
        previous: Option<&Versioned<V>>,
    ) -> Versioned<V> {
        let (created, write_count) = match previous {
            None => (revision, 1),
            Some(previous) => {
                // A commit is one write, also if a log that was not written by us has a key in it twice.
                let more = u64::from(previous.revision() < revision);
                (previous.created_revision(), previous.write_count() + more)
            }
        };
        debug_assert!(created <= revision, "a key is created before it is overwritten");
        self.0.revision = revision;
        self.0.created = created;
        self.0.write_count = write_count;
        Versioned(self.0.shareable())
    }
}
