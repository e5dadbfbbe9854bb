//! How the command says what happened: lines on stderr, and the exit code.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

use serde_json::json;

use crate::exit_code::Exit;
use crate::failure::complain_in_json;

/// Why a subcommand failed.
pub(crate) trait Failed: Error {
    /// What the process exits with.
    fn exit(&self) -> Exit {
        Exit::Failed
    }
}

/// Says in one line why it failed, if it did.
pub(crate) fn outcome<F: Failed>(outcome: Result<(), F>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&chain(&failure));
            failure.exit().into()
        }
    }
}

/// Help and version go to stdout, as they are; what is wrong becomes one line on stderr.
pub(crate) fn usage(error: &clap::Error, in_json: bool) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let printed = error.print();
            if error.use_stderr() || printed.is_err() {
                Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            }
        }
        _ => {
            let text = error.to_string();
            let what = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> =
                what.split_whitespace().skip_while(|word| *word == "error:").collect();
            let line = format!("{} (see --help)", words.join(" "));
            if in_json {
                complain_in_json(&json!({ "detail": line, "exit_code": Exit::Usage.number() }));
            } else {
                complain(&line);
            }
            Exit::Usage.into()
        }
    }
}

/// A line for people, on stderr.
pub(crate) fn complain(line: &str) {
    // There is nobody to tell if this fails.
    let _written = writeln!(io::stderr(), "ifmatch: {line}");
}

/// The error with its sources, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Some say what their source says.
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = error.source();
    }
    line.replace('\n', " ")
}
