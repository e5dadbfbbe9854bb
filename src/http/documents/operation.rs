//! What the router serves: the one table from which its routes, their `Allow` headers and the OpenAPI document come.
//!
//! Both go over [`Resource::ALL`] and match every [`Operation`], so that none can be served and not described, nor
//! described and not served.

use axum::http::Method;

/// Something with a path, or with all paths of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Page,
    Document,
    Collection,
    History,
    Transactions,
    Watch,
    Health,
    Readiness,
    Metrics,
    Description,
    Problems,
    Problem,
}

/// What can be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Look,
    Read,
    Put,
    Patch,
    Delete,
    List,
    Create,
    History,
    Transact,
    Watch,
    Alive,
    Ready,
    Metrics,
    Describe,
    Problems,
    Problem,
}

impl Resource {
    /// All of them.
    pub(super) const ALL: [Self; 12] = [
        Self::Page,
        Self::Document,
        Self::Collection,
        Self::History,
        Self::Transactions,
        Self::Watch,
        Self::Health,
        Self::Readiness,
        Self::Metrics,
        Self::Description,
        Self::Problems,
        Self::Problem,
    ];

    /// Its path as OpenAPI has it. A parameter in it may have any character, with `/` as `%2F`, or as it is.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Page => "/",
            Self::Document => "/v1/kv/{key}",
            Self::Collection => "/v1/kv",
            Self::History => "/v1/history/{key}",
            Self::Transactions => "/v1/txn",
            Self::Watch => "/v1/watch",
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::Metrics => "/metrics",
            Self::Description => "/openapi.json",
            Self::Problems => "/problems/",
            Self::Problem => "/problems/{slug}",
        }
    }

    /// Its paths as axum has them. A wildcard does not match an empty key, which is to be 400, and not an unknown route.
    pub(super) fn routes(self) -> &'static [&'static str] {
        match self {
            Self::Page => &["/"],
            Self::Document => &["/v1/kv/", "/v1/kv/{*key}"],
            Self::Collection => &["/v1/kv"],
            Self::History => &["/v1/history/", "/v1/history/{*key}"],
            Self::Transactions => &["/v1/txn"],
            Self::Watch => &["/v1/watch"],
            Self::Health => &["/healthz"],
            Self::Readiness => &["/readyz"],
            Self::Metrics => &["/metrics"],
            Self::Description => &["/openapi.json"],
            Self::Problems => &["/problems/"],
            Self::Problem => &["/problems/{slug}"],
        }
    }

    pub(super) fn operations(self) -> &'static [Operation] {
        match self {
            Self::Page => &[Operation::Look],
            Self::Document => {
                &[Operation::Read, Operation::Put, Operation::Patch, Operation::Delete]
            }
            Self::Collection => &[Operation::List, Operation::Create],
            Self::History => &[Operation::History],
            Self::Transactions => &[Operation::Transact],
            Self::Watch => &[Operation::Watch],
            Self::Health => &[Operation::Alive],
            Self::Readiness => &[Operation::Ready],
            Self::Metrics => &[Operation::Metrics],
            Self::Description => &[Operation::Describe],
            Self::Problems => &[Operation::Problems],
            Self::Problem => &[Operation::Problem],
        }
    }

    /// Whether everybody may see it: it says nothing of what is stored.
    pub(super) fn is_open(self) -> bool {
        match self {
            Self::Page
            | Self::Health
            | Self::Readiness
            | Self::Description
            | Self::Problems
            | Self::Problem => true,
            Self::Document
            | Self::Collection
            | Self::History
            | Self::Transactions
            | Self::Watch
            | Self::Metrics => false,
        }
    }

    /// The methods that it has, as `Allow` lists them. What has GET has HEAD (RFC 9110 9.1).
    pub(super) fn allow(self) -> String {
        let mut methods = Vec::new();
        for operation in self.operations() {
            let method = operation.method();
            let reads = method == Method::GET;
            methods.push(method);
            if reads {
                methods.push(Method::HEAD);
            }
        }
        methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl Operation {
    pub(super) fn method(self) -> Method {
        match self {
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
            Self::Create | Self::Transact => Method::POST,
            Self::Look
            | Self::Read
            | Self::List
            | Self::History
            | Self::Watch
            | Self::Alive
            | Self::Ready
            | Self::Metrics
            | Self::Describe
            | Self::Problems
            | Self::Problem => Method::GET,
        }
    }
}
