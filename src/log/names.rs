//! The names of the log's files. See `FORMAT.md`, "The directory".

const SEGMENT: &str = ".segment";
const CHECKPOINT: &str = ".checkpoint";
/// What is written under its name with this added is given its name when it is whole.
const NEW: &str = ".new";

pub(super) const LOCK: &str = "LOCK";

/// Says of a directory that it is a backup, so that no store is opened on it.
pub(crate) const BACKUP: &str = "BACKUP";

/// The numbers that files have. The largest is out of reach, and has successors.
const NUMBERS: std::ops::RangeInclusive<u64> = 1..=u64::MAX >> 1;

/// What a name in the log's directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Segment(u64),
    Checkpoint(u64),
    /// A segment or a checkpoint whose creation was interrupted.
    Unfinished,
    Lock,
    Backup,
    /// Not the log's, but to be expected in a directory that is a mount point.
    Tolerated,
    Foreign,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        match name {
            LOCK => return Self::Lock,
            BACKUP => return Self::Backup,
            "lost+found" => return Self::Tolerated,
            _ => {}
        }
        let (published, is_new) = match name.strip_suffix(NEW) {
            Some(published) => (published, true),
            None => (name, false),
        };
        let number = |suffix| {
            let digits: &str = published.strip_suffix(suffix)?;
            let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = if all_digits { digits.parse().ok()? } else { 0 };
            NUMBERS.contains(&number).then_some(number)
        };
        match (number(SEGMENT), number(CHECKPOINT)) {
            (Some(_), _) | (_, Some(_)) if is_new => Self::Unfinished,
            (Some(number), _) => Self::Segment(number),
            (_, Some(number)) => Self::Checkpoint(number),
            (None, None) => Self::Foreign,
        }
    }
}

/// Whether a file of this name is the log's own.
pub(crate) fn is_log_file(name: &str) -> bool {
    !matches!(Name::of(name), Name::Foreign | Name::Tolerated)
}

pub(super) fn segment(number: u64) -> String {
    format!("{number:020}{SEGMENT}")
}

/// The checkpoint that replaces all segments before the one of this number.
pub(super) fn checkpoint(number: u64) -> String {
    format!("{number:020}{CHECKPOINT}")
}

/// What a file is called until it is whole.
pub(super) fn unfinished(name: &str) -> String {
    format!("{name}{NEW}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_exactly() {
        assert_eq!(Name::of(&segment(7)), Name::Segment(7));
        assert_eq!(Name::of(&checkpoint(7)), Name::Checkpoint(7));
        assert_eq!(Name::of(&unfinished(&segment(7))), Name::Unfinished);
        assert_eq!(Name::of(&unfinished(&checkpoint(7))), Name::Unfinished);
        assert_eq!(Name::of("LOCK"), Name::Lock);
        assert_eq!(Name::of("BACKUP"), Name::Backup);
        let foreign =
            ["7.segment", "lock", "0000000000000000000x.segment", "notes.txt", "", "LOCK.new"];
        let foreign = foreign.map(str::to_owned);
        let numbers = [0, NUMBERS.end() + 1, u64::MAX];
        for foreign in foreign.iter().chain(&numbers.map(segment)).chain(&numbers.map(checkpoint)) {
            assert_eq!(Name::of(foreign), Name::Foreign, "{foreign:?}");
        }
    }
}
