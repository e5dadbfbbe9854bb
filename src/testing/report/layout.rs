//! Which calls of a violation are shown, and where on the time axis.

use std::fmt::Debug;

use crate::testing::check::{Blocked, Violation};

/// A violation without its types.
pub(in crate::testing) struct Layout<'a> {
    /// In the order in which they began.
    pub(super) bars: Vec<Bar>,
    /// How many moments there are: calls that begin, and calls that return.
    pub(super) moments: usize,
    pub(super) order: &'a [usize],
    pub(super) blocked: &'a [Blocked],
    pub(super) start: Option<&'a str>,
    pub(super) state: &'a str,
    /// How many calls the violation has.
    pub(super) calls: usize,
    pub(super) left_out: usize,
    pub(super) before: usize,
}

/// A call that is shown.
pub(super) struct Bar {
    /// Its place in the violation's history.
    pub(super) number: usize,
    pub(super) client: u32,
    /// The moment when it began.
    pub(super) begin: usize,
    /// That when it returned.
    pub(super) end: Option<usize>,
    /// What was asked, and answered.
    pub(super) label: String,
    /// As it was recorded.
    pub(super) stamps: String,
    pub(super) is_blocked: bool,
}

impl<'a> Layout<'a> {
    /// Of at most `max` calls: those that are blocked, then the last ones of the order, then those that wait.
    pub(in crate::testing) fn new<O: Debug, T: Debug>(
        violation: &'a Violation<O, T>,
        max: usize,
    ) -> Self {
        let calls = violation.history().calls();
        let blocked = violation.blocked();
        let by_interest = blocked.iter().map(|blocked| blocked.call);
        let by_interest = by_interest.chain(violation.order().iter().rev().copied());
        let mut shown: Vec<usize> = Vec::new();
        for call in by_interest.chain(0..calls.len()) {
            if shown.len() < max && !shown.contains(&call) {
                shown.push(call);
            }
        }
        shown.sort_unstable();
        let stamps = shown.iter().map(|call| &calls[*call]);
        let mut stamps: Vec<u64> =
            stamps.flat_map(|call| [Some(call.called), call.returned]).flatten().collect();
        stamps.sort_unstable();
        stamps.dedup();
        let moment = |stamp: u64| stamps.partition_point(|other| *other < stamp);
        let bars = shown.into_iter().map(|number| {
            let call = &calls[number];
            let returned = call.returned;
            let answer = call.outcome.as_ref();
            Bar {
                number,
                client: call.client,
                begin: moment(call.called),
                end: returned.map(moment),
                label: match answer {
                    Some(outcome) => format!("{:?} -> {outcome:?}", call.operation),
                    None => format!("{:?} -> ?", call.operation),
                },
                stamps: match returned {
                    Some(returned) => format!("{} to {returned}", call.called),
                    None => format!("{}, open", call.called),
                },
                is_blocked: blocked.iter().any(|blocked| blocked.call == number),
            }
        });
        Self {
            bars: bars.collect(),
            moments: stamps.len(),
            order: violation.order(),
            blocked,
            start: violation.start(),
            state: violation.state(),
            calls: calls.len(),
            left_out: violation.left_out(),
            before: violation.before(),
        }
    }

    /// What it is about, in sentences.
    pub(super) fn head(&self) -> String {
        let mut head = match self.calls {
            1 => "No order explains this call.".to_owned(),
            calls => format!("No order explains these {calls} calls."),
        };
        match self.left_out {
            0 => {}
            others if self.before > 0 => {
                let shown = match self.calls {
                    1 => "the one that is shown".to_owned(),
                    calls => format!("the {calls} that are shown"),
                };
                let all = self.calls + others;
                head = format!(
                    "No order explains these {all} calls. The longest one found breaks off at {shown}."
                );
            }
            1 => head += " One other is left out.",
            others => head += &format!(" {others} others are left out."),
        }
        match self.calls - self.bars.len() {
            0 => {}
            more => head += &format!(" {more} of these {} are not drawn.", self.calls),
        }
        if self.bars.iter().any(|bar| bar.label.ends_with("-> ?")) {
            head += " Of those with `-> ?` it is not known what came of them.";
        }
        head
    }

    /// The state at the start, if it is another than that of the model.
    pub(super) fn from(&self) -> Option<String> {
        let start = cut(self.start?, LONG);
        Some(match self.before {
            0 => format!("They start from {start}."),
            1 => format!("Before these calls comes one other; the state is then {start}."),
            before => {
                format!("Before these calls come {before} others; the state is then {start}.")
            }
        })
    }

    /// How far an order gets.
    pub(super) fn found(&self) -> String {
        let state = cut(self.state, LONG);
        let skipped = self.order.len().saturating_sub(SHOWN);
        let shown: Vec<_> = self.order[skipped..].iter().map(usize::to_string).collect();
        let shown = shown.join(", ");
        match (self.order.len(), skipped) {
            (0, _) => format!("None of them can come first. The state is {state}."),
            (_, 0) => format!("The longest order found: {shown}. The state is then {state}."),
            _ => format!(
                "The longest order found: {skipped} calls, then {shown}. The state is then {state}."
            ),
        }
    }

    /// Why none of them is the next.
    pub(super) fn reasons(&self) -> Vec<String> {
        let reasons = self.blocked.iter().take(SHOWN);
        let mut reasons: Vec<_> = reasons
            .map(|Blocked { call, reason }| {
                format!("Call {call} cannot come next: {}.", cut(reason, LONG))
            })
            .collect();
        if self.blocked.len() > SHOWN {
            reasons.push(format!("Nor can {} others.", self.blocked.len() - SHOWN));
        }
        reasons
    }
}

/// How many calls a sentence names.
const SHOWN: usize = 12;

/// How many characters of what may have any length are shown.
pub(super) const LONG: usize = 2000;

/// The beginning of a text, of at most `max` characters.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}
