//! Where things are in the files of a log: `src/log/FORMAT.md` once more, for who writes them and who reads them.

pub(crate) const HEADER: usize = 128;
pub(crate) const FRAME: usize = 48;
pub(crate) const BLOCK: usize = 32;
pub(crate) const LAST_REVISION: u64 = (1 << 53) - 1;

pub(crate) fn segment(number: u64) -> String {
    format!("{number:020}.segment")
}

pub(crate) fn checkpoint(number: u64) -> String {
    format!("{number:020}.checkpoint")
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) fn len_at(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32_at(bytes, at)).expect("32 bits fit")
}

/// What a frame takes in the file.
pub(crate) fn frame_len(payload: usize) -> usize {
    (FRAME + payload).next_multiple_of(16)
}

pub(crate) fn checksum(header: &[u8]) -> u32 {
    crc32c::crc32c(&header[..header.len() - 4])
}

/// Whether the last four bytes of a header are the checksum of the others.
pub(crate) fn holds(header: &[u8]) -> bool {
    checksum(header) == u32_at(header, header.len() - 4)
}
