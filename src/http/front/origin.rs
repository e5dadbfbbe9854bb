//! Whose pages may talk to the server: `Host`, `Origin` and CORS.
//!
//! A server on loopback is reached by every page that a browser on the machine shows. A page whose name was made to
//! resolve to 127.0.0.1 (DNS rebinding) is betrayed by its `Host`, one that sends a form or a script's request from
//! elsewhere by its `Origin`.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::CorsLayer;

use crate::http::problem::{Problem, ProblemKind};
use crate::http::versions;

/// How long a browser may remember what a preflight allowed.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// The hosts that the server is, and the origins whose pages may use it.
///
/// ```
/// use ifmatch::http::Origins;
///
/// let origins = Origins::loopback() // localhost, 127.0.0.0/8 and [::1], at any port
///     .allow_host("store.example")?
///     .allow_origin("https://app.example")?;
/// # let _: Origins = origins;
/// # Ok::<(), ifmatch::http::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Origins(Arc<Lists>);

#[derive(Clone, Debug, Default)]
struct Lists {
    any_host: bool,
    hosts: Vec<String>,
    cors: Vec<HeaderValue>,
}

/// What is neither a host nor an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOrigin {
    /// A host is a name or an address.
    #[error("{0:?} is not a host: it is a name or an address, without scheme and port")]
    Host(String),
    /// An origin is what a browser sends as one.
    #[error(
        "{0:?} is not an origin: it is scheme://host or scheme://host:port, in lower case, as browsers send it"
    )]
    Origin(String),
}

impl Origins {
    /// Only requests for a loopback name of the machine: `localhost`, 127.0.0.0/8, `[::1]`.
    pub fn loopback() -> Self {
        Self(Arc::default())
    }

    /// Requests for any host, for a server that has other protection.
    pub fn any_host() -> Self {
        Self(Arc::new(Lists { any_host: true, ..Lists::default() }))
    }

    /// Requests for `host` too, a name or an address without a port.
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn allow_host(mut self, host: &str) -> Result<Self, InvalidOrigin> {
        let name =
            split_port(host).filter(|(_, port)| port.is_none()).map(|(name, _)| normal(name));
        // An address of IPv6 may be given with or without brackets.
        let name =
            name.or_else(|| host.parse::<Ipv6Addr>().ok().map(|address| address.to_string()));
        let name = name.ok_or_else(|| InvalidOrigin::Host(host.to_owned()))?;
        Arc::make_mut(&mut self.0).hosts.push(name);
        Ok(self)
    }

    /// Requests of pages of `origin` too, like `https://app.example`, which may read the answers (CORS).
    ///
    /// # Errors
    ///
    /// If it is not an origin in the form that browsers send. `*` and `null` are not.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin::Origin(origin.to_owned());
        let is_lower = !origin.bytes().any(|b| b.is_ascii_uppercase());
        parse_origin(origin).filter(|_| is_lower).ok_or_else(invalid)?;
        let value = HeaderValue::try_from(origin).map_err(|_| invalid())?;
        Arc::make_mut(&mut self.0).cors.push(value);
        Ok(self)
    }

    /// The answers to preflights, and the headers that let pages of the listed origins read answers.
    pub(super) fn cors(&self) -> Option<CorsLayer> {
        if self.0.cors.is_empty() {
            return None;
        }
        let methods =
            [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::PATCH, Method::DELETE];
        let request_headers = [
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            header::IF_MODIFIED_SINCE,
            header::IF_UNMODIFIED_SINCE,
            HeaderName::from_static("prefer"),
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ];
        let exposed = [
            header::ETAG,
            header::LOCATION,
            header::LAST_MODIFIED,
            header::RETRY_AFTER,
            HeaderName::from_static("preference-applied"),
            versions::REVISION,
            versions::CREATED_REVISION,
            versions::WRITE_COUNT,
        ];
        let layer = CorsLayer::new()
            .allow_origin(self.0.cors.clone())
            .allow_methods(methods)
            .allow_headers(request_headers)
            .expose_headers(exposed)
            .max_age(PREFLIGHT_AGE);
        Some(layer)
    }

    fn is_host(&self, authority: &str) -> bool {
        // Without `user@`, which no request has.
        let Some((name, _)) = split_port(authority) else { return false };
        if self.0.any_host {
            return true;
        }
        is_loopback(name) || self.0.hosts.contains(&normal(name))
    }

    /// Whether a page of `origin` may use the server that was addressed as `host`.
    fn is_origin(&self, origin: &HeaderValue, host: Option<&str>) -> bool {
        if self.0.cors.contains(origin) {
            return true;
        }
        let same = || {
            let (name, port) = parse_origin(origin.to_str().ok()?)?;
            let (own_name, own_port) = split_port(host?)?;
            // A host without a port is at the default port of the scheme, which is the origin's, if anybody's.
            Some(normal(name) == normal(own_name) && port == own_port)
        };
        same().unwrap_or(false)
    }

    pub(super) fn check(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let host = host(request.uri(), request.version(), headers)?;
        if let Some(host) = host
            && !self.is_host(host)
        {
            let detail = "the server was not told that it is the host that the request is for";
            return Err(Problem::new(ProblemKind::Forbidden, detail));
        }
        for origin in headers.get_all(header::ORIGIN) {
            if !self.is_origin(origin, host) {
                let detail =
                    "the server was not told that pages of the request's Origin may use it";
                return Err(Problem::new(ProblemKind::Forbidden, detail));
            }
        }
        Ok(())
    }
}

/// Whom the request is for: of an absolute target its authority, else the `Host`. HTTP/1.1 has to say it, once (RFC 9112,
/// section 3.2).
fn host<'a>(
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
) -> Result<Option<&'a str>, Problem> {
    let invalid = |detail: &str| Problem::new(ProblemKind::InvalidHeader, detail);
    let mut fields = headers.get_all(header::HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(invalid("there are several Host headers"));
    }
    if field.is_none() && version == Version::HTTP_11 {
        return Err(invalid("there is no Host header"));
    }
    let field = field
        .map(|field| field.to_str().map_err(|_| invalid("the Host header is not a host")))
        .transpose()?;
    Ok(uri.authority().map(|authority| authority.as_str()).or(field))
}

/// The name and the port of an origin (RFC 6454, section 6.2), the port only if it is not the scheme's own.
fn parse_origin(origin: &str) -> Option<(&str, Option<u16>)> {
    let (scheme, authority) = origin.split_once("://")?;
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let (name, port) = split_port(authority).filter(|_| is_scheme)?;
    Some((name, port.filter(|port| Some(*port) != default)))
}

/// The parts of `name`, `name:port`, `[address]` or `[address]:port`, the address without its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, rest) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (address, rest) = inner.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, rest)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (name, rest) = authority.split_at(end);
            let is_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
            (Some(name).filter(|_| is_name)?, rest)
        }
    };
    match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            Some((name, Some(port.parse().ok()?)))
        }
        None if rest.is_empty() => Some((name, None)),
        _ => None,
    }
}

/// A name in lower case, without the dot of the root; an address as it is usually written.
fn normal(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(),
    }
}

fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A layer that answers requests for a foreign host, or of a foreign origin, with 403:
/// `middleware::from_fn_with_state(origins, refuse_foreign)`.
///
/// An `Origin` is that of the server itself if it has the host and port of the request's `Host` (in HTTP/2 of
/// `:authority`); else it has to be listed. `null` is foreign. Requests without `Origin`, as of programs, pass.
pub async fn refuse_foreign(
    State(origins): State<Origins>,
    request: Request,
    next: Next,
) -> Response {
    match origins.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_the_server_and_others_are_not() {
        let origins = Origins::loopback();
        let own = [
            "localhost",
            "LocalHost:4090",
            "localhost.",
            "127.0.0.1",
            "127.8.9.1:1",
            "[::1]",
            "[::1]:80",
            "[0:0:0:0:0:0:0:1]:4090",
        ];
        for host in own {
            assert!(origins.is_host(host), "{host}");
        }
        let foreign = [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "128.0.0.1",
            "[::2]",
            "localhost:port",
            "localhost:",
            "localhost@evil.example",
            "user@localhost",
            "[::1",
            "::1",
            "localhost:99999",
            "localhost evil.example",
            "0.0.0.0",
        ];
        for host in foreign {
            assert!(!origins.is_host(host), "{host}");
        }
    }

    #[test]
    fn listed_hosts_are_the_server_too() {
        let origins = ["store.example", "::2", "[::3]", "10.0.0.1"]
            .into_iter()
            .try_fold(Origins::loopback(), Origins::allow_host)
            .expect("hosts");
        for host in ["Store.Example:443", "[::2]:1", "[::3]", "10.0.0.1:80", "localhost"] {
            assert!(origins.is_host(host), "{host}");
        }
        assert!(!origins.is_host("example"));
        for host in ["", "a b", "a:1", "http://a", "a/b", "[::1]:2"] {
            assert!(Origins::loopback().allow_host(host).is_err(), "{host}");
        }
    }

    #[test]
    fn only_pages_of_the_server_and_of_listed_origins_pass() {
        let origins = Origins::any_host().allow_origin("https://app.example").expect("an origin");
        let passes = |origin: &'static str, host| {
            origins.is_origin(&HeaderValue::from_static(origin), Some(host))
        };
        assert!(passes("https://app.example", "store"));
        assert!(passes("http://store", "store"));
        assert!(passes("https://store", "store"));
        assert!(passes("http://store:4090", "Store:4090"));
        assert!(passes("http://[::1]:4090", "[::1]:4090"));
        let foreign = [
            ("null", "null"),
            ("http://app.example", "store"),
            ("https://app.example:444", "store"),
            ("http://store:4091", "store:4090"),
            ("http://store", "store:4090"),
            ("http://store.evil", "store"),
            ("store", "store"),
            ("http://store/", "store"),
            ("", ""),
        ];
        for (origin, host) in foreign {
            assert!(!passes(origin, host), "{origin} at {host}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for origin in [
            "*",
            "null",
            "app.example",
            "https://app.example/",
            "HTTPS://app.example",
            "https://",
            "",
        ] {
            assert!(Origins::loopback().allow_origin(origin).is_err(), "{origin}");
        }
    }
}
