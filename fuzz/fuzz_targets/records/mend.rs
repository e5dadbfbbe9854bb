//! From what the fuzzer likes to files that get past the checksums.
//!
//! The input is: one byte that says which of the first headers (of a file, a frame or a block, in order) is not mended; one that
//! says in which respects, and whether it is spoiled there; a byte of shape; the lengths of the first two files, 16 bits each;
//! and the files.

use super::Files;
use super::format::{
    BLOCK, FRAME, HEADER, checkpoint, checksum, frame_len, len_at, segment, u32_at, u64_at,
};

/// In what a header may be left as it is.
const PLACE: u8 = 1;
const EPOCH: u8 = 2;
const LINK: u8 = 4;
const PAYLOAD: u8 = 8;
const ORDER: u8 = 16;
const SEAL: u8 = 32;
/// There it is not as it was, but as wrong as can be.
const SPOILED: u8 = 64;

/// The lower half of the first byte: no header is left.
const NONE: u8 = 15;

/// What of a header is to be mended.
#[derive(Clone, Copy)]
struct Mends(u8);

impl Mends {
    fn all(self, respect: u8) -> bool {
        self.0 & respect == 0
    }

    /// Makes a field what is right, if it is to be.
    fn put(self, respect: u8, field: &mut [u8], right: &[u8]) {
        if self.all(respect) || !self.all(SPOILED) {
            field.copy_from_slice(right);
        }
        if !self.all(respect) && !self.all(SPOILED) {
            field[0] ^= 1;
        }
    }
}

struct Mending {
    left: u8,
    respects: u8,
    /// How many headers there were.
    headers: u8,
    /// Of the store, if a file was seen.
    identity: Option<[u8; 16]>,
    /// The newest revision of the segments so far.
    newest: u64,
}

/// The files, or `None` if there is nothing.
pub(crate) fn files(input: &[u8]) -> Option<Files> {
    let ([left, respects, shape, one @ .., a, b], mut rest) = input.split_first_chunk::<7>()?;
    let lens = [usize::from(u16::from_le_bytes(*one)), usize::from(u16::from_le_bytes([*a, *b]))];
    let mut mending =
        Mending { left: *left & NONE, respects: *respects, headers: 0, identity: None, newest: 0 };
    let mut next = |len: usize| {
        let (file, others) = rest.split_at(len.min(rest.len()));
        rest = others;
        file.to_vec()
    };
    let mut files = Files::new();
    let first = 1 + u64::from(shape >> 2 & 1);
    let mut checkpointed = (shape & 1 == 1).then(|| next(lens[0]));
    let mut segments = Vec::new();
    if shape & 2 == 2 {
        segments.push(next(lens[1]));
    }
    segments.push(next(usize::MAX));
    if let Some(bytes) = &mut checkpointed {
        let epoch = segments[0].get(40..48).map(|epoch| u64_at(epoch, 0));
        mending.checkpoint(bytes, first, epoch.unwrap_or_default());
    }
    let mut end = (0, 0);
    for at in 0..segments.len() {
        let number = first + u64::try_from(at).expect("two");
        let next =
            segments.get(at + 1).and_then(|next| next.get(40..48)).map(|epoch| u64_at(epoch, 0));
        end = mending.segment(&mut segments[at], number, end, next);
    }
    if let Some(bytes) = checkpointed {
        files.insert(checkpoint(first), bytes);
    }
    for (number, bytes) in (first..).zip(segments) {
        files.insert(segment(number), bytes);
    }
    Some(files)
}

impl Mending {
    /// What of the next header is to be mended.
    fn next(&mut self) -> Mends {
        let is_left = self.left != NONE && self.headers == self.left;
        self.headers = self.headers.saturating_add(1);
        Mends(if is_left { self.respects } else { 0 })
    }

    fn header(&mut self, bytes: &mut [u8], number: u64) -> Mends {
        let mends = self.next();
        mends.put(PLACE, &mut bytes[32..40], &number.to_le_bytes());
        let identity =
            *self.identity.get_or_insert_with(|| bytes[48..64].try_into().expect("16 bytes"));
        mends.put(EPOCH, &mut bytes[48..64], &identity);
        mends
    }

    /// A checkpoint that a segment of `next_epoch` continues.
    fn checkpoint(&mut self, bytes: &mut [u8], number: u64, next_epoch: u64) {
        if bytes.len() < HEADER {
            return;
        }
        let mends = self.header(bytes, number);
        mends.put(LINK, &mut bytes[88..96], &next_epoch.to_le_bytes());
        seal(&mut bytes[..HEADER], mends);
        let epoch = u64_at(bytes, 40);
        let (mut at, mut entries) = (HEADER, 0);
        while bytes.len() >= at + BLOCK {
            let mends = self.next();
            let len = len_at(bytes, at + 4);
            let (header, payload) = bytes[at..].split_at_mut(BLOCK);
            mends.put(
                PLACE,
                &mut header[8..16],
                &u64::try_from(at).expect("in memory").to_le_bytes(),
            );
            mends.put(EPOCH, &mut header[16..24], &epoch.to_le_bytes());
            if let Some(payload) = payload.get_mut(..len) {
                if header.starts_with(b"IFE1") && mends.all(ORDER) && len == 8 {
                    payload.copy_from_slice(&u64::to_le_bytes(entries));
                }
                entries += count_entries(payload);
                mends.put(PAYLOAD, &mut header[24..28], &crc32c::crc32c(payload).to_le_bytes());
            }
            seal(header, mends);
            at = at.saturating_add(BLOCK).saturating_add(len);
        }
    }

    /// A segment after one that has this end. Returns its own, which is before what continues it in one of the epoch `next`.
    fn segment(
        &mut self,
        bytes: &mut [u8],
        number: u64,
        previous: (usize, u32),
        next: Option<u64>,
    ) -> (usize, u32) {
        if bytes.len() < HEADER {
            return previous;
        }
        let mends = self.header(bytes, number);
        mends.put(
            LINK,
            &mut bytes[80..84],
            &u32::try_from(previous.0).expect("small").to_le_bytes(),
        );
        mends.put(LINK, &mut bytes[84..88], &previous.1.to_le_bytes());
        if mends.all(ORDER) && u64_at(bytes, 72) < self.newest {
            bytes[72..80].copy_from_slice(&self.newest.to_le_bytes());
        }
        self.newest = u64_at(bytes, 72);
        seal(&mut bytes[..HEADER], mends);
        let epoch = u64_at(bytes, 40);
        let (mut at, mut chain, mut end) = (HEADER, u32_at(bytes, 124), None);
        while bytes.len() >= at + FRAME {
            if !bytes[at..].starts_with(b"IFF1") {
                end = end.or(Some((at, chain)));
                at += 16;
                continue;
            }
            let continues = bytes[at + 4] == 4;
            if let (true, Some(epoch)) = (continues, next) {
                end = end.or(Some((at, chain)));
                self.continued(&mut bytes[at..], number + 1, epoch);
            }
            let len = self.frame(&mut bytes[at..], at, epoch, chain);
            chain = u32_at(bytes, at + 44);
            at += len;
        }
        end.unwrap_or((at.min(bytes.len()), chain))
    }

    fn continued(&mut self, frame: &mut [u8], number: u64, epoch: u64) {
        if let Some(payload) = frame.get_mut(FRAME..FRAME + 16)
            && self.left != NONE - 1
        {
            payload[..8].copy_from_slice(&number.to_le_bytes());
            payload[8..].copy_from_slice(&epoch.to_le_bytes());
        }
    }

    /// Returns what it takes.
    fn frame(&mut self, bytes: &mut [u8], at: usize, epoch: u64, chain: u32) -> usize {
        let mends = self.next();
        let len = len_at(bytes, 8);
        let (header, rest) = bytes.split_at_mut(FRAME);
        mends.put(PLACE, &mut header[12..16], &u32::try_from(at).expect("small").to_le_bytes());
        mends.put(EPOCH, &mut header[16..24], &epoch.to_le_bytes());
        mends.put(LINK, &mut header[36..40], &chain.to_le_bytes());
        if mends.all(ORDER) && u64_at(header, 24) <= self.newest {
            let more = u64::from(header[4] == 1);
            header[24..32].copy_from_slice(&self.newest.saturating_add(more).to_le_bytes());
        }
        self.newest = u64_at(header, 24).min(1 << 60);
        let payload = rest.get(..len);
        if let Some(payload) = payload {
            mends.put(PAYLOAD, &mut header[40..44], &crc32c::crc32c(payload).to_le_bytes());
        }
        seal(header, mends);
        if payload.is_some() { frame_len(len) } else { 16 }
    }
}

fn seal(header: &mut [u8], mends: Mends) {
    let (sum, at) = (checksum(header), header.len() - 4);
    mends.put(SEAL, &mut header[at..], &sum.to_le_bytes());
}

/// How many entries there are, if this is the payload of a block of entries.
fn count_entries(mut payload: &[u8]) -> u64 {
    let mut count = 0;
    while payload.len() >= 28 {
        for skip in [24, 0] {
            let Some(len) = payload.get(skip..skip + 4).map(|len| len_at(len, 0)) else {
                return count;
            };
            payload = payload.get(skip + 4 + len..).unwrap_or_default();
        }
        count += 1;
    }
    count
}
