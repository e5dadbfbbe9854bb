//! What `ifmatch serve` can be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ifmatch::Durability;
use ifmatch::http::PreconditionStatus;

use crate::server::duration;

/// With what a record takes beside the body, this is below the largest record of a log, 256 MiB.
const MAX_BODY_BYTES: u32 = 255 << 20;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4090")]
    pub(super) listen: String,

    /// The directory of the log; without it, and without --backend, everything is kept in memory
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// What an acknowledged write survives: a power cut (sync); the end of the process, and a power cut once it is so old
    /// (interval=TIME, such as interval=100ms); the end of the process, but not a power cut (buffered, which is synced
    /// whenever 4 MiB were written)
    #[arg(long, value_name = "SETTING", default_value = "sync", value_parser = durability)]
    pub(super) durability: Durability,

    /// Keep data in etcd: etcd://HOST:PORT[,HOST:PORT...][/NAMESPACE], or etcds:// for TLS. Many servers on one are one
    /// service
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "history", "durability"],
          value_parser = backend)]
    pub(super) backend: Option<String>,

    #[cfg(feature = "etcd")]
    #[command(flatten)]
    pub(super) elsewhere: super::elsewhere::Arguments,

    /// How many versions of a document are kept, the current one included
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) history: u32,

    /// What a failed If-Match or If-None-Match of a write is answered with
    #[arg(long, value_enum, value_name = "STATUS", default_value = "409")]
    pub(super) precondition_status: Status,

    /// Refuse a write without precondition, with 428
    #[arg(long)]
    pub(super) require_preconditions: bool,

    /// Let in only who has one of the tokens in this file: one a line, then perhaps its scope, read or write
    #[arg(long, value_name = "FILE")]
    pub(super) auth_token_file: Option<PathBuf>,

    /// Let everybody who reaches the address read and write, also from other machines
    #[arg(long, conflicts_with = "auth_token_file")]
    pub(super) allow_anonymous: bool,

    #[command(flatten)]
    pub(super) tls: Option<TlsFiles>,

    /// Let pages of this origin use the server (may be repeated)
    #[arg(long, value_name = "https://HOST")]
    pub(super) cors_origin: Vec<String>,

    /// Answer requests for this host, too (may be repeated)
    #[arg(long, value_name = "NAME")]
    pub(super) allow_host: Vec<String>,

    /// The most bytes that the body of a request may have
    #[arg(long, value_name = "BYTES", default_value = "8388608",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_BODY_BYTES)))]
    pub(super) max_body: u32,

    /// The most connections at a time; more wait
    #[arg(long, value_name = "N", default_value = "10000",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) max_connections: u32,

    /// Log requests to stderr, in this form: conflicts, refusals and errors, or with `IFMATCH_LOG=debug` all
    #[arg(long, value_enum, value_name = "FORM")]
    pub(super) log: Option<Form>,
}

#[derive(Debug, Args)]
#[group(requires_all = ["cert", "key"])]
pub(super) struct TlsFiles {
    /// Speak TLS with this certificate: a file in PEM, the server's own first
    #[arg(id = "cert", long = "tls-cert", value_name = "FILE", required = false)]
    pub(super) cert: PathBuf,

    /// The private key of the certificate: a file in PEM
    #[arg(id = "key", long = "tls-key", value_name = "FILE", required = false)]
    pub(super) key: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Status {
    /// Conflict, as for a revision in the query
    #[value(name = "409")]
    Conflict,
    /// Precondition Failed, as RFC 9110 has it
    #[value(name = "412")]
    PreconditionFailed,
}

impl From<Status> for PreconditionStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Conflict => Self::Conflict,
            Status::PreconditionFailed => Self::PreconditionFailed,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A line for people
    Text,
    /// A line of JSON
    Json,
}

fn durability(text: &str) -> Result<Durability, &'static str> {
    match text.split_once('=') {
        None if text == "sync" => Ok(Durability::Sync),
        None if text == "buffered" => Ok(Durability::Buffered),
        Some(("interval", time)) => duration(time).map(Durability::Interval),
        _ => Err("it is sync, buffered or interval=TIME, such as interval=100ms"),
    }
}

fn backend(url: &str) -> Result<String, &'static str> {
    match url.strip_prefix("etcd://").or_else(|| url.strip_prefix("etcds://")) {
        Some(rest) if !rest.is_empty() => Ok(url.to_owned()),
        _ => Err("the only other backend is etcd://HOST:PORT"),
    }
}
