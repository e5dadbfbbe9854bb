//! The calls that have no place in the order yet, in the order in which they began.
//!
//! A list through arrays: taking a call out, and putting back the one that was taken last, are a few stores (Knuth's dancing
//! links, which Lowe's checker uses likewise).

/// Calls by number, 0 to n - 1.
pub(super) struct Waiting {
    /// Of each call, and, at place n, of the list itself: the one after it.
    next: Vec<usize>,
    previous: Vec<usize>,
}

impl Waiting {
    pub(super) fn new(calls: usize) -> Self {
        let next = (1..=calls).chain([0]).collect();
        let previous = [calls].into_iter().chain(0..calls).collect();
        Self { next, previous }
    }

    /// The first.
    pub(super) fn first(&self) -> Option<usize> {
        self.after(self.end())
    }

    /// The one after `call`, which is waiting.
    pub(super) fn after(&self, call: usize) -> Option<usize> {
        let next = self.next[call];
        (next != self.end()).then_some(next)
    }

    /// Takes out `call`, which is waiting.
    pub(super) fn take(&mut self, call: usize) {
        let (next, previous) = (self.next[call], self.previous[call]);
        self.next[previous] = next;
        self.previous[next] = previous;
    }

    /// Puts back what was taken last, of all that is out.
    pub(super) fn put_back(&mut self, call: usize) {
        let (next, previous) = (self.next[call], self.previous[call]);
        self.next[previous] = call;
        self.previous[next] = call;
    }

    fn end(&self) -> usize {
        self.next.len() - 1
    }
}
