//! How far long work is, on a terminal only.

use std::io::IsTerminal;

use ifmatch::maintenance;
use indicatif::{ProgressBar, ProgressStyle};

use crate::server::ServerOptions;

pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of a transfer, with `total` bytes to go, if that is known.
    pub(crate) fn new(server: &ServerOptions, total: Option<u64>) -> Self {
        if is_hidden(server) {
            return Self(ProgressBar::hidden());
        }
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{bar:30} {bytes}/{total_bytes}, {eta} left, {msg}")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {msg}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is right");
        Self(bar.with_style(style))
    }

    /// Of work on a log.
    pub(crate) fn of_work(options: &ServerOptions, what: &'static str) -> Self {
        if is_hidden(options) {
            return Self(ProgressBar::hidden());
        }
        let style =
            ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}, {eta} left")
                .expect("the template is right");
        Self(ProgressBar::new(0).with_style(style).with_message(what))
    }

    pub(crate) fn work(&self, at: maintenance::Progress) {
        self.0.set_length(at.total);
        self.0.set_position(at.done);
    }

    pub(crate) fn at(&self, bytes: u64, entries: u64) {
        self.0.set_position(bytes);
        self.0.set_message(format!("{entries} entries"));
    }
}

fn is_hidden(options: &ServerOptions) -> bool {
    options.quiet || options.json || !std::io::stderr().is_terminal()
}

/// The line is free again, for what is said next.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
