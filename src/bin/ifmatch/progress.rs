//! How far an import or export is, on a terminal only.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::server::ServerOptions;

pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// With `total` bytes to go, if that is known.
    pub(crate) fn new(server: &ServerOptions, total: Option<u64>) -> Self {
        if server.quiet || server.json || !std::io::stderr().is_terminal() {
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

    pub(crate) fn at(&self, bytes: u64, entries: u64) {
        self.0.set_position(bytes);
        self.0.set_message(format!("{entries} entries"));
    }
}

/// The line is free again, for what is said next.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
