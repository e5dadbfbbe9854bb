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
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};

pub use self::auth::{InvalidTokens, Tokens, authenticate};
pub use self::metrics::{Figure, Metrics, Watcher};
pub use self::observe::observe;
pub use self::origin::{InvalidOrigin, Origins, refuse_foreign};
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
        let mut router = router
            .layer(compression::layer())
            .layer(from_fn(compression::simplify_accept_encoding));
        if let Some(tokens) = self.tokens {
            router = router.layer(from_fn_with_state(tokens, authenticate));
        }
        if let Some(cors) = self.origins.cors() {
            router = router.layer(cors);
        }
        router
            .layer(from_fn_with_state(self.origins, refuse_foreign))
            .layer(from_fn(refuse_long_target))
            .layer(from_fn_with_state(self.metrics, observe))
    }
}

async fn refuse_long_target(request: Request, next: Next) -> Response {
    let bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if bytes > MAX_TARGET_BYTES {
        let detail = format!("the target has {bytes} bytes, and may have {MAX_TARGET_BYTES}");
        return Problem::new(ProblemKind::TargetTooLong, detail).into_response();
    }
    next.run(request).await
}
