//! Where the server listens, who may come there, and where its data is.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ifmatch::http::{Document, DocumentKey, DocumentStore, Origins, documents};
use ifmatch::{Recovery, Revision};

use super::arguments::Arguments;
use super::failure::Failure;
use super::log::Log;

/// What the record of a document takes at most beside its body: the key, the content type, their lengths.
const RECORD_OVERHEAD_BYTES: u32 = 4 << 10;

/// Where the server listens.
pub(super) struct Place {
    given: String,
    addresses: Vec<SocketAddr>,
    /// One of them that other machines reach.
    exposed: Option<SocketAddr>,
}

impl Place {
    pub(super) fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let given = arguments.listen.clone();
        let addresses: Vec<SocketAddr> = match given.to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(source) => return Err(Failure::Address { address: given, source }),
        };
        let exposed = addresses.iter().find(|address| !address.ip().is_loopback()).copied();
        Ok(Self { given, addresses, exposed })
    }

    /// The address that other machines reach, if there is one.
    pub(super) fn exposed(&self) -> Option<SocketAddr> {
        self.exposed
    }

    /// For which hosts requests are answered, and whose pages may send them.
    pub(super) fn origins(&self, arguments: &Arguments) -> Result<Origins, Failure> {
        let any_host = self.exposed.is_some() && arguments.allow_host.is_empty();
        let mut origins = if any_host { Origins::any_host() } else { Origins::loopback() };
        for host in &arguments.allow_host {
            origins = origins
                .allow_host(host)
                .map_err(|source| Failure::Origin { flag: "--allow-host", source })?;
        }
        for origin in &arguments.cors_origin {
            origins = origins
                .allow_origin(origin)
                .map_err(|source| Failure::Origin { flag: "--cors-origin", source })?;
        }
        Ok(origins)
    }

    pub(super) fn bind(&self) -> Result<TcpListener, Failure> {
        TcpListener::bind(&self.addresses[..])
            .map_err(|source| Failure::Listen { address: self.given.clone(), source })
    }
}

pub(super) fn open(arguments: &Arguments, log: &Log) -> Result<DocumentStore, Failure> {
    let versions = usize::try_from(arguments.history).unwrap_or(usize::MAX);
    let builder = documents().durability(arguments.durability).history(versions);
    let Some(directory) = &arguments.data else {
        log.warn("warning: without --data everything is in memory, and lost when the server stops");
        return Ok(builder.first_revision(revision_of_now()).build());
    };
    let record = (arguments.max_body + RECORD_OVERHEAD_BYTES).max(16 << 20);
    let store = builder
        .max_record_bytes(record)
        .open(directory)
        .map_err(|source| Failure::Open { directory: directory.clone(), source })?;
    if let Some(report) = store.recovery().and_then(|recovery| unclean(directory, recovery)) {
        log.warn(&report);
    }
    if let Some(key) = foreign(&store) {
        log.warn(&format!(
            "warning: {} has what no server wrote, {key:?} for one, which is served as bytes if at all: is it the log of \
             another program?",
            directory.display()
        ));
    }
    Ok(store)
}

/// How many entries are looked at.
const LOOKED_AT: usize = 100;

/// A key of an entry that is no document of a server's. A log says which codec wrote it, not which types: it opens if its bytes
/// happen to decode.
fn foreign(store: &DocumentStore) -> Option<String> {
    let is_ours = |key: &Bytes, value: &Bytes| {
        // The server's own.
        key.starts_with(b"\0")
            || DocumentKey::from_stored(key).is_ok()
                && Document::from_stored(value).is_ok_and(|document| document.stamp().is_some())
    };
    let found = store.iter().take(LOOKED_AT).find(|(key, value)| !is_ours(key, value.value()));
    found.map(|(key, _)| String::from_utf8_lossy(&key).into_owned())
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
