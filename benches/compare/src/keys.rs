//! Which keys are asked for, and in which order.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Uniform, Zipf};

/// How requests are spread over the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Each as often as any other.
    Uniform,
    /// The n-th most popular as often as 1 / n^0.99, as YCSB has it (Cooper et al., `SoCC` 2010).
    Zipf,
}

/// How many requests are made up before they begin again, of all threads together.
const REQUESTS: usize = 1 << 21;

/// Numbers of keys for one thread, made up before anything is measured.
#[derive(Debug)]
pub struct Requests {
    numbers: Vec<u32>,
    next: usize,
}

impl Requests {
    /// For one of so many threads. The same seed gives the same requests.
    ///
    /// # Panics
    /// Without keys.
    #[must_use]
    pub fn new(spread: Spread, keys: u32, threads: usize, seed: u64) -> Self {
        // Of few keys fewer will do: making them up takes longer than a short round.
        let count = (REQUESTS / threads.max(2)).min(4 * keys as usize);
        Self::of(spread, keys, count, seed)
    }

    /// So many until they begin again.
    #[must_use]
    pub fn of(spread: Spread, keys: u32, count: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let numbers = match spread {
            Spread::Uniform => {
                let uniform = Uniform::new(0, keys).expect("there are keys");
                (0..count).map(|_| uniform.sample(&mut random)).collect()
            }
            Spread::Zipf => {
                let zipf = Zipf::new(f64::from(keys), 0.99).expect("there are keys");
                (0..count).map(|_| zipf.sample(&mut random) as u32 - 1).collect()
            }
        };
        Self { numbers, next: 0 }
    }

    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.next = (self.next + 1) % self.numbers.len();
        u64::from(self.numbers[self.next])
    }
}

/// Numbers of keys, each as likely as any other, without end: they do not begin again. Making one up takes some nanoseconds.
///
/// # Panics
/// Without keys.
pub fn uniform(keys: u32, seed: u64) -> impl FnMut() -> u64 {
    let mut random = StdRng::seed_from_u64(seed);
    let uniform = Uniform::new(0, keys).expect("there are keys");
    move || u64::from(uniform.sample(&mut random))
}
