//! Bearer tokens (RFC 6750): who has one of the server's tokens, and what it allows.
//!
//! Tokens are kept as their SHA-256 only, and compared with all of them in constant time, so that neither memory nor the
//! time of an answer says how much of a guess was right. They are taken from the `Authorization` header alone: a query
//! ends up in logs and histories.

use std::fmt;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::http::around::Around;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemKind};

/// The fewest and the most characters of a token.
const TOKEN_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=1024;

/// The most tokens: each request is compared with all of them.
const MAX_TOKENS: usize = 1_000;

/// The tokens of a server, and what each allows.
///
/// Its text form has a token a line, with an optional scope after white space: `read`, or `write`, which alone does not
/// allow to read; without a scope a token allows both. Blank lines, and lines that begin with `#`, mean nothing.
///
/// ```
/// use ifmatch::http::Tokens;
///
/// let tokens: Tokens = "
///     ## of the web application
///     eyNmb6UhvQdX5pLwK3z8
///     ## of the dashboard
///     dT2wqX9rYb4LmZs7Kc1v read
/// ".parse()?;
/// # let _: Tokens = tokens;
/// # Ok::<(), ifmatch::http::InvalidTokens>(())
/// ```
///
/// [`Front`](super::Front) asks for them, or [`authenticate`] as a layer of its own.
#[derive(Clone)]
pub struct Tokens(std::sync::Arc<[Known]>);

#[derive(Clone, Copy)]
struct Known {
    digest: [u8; 32],
    caller: Caller,
}

/// Why a text is no list of tokens. It does not show the tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTokens {
    /// There is no token, so that nobody could be let in.
    #[error("there is no token in it")]
    Empty,
    /// There are too many.
    #[error("there are more than {MAX_TOKENS} tokens in it")]
    TooMany,
    /// A line is not a token with or without a scope.
    #[error("line {line}: {what}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl std::str::FromStr for Tokens {
    type Err = InvalidTokens;

    fn from_str(text: &str) -> Result<Self, InvalidTokens> {
        let mut all: Vec<Known> = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let known = Known::parse(content)
                .and_then(|known| match all.iter().any(|other| other.digest == known.digest) {
                    true => Err("the token is there twice"),
                    false => Ok(known),
                })
                .map_err(|what| InvalidTokens::Line { line, what })?;
            if all.len() == MAX_TOKENS {
                return Err(InvalidTokens::TooMany);
            }
            all.push(known);
        }
        if all.is_empty() { Err(InvalidTokens::Empty) } else { Ok(Self(all.into())) }
    }
}

impl Known {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace();
        let token = words.next().unwrap_or_default();
        if !is_token(token) {
            return Err("a token has letters, digits and -._~+/ only, and at its end perhaps =");
        }
        if !TOKEN_CHARACTERS.contains(&token.len()) {
            return Err("a token has 16 to 1,024 characters");
        }
        let caller = Caller::new(token);
        let caller = match (words.next(), words.next()) {
            (None, _) => caller,
            (Some("read"), None) => caller.may_write_if(false),
            (Some("write"), None) => caller.may_read_if(false),
            (Some(_), None) => return Err("the scope is read or write, or there is none"),
            (Some(_), Some(_)) => return Err("there is more than a token and a scope"),
        };
        Ok(Self { digest: caller.id(), caller })
    }
}

/// `b64token` of RFC 6750, section 2.1.
fn is_token(text: &str) -> bool {
    let stem = text.trim_end_matches('=');
    !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

impl Tokens {
    /// Whose token it is. It takes as long for a wrong token as for a right one.
    fn find(&self, token: &str) -> Option<Caller> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = Choice::from(0);
        let mut place = 0_u32;
        for (at, known) in (0..).zip(self.0.iter()) {
            let equal = known.digest.ct_eq(&digest);
            found |= equal;
            place.conditional_assign(&at, equal);
        }
        let place = usize::try_from(place).ok().filter(|_| bool::from(found))?;
        self.0.get(place).map(|known| known.caller)
    }

    /// Who sends a request with these headers.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        let Some(field) = fields.next() else {
            return Err(unauthenticated("the request has no Authorization header", PLAIN));
        };
        if fields.next().is_some() {
            return Err(malformed("there are several Authorization headers"));
        }
        let field = field
            .to_str()
            .map_err(|_| malformed("the Authorization header has bytes that no token has"))?;
        let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            let detail = "the Authorization header is not of the scheme Bearer";
            return Err(unauthenticated(detail, PLAIN));
        }
        let token = token.trim_start_matches(' ');
        if !is_token(token) {
            return Err(malformed("the Authorization header is not \"Bearer TOKEN\""));
        }
        self.find(token).ok_or_else(|| {
            unauthenticated(
                "the token is none of the server's",
                "Bearer realm=\"ifmatch\", error=\"invalid_token\"",
            )
        })
    }
}

/// A challenge without an error code: what was sent are no credentials of ours (RFC 6750, section 3.1).
const PLAIN: &str = "Bearer realm=\"ifmatch\"";

fn unauthenticated(detail: &str, challenge: &'static str) -> Problem {
    Problem::new(ProblemKind::Unauthorized, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// What RFC 6750, section 3.1 calls an invalid request: 400.
fn malformed(detail: &str) -> Problem {
    let challenge = "Bearer realm=\"ifmatch\", error=\"invalid_request\"";
    Problem::new(ProblemKind::InvalidHeader, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// What the caller lacks for the method.
fn check_scope(caller: Caller, method: &Method) -> Result<(), Problem> {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    let (allowed, detail, challenge) = if reads {
        let challenge = "Bearer realm=\"ifmatch\", error=\"insufficient_scope\", scope=\"read\"";
        (caller.may_read(), "the token does not allow to read", challenge)
    } else {
        let challenge = "Bearer realm=\"ifmatch\", error=\"insufficient_scope\", scope=\"write\"";
        (caller.may_write(), "the token does not allow to write", challenge)
    };
    if allowed {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Forbidden, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)))
}

/// What everybody may GET: it is the same on every server, or says only that this one runs.
fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let open = ["/", "/healthz", "/readyz", "/openapi.json"].contains(&path);
    reads && (open || path.starts_with("/problems/"))
}

/// Holds the [`Caller`] in a request's extensions, whoever put it there, to what it may do: 403.
#[derive(Clone)]
pub(in crate::http) struct Permit;

impl Around for Permit {
    type Kept = ();

    fn before(&self, request: &mut Request) -> Result<(), Response> {
        let caller = request.extensions().get().copied().unwrap_or_else(Caller::anonymous);
        check_scope(caller, request.method()).map_err(Problem::into_response)
    }

    fn after((): (), _: &mut Response) {}
}

/// A layer that lets only those through who have one of the tokens, and puts the [`Caller`] into the request:
/// `middleware::from_fn_with_state(tokens, authenticate)`.
///
/// | `Authorization` | answer |
/// | --- | --- |
/// | absent, or of another scheme | 401 |
/// | malformed, or there twice | 400, `error="invalid_request"` |
/// | an unknown token | 401, `error="invalid_token"` |
/// | a token whose scope is not enough | 403, `error="insufficient_scope"` |
///
/// Each has a challenge in `WWW-Authenticate` (RFC 6750, section 3). GET, HEAD and OPTIONS need the scope read, all other
/// methods the scope write. Open to everybody are GET and HEAD of `/`, `/healthz`, `/readyz`, `/openapi.json` and
/// `/problems/*`.
pub async fn authenticate(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    Authenticate(Some(tokens)).around(request, next).await
}

/// [`authenticate`] as a layer, if there are tokens.
#[derive(Clone)]
pub(super) struct Authenticate(pub(super) Option<Tokens>);

impl Around for Authenticate {
    type Kept = Option<Caller>;

    fn before(&self, request: &mut Request) -> Result<Option<Caller>, Response> {
        let Some(tokens) = self.0.as_ref().filter(|_| !is_open(request)) else { return Ok(None) };
        let caller = tokens.caller(request.headers()).map_err(Problem::into_response)?;
        match check_scope(caller, request.method()) {
            Ok(()) => {
                request.extensions_mut().insert(caller);
                Ok(Some(caller))
            }
            Err(problem) => {
                let mut refused = problem.into_response();
                Self::after(Some(caller), &mut refused);
                Err(refused)
            }
        }
    }

    fn after(caller: Option<Caller>, response: &mut Response) {
        // For whoever logs it.
        if let Some(caller) = caller {
            response.extensions_mut().insert(caller);
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "token-of-the-application";
    const B: &str = "token-of-the-dashboard==";

    fn error(text: &str) -> String {
        text.parse::<Tokens>().expect_err(text).to_string()
    }

    #[test]
    fn a_scope_allows_what_it_says() {
        let tokens: Tokens =
            format!("{A}\n {B}\tread\n0123456789abcdef write").parse().expect("valid");
        let may = |token| tokens.find(token).map(|caller| (caller.may_read(), caller.may_write()));
        assert_eq!(may(A), Some((true, true)));
        assert_eq!(may(B), Some((true, false)));
        assert_eq!(may("0123456789abcdef"), Some((false, true)));
        assert_eq!(may("0123456789abcdeF"), None);
        assert_eq!(may(""), None);
    }

    #[test]
    fn a_bad_line_is_named_and_its_token_is_not_shown() {
        let cases = [
            ("# nothing\n\n", "no token"),
            ("short", "line 1: a token has 16"),
            ("\n0123456789abcde", "line 2: a token has 16"),
            ("0123456789abcdef admin", "line 1: the scope"),
            ("0123456789abcdef read write", "line 1: there is more"),
            ("0123456789abcdef # mine", "line 1: there is more"),
            ("0123456789abcdef:x", "line 1: a token has letters"),
            ("================", "line 1: a token has letters"),
            ("0123456789abcdef\n0123456789abcdef read", "line 2: the token is there twice"),
        ];
        for (text, part) in cases {
            let error = error(text);
            assert!(error.contains(part), "{text:?}: {error}");
            assert!(!error.contains("0123456789abc"), "{error}");
        }
        assert!(error(&"x".repeat(1025)).contains("1,024"));
        assert!("x".repeat(1024).parse::<Tokens>().is_ok());
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let lines =
            |count: usize| (0..count).map(|n| format!("token-number-{n:08}\n")).collect::<String>();
        assert!(lines(MAX_TOKENS).parse::<Tokens>().is_ok());
        assert_eq!(lines(MAX_TOKENS + 1).parse::<Tokens>().err(), Some(InvalidTokens::TooMany));
    }

    #[test]
    fn tokens_are_not_shown() {
        let tokens: Tokens = A.parse().expect("valid");
        assert_eq!(format!("{tokens:?}"), "Tokens(1)");
    }
}
