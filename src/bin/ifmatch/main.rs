//! The command `ifmatch`. A subcommand is a file; what they have in common is `server`, `output`, `failure` and `report`.

mod completions;
mod condition;
mod content_type;
mod delete;
mod edit;
mod entry_line;
mod exit_code;
mod export;
mod failure;
mod get;
mod import;
mod list;
mod log;
mod output;
mod progress;
mod put;
mod replace;
mod report;
mod serve;
mod server;
mod stop;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::failure::Failure;
use self::server::ServerOptions;

/// A versioned key-value store with compare-and-swap by revision: the server, and a client of it.
#[derive(Debug, Parser)]
#[command(version, after_help = exit_code::TABLE)]
struct Cli {
    #[command(flatten)]
    server: ServerOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a store over HTTP
    Serve(Box<serve::Arguments>),
    /// Print what is stored under a key
    Get(get::Arguments),
    /// Write a value, and print its new ETag
    Put(put::Arguments),
    /// Remove a key
    Delete(delete::Arguments),
    /// List the keys with a prefix
    List(list::Arguments),
    /// Print a line for each commit, as it comes
    Watch(watch::Arguments),
    /// Change a value in $VISUAL or $EDITOR, merging what others write meanwhile
    Edit(edit::Arguments),
    /// Write the entries of a file of JSON lines
    Import(import::Arguments),
    /// Write all entries with a prefix as JSON lines, all at one revision
    Export(export::Arguments),
    /// Look after the directory of a log: verify, copy, restore, compact, repair
    Log(log::Arguments),
    /// Print a script that completes this command in a shell
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = whole().try_get_matches_from(&arguments);
    let cli = matches.and_then(|matches| {
        refuse_unheeded(&matches)?;
        Cli::from_arg_matches(&matches)
    });
    let Cli { server, command } = match cli {
        Ok(cli) => cli,
        Err(error) => {
            let in_json = arguments.iter().any(|argument| argument == "--json");
            return report::usage(&error, in_json);
        }
    };
    if let Command::Serve(arguments) = &command {
        return report::outcome(serve::run(arguments));
    }
    match run(&command, &server) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => match failure.exit() {
            None => ExitCode::SUCCESS,
            Some(exit) => {
                failure.tell(server.json);
                exit.into()
            }
        },
    }
}

/// The options that say which server to talk to, and how to print.
const CLIENT_OPTIONS: [&str; 6] = ["server", "token_file", "ca_cert", "timeout", "json", "quiet"];

/// The subcommands that talk to no server, and which of the options are not theirs.
const LOCAL: [(&str, &[&str]); 2] = [
    ("serve", &CLIENT_OPTIONS),
    // It prints as the others do.
    ("log", CLIENT_OPTIONS.split_at(4).0),
];

/// The command, in whose help each subcommand has only the options that it heeds.
fn whole() -> clap::Command {
    let mut command = Cli::command();
    for (name, options) in LOCAL {
        let hidden: Vec<clap::Arg> = command
            .get_arguments()
            .filter(|argument| options.contains(&argument.get_id().as_str()))
            .map(|argument| argument.clone().hide(true))
            .collect();
        command = command.mut_subcommand(name, |subcommand| subcommand.args(hidden));
    }
    command
}

/// An option that is not heeded is refused.
fn refuse_unheeded(matches: &ArgMatches) -> Result<(), clap::Error> {
    for (subcommand, options) in LOCAL {
        let Some(matches) = matches.subcommand_matches(subcommand) else { continue };
        for name in options {
            if matches.value_source(name) == Some(ValueSource::CommandLine) {
                let what = format!("--{} is not for {subcommand}", name.replace('_', "-"));
                return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, what));
            }
        }
    }
    Ok(())
}

fn run(command: &Command, server: &ServerOptions) -> Result<(), Failure> {
    if let Command::Log(arguments) = command {
        return log::run(arguments, server);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start"))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(_) | Command::Log(_) => Ok(()),
            Command::Get(arguments) => get::run(arguments, server).await,
            Command::Put(arguments) => put::run(arguments, server).await,
            Command::Delete(arguments) => delete::run(arguments, server).await,
            Command::List(arguments) => list::run(arguments, server).await,
            Command::Watch(arguments) => watch::run(arguments, server).await,
            Command::Edit(arguments) => edit::run(arguments, server).await,
            Command::Import(arguments) => import::run(arguments, server).await,
            Command::Export(arguments) => export::run(arguments, server).await,
            Command::Completions(arguments) => completions::run(arguments, whole()),
        }
    });
    // A thread may be waiting for somebody to answer a question.
    runtime.shutdown_background();
    done
}
