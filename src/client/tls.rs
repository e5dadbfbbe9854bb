//! TLS: rustls with ring, the roots of the system, and those that the caller adds.
//!
//! The provider is named here, and not taken from, or put into, what the whole process shares.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::builder::BuildError;

/// Certificates from PEM.
///
/// # Errors
/// [`BuildError::Certificate`] if there is none, or it is malformed.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| BuildError::Certificate(error.to_string()))?;
    if found.is_empty() {
        return Err(BuildError::Certificate("there is none in the PEM".to_owned()));
    }
    Ok(found)
}

/// The configuration of a client that trusts what the system trusts, and the roots in `pems`.
///
/// # Errors
/// [`BuildError::Certificate`], [`BuildError::Tls`].
pub(super) fn config(pems: &[Vec<u8>]) -> Result<ClientConfig, BuildError> {
    let mut roots = Vec::new();
    for pem in pems {
        roots.extend(certificates(pem)?);
    }
    let failed = |error: tokio_rustls::rustls::Error| BuildError::Tls(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let verifier = if roots.is_empty() {
        Verifier::new(provider.clone())
    } else {
        with_roots(roots, provider.clone())
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.map_err(failed)?))
        .with_no_client_auth())
}

#[cfg(not(target_os = "android"))]
fn with_roots(
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<tokio_rustls::rustls::crypto::CryptoProvider>,
) -> Result<Verifier, tokio_rustls::rustls::Error> {
    Verifier::new_with_extra_roots(roots, provider)
}

#[cfg(target_os = "android")]
fn with_roots(
    _: Vec<CertificateDer<'static>>,
    _: Arc<tokio_rustls::rustls::crypto::CryptoProvider>,
) -> Result<Verifier, tokio_rustls::rustls::Error> {
    Err(tokio_rustls::rustls::Error::General("Android takes no roots beside its own".to_owned()))
}

/// The configuration of a client of a plain `http` server, that trusts nobody: it is never used, but has to be there,
/// because without one reqwest asks the process for a provider.
///
/// # Errors
/// [`BuildError::Tls`].
pub(super) fn unused() -> Result<ClientConfig, BuildError> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Tls(error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}
