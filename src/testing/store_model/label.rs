//! What is asked and answered in a few words, as a timeline shows it.

use std::fmt::{self, Debug, Formatter};

use super::operation::{Entry, Failing, StoreOperation, StoreOutcome};
use crate::precondition::Precondition;
use crate::txn::Requirement;

/// In a few words: `put "a" = 7 if at 3`.
impl<K: Debug, V: Debug> Debug for StoreOperation<K, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(key) => write!(f, "get {key:?}"),
            Self::Contains(key) => write!(f, "contains {key:?}"),
            Self::Put { key, value, precondition } => {
                write!(f, "put {key:?} = {value:?}")?;
                required(f, " if", *precondition)
            }
            Self::Delete { key, precondition } => {
                write!(f, "delete {key:?}")?;
                required(f, " if", *precondition)
            }
            Self::Update(key) => write!(f, "update {key:?}"),
            Self::Commit { requirements, changes } => {
                f.write_str("commit ")?;
                changed(f, changes)?;
                for (number, requirement) in requirements.iter().enumerate() {
                    f.write_str(if number == 0 { " if " } else { " and " })?;
                    match requirement {
                        Requirement::Key(key, precondition) => {
                            write!(f, "{key:?}")?;
                            required(f, "", *precondition)?;
                        }
                        Requirement::NoneIn(range) => write!(f, "nothing in {range:?}")?,
                        Requirement::UnchangedIn(range, since) => {
                            write!(f, "{range:?} unchanged since {since}")?;
                        }
                    }
                }
                Ok(())
            }
            Self::Transact => f.write_str("transact"),
            Self::Scan(range) => write!(f, "scan {range:?}"),
            Self::Watch { range, since } => write!(f, "watch {range:?} since {since}"),
            Self::Len => f.write_str("len"),
            Self::Revision => f.write_str("revision"),
            Self::Reopen => f.write_str("reopen"),
        }
    }
}

/// In a few words: `7 at 5`.
impl<K: Debug, V: Debug> Debug for StoreOutcome<K, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(None) => f.write_str("nothing"),
            Self::Read(Some(entry)) => short(f, entry),
            Self::Contained(true) => f.write_str("something"),
            Self::Contained(false) => f.write_str("nothing"),
            Self::Written { revision, created_revision, write_count } => {
                write!(f, "at {revision}")?;
                created_revision.map_or(Ok(()), |created| write!(f, ", created at {created}"))?;
                write_count.map_or(Ok(()), |count| write!(f, ", write {count}"))
            }
            Self::Deleted(None) => f.write_str("nothing was there"),
            Self::Deleted(Some((revision, previous))) => {
                write!(f, "at {revision}, was ")?;
                short(f, previous)
            }
            Self::Updated { read, value, revision } => {
                match read {
                    Some(read) => write!(f, "read {read:?}")?,
                    None => f.write_str("read nothing")?,
                }
                write!(f, ", wrote {value:?} at {revision}")
            }
            Self::Committed(revision) | Self::Revision(revision) => write!(f, "at {revision}"),
            Self::Transacted { reads, changes, revision } => {
                f.write_str("read ")?;
                entries(f, reads.iter().flat_map(|read| &read.entries))?;
                f.write_str(", wrote ")?;
                changed(f, changes)?;
                write!(f, " at {revision}")
            }
            Self::Conflicts(failing) => {
                f.write_str("lost: ")?;
                listed(f, failing, |f, Failing { key, current, .. }| match current {
                    None => write!(f, "{key:?} is not there"),
                    Some(entry) => {
                        write!(f, "{key:?} is ")?;
                        short(f, entry)
                    }
                })
            }
            Self::Scanned { revision, entries: found } => {
                entries(f, found)?;
                revision.map_or(Ok(()), |revision| write!(f, " at {revision}"))
            }
            Self::Counted { revision, keys } => {
                write!(f, "{keys}")?;
                revision.map_or(Ok(()), |revision| write!(f, " at {revision}"))
            }
            Self::Watched { revision, changes } => {
                listed(f, changes, |f, (key, entry)| match entry {
                    Some(Entry { value, .. }) => write!(f, "{key:?} = {value:?}"),
                    None => write!(f, "delete {key:?}"),
                })?;
                write!(f, " at {revision}")
            }
        }
    }
}

fn required(f: &mut Formatter<'_>, before: &str, precondition: Precondition) -> fmt::Result {
    match precondition {
        Precondition::Any => Ok(()),
        Precondition::Absent => write!(f, "{before} absent"),
        Precondition::Present => write!(f, "{before} present"),
        Precondition::Revision(revision) => write!(f, "{before} at {revision}"),
    }
}

fn short<V: Debug>(f: &mut Formatter<'_>, Entry { value, revision, .. }: &Entry<V>) -> fmt::Result {
    write!(f, "{value:?} at {revision}")
}

fn changed<K: Debug, V: Debug>(f: &mut Formatter<'_>, changes: &[(K, Option<V>)]) -> fmt::Result {
    if changes.is_empty() {
        return f.write_str("nothing");
    }
    listed(f, changes, |f, (key, value)| match value {
        Some(value) => write!(f, "{key:?} = {value:?}"),
        None => write!(f, "delete {key:?}"),
    })
}

fn entries<'a, K: Debug + 'a, V: Debug + 'a>(
    f: &mut Formatter<'_>,
    entries: impl IntoIterator<Item = &'a (K, Entry<V>)>,
) -> fmt::Result {
    f.write_str("[")?;
    listed(f, entries, |f, (key, entry)| {
        write!(f, "{key:?}: ")?;
        short(f, entry)
    })?;
    f.write_str("]")
}

fn listed<T>(
    f: &mut Formatter<'_>,
    all: impl IntoIterator<Item = T>,
    mut show: impl FnMut(&mut Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (number, one) in all.into_iter().enumerate() {
        if number > 0 {
            f.write_str(", ")?;
        }
        show(f, one)?;
    }
    Ok(())
}
