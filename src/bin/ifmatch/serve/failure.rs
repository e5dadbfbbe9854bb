//! Why `ifmatch serve` failed.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ifmatch::http::{InvalidOrigin, InvalidTokens, TlsError};
use ifmatch::{OpenError, SyncError};

use crate::exit_code::Exit;
use crate::report::Failed;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("--listen {address}: not an address")]
    Address { address: String, source: io::Error },
    #[error(
        "--listen {address} can be reached from other machines, and everybody could read and write: add \
         --auth-token-file, or --allow-anonymous if that is meant"
    )]
    Exposed { address: SocketAddr },
    #[error("{flag}")]
    Origin { flag: &'static str, source: InvalidOrigin },
    #[error("IFMATCH_LOG: not a filter like \"info\": {0}")]
    Filter(tracing_subscriber::filter::ParseError),
    #[cfg(not(feature = "etcd"))]
    #[error("--backend {url}: this build has no etcd backend")]
    NoBackend { url: String },
    #[cfg(feature = "etcd")]
    #[error("--backend {url}")]
    Backend { url: String, source: ifmatch::etcd::ConnectError },
    #[cfg(feature = "etcd")]
    #[error(
        "--backend-user: its password is to be in the variable IFMATCH_BACKEND_PASSWORD, which is not there"
    )]
    NoPassword,
    #[error("{flag}: cannot read {}", path.display())]
    Read { flag: &'static str, path: PathBuf, source: io::Error },
    #[error("--auth-token-file {}", path.display())]
    Tokens { path: PathBuf, source: InvalidTokens },
    #[error("--tls-cert {} with --tls-key {}", cert.display(), key.display())]
    Tls { cert: PathBuf, key: PathBuf, source: TlsError },
    #[error("cannot listen on {address}")]
    Listen { address: String, source: io::Error },
    #[error("cannot open the store in {}{}", directory.display(), advice(source))]
    Open { directory: PathBuf, source: OpenError },
    #[error("cannot start the server")]
    Start(#[source] io::Error),
    #[error("the store could not be closed in good order: what was not yet durable may be lost")]
    Close(#[from] SyncError),
}

impl Failed for Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Address { .. } | Self::Exposed { .. } | Self::Origin { .. } | Self::Filter(_) => {
                Exit::Usage
            }
            #[cfg(not(feature = "etcd"))]
            Self::NoBackend { .. } => Exit::Usage,
            #[cfg(feature = "etcd")]
            Self::NoPassword => Exit::Usage,
            #[cfg(feature = "etcd")]
            Self::Backend { source, .. } => match source {
                ifmatch::etcd::ConnectError::Unreachable(_) => Exit::Unreachable,
                ifmatch::etcd::ConnectError::Refused(_)
                | ifmatch::etcd::ConnectError::InvalidIdentity { .. } => Exit::Failed,
                _ => Exit::Usage,
            },
            Self::Read { .. }
            | Self::Tokens { .. }
            | Self::Tls { .. }
            | Self::Listen { .. }
            | Self::Start(_)
            | Self::Close(_) => Exit::Failed,
            Self::Open { source, .. } => match source {
                OpenError::Locked { .. } => Exit::Unreachable,
                OpenError::Corrupt { .. } | OpenError::MissingSegment { .. } => Exit::Damaged,
                _ => Exit::Failed,
            },
        }
    }
}

/// Where to go on.
fn advice(error: &OpenError) -> &'static str {
    match error {
        OpenError::Corrupt { .. } | OpenError::MissingSegment { .. } => {
            " (`ifmatch log verify` says all that is damaged, `log repair` what can be kept; a backup is better)"
        }
        OpenError::IsBackup { .. } => " (`ifmatch log restore` makes a store of it)",
        _ => "",
    }
}
