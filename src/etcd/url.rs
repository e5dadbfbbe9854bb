//! A cluster and a namespace as one text, and a member of it as another.

use super::connect_error::ConnectError;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) endpoints: Vec<String>,
    pub(super) namespace: Option<String>,
}

/// The port of a member, where none is said.
const PORT: u16 = 2379;

/// Reads `host[:port]`, `http://host[:port]` or `https://host[:port]`. Without a scheme it is `scheme`; without both scheme and
/// port the port is etcd's own.
pub(super) fn endpoint(text: &str, scheme: &str) -> Result<String, ConnectError> {
    let invalid = |what| Err(ConnectError::InvalidEndpoint { endpoint: text.to_owned(), what });
    let (given, authority) = match text.split_once("://") {
        Some((given @ ("http" | "https"), rest)) => (Some(given), rest.trim_end_matches('/')),
        Some(_) => return invalid("its scheme is neither http nor https"),
        None => (None, text),
    };
    let is_outside = |letter: char| letter.is_control() || " /?#@,\\<>\"".contains(letter);
    if authority.contains(is_outside) {
        return invalid("there is something in it that is neither host nor port");
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return invalid("what is in brackets is no IPv6 address");
            }
            match rest.strip_prefix(':') {
                _ if rest.is_empty() => (authority, None),
                Some(port) => (authority.strip_suffix(rest).unwrap_or(authority), Some(port)),
                None => return invalid("nothing but a port comes after the address"),
            }
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return invalid("an IPv6 address is in brackets");
            }
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || (host.contains(['[', ']']) && !host.starts_with('[')) {
        return invalid("the host is missing or malformed");
    }
    let port = match port {
        Some(port) => match port.parse::<u16>() {
            Ok(number @ 1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(number),
            _ => return invalid("the port is a number from 1 to 65535"),
        },
        // A URL's own is that of its scheme.
        None => given.is_none().then_some(PORT),
    };
    let scheme = given.unwrap_or(scheme);
    Ok(match port {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
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
    if namespace.contains(['?', '#']) {
        return invalid("nothing comes after the namespace");
    }
    if hosts.contains("://") {
        return invalid("there is one scheme, for all hosts");
    }
    let namespace = (!namespace.is_empty()).then(|| format!("{namespace}/"));
    let endpoints = hosts.split(',').map(|host| endpoint(host, scheme)).collect::<Result<_, _>>();
    Ok(Url { endpoints: endpoints?, namespace })
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
            ("etcd://a", url(&["http://a:2379"], None)),
            ("etcds://a,[::1]/blue", url(&["https://a:2379", "https://[::1]:2379"], Some("blue/"))),
            ("etcd://a:1,b:2/", url(&["http://a:1", "http://b:2"], None)),
            ("etcds://[::1]:1/apps/blue/", url(&["https://[::1]:1"], Some("apps/blue/"))),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in ["", "a:1", "http://a:1", "etcd://u:p@a", "etcd://a/n?x"] {
            assert!(matches!(parse(text), Err(ConnectError::InvalidUrl(_))), "{text:?}");
        }
        for text in ["etcd://", "etcd://a,,b", "etcd://a:x", "etcd://a b:1", "etcd://:1"] {
            let read = parse(text);
            assert!(matches!(read, Err(ConnectError::InvalidEndpoint { .. })), "{text:?}");
        }
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let good = [
            ("a", "http://a:2379"),
            ("a:1", "http://a:1"),
            ("10.0.0.1:65535", "http://10.0.0.1:65535"),
            ("[::1]", "http://[::1]:2379"),
            ("[::1]:7", "http://[::1]:7"),
            ("http://a", "http://a"),
            ("https://a:2379/", "https://a:2379"),
        ];
        for (text, expected) in good {
            assert_eq!(endpoint(text, "http").unwrap(), expected, "{text}");
        }
        for text in [
            "", ":1", "a:", "a:0", "a:65536", "a:+1", "a:1:2", "::1", "[::1", "[a]:1", "[::1]1",
            "a/b", "a?x", "u@a", "ftp://a", "http://", "a b", "a\n",
        ] {
            let read = endpoint(text, "http");
            assert!(
                matches!(read, Err(ConnectError::InvalidEndpoint { .. })),
                "{text:?}: {read:?}"
            );
        }
    }
}
