//! TLS: what is spoken, and what is refused.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ifmatch::http::{Options, ServeOptions, Tls, TlsError, documents, router};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::command::{Process, fails};
use crate::support::Server;

/// A certificate for localhost that nobody signed, and its key, in PEM.
fn certificate() -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.der().clone())
}

type Stream = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// Connects, and trusts that certificate only.
fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<Stream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn get(mut stream: Stream) -> String {
    let request = b"GET /v1/kv/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn server(options: ServeOptions) -> (Server, CertificateDer<'static>) {
    let (certificate, key, der) = certificate();
    let tls = Tls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let router = router(documents().build(), Options::default());
    (Server::of(router, options.tls(tls)), der)
}

#[test]
fn both_versions_of_http_are_spoken_over_tls() {
    let (server, trusted) = server(ServeOptions::default());
    let stream = connect(server.address(), &trusted, &["http/1.1"]).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let answer = get(stream);
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("not-found"), "{answer}");
    assert!(get(connect(server.address(), &trusted, &[]).unwrap()).starts_with("HTTP/1.1 404"));

    let mut stream = connect(server.address(), &trusted, &["h2", "http/1.1"]).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    // The preface and empty settings; the server's settings come back.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "{frame:?}");
    drop(stream);
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_client_that_trusts_somebody_else_does_not_get_through() {
    let (server, _) = server(ServeOptions::default());
    assert!(connect(server.address(), &certificate().2, &[]).is_err());
}

#[test]
fn without_tls_nothing_is_answered() {
    let (server, _) = server(ServeOptions::default());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /v1/kv/a HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn a_handshake_that_is_not_finished_in_time_is_cut() {
    let options = ServeOptions::default().header_timeout(Duration::from_millis(200));
    let (server, trusted) = server(options);
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(beginning).unwrap();
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        let open = end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!open, "{beginning:?}: the connection is still open");
    }
    assert!(get(connect(server.address(), &trusted, &[]).unwrap()).starts_with("HTTP/1.1 404"));
}

#[test]
fn a_handshake_does_not_hold_up_the_end() {
    let (server, _) = server(ServeOptions::default());
    let stream = TcpStream::connect(server.address()).unwrap();
    let started = std::time::Instant::now();
    assert_eq!(server.stop(), 0);
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(stream);
}

#[test]
fn what_is_wrong_with_a_certificate_is_told_apart() {
    let (certificate, key, _) = certificate();
    let (_, other_key, _) = self::certificate();
    let tls = |certificate: &str, key: &str| Tls::from_pem(certificate.as_bytes(), key.as_bytes());
    assert!(tls(&certificate, &key).is_ok());
    assert!(matches!(tls("", &key), Err(TlsError::NoCertificate)));
    assert!(matches!(tls(&key, &key), Err(TlsError::NoCertificate)));
    assert!(matches!(tls(&certificate, ""), Err(TlsError::NoKey(_))));
    assert!(matches!(tls(&certificate, &certificate), Err(TlsError::NoKey(_))));
    assert!(matches!(tls(&certificate, &other_key), Err(TlsError::Mismatch)));
    let cut = &certificate[..certificate.len() / 2];
    assert!(matches!(tls(cut, &key), Err(TlsError::MalformedCertificate(_))));
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(tls(damaged, &key), Err(TlsError::Unusable(_))));
}

#[test]
fn the_command_speaks_tls_when_given_both_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (cert, key, other) = (path("cert.pem"), path("key.pem"), path("other.pem"));
    let (certificate, key_pem, trusted) = certificate();
    std::fs::write(&cert, certificate).unwrap();
    std::fs::write(&key, key_pem).unwrap();
    std::fs::write(&other, self::certificate().1).unwrap();
    let process = Process::start(&["--tls-cert", &cert, "--tls-key", &key]);
    assert_eq!(process.scheme, "https");
    let answer = get(connect(process.address, &trusted, &["http/1.1"]).unwrap());
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");

    let missing = path("none.pem");
    let cases: [(&[&str], &str); 5] = [
        (&["--tls-cert", &cert], "--tls-key"),
        (&["--tls-key", &key], "--tls-cert"),
        (&["--tls-cert", &missing, "--tls-key", &key], "none.pem"),
        (&["--tls-cert", &cert, "--tls-key", &other], "does not match"),
        (&["--tls-cert", &key, "--tls-key", &key], "no certificate"),
    ];
    for (flags, part) in cases {
        let line = fails(&[&["serve", "--listen", "127.0.0.1:0"], flags].concat());
        assert!(line.contains(part), "{flags:?}: {line}");
    }
}
