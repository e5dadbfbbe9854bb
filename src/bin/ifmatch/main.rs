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
    /// Print a script that completes this command in a shell
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = whole().try_get_matches_from(&arguments);
    let cli = matches.and_then(|matches| {
        refuse_for_serve(&matches)?;
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

/// The options that say which server to talk to, and how to print: those of all but `serve`.
const CLIENT_OPTIONS: [&str; 6] = ["server", "token_file", "ca_cert", "timeout", "json", "quiet"];

/// The command, in whose help `serve` has only its own options.
fn whole() -> clap::Command {
    let command = Cli::command();
    let global = command.get_arguments().filter(|argument| argument.is_global_set());
    let hidden: Vec<clap::Arg> = global.map(|argument| argument.clone().hide(true)).collect();
    command.mut_subcommand("serve", |serve| serve.args(hidden))
}

/// A server listens to none of the options that are not its own.
fn refuse_for_serve(matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(("serve", matches)) = matches.subcommand() else { return Ok(()) };
    for name in CLIENT_OPTIONS {
        if matches.value_source(name) == Some(ValueSource::CommandLine) {
            let what = format!("--{} is not for serve", name.replace('_', "-"));
            return Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, what));
        }
    }
    Ok(())
}

fn run(command: &Command, server: &ServerOptions) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start"))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(_) => Ok(()),
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
