//! How a cluster is connected to.

use std::fmt;
use std::time::Duration;

use etcd_client::ConnectOptions;

use super::Etcd;
use super::connect_error::ConnectError;
use super::members::Members;
use super::namespace::Namespace;
use super::url;

/// Says how to connect to a cluster; made by [`Etcd::builder`].
#[derive(Clone)]
pub struct Builder {
    endpoints: Vec<String>,
    namespace: String,
    user: Option<(String, String)>,
    #[cfg(feature = "tls")]
    tls: Option<etcd_client::TlsOptions>,
    request_timeout: Duration,
    connect_timeout: Duration,
    retry_for: Duration,
    reconnect_for: Duration,
    max_response_bytes: usize,
}

/// Pings are sent so often while something is awaited: etcd refuses clients that ping more often than every 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(6);
const PING_TIMEOUT: Duration = Duration::from_secs(4);

impl Builder {
    pub(super) fn new<E: AsRef<str>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(|endpoint| endpoint.as_ref().to_owned()).collect(),
            namespace: "ifmatch/".to_owned(),
            user: None,
            #[cfg(feature = "tls")]
            tls: None,
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            retry_for: Duration::from_secs(15),
            reconnect_for: Duration::from_secs(60),
            max_response_bytes: 256 << 20,
        }
    }

    /// From `etcd://host[:port][,host[:port]...][/namespace]`, or `etcds://` for TLS.
    pub(super) fn from_url(text: &str) -> Result<Self, ConnectError> {
        let url = url::parse(text)?;
        let builder = Self::new(url.endpoints);
        Ok(match url.namespace {
            Some(namespace) => builder.namespace(namespace),
            None => builder,
        })
    }

    /// What the keys of the store begin with in etcd; it ends in `/`. Default: `ifmatch/`.
    ///
    /// Two stores have different ones, of which none begins with the other. That is not checked: of `a/` and `a/b/` the first
    /// has the keys of the second among its own, as `b/..`, and what says which store the second is as `b.identity`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The name and password, if etcd was told to ask for them. The user needs to read and write the keys that begin with the
    /// namespace, and the one beside it (see [the layout](super#keys-and-values)).
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// TLS: which certificates are trusted, and which is shown. Endpoints without a scheme are `https://` then. Default: what
    /// the system trusts, if all endpoints are `https://`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls.0);
        self
    }

    /// How long a member may take to answer a request. Default: 10 s, which is longer than etcd takes to say by itself that
    /// it could not.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long it may take to connect to a member, and as long again to agree on TLS. Default: 3 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// For how long a request that was certainly not carried out is tried again. Default: 15 s.
    #[must_use]
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// For how long a watch whose connection is lost looks for another member, before it ends as
    /// [`Unavailable`](crate::WatchError::Unavailable). Default: 60 s.
    #[must_use]
    pub fn reconnect_for(mut self, time: Duration) -> Self {
        self.reconnect_for = time;
        self
    }

    /// The largest answer that is read. Pages become shorter so that they fit; a write whose answer does not, which has its keys
    /// or what is in the way, may be [`OutcomeUnknown`](crate::OutcomeUnknown). Default: 268,435,456.
    #[must_use]
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Connects, and finds out which store it is; the first time it makes it one, which takes a revision.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(self) -> Result<Etcd, ConnectError> {
        let namespace = Namespace::new(&self.namespace)?;
        if self.endpoints.is_empty() {
            return Err(ConnectError::NoEndpoints);
        }
        let endpoints = self.endpoints.iter().map(|text| url::endpoint(text, self.scheme()));
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        let mut options = ConnectOptions::new()
            .with_timeout(self.request_timeout)
            .with_connect_timeout(self.connect_timeout)
            .with_keep_alive(PING_INTERVAL, PING_TIMEOUT)
            .with_keep_alive_while_idle(false)
            .with_require_leader(true);
        if let Some((name, password)) = self.user.clone() {
            options = options.with_user(name, password).with_auto_token_refresh(true);
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls_options() {
            options = options.with_tls(tls);
        }
        let members = Members::new(
            endpoints,
            options,
            self.retry_for,
            self.max_response_bytes,
            namespace.identity_key(),
        );
        Etcd::open(members, namespace, self.reconnect_for).await
    }

    /// That of endpoints without one.
    fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }

    /// etcd-client by itself trusts nobody, and waits for a handshake without end: a member that hangs has its connections
    /// accepted by its kernel.
    #[cfg(feature = "tls")]
    fn tls_options(&self) -> Option<etcd_client::TlsOptions> {
        let is_needed = self.endpoints.iter().all(|endpoint| endpoint.starts_with("https://"));
        let of_the_system = || is_needed.then(|| Tls::of_the_system().0);
        let tls = self.tls.clone().or_else(of_the_system)?;
        Some(tls.timeout(self.connect_timeout))
    }
}

/// Without the password.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("endpoints", &self.endpoints)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Which certificates a connection to etcd trusts, and which it shows.
#[cfg(feature = "tls")]
#[derive(Clone)]
pub struct Tls(etcd_client::TlsOptions);

#[cfg(feature = "tls")]
impl Tls {
    /// Trusts what the system trusts.
    #[must_use]
    pub fn of_the_system() -> Self {
        Self(etcd_client::TlsOptions::new().with_native_roots())
    }

    /// Trusts these certificates, in PEM, and no others.
    #[must_use]
    pub fn trusting_pem(pem: impl AsRef<[u8]>) -> Self {
        let certificate = etcd_client::Certificate::from_pem(pem);
        Self(etcd_client::TlsOptions::new().ca_certificate(certificate))
    }

    /// Shows this certificate, with its key, both in PEM.
    #[must_use]
    pub fn showing_pem(self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self(self.0.identity(etcd_client::Identity::from_pem(certificate, key)))
    }

    /// The name in the certificate, if it is not that of the endpoint.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self(self.0.domain_name(name))
    }
}

#[cfg(feature = "tls")]
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_trusts_is_trusted_unless_it_is_said_who() {
        let trusted = |builder: Builder| builder.tls_options().map(|tls| format!("{tls:?}"));
        let of_the_system = trusted(Builder::from_url("etcds://a:1").unwrap()).unwrap();
        assert!(of_the_system.contains("with_native_roots: true"), "{of_the_system}");
        let said = Builder::from_url("etcds://a:1").unwrap().tls(Tls::trusting_pem("a"));
        let said = trusted(said).unwrap();
        assert!(said.contains("with_native_roots: false"), "{said}");
        assert_eq!(trusted(Builder::from_url("etcd://a:1").unwrap()), None);
    }
}
