//! A frame: one commit, reservation or mark, verifiable alone. See `FORMAT.md`.

use super::bytes::Fields;
use super::header::End;

/// The size of a frame's header, in bytes.
pub(super) const HEADER_LEN: usize = 48;

/// Frames begin at multiples of this, in bytes.
pub(super) const ALIGNMENT: usize = 16;

const MAGIC: [u8; 4] = *b"IFF1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Reserve,
    Close,
    /// The next segment exists.
    Continued,
}

impl Kind {
    fn tag(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Reserve => 2,
            Self::Close => 3,
            Self::Continued => 4,
        }
    }

    fn of(tag: u8) -> Option<Self> {
        let all = [Self::Commit, Self::Reserve, Self::Close, Self::Continued];
        all.into_iter().find(|kind| kind.tag() == tag)
    }
}

/// A frame's header, without its own checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) payload_len: u32,
    pub(super) offset: u32,
    pub(super) epoch: u64,
    pub(super) revision: u64,
    pub(super) synced: u32,
    pub(super) chain: u32,
    pub(super) payload_checksum: u32,
}

impl Header {
    /// The header's bytes and their checksum, which the next frame chains to.
    pub(super) fn encode(&self) -> ([u8; HEADER_LEN], u32) {
        let mut fields = Fields::<HEADER_LEN>::zeroed();
        fields.put(0, &MAGIC);
        fields.put(4, &[self.kind.tag()]);
        fields.put(8, &self.payload_len.to_le_bytes());
        fields.put(12, &self.offset.to_le_bytes());
        fields.put(16, &self.epoch.to_le_bytes());
        fields.put(24, &self.revision.to_le_bytes());
        fields.put(32, &self.synced.to_le_bytes());
        fields.put(36, &self.chain.to_le_bytes());
        fields.put(40, &self.payload_checksum.to_le_bytes());
        let checksum = fields.seal();
        (fields.0, checksum)
    }

    /// The header at the start of `bytes` and its checksum, if there is a whole one.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let fields = Fields::<HEADER_LEN>::read(bytes)?;
        let checksum = fields.checksum();
        if checksum != fields.stated_checksum() || fields.bytes(5) != [0; 3] {
            return None;
        }
        let header = Self {
            kind: Kind::of(fields.bytes::<1>(4)[0])?,
            payload_len: fields.u32(8),
            offset: fields.u32(12),
            epoch: fields.u64(16),
            revision: fields.u64(24),
            synced: fields.u32(32),
            chain: fields.u32(36),
            payload_checksum: fields.u32(40),
        };
        Some((header, checksum))
    }
}

/// What says, after the end of a segment, that the next one exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Continued {
    pub(super) number: u64,
    pub(super) epoch: u64,
}

impl Continued {
    /// What the frame takes in the file, in bytes.
    pub(super) const FRAME_LEN: usize = HEADER_LEN + 16;

    /// The whole frame, for a segment of `epoch` that is synced up to its `end`, with `newest` its newest revision.
    pub(super) fn encode(&self, epoch: u64, end: End, newest: u64) -> Vec<u8> {
        let payload = [self.number.to_le_bytes(), self.epoch.to_le_bytes()].concat();
        let header = Header {
            kind: Kind::Continued,
            payload_len: 16,
            offset: end.offset,
            epoch,
            revision: newest,
            synced: end.offset,
            chain: end.chain,
            payload_checksum: crc32c::crc32c(&payload),
        };
        let mut frame = header.encode().0.to_vec();
        frame.extend_from_slice(&payload);
        frame
    }

    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
        let (number, epoch) = payload.split_first_chunk::<8>()?;
        let epoch = epoch.try_into().ok()?;
        Some(Self { number: u64::from_le_bytes(*number), epoch: u64::from_le_bytes(epoch) })
    }
}

/// What a frame with a payload of `payload_len` bytes takes in the file, padding included.
pub(super) fn frame_len(payload_len: usize) -> usize {
    (HEADER_LEN + payload_len).next_multiple_of(ALIGNMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip_and_no_flipped_bit() {
        let header = Header {
            kind: Kind::Commit,
            payload_len: 1,
            offset: 2,
            epoch: 3,
            revision: 4,
            synced: 5,
            chain: 6,
            payload_checksum: 7,
        };
        let (bytes, checksum) = header.encode();
        assert_eq!(Header::decode(&bytes), Some((header, checksum)));
        for bit in 0..HEADER_LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&damaged), None, "bit {bit}");
        }
        assert_eq!(Header::decode(&bytes[..HEADER_LEN - 1]), None);
    }

    #[test]
    fn frames_are_padded_to_the_alignment() {
        assert_eq!(frame_len(0), 48);
        assert_eq!(frame_len(1), 64);
        assert_eq!(frame_len(16), 64);
        assert_eq!(frame_len(17), 80);
    }
}
