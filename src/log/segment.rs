//! A segment's name and header. See `FORMAT.md`.

use crate::identity::Identity;

use super::bytes::Fields;

/// The size of a segment's header, in bytes; the first frame follows it.
pub(super) const HEADER_LEN: usize = 128;

/// The same as an offset in the file.
pub(super) const FIRST_FRAME: u32 = 128;

/// The newest format that this version reads and the one that it writes.
pub(super) const VERSION: u16 = 1;

/// No segment is larger, in bytes: offsets fit 32 bits with room to spare.
pub(super) const MAX_LEN: u32 = 2 << 30;

const MAGIC: [u8; 8] = *b"IFMATCH\n";
const SUFFIX: &str = ".segment";
const NEW_SUFFIX: &str = ".segment.new";

/// What a name in the log's directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Segment(u64),
    /// A segment whose creation was interrupted.
    Unfinished,
    Lock,
    /// Not the log's, but to be expected in a directory that is a mount point.
    Tolerated,
    Foreign,
}

pub(super) const LOCK: &str = "LOCK";

impl Name {
    pub(super) fn of(name: &str) -> Self {
        match name {
            LOCK => return Self::Lock,
            "lost+found" => return Self::Tolerated,
            _ => {}
        }
        let number = |suffix| {
            let digits: &str = name.strip_suffix(suffix)?;
            let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
            if all_digits { digits.parse().ok() } else { None }
        };
        match (number(SUFFIX), number(NEW_SUFFIX)) {
            (Some(number), _) => Self::Segment(number),
            (_, Some(_)) => Self::Unfinished,
            (None, None) => Self::Foreign,
        }
    }
}

pub(super) fn name(number: u64) -> String {
    format!("{number:020}{SUFFIX}")
}

pub(super) fn new_name(number: u64) -> String {
    format!("{number:020}{NEW_SUFFIX}")
}

/// Where a segment ends and the chain value there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) offset: u32,
    pub(super) chain: u32,
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) codec: [u8; 16],
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) identity: Identity,
    pub(super) floor: u64,
    pub(super) newest: u64,
    /// The end of the segment before.
    pub(super) previous: End,
}

/// Why bytes are no segment header that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Damaged(&'static str),
    NewerFormat(u16),
}

impl Header {
    /// The header's bytes and the chain value that the first frame continues.
    pub(super) fn encode(&self) -> ([u8; HEADER_LEN], u32) {
        let mut fields = Fields::<HEADER_LEN>::zeroed();
        fields.put(0, &MAGIC);
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
        let checksum = fields.seal();
        (fields.0, checksum)
    }

    /// The header at the start of a segment's bytes, and the chain value.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, u32), Unreadable> {
        let fields = Fields::<HEADER_LEN>::read(bytes)
            .ok_or(Unreadable::Damaged("the header is cut short"))?;
        if fields.bytes(0) != MAGIC {
            return Err(Unreadable::Damaged("it does not begin as a segment does"));
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
            codec: fields.bytes(16),
            number: fields.u64(32),
            epoch: fields.u64(40),
            identity: Identity::from_bytes(fields.bytes(48)),
            floor: fields.u64(64),
            newest: fields.u64(72),
            previous: End { offset: fields.u32(80), chain: fields.u32(84) },
        };
        Ok((header, checksum))
    }
}

/// A codec's name as the header keeps it.
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
            codec: codec_field("bincode-2"),
            number: 1,
            epoch: 2,
            identity: Identity::from_bytes([3; 16]),
            floor: 4,
            newest: 5,
            previous: End { offset: 6, chain: 7 },
        };
        let (bytes, chain) = header.encode();
        assert_eq!(Header::decode(&bytes), Ok((header, chain)));
        for bit in 0..HEADER_LEN * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::decode(&damaged), Err(Unreadable::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn names_are_recognised_exactly() {
        assert_eq!(Name::of(&name(7)), Name::Segment(7));
        assert_eq!(Name::of(&new_name(7)), Name::Unfinished);
        assert_eq!(Name::of("LOCK"), Name::Lock);
        for foreign in ["7.segment", "lock", "0000000000000000000x.segment", "notes.txt", ""] {
            assert_eq!(Name::of(foreign), Name::Foreign, "{foreign:?}");
        }
    }
}
