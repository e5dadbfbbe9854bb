//! A copy of a store's log, while it goes on.

use std::hash::{BuildHasher, Hash};
use std::path::Path;

use crate::maintenance::{BackedUp, MaintenanceError, OnProgress, backup_of};

use super::Store;

impl<K, V, S> Store<K, V, S>
where
    K: Clone + Hash + Ord,
    S: BuildHasher,
{
    /// Copies the log to `destination`, which does not exist or is empty, on this thread; reads, writes and compactions go
    /// on meanwhile. The copy is one consistent state, with all that was acknowledged before, and is to be
    /// [restored](crate::maintenance::restore()), not opened: see [`maintenance::backup`](crate::maintenance::backup()), which does the same
    /// from outside.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    /// use ifmatch::Store;
    ///
    /// let store: Store<String, u32> = Store::builder().open(&data)?;
    /// let revision = store.put("key", 7)?;
    /// assert_eq!(store.backup(&copy, &mut |_| {})?.revision, revision.get());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`MaintenanceError`]; of the copy nothing is left then. Of a store in memory there is no log.
    pub fn backup(
        &self,
        destination: impl AsRef<Path>,
        progress: &mut OnProgress<'_>,
    ) -> Result<BackedUp, MaintenanceError> {
        match &self.inner.journal {
            None => Err(MaintenanceError::InMemory),
            Some(journal) => backup_of(&*journal.log.directory(), destination.as_ref(), progress),
        }
    }
}
