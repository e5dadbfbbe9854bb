//! The payload of a commit frame: the operations of one commit. See `FORMAT.md`.
//!
//! Keys and values are opaque here; the store encodes them, outside all locks, through [`Record`].

use smallvec::SmallVec;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// A commit's payload with its checksum, ready to be appended.
#[derive(Debug)]
pub(crate) struct Record {
    payload: Vec<u8>,
    checksum: u32,
}

impl Record {
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(super) fn checksum(&self) -> u32 {
        self.checksum
    }
}

/// A record too large for its length fields, or for the configured limit.
#[derive(Debug)]
pub(crate) struct TooLarge {
    pub(crate) bytes: u64,
}

/// Collects the operations of one commit.
#[derive(Debug)]
pub(crate) struct RecordBuilder {
    payload: Vec<u8>,
}

impl Default for RecordBuilder {
    /// With room for a small record, which would else be moved again and again while it grows.
    fn default() -> Self {
        Self { payload: Vec::with_capacity(256) }
    }
}

impl RecordBuilder {
    /// Adds a put; `key` and `value` append their encodings.
    pub(crate) fn put<E>(
        &mut self,
        key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.payload.push(PUT);
        put_field(&mut self.payload, key)?;
        put_field(&mut self.payload, value)
    }

    /// Adds a delete; `key` appends its encoding.
    pub(crate) fn delete<E>(
        &mut self,
        key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.payload.push(DELETE);
        put_field(&mut self.payload, key)
    }

    /// The record, if it is at most `max` bytes.
    pub(crate) fn finish(self, max: u32) -> Result<Record, TooLarge> {
        if u32::try_from(self.payload.len()).is_ok_and(|len| len <= max) {
            let checksum = crc32c::crc32c(&self.payload);
            Ok(Record { payload: self.payload, checksum })
        } else {
            Err(TooLarge { bytes: u64::try_from(self.payload.len()).unwrap_or(u64::MAX) })
        }
    }
}

/// Appends a length, then what `encode` appends. A field past 4 GiB is caught by whoever limits the whole.
pub(super) fn put_field<E>(
    out: &mut Vec<u8>,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    encode(out)?;
    let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
    Ok(())
}

/// One operation of a commit, as recovery reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation<'a> {
    Put { key: &'a [u8], value: &'a [u8] },
    Delete { key: &'a [u8] },
}

impl Operation<'_> {
    /// How many bytes its key and its value have.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

/// Nearly always there is one.
pub(crate) type Operations<'a> = SmallVec<[Operation<'a>; 1]>;

/// The operations of a payload; `None` if it is not one.
pub(super) fn operations(mut payload: &[u8]) -> Option<Operations<'_>> {
    let mut operations = Operations::new();
    while let Some((&tag, rest)) = payload.split_first() {
        let (key, rest) = take_field(rest)?;
        let (operation, rest) = match tag {
            PUT => {
                let (value, rest) = take_field(rest)?;
                (Operation::Put { key, value }, rest)
            }
            DELETE => (Operation::Delete { key }, rest),
            _ => return None,
        };
        operations.push(operation);
        payload = rest;
    }
    if operations.is_empty() { None } else { Some(operations) }
}

/// A field and what follows it.
pub(super) fn take_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn append(bytes: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) -> Result<(), Infallible> {
        move |out| {
            out.extend_from_slice(bytes);
            Ok(())
        }
    }

    #[test]
    fn operations_survive_the_round_trip_and_every_cut_is_noticed() {
        let mut builder = RecordBuilder::default();
        builder.put(append(b"a"), append(b"one")).unwrap();
        builder.delete(append(b"b")).unwrap();
        let record = builder.finish(1000).unwrap();
        let expected =
            [Operation::Put { key: b"a", value: b"one" }, Operation::Delete { key: b"b" }];
        assert_eq!(operations(record.payload()).as_deref(), Some(&expected[..]));
        let boundary = 13;
        for len in (0..record.payload().len()).filter(|len| *len != boundary) {
            assert_eq!(operations(&record.payload()[..len]), None, "cut at {len}");
        }
    }

    #[test]
    fn a_record_may_have_exactly_its_limit() {
        for (max, fits) in [(12, false), (13, true)] {
            let mut builder = RecordBuilder::default();
            builder.put(append(b"a"), append(b"one")).unwrap();
            assert_eq!(builder.finish(max).is_ok(), fits, "{max}");
        }
    }
}
