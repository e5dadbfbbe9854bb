//! How a client is made.

use ifmatch::client::{BuildError, Client, ClientError, InvalidKey};

use crate::support::{Server, quick};

#[test]
fn a_url_that_is_none_of_a_server_is_refused_and_says_why() {
    let cases = [
        ("http://localhost:8080", true),
        ("http://localhost/api/", true),
        ("http://[::1]:80", true),
        ("localhost:8080", false),
        ("ftp://localhost", false),
        ("http://", false),
        ("http://user@localhost", false),
        ("http://:password@localhost", false),
        ("http://localhost?x=y", false),
        ("http://localhost#x", false),
        ("", false),
    ];
    for (url, accepted) in cases {
        let built = Client::new(url);
        assert_eq!(built.is_ok(), accepted, "{url}: {built:?}");
        if let Err(error) = built {
            assert!(matches!(error, BuildError::Url(_)), "{url}: {error}");
        }
    }
    let built = Client::new("https://localhost");
    if cfg!(feature = "tls") {
        assert!(!matches!(built, Err(BuildError::NoTls)));
    } else {
        assert_eq!(built.unwrap_err(), BuildError::NoTls);
    }
}

#[test]
fn a_token_is_shown_nowhere_and_one_that_no_header_can_carry_is_refused() {
    let builder = Client::builder("http://localhost").bearer_token("s3cret-token");
    assert!(!format!("{builder:?}").contains("s3cret"));
    assert!(!format!("{:?}", builder.build().unwrap()).contains("s3cret"));
    for token in ["", "a b", "a\r\nx: y", "\u{e9}"] {
        let built = Client::builder("http://localhost").bearer_token(token).build();
        assert_eq!(built.unwrap_err(), BuildError::Token, "{token:?}");
    }
    let built = Client::builder("http://localhost").user_agent("a\nb").build();
    assert_eq!(built.unwrap_err(), BuildError::UserAgent);
}

#[cfg(feature = "tls")]
#[test]
fn a_root_certificate_that_is_none_is_refused() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let built = Client::builder("https://localhost").root_certificate_pem(pem).build();
        assert!(matches!(built, Err(BuildError::Certificate(_))), "{pem:?}: {built:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_before_anything_is_sent() {
    // Nobody listens there.
    let client = Client::new("http://127.0.0.1:1").unwrap();
    let error = client.get::<u32>("a/../b").await.unwrap_err();
    let ClientError::InvalidKey(error) = error else { panic!("{error}") };
    assert_eq!(error, InvalidKey::DotSegment { segment: 2 });
    assert!(matches!(client.put("", &1).await, Err(ClientError::InvalidKey(_))));
    assert!(matches!(client.delete("/").await, Err(ClientError::InvalidKey(_))));
}

#[tokio::test]
async fn a_router_nested_under_a_path_is_reached_by_its_url() {
    let documents = ifmatch::http::documents().build();
    let inner = ifmatch::http::router(documents, ifmatch::http::Options::default());
    let outer = axum::Router::new().nest("/api", inner);
    let server = Server::of(outer, "127.0.0.1:0".parse().unwrap()).await;
    let client = quick(format!("{}/api/", server.url())).build().unwrap();
    client.create("a", &1).await.unwrap();
    assert_eq!(client.get::<u32>("a").await.unwrap().unwrap().into_value(), 1);

    // Under another path nothing is taken for a missing key, whoever answers.
    for url in [server.url(), format!("{}/api/more", server.url())] {
        let wrong = quick(url).build().unwrap();
        assert!(wrong.get::<u32>("a").await.is_err());
        assert!(wrong.head("a").await.is_err());
        assert!(wrong.delete("a").await.is_err());
    }
}
