//! A cluster and a namespace as one text.

use super::connect_error::ConnectError;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) endpoints: Vec<String>,
    pub(super) namespace: Option<String>,
}

/// Reads `etcd://host:port[,host:port...][/namespace]`; with `etcds` the members are spoken to by TLS.
pub(super) fn parse(text: &str) -> Result<Url, ConnectError> {
    let invalid = |what| Err(ConnectError::InvalidUrl(what));
    let (scheme, rest) = match text.split_once("://") {
        Some(("etcd", rest)) => ("http", rest),
        Some(("etcds", rest)) => ("https", rest),
        _ => return invalid("it begins with neither etcd:// nor etcds://"),
    };
    let (hosts, namespace) = match rest.split_once('/') {
        Some((hosts, path)) => (hosts, path.trim_end_matches('/')),
        None => (rest, ""),
    };
    if hosts.contains('@') {
        return invalid("a password does not belong on a command line");
    }
    if hosts.split(',').any(|host| host.is_empty() || host.contains(['?', '#', ' '])) {
        return invalid("a host is missing or malformed");
    }
    if namespace.contains(['?', '#']) {
        return invalid("nothing comes after the namespace");
    }
    let endpoint = |host| format!("{scheme}://{host}");
    let namespace = (!namespace.is_empty()).then(|| format!("{namespace}/"));
    Ok(Url { endpoints: hosts.split(',').map(endpoint).collect(), namespace })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_namespace_are_read() {
        let url = |endpoints: &[&str], namespace: Option<&str>| Url {
            endpoints: endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect(),
            namespace: namespace.map(str::to_owned),
        };
        let cases = [
            ("etcd://a:2379", url(&["http://a:2379"], None)),
            ("etcd://a:1,b:2/", url(&["http://a:1", "http://b:2"], None)),
            ("etcds://[::1]:1/apps/blue/", url(&["https://[::1]:1"], Some("apps/blue/"))),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in
            ["", "a:1", "http://a:1", "etcd://", "etcd://a,,b", "etcd://u:p@a", "etcd://a/n?x"]
        {
            assert!(matches!(parse(text), Err(ConnectError::InvalidUrl(_))), "{text:?}");
        }
    }
}
