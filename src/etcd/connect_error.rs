//! Why there is no connection.

use crate::cause::Cause;

use super::fault::Fault;
use super::namespace::InvalidNamespace;

/// Why [`Builder::connect`](super::Builder::connect) failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No endpoint was named.
    #[error("no endpoint was named")]
    NoEndpoints,
    /// An endpoint is not of the form `host[:port]`, with `http://` or `https://` before it or not.
    #[error("the endpoint {endpoint:?} is not of the form [http[s]://]host[:port]: {what}")]
    InvalidEndpoint {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Not of the form `etcd://host[:port][,host[:port]...][/namespace]`.
    #[error("not of the form etcd://host[:port][,host[:port]...][/namespace]: {0}")]
    InvalidUrl(&'static str),
    /// The namespace cannot be one.
    #[error(transparent)]
    InvalidNamespace(#[from] InvalidNamespace),
    /// No member answered in time.
    #[error("no member of the cluster answered")]
    Unreachable(#[source] Cause),
    /// etcd refused: a password is wrong, a permission is missing, members are of different clusters.
    #[error("etcd refused")]
    Refused(#[source] Cause),
    /// What is stored as the identity of the store is none: something else wrote it.
    #[error("the value of the key {key} is not 32 hexadecimal digits, the identity of a store")]
    InvalidIdentity {
        /// The key, with all that etcd calls it.
        key: String,
    },
}

impl From<Fault> for ConnectError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Elsewhere(cause) | Fault::Unclear(cause) => Self::Unreachable(cause),
            other => Self::Refused(other.into_cause()),
        }
    }
}
