//! The header that segments and checkpoints begin with. See `FORMAT.md`.

use crate::identity::Identity;

use super::bytes::Fields;
use super::names;

/// The size of a header, in bytes; the first frame or block follows it.
pub(super) const LEN: usize = 128;

/// The same as an offset in the file.
pub(super) const FIRST_FRAME: u32 = 128;

/// The newest format that this version reads and the one that it writes.
pub(super) const VERSION: u16 = 2;

/// No segment is larger, in bytes: offsets fit 32 bits with room to spare.
pub(super) const MAX_LEN: u32 = 2 << 30;

/// The file's magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Segment,
    Checkpoint,
}

impl Kind {
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Segment => *b"IFMATCH\n",
            Self::Checkpoint => *b"IFCHECK\n",
        }
    }

    /// The name of the file of this kind and number.
    pub(super) fn name(self, number: u64) -> String {
        match self {
            Self::Segment => names::segment(number),
            Self::Checkpoint => names::checkpoint(number),
        }
    }
}

/// Where a segment ends and the chain value there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) offset: u32,
    pub(super) chain: u32,
}

/// The header of a segment or a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) codec: [u8; 16],
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) identity: Identity,
    pub(super) floor: u64,
    pub(super) newest: u64,
    /// Of a segment: the end of the one before.
    pub(super) previous: End,
    /// Of a checkpoint: the epoch of the segment that continues it.
    pub(super) next_epoch: u64,
}

/// Why bytes are no header that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Damaged(&'static str),
    NewerFormat(u16),
}

impl Header {
    /// The header's bytes and the chain value that the first frame continues.
    pub(super) fn encode(&self) -> ([u8; LEN], u32) {
        let mut fields = Fields::<LEN>::zeroed();
        fields.put(0, &self.kind.magic());
        fields.put(8, &VERSION.to_le_bytes());
        fields.put(10, &128_u16.to_le_bytes());
        fields.put(16, &self.codec);
        fields.put(32, &self.number.to_le_bytes());
        fields.put(40, &self.epoch.to_le_bytes());
        fields.put(48, &self.identity.to_bytes());
        fields.put(64, &self.floor.to_le_bytes());
        fields.put(72, &self.newest.to_le_bytes());
        fields.put(80, &self.previous.offset.to_le_bytes());
        fields.put(84, &self.previous.chain.to_le_bytes());
        fields.put(88, &self.next_epoch.to_le_bytes());
        let checksum = fields.seal();
        (fields.0, checksum)
    }

    /// The header at the start of the bytes of a file of this kind, and the chain value.
    pub(super) fn decode(kind: Kind, bytes: &[u8]) -> Result<(Self, u32), Unreadable> {
        let fields =
            Fields::<LEN>::read(bytes).ok_or(Unreadable::Damaged("the header is cut short"))?;
        if fields.bytes(0) != kind.magic() {
            return Err(Unreadable::Damaged("it does not begin as such a file does"));
        }
        // The checksum comes first: a flipped bit is damage, not another version. Every version keeps
        // it where it is.
        let checksum = fields.checksum();
        if checksum != fields.stated_checksum() {
            return Err(Unreadable::Damaged("the header's checksum does not hold"));
        }
        let version = fields.u16(8);
        if version > VERSION {
            return Err(Unreadable::NewerFormat(version));
        }
        let header = Self {
            kind,
            codec: fields.bytes(16),
            number: fields.u64(32),
            epoch: fields.u64(40),
            identity: Identity::from_bytes(fields.bytes(48)),
            floor: fields.u64(64),
            newest: fields.u64(72),
            previous: End { offset: fields.u32(80), chain: fields.u32(84) },
            next_epoch: fields.u64(88),
        };
        Ok((header, checksum))
    }
}

/// A codec's name as the header keeps it, which has been checked to fit.
pub(super) fn codec_field(name: &str) -> [u8; 16] {
    let mut field = [0; 16];
    for (byte, letter) in field.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip_and_no_flipped_bit() {
        let header = Header {
            kind: Kind::Checkpoint,
            codec: codec_field("bincode-2"),
            number: 1,
            epoch: 2,
            identity: Identity::from_bytes([3; 16]),
            floor: 4,
            newest: 5,
            previous: End { offset: 6, chain: 7 },
            next_epoch: 8,
        };
        let (bytes, chain) = header.encode();
        assert_eq!(Header::decode(header.kind, &bytes), Ok((header, chain)));
        for bit in 0..LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(Header::decode(header.kind, &damaged), Err(Unreadable::Damaged(_))),
                "bit {bit}"
            );
        }
    }
}
