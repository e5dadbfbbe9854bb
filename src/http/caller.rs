//! Who sends a request, and what they may do.
//!
//! It says what was found out; who finds it out is [`Tokens`](super::Tokens), or the application that nests the router.

use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

/// Who sends a request, and what they may do.
///
/// The router takes it from the extensions of the request. Without one there everybody is [`Caller::anonymous`], who may
/// do everything; so that an application that authenticates its users inserts one:
///
/// ```
/// use axum::{Router, extract::Request, middleware::{Next, from_fn}};
/// use ifmatch::http::{Caller, Options, documents, router};
///
/// let application = Router::new()
///     .nest("/api", router(documents().build(), Options::default()))
///     .layer(from_fn(|mut request: Request, next: Next| async move {
///         let user = "ada"; // as the application's session says
///         request.extensions_mut().insert(Caller::new(user).may_write_if(user != "guest"));
///         next.run(request).await
///     }));
/// # let _: Router = application;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Caller {
    id: [u8; 32],
    may_read: bool,
    may_write: bool,
}

impl Caller {
    /// Somebody who is known by `credential`, and may read and write.
    ///
    /// `credential` is what tells this caller from all others: a name, or the secret itself. Only its hash is kept.
    pub fn new(credential: impl AsRef<[u8]>) -> Self {
        Self { id: Sha256::digest(credential).into(), may_read: true, may_write: true }
    }

    /// Anybody, who may read and write.
    pub fn anonymous() -> Self {
        Self { id: [0; 32], may_read: true, may_write: true }
    }

    /// The same caller, who may read only if `may` says so.
    ///
    /// Whoever may not is refused GET and HEAD with 403, and conflicts do not show them what is stored.
    pub fn may_read_if(mut self, may: bool) -> Self {
        self.may_read = may;
        self
    }

    /// The same caller, who may write only if `may` says so; whoever may not is refused with 403.
    pub fn may_write_if(mut self, may: bool) -> Self {
        self.may_write = may;
        self
    }

    /// What tells this caller from all others: the SHA-256 of the credential; zeros for [`Caller::anonymous`].
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// Whether the caller may see what is stored.
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.may_read
    }

    /// Whether the caller may change what is stored.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.may_write
    }

    /// Enough of the identity to tell callers apart in a log, and too little to guess a weak credential from.
    pub(super) fn short_id(&self) -> ShortId {
        let [a, b, c, d, ..] = self.id;
        ShortId(u32::from_be_bytes([a, b, c, d]))
    }
}

/// The first 32 bits of a caller's identity, in hexadecimal.
#[derive(Clone, Copy)]
pub(super) struct ShortId(u32);

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("anonymous") } else { write!(f, "{:08x}", self.0) }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("id", &format_args!("{}", self.short_id()))
            .field("may_read", &self.may_read)
            .field("may_write", &self.may_write)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_else(Self::anonymous))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_apart_and_their_credential_is_not_shown() {
        let (ada, bob) = (Caller::new("secret-of-ada"), Caller::new("secret-of-bob"));
        assert_ne!(ada.id(), bob.id());
        assert_eq!(ada.id(), Caller::new("secret-of-ada").may_write_if(false).id());
        assert_ne!(ada.id(), Caller::anonymous().id());
        assert!(!format!("{ada:?}").contains("secret"));
    }
}
