//! What stands in front of the routes, in the one order in which it works: [`mod@observe`] counts and logs, [`origin`] refuses
//! strangers' pages, [`auth`] asks for tokens, [`compression`] is for what has no tag; [`metrics`] are what is counted.
//!
//! It knows nothing of documents.

pub(super) mod auth;
mod compression;
pub(super) mod metrics;
mod observe;
mod origin;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use self::auth::Authenticate;
pub use self::auth::{InvalidTokens, Tokens, authenticate};
use self::compression::Compress;
pub use self::metrics::{Figure, Metrics, Watcher};
use self::observe::Observe;
pub use self::observe::observe;
pub use self::origin::{InvalidOrigin, Origins, refuse_foreign};
use super::around::{Around, AroundLayer};
use super::problem::{Problem, ProblemKind};

/// The longest target of a request, path and query, in bytes. A key of 1,024 bytes takes 3,072 when all are encoded.
const MAX_TARGET_BYTES: usize = 8 << 10;

/// What a server of its own has in front of its routes.
///
/// From the outside in: requests are counted and logged ([`observe()`]); a target of more than 8 KiB is 414; a foreign
/// host or origin is 403 ([`refuse_foreign`]); preflights of the listed origins are answered (CORS), without a token, which
/// browsers do not send with them; who has no token is 401 ([`authenticate`]); what has no `ETag` is compressed.
///
/// ```
/// use ifmatch::http::{Front, Options, Origins, documents, router};
///
/// let router = router(documents().build(), Options::default());
/// let router = Front::new(Origins::loopback())
///     .tokens("eyNmb6UhvQdX5pLwK3z8".parse()?)
///     .around(router);
/// # let _: axum::Router = router;
/// # Ok::<(), ifmatch::http::InvalidTokens>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Front {
    origins: Origins,
    tokens: Option<Tokens>,
    metrics: Metrics,
}

impl Front {
    /// Everybody may do everything who is, by its host and origin, no stranger's page.
    pub fn new(origins: Origins) -> Self {
        Self { origins, tokens: None, metrics: Metrics::new() }
    }

    /// Only who has one of `tokens`.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Where requests are counted.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// The routes of `router`, behind all this.
    pub fn around(self, router: Router) -> Router {
        let cors = self.origins.cors();
        let observe = AroundLayer(Observe(self.metrics));
        let admit = AroundLayer(Admit(self.origins));
        let authenticate = AroundLayer(Authenticate(self.tokens));
        // All at once: a router copies what is within a layer for each request.
        let compress = AroundLayer(Compress);
        match cors {
            Some(cors) => router.layer((observe, admit, cors, authenticate, compress)),
            None => router.layer((observe, admit, authenticate, compress)),
        }
    }
}

/// What only looks at the head of a request, before everything else.
#[derive(Clone)]
struct Admit(Origins);

impl Around for Admit {
    type Kept = ();

    fn before(&self, request: &mut Request) -> Result<(), Response> {
        let checked = check_target(request).and_then(|()| self.0.check(request));
        checked.map_err(Problem::into_response)
    }

    fn after((): (), _: &mut Response) {}
}

fn check_target(request: &Request) -> Result<(), Problem> {
    let bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if bytes > MAX_TARGET_BYTES {
        let detail = format!("the target has {bytes} bytes, and may have {MAX_TARGET_BYTES}");
        return Err(Problem::new(ProblemKind::TargetTooLong, detail));
    }
    Ok(())
}
