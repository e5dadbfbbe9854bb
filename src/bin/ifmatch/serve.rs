//! `ifmatch serve`: a store of documents over HTTP.

mod arguments;
mod descriptors;
#[cfg(feature = "etcd")]
mod elsewhere;
mod failure;
mod log;
mod place;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;

use ifmatch::http::{
    DocumentStore, Front, Metrics, Options, ServeOptions, Tls, Tokens, router, serve,
};
use tokio::sync::oneshot;

pub(crate) use self::arguments::Arguments;
use self::failure::Failure;
use self::log::Log;
use self::place::Place;
use crate::stop::Stop;

/// Serves until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let log = Log::start(arguments.log)?;
    #[cfg(not(feature = "etcd"))]
    if let Some(url) = &arguments.backend {
        return Err(Failure::NoBackend { url: url.clone() });
    }
    let place = Place::of(arguments)?;
    let tokens = arguments.auth_token_file.as_deref().map(read_tokens).transpose()?;
    if let Some(address) = place.exposed()
        && tokens.is_none()
        && !arguments.allow_anonymous
    {
        return Err(Failure::Exposed { address });
    }
    let origins = place.origins(arguments)?;
    let tls = arguments.tls.as_ref().map(|files| read_tls(&files.cert, &files.key)).transpose()?;
    descriptors::raise_limit(arguments.max_connections, &log);
    // The port comes before the log: if it is used, no directory is created. Clients that come before the log is read
    // wait.
    let listener = place.bind()?;
    let address = listener.local_addr().map_err(Failure::Start)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Start)?;

    let metrics = Metrics::new();
    let (documents, local) = documents(arguments, &runtime, &metrics, &log)?;
    let mut front = Front::new(origins).metrics(metrics.clone());
    if let Some(tokens) = tokens {
        front = front.tokens(tokens);
    }
    let mut serving = ServeOptions::default()
        .max_connections(usize::try_from(arguments.max_connections).unwrap_or(usize::MAX))
        .metrics(metrics);
    let scheme = if tls.is_some() { "https" } else { "http" };
    if let Some(tls) = tls {
        serving = serving.tls(tls);
    }
    let router = front.around(documents);
    let ended = runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = Stop::install()?;
        announce(scheme, address);
        io::Result::Ok(until_stopped(listener, router, serving, stop).await)
    });
    drop(runtime);
    finish(local.as_ref(), ended, &log)
}

/// The routes, and the store if it is in this process.
fn documents(
    arguments: &Arguments,
    runtime: &tokio::runtime::Runtime,
    metrics: &Metrics,
    log: &Log,
) -> Result<(axum::Router, Option<DocumentStore>), Failure> {
    let options = options(arguments).metrics(metrics.clone());
    #[cfg(feature = "etcd")]
    if let Some(url) = &arguments.backend {
        let etcd = runtime.block_on(elsewhere::connect(url, &arguments.elsewhere))?;
        return Ok((router(etcd, options), None));
    }
    let _of_no_use_here = runtime;
    let store = place::open(arguments, log)?;
    Ok((router(store.clone(), options), Some(store)))
}

fn options(arguments: &Arguments) -> Options {
    Options::default()
        .max_body(usize::try_from(arguments.max_body).expect("a body is smaller than memory"))
        .precondition_status(arguments.precondition_status.into())
        .require_preconditions(arguments.require_preconditions)
}

/// How serving ended.
enum Ended {
    /// All requests did, but for those of so many connections, which were cut.
    Drained(usize),
    /// Somebody could not wait.
    AtOnce,
}

/// Serves until the first signal, then until all requests have ended, or the second signal.
async fn until_stopped(
    listener: tokio::net::TcpListener,
    router: axum::Router,
    options: ServeOptions,
    mut stop: Stop,
) -> Ended {
    let (first, told) = oneshot::channel::<()>();
    let mut serving = pin!(serve(listener, router, options, async {
        let _told = told.await;
    }));
    tokio::select! {
        cut = &mut serving => return Ended::Drained(cut),
        () = stop.requested() => {}
    }
    let _told = first.send(());
    tokio::select! {
        cut = &mut serving => Ended::Drained(cut),
        () = stop.requested() => Ended::AtOnce,
    }
}

fn finish(
    store: Option<&DocumentStore>,
    ended: io::Result<Ended>,
    log: &Log,
) -> Result<(), Failure> {
    let closed = store.map_or(Ok(()), DocumentStore::close);
    match ended.map_err(Failure::Start)? {
        Ended::Drained(0) => {}
        Ended::Drained(cut) => {
            log.warn(&format!("{cut} connections were cut, because they did not end in time"));
        }
        Ended::AtOnce => log.warn("ended at the second signal, without waiting for requests"),
    }
    Ok(closed?)
}

fn read_tokens(path: &Path) -> Result<Tokens, Failure> {
    let path = || path.to_owned();
    let text = std::fs::read_to_string(path()).map_err(|source| Failure::Read {
        flag: "--auth-token-file",
        path: path(),
        source,
    })?;
    text.parse().map_err(|source| Failure::Tokens { path: path(), source })
}

fn read_tls(cert: &Path, key: &Path) -> Result<Tls, Failure> {
    let read = |flag, path: &Path| {
        std::fs::read(path).map_err(|source| Failure::Read { flag, path: path.to_owned(), source })
    };
    let (certificates, key_bytes) = (read("--tls-cert", cert)?, read("--tls-key", key)?);
    Tls::from_pem(&certificates, &key_bytes).map_err(|source| Failure::Tls {
        cert: cert.to_owned(),
        key: key.to_owned(),
        source,
    })
}

/// The one line of stdout: whoever started the server reads the address from it.
fn announce(scheme: &str, address: SocketAddr) {
    let mut out = io::stdout().lock();
    // A server whose stdout is closed still serves.
    let _written = writeln!(out, "listening on {scheme}://{address}").and_then(|()| out.flush());
}
