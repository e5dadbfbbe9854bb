//! What a piece of code allocates, counted, so that a target can demand that it is in proportion to its input.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs `body`, which may allocate so many bytes for each byte of `input`, and `base` beside. All that it asks for is
/// counted, also what it gives back at once: so nothing is larger at any time, and no length is believed before it is
/// checked.
pub(crate) fn bounded<T>(
    what: &str,
    (input, each, base): (usize, usize, usize),
    body: impl FnOnce() -> T,
) -> T {
    let region = Region::new(ALLOCATOR);
    let result = body();
    // What grows in place is counted, too.
    let allocated = region.change().bytes_allocated;
    assert!(allocated <= base + each * input, "{what}: {allocated} bytes for {input}");
    result
}
