//! A store in etcd.

use std::path::PathBuf;

use clap::Args;
use ifmatch::etcd::{Etcd, Tls};

use super::failure::Failure;

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
}

pub(super) async fn connect(url: &str, arguments: &Arguments) -> Result<Etcd, Failure> {
    let failed = |source| Failure::Backend { url: url.to_owned(), source };
    let mut builder = Etcd::builder_from_url(url).map_err(failed)?;
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
    if let Some(tls) = tls {
        builder = builder.tls(tls);
    }
    if let Some(user) = &arguments.backend_user {
        builder = builder.user(user, std::env::var(PASSWORD_VARIABLE).unwrap_or_default());
    }
    builder.connect().await.map_err(failed)
}
