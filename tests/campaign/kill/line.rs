//! What a child says, a line at a time: what it is about to do, and all that it was told.

use std::fmt::{self, Display};
use std::str::FromStr;

/// Names one write of all rounds. Its values name it, so that whatever is found says who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) round: u64,
    pub(crate) thread: u64,
    pub(crate) number: u64,
}

impl Id {
    /// What this write puts: its name, and something to fill segments with, which the name determines.
    pub(crate) fn value(self) -> String {
        let filling = (self.round * 31 + self.thread * 97 + self.number * 7919) % 400;
        let letter = char::from(b'a' + u8::try_from(self.number % 26).expect("it is a letter"));
        format!("{self}.{}", letter.to_string().repeat(usize::try_from(filling).expect("it fits")))
    }

    /// The write that put exactly this.
    pub(crate) fn of(value: &str) -> Result<Self, String> {
        let name = value.rsplit_once('.').and_then(|(name, _)| name.parse::<Self>().ok());
        name.filter(|id| id.value() == value).ok_or_else(|| format!("nobody writes {value:?}"))
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.round, self.thread, self.number)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(round)), Some(Ok(thread)), Some(Ok(number)), None) => {
                Ok(Self { round, thread, number })
            }
            _ => Err(()),
        }
    }
}

/// An entry as it was told or found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) revision: u64,
    pub(crate) created: u64,
    pub(crate) writes: u64,
    pub(crate) id: Id,
}

impl Entry {
    pub(crate) fn of(key: u64, entry: &ifmatch::Versioned<String>) -> Result<Self, String> {
        Ok(Self {
            key,
            revision: entry.revision().get(),
            created: entry.created_revision().get(),
            writes: entry.write_count(),
            id: Id::of(entry.value())?,
        })
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, revision, created, writes, id } = self;
        write!(f, "{key}:{revision}:{created}:{writes}:{id}")
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut fields = text.splitn(5, ':');
        let mut number = || fields.next().and_then(|field| field.parse().ok()).ok_or(());
        let (key, revision, created, writes) = (number()?, number()?, number()?, number()?);
        let id = fields.next().ok_or(())?.parse()?;
        Ok(Self { key, revision, created, writes, id })
    }
}

/// A key, and whether it is put or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    pub(crate) key: u64,
    pub(crate) puts: bool,
}

impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.puts { '+' } else { '-' }, self.key)
    }
}

impl FromStr for Change {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let key = text.get(1..).and_then(|key| key.parse().ok()).ok_or(())?;
        match text.chars().next() {
            Some('+') => Ok(Self { key, puts: true }),
            Some('-') => Ok(Self { key, puts: false }),
            _ => Err(()),
        }
    }
}

/// What an event of a watch says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Put(Entry),
    Delete(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Opening,
    Opened {
        revision: u64,
    },
    /// This write is about to be made.
    Intent(Id, Vec<Change>),
    Acknowledged(Id, u64),
    /// This write was refused, or there was nothing to do: it is not to be seen, ever.
    Void(Id),
    /// What a read or a conflict showed.
    Read(Entry),
    Snapshot(u64, Vec<Entry>),
    /// A watch begins after this revision.
    Watching {
        since: u64,
        resumed: bool,
    },
    Commit(u64, Vec<Event>),
    Compacted,
    Closing,
    Closed,
    /// Something was told that nobody wrote.
    Nonsense(String),
}

fn list(f: &mut fmt::Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    items.iter().try_for_each(|item| write!(f, " {item}"))
}

impl Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(entry) => entry.fmt(f),
            Self::Delete(key) => write!(f, "-{key}"),
        }
    }
}

impl FromStr for Event {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix('-') {
            Some(key) => key.parse().map(Self::Delete).map_err(|_| ()),
            None => text.parse().map(Self::Put),
        }
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => write!(f, "opening"),
            Self::Opened { revision } => write!(f, "opened {revision}"),
            Self::Intent(id, changes) => {
                write!(f, "intent {id}")?;
                list(f, changes)
            }
            Self::Acknowledged(id, revision) => write!(f, "acknowledged {id} {revision}"),
            Self::Void(id) => write!(f, "void {id}"),
            Self::Read(entry) => write!(f, "read {entry}"),
            Self::Snapshot(revision, entries) => {
                write!(f, "snapshot {revision}")?;
                list(f, entries)
            }
            Self::Watching { since, resumed } => write!(f, "watching {since} {resumed}"),
            Self::Commit(revision, events) => {
                write!(f, "commit {revision}")?;
                list(f, events)
            }
            Self::Compacted => write!(f, "compacted"),
            Self::Closing => write!(f, "closing"),
            Self::Closed => write!(f, "closed"),
            Self::Nonsense(what) => write!(f, "nonsense {}", what.replace('\n', " ")),
        }
    }
}

impl FromStr for Line {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        fn one<T: FromStr>(word: Option<&str>) -> Result<T, ()> {
            word.and_then(|word| word.parse().ok()).ok_or(())
        }
        let mut words = text.split(' ');
        let kind = words.next();
        let line = match kind.unwrap_or_default() {
            "opening" => Self::Opening,
            "opened" => Self::Opened { revision: one(words.next())? },
            "intent" => Self::Intent(one(words.next())?, all(words)?),
            "acknowledged" => Self::Acknowledged(one(words.next())?, one(words.next())?),
            "void" => Self::Void(one(words.next())?),
            "read" => Self::Read(one(words.next())?),
            "snapshot" => Self::Snapshot(one(words.next())?, all(words)?),
            "watching" => Self::Watching { since: one(words.next())?, resumed: one(words.next())? },
            "commit" => Self::Commit(one(words.next())?, all(words)?),
            "compacted" => Self::Compacted,
            "closing" => Self::Closing,
            "closed" => Self::Closed,
            "nonsense" => Self::Nonsense(text.to_owned()),
            _ => return Err(()),
        };
        Ok(line)
    }
}

fn all<'a, T: FromStr>(words: impl Iterator<Item = &'a str>) -> Result<Vec<T>, ()> {
    words.map(|word| word.parse().map_err(|_| ())).collect()
}
