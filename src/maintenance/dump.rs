//! Showing all that a log has.

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use crate::log::{Found, InspectError, Inspection, Operation, Place, Stopped, Visitor, inspect};
use crate::storage::Files;

use super::{Encoded, MaintenanceError};

/// What of a log is to be shown.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    past_damage: bool,
    key: Option<Key>,
    since: u64,
}

#[derive(Clone, Debug)]
struct Key {
    text: String,
    /// What it is if it is hexadecimal.
    bytes: Option<Vec<u8>>,
}

impl DumpOptions {
    /// Also what comes after damage: it is whole by itself, but what it was written on top of is not.
    #[must_use]
    pub fn past_damage(mut self, past_damage: bool) -> Self {
        self.past_damage = past_damage;
        self
    }

    /// Only what is written to this key: its text, or `0x` and all of its bytes in hexadecimal.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        let text = key.into();
        let bytes = text.strip_prefix("0x").and_then(from_hex);
        self.key = Some(Key { text, bytes });
        self
    }

    /// Only what is written after this revision.
    #[must_use]
    pub fn since(mut self, revision: u64) -> Self {
        self.since = revision;
        self
    }

    fn wants(&self, revision: u64, key: Encoded<'_>) -> bool {
        let is_key = |wanted: &Key| {
            key.text() == Some(&wanted.text) || wanted.bytes.as_deref() == Some(key.bytes())
        };
        revision > self.since && self.key.as_ref().is_none_or(is_key)
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// A thing in a log, and where it is.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Dumped<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// Where it begins, in bytes from the start of the file; of an entry its block.
    pub offset: u64,
    /// Something before it is damaged.
    #[serde(skip_serializing_if = "is_false")]
    pub after_damage: bool,
    /// What it is.
    #[serde(flatten)]
    pub item: Item<'a>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a log has. The operations of one commit have its revision and its place.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Item<'a> {
    /// A key of the checkpoint.
    Entry {
        /// Of its newest write.
        revision: u64,
        /// Of the write that created it.
        created_revision: u64,
        /// How often it was written since, that one included.
        write_count: u64,
        /// The key.
        key: Encoded<'a>,
        /// The value.
        value: Encoded<'a>,
    },
    /// A write of a commit.
    Put {
        /// The commit.
        revision: u64,
        /// The key.
        key: Encoded<'a>,
        /// The value.
        value: Encoded<'a>,
    },
    /// A delete of a commit.
    Delete {
        /// The commit.
        revision: u64,
        /// The key.
        key: Encoded<'a>,
    },
    /// Revisions were reserved.
    Reserve {
        /// Up to this one.
        up_to: u64,
    },
    /// The log was closed in good order.
    Close,
    /// The next segment was started.
    Continued,
    /// Something cannot be read.
    Damage {
        /// How many bytes.
        bytes: u64,
        /// What is wrong.
        what: &'static str,
        /// The revision of the commit that was there, if that can still be read.
        revision: Option<u64>,
    },
}

/// Has `see` see what is in the log, in order, until it breaks off. A store may have it open.
///
/// Returns what [`verify`](super::verify()) returns, or `None` if `see` broke off. Without
/// [`past_damage`](DumpOptions::past_damage) the first damage is the last thing that is seen.
///
/// # Errors
/// If there is no log, or it cannot be read to its end.
pub fn dump(
    directory: impl AsRef<Path>,
    options: &DumpOptions,
    see: &mut dyn FnMut(&Dumped<'_>) -> ControlFlow<()>,
) -> Result<Option<Inspection>, MaintenanceError> {
    let mut showing = Showing { options, see, damaged: false };
    match inspect(&Files::new(directory.as_ref()), &mut showing) {
        Err(InspectError::Stopped) => Ok(None),
        Err(error) => Err(MaintenanceError::of(error)),
        Ok(inspection) if inspection.segments == 0 && inspection.checkpoint.is_none() => {
            Err(MaintenanceError::NoLog { path: directory.as_ref().to_owned() })
        }
        Ok(inspection) => Ok(Some(inspection)),
    }
}

struct Showing<'a> {
    options: &'a DumpOptions,
    see: &'a mut dyn FnMut(&Dumped<'_>) -> ControlFlow<()>,
    damaged: bool,
}

impl Showing<'_> {
    fn show(&mut self, place: Place<'_>, item: Item<'_>) -> Result<(), Stopped> {
        let Place { file, offset, .. } = place;
        match (self.see)(&Dumped { file, offset, after_damage: self.damaged, item }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stopped),
        }
    }

    fn operation(
        &mut self,
        place: Place<'_>,
        revision: u64,
        operation: &Operation<'_>,
    ) -> Result<(), Stopped> {
        let encoded = |bytes| Encoded::new(place.codec, bytes);
        let (key, item) = match *operation {
            Operation::Put { key, value } => {
                let key = encoded(key);
                (key, Item::Put { revision, key, value: encoded(value) })
            }
            Operation::Delete { key } => {
                (encoded(key), Item::Delete { revision, key: encoded(key) })
            }
        };
        if self.options.wants(revision, key) { self.show(place, item) } else { Ok(()) }
    }
}

impl Visitor for Showing<'_> {
    fn found(&mut self, place: Place<'_>, found: Found<'_>) -> Result<(), Stopped> {
        if self.damaged && !self.options.past_damage {
            return Ok(());
        }
        let is_filtered = self.options.key.is_some() || self.options.since > 0;
        match found {
            Found::Entry(entry) => {
                let key = Encoded::new(place.codec, entry.key);
                if !self.options.wants(entry.revision, key) {
                    return Ok(());
                }
                let item = Item::Entry {
                    revision: entry.revision,
                    created_revision: entry.created,
                    write_count: entry.write_count,
                    key,
                    value: Encoded::new(place.codec, entry.value),
                };
                self.show(place, item)
            }
            Found::Commit { revision, operations, .. } => operations
                .iter()
                .try_for_each(|operation| self.operation(place, revision, operation)),
            Found::Damage(damage) => {
                let (bytes, what, revision) = (damage.bytes, damage.what, damage.revision);
                self.show(place, Item::Damage { bytes, what, revision })?;
                self.damaged = true;
                Ok(())
            }
            _ if is_filtered => Ok(()),
            Found::Reserve(up_to) => self.show(place, Item::Reserve { up_to }),
            Found::Close => self.show(place, Item::Close),
            Found::Continued => self.show(place, Item::Continued),
        }
    }
}
