//! What was asked and answered, and when.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// One call: who asked what, and what was answered between when and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>, T: Deserialize<'de>"))]
pub struct Call<O, T> {
    /// Who called. It is for people: whether calls overlap is seen by their stamps.
    pub client: u32,
    /// What was asked.
    pub operation: O,
    /// When the call began: before it could have any effect.
    pub called: u64,
    /// When its answer was there, after its effect. `None` if none came: the call stays open, and may take effect at any time
    /// since it began, or never.
    pub returned: Option<u64>,
    /// What was answered. `None` if nobody knows: it took effect until `returned`, if there is that, or never.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub outcome: Option<T>,
}

impl<O, T> Call<O, T> {
    /// Whether this call was over before the other began.
    #[must_use]
    pub fn precedes(&self, other: &Self) -> bool {
        self.returned.is_some_and(|returned| returned < other.called)
    }

    /// As it was known before this moment.
    pub(super) fn until(mut self, moment: u64) -> Self {
        if self.returned.is_some_and(|returned| returned > moment) {
            (self.returned, self.outcome) = (None, None);
        }
        self
    }
}

/// Calls of many clients, as a [`Recorder`](super::Recorder) saw them.
///
/// Stamps are of one clock that all clients share: a counter, or nanoseconds of a monotonic clock. A call precedes another if
/// it returned at a lower stamp than the other was called; equal stamps overlap.
///
/// # Files
/// [`write_to`](Self::write_to) writes JSON lines, a call a line, in the order in which they began:
///
/// ```json
/// {"client":0,"operation":{"get":"a"},"called":4,"returned":7,"outcome":{"read":null}}
/// ```
///
/// An open call has `null` as `returned`, and one whose outcome nobody knows has no `outcome` (`null` is an outcome: that of an
/// [`Option`]). Any other checker can be run on the same file. A history that is read back has the same calls in the order in
/// which they began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<O, T> {
    calls: Vec<Call<O, T>>,
}

impl<O, T> Default for History<O, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O, T> History<O, T> {
    /// Without calls.
    #[must_use]
    pub fn new() -> Self {
        Self { calls: Vec::new() }
    }

    /// Adds a call that was answered, or, without an outcome, one that stays open: of `time` only the start counts then.
    ///
    /// One that nobody was answered, but that has no effect after some moment, because the system was restarted then, is a
    /// [`Call`] that has returned without an outcome, and is added by [`extend`](Extend::extend).
    pub fn push(&mut self, client: u32, operation: O, time: Range<u64>, outcome: Option<T>) {
        let returned = outcome.as_ref().map(|_| time.end);
        self.calls.push(Call { client, operation, called: time.start, returned, outcome });
    }

    /// The calls. Their order means nothing: their stamps do.
    #[must_use]
    pub fn calls(&self) -> &[Call<O, T>] {
        &self.calls
    }

    /// The calls, one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Call<O, T>> {
        self.calls.iter()
    }

    /// How many calls there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What each object went through, by what tells them apart. If operations are about one object each, a history is
    /// linearizable if and only if each of these is (Herlihy and Wing 1990).
    #[must_use]
    pub fn split_by<P: Ord>(self, mut part: impl FnMut(&O) -> P) -> BTreeMap<P, Self> {
        let mut parts = BTreeMap::<P, Self>::new();
        for call in self.calls {
            parts.entry(part(&call.operation)).or_default().calls.push(call);
        }
        parts
    }

    /// Writes JSON lines, in the order in which calls began.
    ///
    /// # Errors
    /// Those of the writer, and of what does not serialize.
    pub fn write_to(&self, mut writer: impl Write) -> io::Result<()>
    where
        O: Serialize,
        T: Serialize,
    {
        let mut calls: Vec<_> = self.calls.iter().collect();
        calls.sort_by_key(|call| call.called);
        for call in calls {
            serde_json::to_writer(&mut writer, call)?;
            writer.write_all(b"\n")?;
        }
        writer.flush()
    }

    /// Reads JSON lines. Empty lines are skipped.
    ///
    /// # Errors
    /// Those of the reader, and [`InvalidData`](io::ErrorKind::InvalidData) with the number of the line that is no call.
    pub fn read_from(reader: impl BufRead) -> io::Result<Self>
    where
        O: DeserializeOwned,
        T: DeserializeOwned,
    {
        let mut history = Self::new();
        for (number, line) in (1..).zip(reader.lines()) {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let call: Call<O, T> =
                serde_json::from_str(&line).map_err(|error| invalid(number, error))?;
            if call.outcome.is_some() && call.returned.is_none() {
                return Err(invalid(number, "a call with an outcome has returned"));
            }
            history.calls.push(call);
        }
        Ok(history)
    }
}

/// What is there is known, also if it is `null`.
fn known<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    outcome: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(outcome).map(Some)
}

fn invalid(line: usize, what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {what}"))
}

impl<O, T> FromIterator<Call<O, T>> for History<O, T> {
    fn from_iter<I: IntoIterator<Item = Call<O, T>>>(calls: I) -> Self {
        Self { calls: calls.into_iter().collect() }
    }
}

impl<O, T> Extend<Call<O, T>> for History<O, T> {
    fn extend<I: IntoIterator<Item = Call<O, T>>>(&mut self, calls: I) {
        self.calls.extend(calls);
    }
}

impl<O, T> IntoIterator for History<O, T> {
    type Item = Call<O, T>;
    type IntoIter = std::vec::IntoIter<Call<O, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.calls.into_iter()
    }
}

impl<'a, O, T> IntoIterator for &'a History<O, T> {
    type Item = &'a Call<O, T>;
    type IntoIter = std::slice::Iter<'a, Call<O, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
