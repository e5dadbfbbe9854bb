//! How a client is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::Client;
use super::backoff::Backoff;
use super::send::Shared;

/// Why a client cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is malformed, is neither http nor https, or has a user, a query or a fragment.
    #[error("the URL of the server: {0}")]
    Url(String),
    /// The URL is https, and the crate was built without the feature `tls`.
    #[error("the URL of the server is https, which needs the feature \"tls\" of ifmatch")]
    NoTls,
    /// The token has characters that a header cannot carry.
    #[error("the token has characters other than those of a bearer token (RFC 6750)")]
    Token,
    /// The user agent has characters that a header cannot carry.
    #[error("the user agent has characters that a header cannot carry")]
    UserAgent,
    /// A root certificate is not one in PEM.
    #[error("a root certificate: {0}")]
    Certificate(String),
    /// TLS cannot be set up: the system has no roots, for example.
    #[error("TLS: {0}")]
    Tls(String),
    /// The HTTP library cannot be set up.
    #[error("the HTTP client: {0}")]
    Client(String),
}

/// A builder of a [`Client`].
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    url: String,
    token: Option<String>,
    user_agent: String,
    connect_timeout: Duration,
    request_timeout: Duration,
    roots: Vec<Vec<u8>>,
    pub(super) settings: Settings,
}

/// What the calls need to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) idempotency_keys: bool,
    pub(super) retries: Backoff,
    pub(super) updates: Backoff,
    pub(super) max_retry_after: Duration,
    pub(super) max_answer: usize,
    pub(super) watch_idle: Duration,
}

impl ClientBuilder {
    pub(super) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            user_agent: concat!("ifmatch/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            roots: Vec::new(),
            settings: Settings {
                idempotency_keys: true,
                retries: Backoff::new(5, Duration::from_millis(100), Duration::from_secs(5)),
                updates: Backoff::new(250, Duration::from_millis(2), Duration::from_secs(5)),
                max_retry_after: Duration::from_secs(30),
                max_answer: 64 << 20,
                watch_idle: Duration::from_secs(60),
            },
        }
    }

    /// The token that is sent with every request (`Authorization: Bearer`). It is shown by no `Debug`.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// What the client calls itself. Default: `ifmatch/` and the version.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// How long a connection may take. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request may take, each attempt for itself, its answer included; not that of a watch. Default: 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long a watch may be silent before the connection is taken for dead and made anew. It has to be longer than the
    /// server's interval of keep-alives. Default: 60 s.
    pub fn watch_idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.watch_idle = timeout;
        self
    }

    /// A root certificate, or several, in PEM, to be trusted beside those of the system. Only with https.
    pub fn root_certificate_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// How a request is repeated that got no answer, or was asked to come again; also how a watch connects anew, which has
    /// no end, and waits up to 100 ms at least. Default: 5 attempts, 100 ms to 5 s.
    ///
    /// A read always may be repeated. A write is repeated only with its `Idempotency-Key`, or if it was never sent.
    pub fn retries(mut self, backoff: Backoff) -> Self {
        self.settings.retries = backoff;
        self
    }

    /// How [`Client::update`] and its like retry a lost race: every other retry at once, because what is there came with
    /// the conflict, and those in between with waits that begin with the base, or with one round trip to the server if that
    /// is longer. Default: 250 attempts, 2 ms to 5 s.
    pub fn update_retries(mut self, backoff: Backoff) -> Self {
        self.settings.updates = backoff;
        self
    }

    /// The longest `Retry-After` that the client waits out; past it the caller is told. A watch waits between two connections
    /// up to as long as the stream's `retry` says, and so long at most. Default: 30 s.
    pub fn max_retry_after(mut self, wait: Duration) -> Self {
        self.settings.max_retry_after = wait;
        self
    }

    /// The most bytes that an answer, or a message of a watch, may have. Default: 64 MiB.
    pub fn max_answer_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_answer = bytes;
        self
    }

    /// Whether each write has a random `Idempotency-Key` of its own, so that it can be repeated when its answer was lost.
    /// Default: yes. Without, such a write is an error whose
    /// [outcome is unknown](super::ClientError::is_outcome_unknown), and never repeated.
    pub fn idempotency_keys(mut self, send: bool) -> Self {
        self.settings.idempotency_keys = send;
        self
    }

    /// Makes the client. It connects when it has to.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn build(self) -> Result<Client, BuildError> {
        let base = base(&self.url)?;
        let agent = HeaderValue::from_str(&self.user_agent).map_err(|_| BuildError::UserAgent)?;
        let token = self.token.as_deref().map(authorization).transpose()?;
        let builder = reqwest::Client::builder()
            .user_agent(agent)
            .connect_timeout(self.connect_timeout)
            // A redirected write could become a GET, and a token go to somebody else.
            .redirect(reqwest::redirect::Policy::none());
        #[cfg(feature = "tls")]
        let builder = builder.tls_backend_preconfigured(if base.starts_with("https:") {
            super::tls::config(&self.roots)?
        } else {
            super::tls::unused()?
        });
        #[cfg(not(feature = "tls"))]
        if base.starts_with("https:") {
            return Err(BuildError::NoTls);
        }
        let http = builder.build().map_err(|error| BuildError::Client(error.to_string()))?;
        Ok(Client(Arc::new(Shared {
            http,
            base,
            token,
            request_timeout: self.request_timeout,
            settings: self.settings,
        })))
    }
}

/// The URL without its last slash.
fn base(url: &str) -> Result<String, BuildError> {
    let refuse = |what: &str| Err(BuildError::Url(what.to_owned()));
    let parsed = Url::parse(url).map_err(|error| BuildError::Url(error.to_string()))?;
    if !["http", "https"].contains(&parsed.scheme()) {
        return refuse("it is neither http nor https");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return refuse("it has a user or password, which would be shown in logs: use a token");
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return refuse("it has a query or a fragment");
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// RFC 6750 2.1.
fn authorization(token: &str) -> Result<HeaderValue, BuildError> {
    let character = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(character) {
        return Err(BuildError::Token);
    }
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| BuildError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Without the token.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("has_token", &self.token.is_some())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
