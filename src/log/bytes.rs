//! Little-endian fields at fixed offsets of a fixed-size header.

/// A header under construction or inspection. An offset outside of it is a mistake in this crate.
pub(super) struct Fields<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Fields<N> {
    pub(super) fn zeroed() -> Self {
        Self([0; N])
    }

    /// The first `N` of `bytes`, if there are that many.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self)
    }

    pub(super) fn put(&mut self, offset: usize, field: &[u8]) {
        self.0[offset..offset + field.len()].copy_from_slice(field);
    }

    pub(super) fn bytes<const M: usize>(&self, offset: usize) -> [u8; M] {
        let mut field = [0; M];
        field.copy_from_slice(&self.0[offset..offset + M]);
        field
    }

    pub(super) fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.bytes(offset))
    }

    pub(super) fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.bytes(offset))
    }

    pub(super) fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.bytes(offset))
    }

    /// The checksum of all but the last four bytes, where it is kept.
    pub(super) fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.0[..N - 4])
    }

    pub(super) fn stated_checksum(&self) -> u32 {
        self.u32(N - 4)
    }

    /// Writes the checksum into the last four bytes, and returns it.
    pub(super) fn seal(&mut self) -> u32 {
        let checksum = self.checksum();
        self.put(N - 4, &checksum.to_le_bytes());
        checksum
    }
}
