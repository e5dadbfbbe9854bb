//! How the command says what happened: lines on stderr, and the exit code.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

/// For `--help`.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong arguments.";

/// The exit code of wrong arguments.
pub(crate) const USAGE: u8 = 2;

/// Why a subcommand failed.
pub(crate) trait Failed: Error {
    /// What the process exits with.
    fn exit_code(&self) -> u8 {
        1
    }
}

/// Says in one line why it failed, if it did.
pub(crate) fn outcome<F: Failed>(outcome: Result<(), F>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&chain(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Help and version go to stdout, as they are; what is wrong becomes one line on stderr.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let printed = error.print();
            if error.use_stderr() || printed.is_err() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            }
        }
        _ => {
            let text = error.to_string();
            let what = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> =
                what.split_whitespace().skip_while(|word| *word == "error:").collect();
            complain(&format!("{} (see --help)", words.join(" ")));
            ExitCode::from(USAGE)
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
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line.replace('\n', " ")
}
