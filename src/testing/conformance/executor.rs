//! Runs a future on this thread.
//!
//! A dozen lines on what the store waits with anyway, because the crates for it bring unsafe code of their own (pollster
//! 1.0) or an executor that is not needed (futures-executor).

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Arc, Parker};

struct Thread(Parker);

impl Wake for Thread {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks until the future is ready.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let thread = Arc::new(Thread(Parker::new()));
    let waker = Waker::from(Arc::clone(&thread));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread.0.park(None);
    }
}
