//! A second reader of the log, written after `src/log/FORMAT.md` and nothing else: what opening some files must come to.

use std::collections::BTreeMap;

use super::Files;
use super::format::{
    BLOCK, FRAME, HEADER, LAST_REVISION, checkpoint, frame_len, holds, len_at, segment, u32_at,
    u64_at,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) revision: u64,
    pub(crate) created: u64,
    pub(crate) writes: u64,
    pub(crate) value: Vec<u8>,
}

/// What a log that opens has.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) entries: BTreeMap<u8, Entry>,
    pub(crate) commits: u64,
    pub(crate) clean: bool,
    /// Where a torn tail is, and how long.
    pub(crate) cut: Option<(u64, u64)>,
    pub(crate) ignored: u64,
    pub(crate) unmarked: u64,
    /// Revisions up to this one are used or skipped.
    pub(crate) floor: u64,
    newest: u64,
    reserved: u64,
    /// The revision of the checkpoint.
    covered: u64,
    identity: Option<[u8; 16]>,
}

/// Why a log does not open.
type Refused = &'static str;

/// A frame that is whole.
struct Frame<'a> {
    kind: u8,
    revision: u64,
    synced: usize,
    payload: &'a [u8],
    end: usize,
    chain: u32,
}

/// What is in the directory: a checkpoint, perhaps, and the segments from its number on.
pub(crate) fn read(files: &Files) -> Result<Expected, Refused> {
    let mut log = Expected::default();
    let numbers = files.keys().filter_map(|name| name.strip_suffix(".checkpoint"));
    let number: Option<u64> = numbers.map(|digits| digits.parse().expect("a number")).max();
    let next_epoch = match number {
        Some(number) => {
            let bytes = &files[&checkpoint(number)];
            log.checkpoint(bytes, number)?;
            Some(u64_at(bytes, 88))
        }
        None => None,
    };
    let first = number.unwrap_or(1);
    let segments: Vec<&Vec<u8>> =
        (first..).map_while(|number| files.get(&segment(number))).collect();
    let all =
        files.keys().filter(|name| name.ends_with(".segment") && **name >= segment(first)).count();
    if segments.is_empty() || all > segments.len() {
        return Err("a segment is missing");
    }
    for (number, bytes) in (first..).zip(&segments) {
        log.header(bytes, b"IFMATCH\n", number)?;
    }
    let begins = segments[0];
    match next_epoch {
        None if begins[80..88] != [0; 8] => return Err("the first segment names one before"),
        Some(epoch) if epoch != u64_at(begins, 40) => {
            return Err("another segment continues the checkpoint");
        }
        Some(_) if u64_at(begins, 72) > log.covered => return Err("the checkpoint does not reach"),
        _ => {}
    }
    for pair in segments.windows(2) {
        log.whole_segment(pair[0], pair[1])?;
    }
    log.last_segment(segments.last().expect("there is one"))?;
    Ok(log)
}

impl Expected {
    fn header(&mut self, bytes: &[u8], magic: &[u8; 8], number: u64) -> Result<(), Refused> {
        let header = bytes.get(..HEADER).ok_or("a header is cut short")?;
        let identity = header[48..64].try_into().expect("16 bytes");
        let checks = [
            (header.starts_with(magic), "the magic"),
            (holds(header), "a header's checksum"),
            (u16::from_le_bytes([header[8], header[9]]) <= 2, "the version"),
            (header[16..32] == *b"bincode-2\0\0\0\0\0\0\0", "the codec"),
            (u64_at(header, 32) == number, "the number"),
            (u64_at(header, 64) <= LAST_REVISION, "the floor"),
            (u64_at(header, 72) <= LAST_REVISION, "the newest"),
            (*self.identity.get_or_insert(identity) == identity, "the identity"),
        ];
        checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(*what))
    }

    fn checkpoint(&mut self, bytes: &[u8], number: u64) -> Result<(), Refused> {
        self.header(bytes, b"IFCHECK\n", number)?;
        (self.covered, self.reserved) = (u64_at(bytes, 72), u64_at(bytes, 64));
        let (mut at, mut count) = (HEADER, 0);
        loop {
            let header = bytes.get(at..at + BLOCK).ok_or("a block is cut short")?;
            let here = u64_at(header, 8) == u64::try_from(at).expect("in memory");
            if !holds(header) || !here || header[16..24] != bytes[40..48] {
                return Err("a block's header");
            }
            let end = at + BLOCK + len_at(header, 4);
            let payload = bytes.get(at + BLOCK..end).ok_or("a block is cut short")?;
            if crc32c::crc32c(payload) != u32_at(header, 24) {
                return Err("a block's checksum");
            }
            match &header[..4] {
                b"IFB1" if !payload.is_empty() => count += self.entries(payload)?,
                b"IFE1" if *payload == u64::to_le_bytes(count) && end == bytes.len() => {
                    return Ok(());
                }
                _ => return Err("a block's kind, or the end"),
            }
            at = end;
        }
    }

    fn entries(&mut self, mut payload: &[u8]) -> Result<u64, Refused> {
        let mut count = 0;
        while !payload.is_empty() {
            let numbers = take(&mut payload, 24).ok_or("an entry is cut short")?;
            let [revision, created, writes] = [0, 8, 16].map(|at| u64_at(numbers, at));
            let (key, value) = (field(&mut payload)?, field(&mut payload)?);
            let in_order = 1 <= created && created <= revision && revision <= self.covered;
            if !in_order || writes == 0 || writes > revision - created + 1 {
                return Err("an entry's numbers");
            }
            let (key, value) = (decode_key(key)?, decode_value(value)?);
            // Which of two counts is not said, and no writer makes them: the newer one.
            if self.entries.get(&key).is_none_or(|other| other.revision < revision) {
                self.entries.insert(key, Entry { revision, created, writes, value });
            }
            count += 1;
        }
        Ok(count)
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if u64_at(bytes, 72) < self.newest {
            return Err("revisions go backwards");
        }
        self.newest = u64_at(bytes, 72);
        self.reserved = self.reserved.max(u64_at(bytes, 64));
        Ok(())
    }

    /// A segment that `next` continues.
    fn whole_segment(&mut self, bytes: &[u8], next: &[u8]) -> Result<(), Refused> {
        self.begin(bytes)?;
        let stated = (len_at(next, 80), u32_at(next, 84));
        let mut end = (HEADER, u32_at(bytes, 124));
        while end.0 < stated.0 {
            let frame =
                whole_frame(bytes, end, self.newest).ok_or("a frame before the stated end")?;
            end = (frame.end, frame.chain);
            self.apply(&frame)?;
        }
        if end != stated {
            return Err("the end is another");
        }
        let mut rest = end.0;
        match whole_frame(bytes, end, self.newest) {
            Some(frame) if frame.kind == 4 => {
                if *frame.payload != [&next[32..40], &next[40..48]].concat() {
                    return Err("the mark names another segment");
                }
                rest = frame.end;
            }
            _ => self.unmarked += 1,
        }
        let rest = bytes.get(rest..).unwrap_or_default();
        self.ignored += count(rest.iter().filter(|byte| **byte != 0).count());
        Ok(())
    }

    fn last_segment(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.begin(bytes)?;
        let mut end = (HEADER, u32_at(bytes, 124));
        let mut closed = false;
        while let Some(frame) = whole_frame(bytes, end, self.newest) {
            end = (frame.end, frame.chain);
            closed = frame.kind == 3;
            self.apply(&frame)?;
        }
        if self.newest < self.covered {
            return Err("what the checkpoint proves is missing");
        }
        let tail = &bytes[end.0..];
        let written = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let proves =
            |at: &usize| header(bytes, *at).is_some_and(|header| len_at(header, 32) > end.0);
        if (end.0 + 16..end.0 + written).step_by(16).any(|at| proves(&at)) {
            return Err("a later frame proves that it was synced");
        }
        self.cut = (written > 0).then(|| (count(end.0), count(written)));
        self.clean = closed && end.0 == bytes.len();
        let skipped = if self.clean { 0 } else { self.reserved };
        self.floor = self.newest.max(skipped).max(1);
        Ok(())
    }

    fn apply(&mut self, frame: &Frame<'_>) -> Result<(), Refused> {
        self.newest = frame.revision;
        match frame.kind {
            1 => self.commit(frame.revision, frame.payload)?,
            2 => {
                let floor = frame.payload.try_into().map_err(|_| "a reservation's length")?;
                self.reserved = self.reserved.max(u64::from_le_bytes(floor)).min(LAST_REVISION);
            }
            3 => self.reserved = self.newest,
            _ => return Err("a segment is missing that continues it"),
        }
        // It says so of bytes that are before it.
        debug_assert!(frame.synced < usize::MAX);
        Ok(())
    }

    fn commit(&mut self, revision: u64, mut payload: &[u8]) -> Result<(), Refused> {
        let mut operations = Vec::new();
        while let Some(tag) = take(&mut payload, 1) {
            let key = field(&mut payload)?;
            match tag {
                [1] => operations.push((key, Some(field(&mut payload)?))),
                [2] => operations.push((key, None)),
                _ => return Err("an operation's tag"),
            }
        }
        if operations.is_empty() {
            return Err("a commit without operations");
        }
        if revision <= self.covered {
            return Ok(());
        }
        self.commits += 1;
        for (key, value) in operations {
            let key = decode_key(key)?;
            match value.map(decode_value).transpose()? {
                None => drop(self.entries.remove(&key)),
                Some(value) => {
                    let first =
                        Entry { revision: 0, created: revision, writes: 0, value: Vec::new() };
                    let entry = self.entries.entry(key).or_insert(first);
                    entry.writes += u64::from(entry.revision < revision);
                    (entry.revision, entry.value) = (revision, value);
                }
            }
        }
        Ok(())
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("in memory")
}

/// The header of a frame of this segment that says that it is here.
fn header(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let header = bytes.get(at..at + FRAME)?;
    let is_frame =
        header.starts_with(b"IFF1") && header[5..8] == [0; 3] && (1..=4).contains(&header[4]);
    let is_here = header[16..24] == bytes[40..48] && len_at(header, 12) == at;
    (is_frame && is_here && holds(header)).then_some(header)
}

fn whole_frame(bytes: &[u8], (at, chain): (usize, u32), newest: u64) -> Option<Frame<'_>> {
    let header = header(bytes, at)?;
    let (kind, revision) = (header[4], u64_at(header, 24));
    let end = at + frame_len(len_at(header, 8));
    let (payload, padding) = bytes.get(at + FRAME..end)?.split_at(len_at(header, 8));
    let in_order = if kind == 1 { revision > newest } else { revision >= newest };
    let is_whole = u32_at(header, 36) == chain
        && crc32c::crc32c(payload) == u32_at(header, 40)
        && padding.iter().all(|byte| *byte == 0)
        && in_order
        && revision <= LAST_REVISION;
    let (synced, chain) = (len_at(header, 32), u32_at(header, 44));
    is_whole.then_some(Frame { kind, revision, synced, payload, end, chain })
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn field<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Refused> {
    let len = take(bytes, 4).ok_or("a length is cut short")?;
    take(bytes, len_at(len, 0)).ok_or("a field is cut short")
}

/// Bincode has a byte as it is.
fn decode_key(key: &[u8]) -> Result<u8, Refused> {
    match key {
        [key] => Ok(*key),
        _ => Err("a key"),
    }
}

/// And bytes after their number: one byte below 251, or 251, 252 or 253 and 2, 4 or 8 bytes.
fn decode_value(mut value: &[u8]) -> Result<Vec<u8>, Refused> {
    let wide = "a value's length";
    let len = match take(&mut value, 1).ok_or(wide)? {
        [251] => take(&mut value, 2).map(|len| u64::from(u16::from_le_bytes([len[0], len[1]]))),
        [252] => take(&mut value, 4).map(|len| u64::from(u32_at(len, 0))),
        [253] => take(&mut value, 8).map(|len| u64_at(len, 0)),
        [len @ 0..=250] => Some(u64::from(*len)),
        _ => None,
    };
    match len.ok_or(wide)? {
        len if len == count(value.len()) => Ok(value.to_vec()),
        _ => Err("a value"),
    }
}
