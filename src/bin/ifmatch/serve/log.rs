//! Where log events go: to stderr, as text or as JSON.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::arguments::Form;
use super::failure::Failure;
use crate::report::complain;

/// The running log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    form: Form,
}

impl Log {
    /// Without a form that was asked for only warnings and errors are logged, unless `IFMATCH_LOG` says otherwise.
    pub(super) fn start(form: Option<Form>) -> Result<Self, Failure> {
        let usual = if form.is_some() { "info" } else { "warn" };
        let filter = match std::env::var("IFMATCH_LOG") {
            Ok(filter) if !filter.trim().is_empty() => parse(&filter).map_err(Failure::Filter)?,
            _ => EnvFilter::new(usual),
        };
        let form = form.unwrap_or(Form::Text);
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match form {
            Form::Text => subscriber.init(),
            Form::Json => subscriber.json().flatten_event(true).init(),
        }
        Ok(Self { form })
    }

    /// Something that whoever runs the server should know.
    pub(super) fn warn(&self, line: &str) {
        match self.form {
            Form::Text => complain(line),
            // Whoever reads JSON cannot read another line.
            Form::Json => tracing::warn!(target: "ifmatch::serve", "{line}"),
        }
    }
}

/// A level alone is of what this crate logs: from `info` on, those beneath it log each frame of each connection. Of these
/// warnings are told, unless a filter names them.
fn parse(filter: &str) -> Result<EnvFilter, ParseError> {
    match filter.trim().to_ascii_lowercase().as_str() {
        level @ ("trace" | "debug" | "info") => Ok(EnvFilter::new(format!("warn,ifmatch={level}"))),
        _ => EnvFilter::builder().parse(filter),
    }
}
