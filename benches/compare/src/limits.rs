//! What the machine itself can do, on one thread: below this nobody can come.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::Plan;
use crate::data::Data;
use crate::engine::{KEY_BYTES, VALUE_BYTES};
use crate::line::{Figure, Line, Unit};
use crate::measure::Series;

/// As on the command line.
pub const NAME: &str = "limits";

/// Of a key, a value, and 16 bytes of lengths and checksum.
const RECORD_BYTES: usize = 16 + KEY_BYTES + VALUE_BYTES;

/// How many records a write of 64 KiB holds.
const PIECE: usize = (64 << 10) / RECORD_BYTES;

/// Of the file that is written: set aside by zeros, so that a sync has no size and no extents to write.
const FILE_BYTES: usize = 64 << 20;

/// How often an operation is done between two looks at the clock.
const STRIDE: usize = 64;

/// Each of the limits.
pub fn limits(plan: &Plan) -> Vec<Line> {
    let mut file = Prepared::new(&plan.data);
    let mut lines = vec![
        line(plan, "dependent random load (64 MiB)", Unit::Seconds, random_load()),
        line(plan, "copying 100 B", Unit::Seconds, copy()),
        line(
            plan,
            "records appended by writes of 64 KiB",
            Unit::PerSecond,
            file.append(PIECE, false),
        ),
        line(plan, "records appended by a write each", Unit::PerSecond, file.append(1, false)),
    ];
    for (records, name) in [
        (1, "records, 1 a write + fdatasync"),
        (2, "records, 2 a write + fdatasync"),
        (4, "records, 4 a write + fdatasync"),
        (8, "records, 8 a write + fdatasync"),
        (16, "records, 16 a write + fdatasync"),
        (32, "records, 32 a write + fdatasync"),
        (64, "records, 64 a write + fdatasync"),
    ] {
        lines.push(line(plan, name, Unit::PerSecond, file.append(records, true)));
    }
    lines.push(line(plan, "records read, and their CRC-32C", Unit::PerSecond, file.read()));
    lines
}

/// `work` returns how much it did.
fn line(plan: &Plan, name: &'static str, unit: Unit, mut work: impl FnMut() -> usize) -> Line {
    let figures = (0..plan.rounds).map(|_| {
        let (count, seconds) = during(plan.length, &mut work);
        match unit {
            Unit::PerSecond => count as f64 / seconds,
            _ => seconds / count as f64,
        }
    });
    let series = Series(figures.collect());
    eprintln!("{name}: {}", unit.show(series.median()));
    let figures = vec![Figure { is_limit: true, ..Figure::new("this machine", series) }];
    Line {
        heading: "The machine's limits, on one thread; records of 132 B",
        workload: name,
        threads: 0,
        figure: "rate",
        unit,
        target: None,
        rival: None,
        figures,
        missing: None,
        by_cpu_time: None,
    }
}

fn during(length: Duration, work: &mut impl FnMut() -> usize) -> (usize, f64) {
    let (begin, mut count) = (Instant::now(), 0);
    loop {
        count += work();
        let elapsed = begin.elapsed();
        if elapsed >= length {
            return (count, elapsed.as_secs_f64());
        }
    }
}

/// Each load says where the next one is.
fn random_load() -> impl FnMut() -> usize {
    // One cycle through all, so that none is left early (Sattolo).
    const COUNT: usize = 16 << 20;
    let mut order: Vec<u32> = (0..COUNT as u32).collect();
    order.shuffle(&mut StdRng::seed_from_u64(1));
    let mut next = vec![0; COUNT];
    for (index, place) in order.iter().enumerate() {
        next[*place as usize] = order[(index + 1) % COUNT];
    }
    let mut place = 0;
    move || {
        for _ in 0..STRIDE {
            place = next[place as usize];
        }
        black_box(place);
        STRIDE
    }
}

fn copy() -> impl FnMut() -> usize {
    // From somewhere else each time, which a mask says: a division takes longer than the copy.
    const PLACES: usize = 64 << 10;
    let (from, mut to) = (vec![7; PLACES + VALUE_BYTES], [0_u8; VALUE_BYTES]);
    let mut begin = 0;
    move || {
        for _ in 0..STRIDE {
            begin = (begin + 1024) & (PLACES - 1);
            to.copy_from_slice(&from[begin..begin + VALUE_BYTES]);
            black_box(&mut to);
        }
        STRIDE
    }
}

/// A file whose room is set aside.
struct Prepared {
    file: File,
    end: usize,
}

impl Prepared {
    fn new(data: &Data) -> Self {
        let mut file = data.file();
        let zeros = vec![0; 1 << 20];
        for _ in 0..FILE_BYTES / zeros.len() {
            file.write_all(&zeros).expect("the disk has room");
        }
        file.rewind().and_then(|()| file.sync_all()).expect("the disk works");
        Self { file, end: 0 }
    }

    /// From the beginning again where the room ends.
    fn append(&mut self, records: usize, sync: bool) -> impl FnMut() -> usize {
        let piece = vec![1; records * RECORD_BYTES];
        move || {
            if self.end + piece.len() > FILE_BYTES {
                self.end = 0;
                self.file.rewind().expect("it is a file");
            }
            self.file.write_all(&piece).expect("the disk has room");
            if sync {
                self.file.sync_data().expect("the disk works");
            }
            self.end += piece.len();
            records
        }
    }

    fn read(&mut self) -> impl FnMut() -> usize {
        let mut piece = vec![0; PIECE * RECORD_BYTES];
        self.file.seek(SeekFrom::Start(0)).expect("it is a file");
        move || {
            if self.file.read_exact(&mut piece).is_err() {
                self.file.rewind().expect("it is a file");
            }
            for record in piece.chunks(RECORD_BYTES) {
                black_box(crc32c::crc32c(record));
            }
            PIECE
        }
    }
}
