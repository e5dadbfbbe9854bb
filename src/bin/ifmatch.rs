//! The command `ifmatch`.

use std::error::Error;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use ifmatch::http::{DocumentStore, Options, ServeOptions, documents, router, serve};
use ifmatch::{Durability, OpenError, Recovery, Revision, SyncError};

/// A versioned key-value store with compare-and-swap by revision.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a store over HTTP
    Serve(Serve),
}

#[derive(Debug, Args)]
struct Serve {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4090")]
    listen: String,

    /// The directory of the log; without it everything is kept in memory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// What an acknowledged write survives
    #[arg(long, value_enum, default_value = "sync")]
    durability: Survives,

    /// Let everybody who reaches the address read and write, also from other machines
    #[arg(long)]
    allow_anonymous: bool,

    /// The most bytes that the body of a request may have
    #[arg(long, value_name = "BYTES", default_value = "8388608",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BODY_BYTES)))]
    max_body: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Survives {
    /// A power cut
    Sync,
    /// The end of the process, but not a power cut
    Buffered,
}

impl From<Survives> for Durability {
    fn from(survives: Survives) -> Self {
        match survives {
            Survives::Sync => Self::Sync,
            Survives::Buffered => Self::Buffered,
        }
    }
}

/// With what a record takes beside the body, this is below the largest record of a log, 256 MiB.
const MAX_BODY_BYTES: u32 = 255 << 20;

/// What the record of a document takes at most beside its body: the key, the content type, their lengths.
const RECORD_OVERHEAD_BYTES: u32 = 4 << 10;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("--listen {address}: not an address")]
    Address { address: String, source: io::Error },
    #[error(
        "--listen {address} can be reached from other machines, and everybody could read and write: add \
         --allow-anonymous if that is meant"
    )]
    Exposed { address: SocketAddr },
    #[error("cannot listen on {address}")]
    Listen { address: String, source: io::Error },
    #[error("cannot open the store")]
    Open(#[from] OpenError),
    #[error("cannot start the server")]
    Start(#[source] io::Error),
    #[error("the store could not be closed in good order: what was not yet durable may be lost")]
    Close(#[from] SyncError),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let Command::Serve(arguments) = cli.command;
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&chain(&failure));
            ExitCode::FAILURE
        }
    }
}

/// Help and version go to stdout, as they are; what is wrong becomes one line on stderr.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let printed = error.print();
            if error.use_stderr() || printed.is_err() {
                ExitCode::from(2)
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
            ExitCode::from(2)
        }
    }
}

fn complain(line: &str) {
    // There is nobody to tell if this fails.
    let _written = writeln!(io::stderr(), "ifmatch: {line}");
}

/// The error with its sources, in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line.replace('\n', " ")
}

fn run(arguments: &Serve) -> Result<(), Failure> {
    // The port comes first: if it is used, no directory is created. Clients that come before the log is read wait.
    let listener = listen(arguments)?;
    let address = listener.local_addr().map_err(Failure::Start)?;
    let store = open(arguments)?;

    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Start)?;
    let options = Options::default()
        .max_body(usize::try_from(arguments.max_body).expect("a body is smaller than memory"));
    let cut = runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = Stop::install()?;
        announce(address);
        let router = router(store.clone(), options);
        io::Result::Ok(serve(listener, router, ServeOptions::default(), stop.requested()).await)
    });
    drop(runtime);
    let closed = store.close();
    let cut = cut.map_err(Failure::Start)?;
    if cut > 0 {
        complain(&format!("{cut} connections were cut, because they did not end in time"));
    }
    Ok(closed?)
}

fn listen(arguments: &Serve) -> Result<TcpListener, Failure> {
    let address = &arguments.listen;
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|source| Failure::Address { address: address.clone(), source })?
        .collect();
    let exposed = addresses.iter().find(|address| !address.ip().is_loopback());
    if let (Some(address), false) = (exposed, arguments.allow_anonymous) {
        return Err(Failure::Exposed { address: *address });
    }
    TcpListener::bind(&addresses[..])
        .map_err(|source| Failure::Listen { address: address.clone(), source })
}

fn open(arguments: &Serve) -> Result<DocumentStore, Failure> {
    let builder = documents().durability(arguments.durability.into());
    let Some(directory) = &arguments.data else {
        complain("warning: without --data everything is in memory, and lost when the server stops");
        return Ok(builder.first_revision(revision_of_now()).build());
    };
    let record = (arguments.max_body + RECORD_OVERHEAD_BYTES).max(16 << 20);
    let store = builder.max_record_bytes(record).open(directory)?;
    if let Some(report) = store.recovery().and_then(|recovery| unclean(directory, recovery)) {
        complain(&report);
    }
    Ok(store)
}

/// Above all revisions that a server handed out that ran here before, unless it wrote a million times a second.
fn revision_of_now() -> Revision {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Revision::try_from(seconds.saturating_mul(1 << 20)).unwrap_or(Revision::MIN)
}

/// What is to be said of a log that had not been closed in good order.
fn unclean(directory: &Path, recovery: &Recovery) -> Option<String> {
    if recovery.clean && recovery.cut.is_none() {
        return None;
    }
    let cut = recovery.cut.map_or_else(String::new, |cut| {
        format!(
            "; cut {} bytes of an unfinished write at byte {} of segment {}",
            cut.bytes, cut.offset, cut.segment
        )
    });
    Some(format!(
        "{} had not been closed in good order: recovered {} commits from {} segments{cut}",
        directory.display(),
        recovery.commits,
        recovery.segments
    ))
}

/// The one line of stdout: whoever started the server reads the address from it.
fn announce(address: SocketAddr) {
    let mut out = io::stdout().lock();
    // A server whose stdout is closed still serves.
    let _written = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
}

/// The signals that end the server. From the moment it is installed none is missed.
#[cfg(unix)]
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn requested(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Stop(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Stop {
    fn install() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn requested(mut self) {
        self.0.recv().await;
    }
}
