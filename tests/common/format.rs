//! The log's byte format as `src/log/FORMAT.md` states it, read and written a second time, independently.

use std::ops::Range;

use super::Files;

pub(crate) const SEGMENT_HEADER: usize = 128;
pub(crate) const FRAME_HEADER: usize = 48;

pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:020}.segment")
}

/// A position in a file as the store reports it.
pub(crate) fn at(position: usize) -> u64 {
    u64::try_from(position).unwrap()
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

/// Makes the checksum of a header, which is its last four bytes, hold again.
pub(crate) fn seal(header: &mut [u8]) {
    let body = header.len() - 4;
    let checksum = crc32c::crc32c(&header[..body]);
    header[body..].copy_from_slice(&checksum.to_le_bytes());
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Commit,
    Reserve,
    Close,
}

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// The bytes of the file that it takes.
    pub(crate) range: Range<usize>,
    pub(crate) revision: u64,
    pub(crate) synced: usize,
}

/// The frames of a segment, as far as their headers hold.
pub(crate) fn frames(segment: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut start = SEGMENT_HEADER;
    while let Some(header) = segment.get(start..start + FRAME_HEADER) {
        let kind = match header[4] {
            1 => Kind::Commit,
            2 => Kind::Reserve,
            3 => Kind::Close,
            _ => break,
        };
        if !header.starts_with(b"IFF1") || crc32c::crc32c(&header[..44]) != u32_at(header, 44) {
            break;
        }
        let payload = usize::try_from(u32_at(header, 8)).unwrap();
        let end = start + (FRAME_HEADER + payload).next_multiple_of(16);
        frames.push(Frame {
            kind,
            range: start..end,
            revision: u64_at(header, 24),
            synced: usize::try_from(u32_at(header, 32)).unwrap(),
        });
        start = end;
    }
    frames
}

/// Where the frames of a segment end.
pub(crate) fn end(segment: &[u8]) -> usize {
    frames(segment).last().map_or(SEGMENT_HEADER, |frame| frame.range.end)
}

/// The number of the newest segment.
pub(crate) fn last_segment(files: &Files) -> u64 {
    (1..).take_while(|number| files.contains_key(&segment_name(*number))).last().unwrap()
}
