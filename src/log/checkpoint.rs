//! A checkpoint's blocks: the whole state at one revision, verifiable as it is read. See `FORMAT.md`.

use std::io;

use crate::storage::{File, read_at_most};

use super::MAX_RECORD_BYTES;
use super::bytes::Fields;
use super::header;
use super::record::take_field;

/// The size of a block's header, in bytes.
const HEADER_LEN: usize = 32;

/// A block takes no more entries once it has this many bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// No block has a larger payload, in bytes: one entry of the largest record, in a block that was nearly full.
const MAX_PAYLOAD: u32 = MAX_RECORD_BYTES + (128 << 10);

/// How much is searched at a time for where a damaged checkpoint goes on, in bytes.
const SEARCH_BYTES: usize = 256 << 10;

/// The fields of an entry before its key and its value.
const ENTRY_HEADER: usize = 24;

/// A key and what it has, as a checkpoint keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) revision: u64,
    pub(crate) created: u64,
    pub(crate) write_count: u64,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// What is wrong with a block that has an entry which [cannot be](Entry::can_be).
pub(super) const IMPOSSIBLE_ENTRY: &str = "an entry's revisions or its number of writes cannot be";

impl Entry<'_> {
    /// Whether the state at the revision `newest` can have it: each write took a revision of its own, from the one that
    /// created the key to the last.
    pub(super) fn can_be(&self, newest: u64) -> bool {
        let Self { revision, created, write_count, .. } = *self;
        let revisions = revision.checked_sub(created).map(|more| more + 1);
        let in_order = created >= 1 && revision <= newest;
        in_order && revisions.is_some_and(|most| (1..=most).contains(&write_count))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Entries,
    End,
}

impl Kind {
    fn magic(self) -> [u8; 4] {
        match self {
            Self::Entries => *b"IFB1",
            Self::End => *b"IFE1",
        }
    }

    fn of(magic: [u8; 4]) -> Option<Self> {
        [Self::Entries, Self::End].into_iter().find(|kind| kind.magic() == magic)
    }
}

/// Collects entries into blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    epoch: u64,
    /// Where the open block goes.
    offset: u64,
    /// Its header, to be filled in, and its payload.
    block: Vec<u8>,
    entries: u64,
}

impl Blocks {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            offset: u64::from(header::FIRST_FRAME),
            block: vec![0; HEADER_LEN],
            entries: 0,
        }
    }

    /// Adds an entry; `key` and `value` append their encodings. If one fails, nothing is to be made of the blocks.
    pub(super) fn push<E>(
        &mut self,
        [revision, created, write_count]: [u64; 3],
        key: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        for number in [revision, created, write_count] {
            self.block.extend_from_slice(&number.to_le_bytes());
        }
        super::record::put_field(&mut self.block, key)?;
        super::record::put_field(&mut self.block, value)?;
        self.entries += 1;
        Ok(())
    }

    /// The open block and where it goes, if it is full.
    pub(super) fn take_full(&mut self) -> Option<(u64, Vec<u8>)> {
        (self.block.len() >= BLOCK_BYTES).then(|| self.take(Kind::Entries))
    }

    /// The last blocks, and where each goes; the file ends after them.
    pub(super) fn finish(mut self) -> Vec<(u64, Vec<u8>)> {
        let mut blocks = Vec::new();
        if self.block.len() > HEADER_LEN {
            blocks.push(self.take(Kind::Entries));
        }
        self.block.extend_from_slice(&self.entries.to_le_bytes());
        blocks.push(self.take(Kind::End));
        blocks
    }

    fn take(&mut self, kind: Kind) -> (u64, Vec<u8>) {
        let payload = &self.block[HEADER_LEN..];
        let len = u32::try_from(payload.len()).expect("an entry is limited to well below 4 GiB");
        let mut fields = Fields::<HEADER_LEN>::zeroed();
        fields.put(0, &kind.magic());
        fields.put(4, &len.to_le_bytes());
        fields.put(8, &self.offset.to_le_bytes());
        fields.put(16, &self.epoch.to_le_bytes());
        fields.put(24, &crc32c::crc32c(payload).to_le_bytes());
        fields.seal();
        let mut block = std::mem::replace(&mut self.block, vec![0; HEADER_LEN]);
        block[..HEADER_LEN].copy_from_slice(&fields.0);
        let at = self.offset;
        self.offset += u64::from(len) + 32;
        (at, block)
    }
}

/// Why the rest of a checkpoint cannot be read.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    Damaged(&'static str),
}

/// Reads the blocks of a checkpoint, one at a time.
pub(super) struct Reader<'a> {
    file: &'a dyn File,
    len: u64,
    /// Of the file; `None` if it is not known, because its header is damaged.
    epoch: Option<u64>,
    /// Where the next block is.
    offset: u64,
    entries: u64,
    /// Some blocks were skipped, so that there are fewer entries than the end says.
    skipped: bool,
    /// How many entries the end says there are, once it was read.
    stated: Option<u64>,
    /// The payload of the block that was read last.
    payload: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a dyn File, len: u64, epoch: Option<u64>) -> Self {
        let offset = u64::from(header::FIRST_FRAME);
        Self {
            file,
            len,
            epoch,
            offset,
            entries: 0,
            skipped: epoch.is_none(),
            stated: None,
            payload: Vec::new(),
        }
    }

    /// How many entries the end says there are, if the end of the file is one that is whole, but no more than there can be.
    pub(super) fn expected(&self) -> io::Result<usize> {
        let mut end = [0; HEADER_LEN + 8];
        let Some(at) = self.len.checked_sub(40) else { return Ok(0) };
        let read = read_at_most(self.file, &mut end, at)?;
        let (header, payload) = end.split_at(HEADER_LEN);
        let is_whole = Fields::<HEADER_LEN>::read(header).is_some_and(|fields| {
            Kind::of(fields.bytes(0)) == Some(Kind::End)
                && fields.checksum() == fields.stated_checksum()
                && self.is_here(&fields, at)
                && fields.u32(24) == crc32c::crc32c(payload)
        });
        if read < end.len() || !is_whole {
            return Ok(0);
        }
        let stated = payload.try_into().map_or(0, u64::from_le_bytes);
        let most = self.len / u64::try_from(ENTRY_HEADER).unwrap_or(u64::MAX);
        Ok(usize::try_from(stated.min(most)).unwrap_or(0))
    }

    /// Where the next block is.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many entries were read.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// How many there are, as the end says; `None` if it was not read.
    pub(super) fn stated_entries(&self) -> Option<u64> {
        self.stated
    }

    /// The entries of the next block; `None` if all were read, and the file ends as it should.
    pub(super) fn next_block(&mut self) -> Result<Option<Vec<Entry<'_>>>, Fault> {
        let mut fields = Fields::<HEADER_LEN>::zeroed();
        self.read(self.offset, &mut fields.0)?;
        let kind = Kind::of(fields.bytes(0)).ok_or(Fault::Damaged("there is no block"))?;
        if fields.checksum() != fields.stated_checksum() {
            return Err(Fault::Damaged("the block's header does not hold"));
        }
        if !self.is_here(&fields, self.offset) {
            return Err(Fault::Damaged("the block belongs elsewhere"));
        }
        let start = self.offset + 32;
        let payload_len = fields.u32(4);
        let end = start + u64::from(payload_len);
        if payload_len > MAX_PAYLOAD || end > self.len {
            return Err(Fault::Damaged("the block is cut short, or too large"));
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(
            usize::try_from(payload_len).map_err(|_| Fault::Damaged("it is too large"))?,
            0,
        );
        self.read(start, &mut payload)?;
        self.payload = payload;
        if crc32c::crc32c(&self.payload) != fields.u32(24) {
            return Err(Fault::Damaged("the block's checksum does not hold"));
        }
        if kind == Kind::End {
            self.stated = self.payload.as_slice().try_into().ok().map(u64::from_le_bytes);
        }
        match kind {
            Kind::Entries => {
                let entries =
                    entries(&self.payload).ok_or(Fault::Damaged("the block has no entries"))?;
                self.offset = end;
                self.entries += u64::try_from(entries.len()).unwrap_or(u64::MAX);
                Ok(Some(entries))
            }
            Kind::End if !self.skipped && self.payload != self.entries.to_le_bytes() => {
                Err(Fault::Damaged("it ends after another number of entries"))
            }
            Kind::End if end != self.len => {
                self.offset = end;
                Err(Fault::Damaged("something follows its end"))
            }
            Kind::End => Ok(None),
        }
    }

    /// Whether the header of a block says that it is at `offset` of this file.
    fn is_here(&self, fields: &Fields<HEADER_LEN>, offset: u64) -> bool {
        fields.u64(8) == offset && self.epoch.is_none_or(|epoch| fields.u64(16) == epoch)
    }

    /// Goes on at the next place where the header of a block holds, after a [`Fault::Damaged`]; to the end of the file if there
    /// is none, and then it returns false.
    pub(super) fn skip_damage(&mut self) -> io::Result<bool> {
        self.skipped = true;
        let mut window = vec![0; SEARCH_BYTES];
        let mut start = self.offset + 1;
        while start < self.len {
            let read = read_at_most(self.file, &mut window, start)?;
            let found = window[..read].windows(HEADER_LEN).zip(start..).find(|(bytes, offset)| {
                let Some(fields) = Fields::<HEADER_LEN>::read(bytes) else { return false };
                Kind::of(fields.bytes(0)).is_some()
                    && self.is_here(&fields, *offset)
                    && fields.checksum() == fields.stated_checksum()
            });
            if let Some((_, offset)) = found {
                self.offset = offset;
                return Ok(true);
            }
            if read < window.len() {
                break;
            }
            // A header may begin in this piece and end in the next.
            start += u64::try_from(read - HEADER_LEN + 1).unwrap_or(u64::MAX);
        }
        self.offset = self.len.max(self.offset);
        Ok(false)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        match read_at_most(self.file, buffer, offset) {
            Ok(read) if read == buffer.len() => Ok(()),
            Ok(_) => Err(Fault::Damaged("it is cut short")),
            Err(error) => Err(Fault::Io(error)),
        }
    }
}

/// The entries of a block; `None` if it is not one.
fn entries(mut payload: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    while !payload.is_empty() {
        let (numbers, rest) = payload.split_first_chunk::<ENTRY_HEADER>()?;
        let numbers = Fields(*numbers);
        let (key, rest) = take_field(rest)?;
        let (value, rest) = take_field(rest)?;
        let (revision, created, write_count) = (numbers.u64(0), numbers.u64(8), numbers.u64(16));
        entries.push(Entry { revision, created, write_count, key, value });
        payload = rest;
    }
    if entries.is_empty() { None } else { Some(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::disk::Disk;

    /// A checkpoint of `entries` entries whose end states so many.
    fn file(entries: u64, stated: u64) -> Vec<u8> {
        let mut blocks = Blocks::new(7);
        for _ in 0..entries {
            blocks.push::<()>([2, 2, 1], |_| Ok(()), |_| Ok(())).unwrap();
        }
        blocks.entries = stated;
        let mut bytes = vec![0; usize::try_from(header::FIRST_FRAME).unwrap()];
        blocks.finish().into_iter().for_each(|(_, block)| bytes.extend(block));
        bytes
    }

    fn expected(bytes: Vec<u8>, epoch: u64) -> usize {
        let len = u64::try_from(bytes.len()).unwrap();
        let disk = Disk::with_files([("a", bytes)]);
        let file = disk.directory().open_file("a").unwrap();
        Reader::new(&*file, len, Some(epoch)).expected().unwrap()
    }

    /// Room is made for no more than the file can have, and for nothing if its end is not whole.
    #[test]
    fn what_is_expected_is_what_a_whole_end_says() {
        assert_eq!(expected(file(9, 9), 7), 9);
        let forged = file(9, u64::MAX);
        assert_eq!(expected(forged.clone(), 7), forged.len() / ENTRY_HEADER);
        assert_eq!(expected(file(9, 9), 8), 0, "the end of another checkpoint");
        for len in 0..45 {
            assert_eq!(expected(vec![0xff; len], 7), 0, "{len} bytes");
        }
        let whole = file(9, 9);
        for at in whole.len() - 40..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(expected(damaged, 7), 0, "at {at}");
        }
    }
}
