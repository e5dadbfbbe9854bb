//! What is done to a log.

use std::fmt::{self, Display};

use crate::common::{Files, Random};

use super::image::Image;

/// What a block is overwritten with, or a file continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    Zeros,
    Garbage,
    /// What was at the same place of an older file: of the same store, earlier, or of another store.
    Earlier(usize),
    Foreign,
}

/// One damage. Files are meant by their place in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    Truncate {
        file: usize,
        len: usize,
    },
    Flip {
        file: usize,
        byte: usize,
        bit: u8,
    },
    Swap {
        one: usize,
        other: usize,
    },
    Missing {
        one: usize,
        other: usize,
    },
    /// The content of a file under another number.
    Duplicate {
        file: usize,
        number: u64,
    },
    /// The file as it was earlier, the `generation`th time.
    Earlier {
        file: usize,
        generation: usize,
    },
    /// A file that is not there any more is back.
    Back {
        file: usize,
        generation: usize,
    },
    Foreign {
        file: usize,
    },
    Block {
        file: usize,
        start: usize,
        len: usize,
        filling: Filling,
    },
    Append {
        file: usize,
        len: usize,
        filling: Filling,
    },
}

impl Harm {
    /// How the table calls it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Truncate { .. } => "truncated",
            Self::Flip { .. } => "one bit flipped",
            Self::Swap { .. } => "two files swapped",
            Self::Missing { one, other } if one == other => "a file missing",
            Self::Missing { .. } => "two files missing",
            Self::Duplicate { .. } => "a copy under another number",
            Self::Earlier { .. } => "a file as it was earlier",
            Self::Back { .. } => "a replaced file is back",
            Self::Foreign { .. } => "a file of another store",
            Self::Block { filling: Filling::Zeros, .. } => "a block zeroed",
            Self::Block { filling: Filling::Garbage, .. } => "a block of garbage",
            Self::Block { .. } => "a stale block",
            Self::Append { .. } => "something appended",
        }
    }

    /// Whether it is one of a few, and not one of as many as there are bytes.
    pub(crate) fn is_of_whole_files(self) -> bool {
        !matches!(
            self,
            Self::Truncate { .. } | Self::Flip { .. } | Self::Block { .. } | Self::Append { .. }
        )
    }

    /// All harms to an image, one kind after the other.
    pub(crate) fn all(image: &Image) -> Vec<Self> {
        let lens: Vec<_> = image.files.values().map(Vec::len).collect();
        let files = lens.len();
        let mut all = Vec::new();
        for (file, len) in lens.iter().copied().enumerate() {
            all.extend((0..len).map(|len| Self::Truncate { file, len }));
            let flips = |byte| (0..8).map(move |bit| Self::Flip { file, byte, bit });
            all.extend((0..len).flat_map(flips));
        }
        for one in 0..files {
            all.extend((one + 1..files).map(|other| Self::Swap { one, other }));
            all.extend((one..files).map(|other| Self::Missing { one, other }));
            all.extend((0..30).map(|number| Self::Duplicate { file: one, number }));
            all.push(Self::Foreign { file: one });
        }
        for (generation, (_, earlier)) in image.earlier.iter().enumerate() {
            all.extend((0..files).map(|file| Self::Earlier { file, generation }));
            all.extend((0..earlier.len()).map(|file| Self::Back { file, generation }));
        }
        let mut fillings = vec![Filling::Zeros, Filling::Garbage, Filling::Foreign];
        fillings.extend((0..image.earlier.len()).map(Filling::Earlier));
        for filling in fillings {
            for (file, end) in lens.iter().copied().enumerate() {
                for len in [512, 4096] {
                    let starts = (0..end).step_by(16);
                    all.extend(starts.map(|start| Self::Block { file, start, len, filling }));
                }
                let lens = (1..=64).chain([128, 512, 4096, 65536]);
                all.extend(lens.map(|len| Self::Append { file, len, filling }));
            }
        }
        all
    }

    /// The files after it; `None` if it changes nothing.
    pub(crate) fn apply(self, image: &Image) -> Option<Files> {
        let name = |file: usize| image.files.keys().nth(file).expect("it is one of them").clone();
        let mut files = image.files.clone();
        match self {
            Self::Truncate { file, len } => files.get_mut(&name(file))?.truncate(len),
            Self::Flip { file, byte, bit } => files.get_mut(&name(file))?[byte] ^= 1 << bit,
            Self::Swap { one, other } => {
                let (one, other) = (name(one), name(other));
                let (was_one, was_other) = (files.remove(&one)?, files.remove(&other)?);
                files.extend([(one, was_other), (other, was_one)]);
            }
            Self::Missing { one, other } => {
                files.remove(&name(one));
                files.remove(&name(other));
            }
            Self::Duplicate { file, number } => {
                let (of, content) = (name(file), files[&name(file)].clone());
                let suffix = &of[of.find('.')?..];
                let copy = format!("{number:020}{suffix}");
                if files.contains_key(&copy) {
                    return None;
                }
                files.insert(copy, content);
            }
            Self::Earlier { file, generation } => {
                let content = image.earlier[generation].1.get(&name(file))?.clone();
                files.insert(name(file), content);
            }
            Self::Back { file, generation } => {
                let (name, content) = image.earlier[generation].1.iter().nth(file)?;
                if files.contains_key(name) {
                    return None;
                }
                files.insert(name.clone(), content.clone());
            }
            Self::Foreign { file } => {
                let content = image.foreign.get(&name(file))?.clone();
                files.insert(name(file), content);
            }
            Self::Block { file, start, len, filling } => {
                let bytes = files.get_mut(&name(file))?;
                let end = (start + len).min(bytes.len());
                let block = filling.bytes(image, file, start, end - start)?;
                bytes[start..end].copy_from_slice(&block);
            }
            Self::Append { file, len, filling } => {
                let bytes = files.get_mut(&name(file))?;
                let more = filling.bytes(image, file, bytes.len(), len)?;
                bytes.extend(more);
            }
        }
        (files != image.files).then_some(files)
    }
}

impl Filling {
    /// `len` bytes that are to stand at `start`. Of an older file of which none is so long, those at its end; and if there
    /// is no older file of the name, of the first one.
    fn bytes(self, image: &Image, file: usize, start: usize, len: usize) -> Option<Vec<u8>> {
        let of = |files: &Files| {
            let name = image.files.keys().nth(file)?;
            let bytes = files.get(name).or_else(|| files.values().next())?;
            let start = start.min(bytes.len().saturating_sub(len));
            let mut block = bytes.get(start..bytes.len().min(start + len))?.to_vec();
            block.resize(len, 0);
            Some(block)
        };
        match self {
            Self::Zeros => Some(vec![0; len]),
            Self::Garbage => {
                let mut random = Random(u64::try_from(start * 31 + len).ok()?);
                Some((0..len).map(|_| random.next().to_le_bytes()[0]).collect())
            }
            Self::Earlier(generation) => of(&image.earlier[generation].1),
            Self::Foreign => of(&image.foreign),
        }
    }
}

/// As `--only` takes it.
impl Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{self:?}").to_lowercase();
        let words: Vec<_> = text
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        f.write_str(&words.join("-"))
    }
}
