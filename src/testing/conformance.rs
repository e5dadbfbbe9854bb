//! What every [`Backend`] must hold, as tests.
//!
//! Each case is an asynchronous function over any backend; it uses the keys of its own [`Space`] only, so that cases can run
//! at once on one server. What a backend does not [support](Backend::supports) must be refused as such, and is not asked of
//! it else. Races run on threads. A case that waits for what does not come fails when the [patience](Harness::patience) is
//! over.
//!
//! [`backend_conformance!`](crate::backend_conformance) makes a test of each case, [`run`] runs them all.
//!
//! ```
//! use ifmatch::Store;
//! use ifmatch::testing::conformance::{self, Space};
//!
//! let report = conformance::run(|| Space::new(Store::new()));
//! assert!(report.is_passed(), "{report}");
//! ```
//!
//! It does not look at what only the outside can bring about: crashes, connections that break, a store that is closed.
#![doc = include_str!("conformance.md")]

mod executor;
mod failure;
mod handles;
mod list;
mod pages;
mod past;
mod preconditions;
mod races;
mod ranges;
mod report;
mod revisions;
mod snapshots;
mod space;
mod transactions;
mod watches;

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::backend::Backend;

pub use self::failure::Failure;
pub use self::report::Report;
pub use self::space::Space;

/// How the suite comes by a backend, and runs its futures.
///
/// A closure that makes a [`Space`] is one, for backends that need no runtime. One of your own brings a runtime along:
///
/// ```
/// use ifmatch::Store;
/// use ifmatch::testing::conformance::{self, Harness, Space};
///
/// struct OnTokio(tokio::runtime::Runtime);
///
/// impl Harness for OnTokio {
///     type Backend = Store<bytes::Bytes, bytes::Bytes>;
///
///     async fn space(&self) -> Space<Self::Backend> {
///         Space::new(Store::new())
///     }
///
///     fn block_on<F: Future>(&self, future: F) -> F::Output {
///         self.0.block_on(future)
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let report = conformance::run(OnTokio(tokio::runtime::Runtime::new()?));
/// # assert!(report.is_passed(), "{report}");
/// # Ok(()) }
/// ```
pub trait Harness: Send + Sync + 'static {
    /// What is tested.
    type Backend: Backend;

    /// A backend for one case: a new store, or a new prefix of one.
    fn space(&self) -> impl Future<Output = Space<Self::Backend>>;

    /// Runs a future on this thread, also on several at once.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        executor::block_on(future)
    }

    /// How long a case may take. Default: 60 s.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

impl<F, B> Harness for F
where
    F: Fn() -> Space<B> + Send + Sync + 'static,
    B: Backend,
{
    type Backend = B;

    async fn space(&self) -> Space<B> {
        self()
    }
}

/// The names of all cases.
#[must_use]
pub fn names() -> Vec<&'static str> {
    list::NAMES.to_vec()
}

/// Runs one case.
///
/// # Errors
/// What it found; also if there is no case of that `name`, if it panicked, or did not end in time.
pub fn check<H: Harness>(name: &str, harness: H) -> Result<(), Failure> {
    check_on(name, &Arc::new(harness))
}

/// Runs all cases, one after another.
pub fn run<H: Harness>(harness: H) -> Report {
    let harness = Arc::new(harness);
    Report::new(list::NAMES.iter().map(|name| (*name, check_on(name, &harness))).collect())
}

fn check_on<H: Harness>(name: &str, harness: &Arc<H>) -> Result<(), Failure> {
    let Some(case) = list::case::<H>(name) else {
        return Err(Failure::new(format!("there is no case {name}")));
    };
    let (tell, told) = mpsc::channel();
    let patience = harness.patience();
    let harness = Arc::clone(harness);
    let work = move || {
        let space = harness.block_on(harness.space());
        let verdict = case(&harness, space);
        // Who waited may have given up.
        let _told = tell.send(verdict);
    };
    // If it hangs it is left behind: there is no way to end a thread.
    std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
    match told.recv_timeout(patience) {
        Ok(verdict) => verdict,
        Err(RecvTimeoutError::Timeout) => {
            Err(Failure::new(format!("it did not end within {} s", patience.as_secs())))
        }
        Err(RecvTimeoutError::Disconnected) => Err(Failure::new("it panicked")),
    }
}
