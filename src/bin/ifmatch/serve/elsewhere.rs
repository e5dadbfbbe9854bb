//! A store in etcd.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ifmatch::etcd::{Etcd, Tls};

use super::failure::Failure;
use crate::server::duration;

/// Where the password is taken from: a command line can be seen by everybody on the machine.
const PASSWORD_VARIABLE: &str = "IFMATCH_BACKEND_PASSWORD";

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Trust only this certificate of the backend's: a file in PEM
    #[arg(long, value_name = "FILE", requires = "backend")]
    backend_ca_cert: Option<PathBuf>,

    /// Show this certificate to the backend: a file in PEM
    #[arg(long, value_name = "FILE", requires_all = ["backend", "backend_key"])]
    backend_cert: Option<PathBuf>,

    /// The private key of that certificate: a file in PEM
    #[arg(long, value_name = "FILE", requires = "backend_cert")]
    backend_key: Option<PathBuf>,

    /// The user of the backend, whose password is in the variable `IFMATCH_BACKEND_PASSWORD`
    #[arg(long, value_name = "NAME", requires = "backend")]
    backend_user: Option<String>,

    /// How long a member of the backend may take to answer. Etcd itself may take 7s to say that it could not; a write that
    /// is given up before is of unknown outcome
    #[arg(long, value_name = "TIME", requires = "backend", default_value = "10s", value_parser = duration)]
    backend_request_timeout: Duration,

    /// For how long a request that was certainly not carried out is tried again. While the backend is down, requests are
    /// answered after that, and a start fails; /readyz is answered within 2s
    #[arg(long, value_name = "TIME", requires = "backend", default_value = "15s", value_parser = duration)]
    backend_retry_for: Duration,
}

/// Whether all hosts are this machine.
fn is_local(url: &str) -> bool {
    let hosts = url.trim_start_matches("etcd://").split('/').next().unwrap_or_default();
    let is_loopback = |host: &str| {
        let name = match host.strip_prefix('[') {
            Some(address) => address.split_once(']').map_or(address, |(address, _)| address),
            None => host.split_once(':').map_or(host, |(name, _)| name),
        };
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    hosts.split(',').all(is_loopback)
}

pub(super) async fn connect(url: &str, arguments: &Arguments) -> Result<Etcd, Failure> {
    let failed = |source| Failure::Backend { url: url.to_owned(), source };
    let mut builder = Etcd::builder_from_url(url)
        .map_err(failed)?
        .request_timeout(arguments.backend_request_timeout)
        .retry_for(arguments.backend_retry_for);
    let read = |flag, path: &PathBuf| {
        std::fs::read(path).map_err(|source| Failure::Read { flag, path: path.clone(), source })
    };
    let mut tls = match &arguments.backend_ca_cert {
        Some(path) => Some(Tls::trusting_pem(read("--backend-ca-cert", path)?)),
        None if url.starts_with("etcds:") => Some(Tls::of_the_system()),
        None => None,
    };
    if let (Some(certificate), Some(key)) = (&arguments.backend_cert, &arguments.backend_key) {
        let certificate = read("--backend-cert", certificate)?;
        let key = read("--backend-key", key)?;
        tls = Some(tls.unwrap_or_else(Tls::of_the_system).showing_pem(certificate, key));
    }
    let tls_is_off = tls.is_none();
    if let Some(tls) = tls {
        builder = builder.tls(tls);
    }
    if let Some(user) = &arguments.backend_user {
        let password = std::env::var(PASSWORD_VARIABLE);
        builder = builder.user(user, password.map_err(|_| Failure::NoPassword)?);
        if tls_is_off && !is_local(url) {
            tracing::warn!(
                "--backend-user: the password goes over the network as it is; etcds:// encrypts it"
            );
        }
    }
    builder.connect().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_other_hosts_with_and_without_a_port() {
        for local in
            ["localhost", "127.0.0.1:2379", "[::1]", "[::1]:2379", "[::1],localhost:1/namespace"]
        {
            assert!(is_local(&format!("etcd://{local}")), "{local}");
        }
        for elsewhere in
            ["etcd.example", "10.0.0.1:2379", "[2001:db8::1]", "localhost,etcd.example:2379"]
        {
            assert!(!is_local(&format!("etcd://{elsewhere}")), "{elsewhere}");
        }
    }
}
