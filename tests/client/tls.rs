//! https: whom the client trusts.

use ifmatch::client::{ClientError, Outcome};
use ifmatch::http::{Options, ServeOptions, Tls, documents, router};

use crate::support::{Server, quick};

#[tokio::test]
async fn a_server_is_trusted_by_a_root_that_was_added_and_by_its_own_name_only() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = Tls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let router = router(documents().build(), Options::default());
    let address = "127.0.0.1:0".parse().unwrap();
    let server = Server::with(router, address, ServeOptions::default().tls(tls)).await;
    let url = format!("https://localhost:{}", server.address.port());

    let client = quick(&url).root_certificate_pem(certificate.as_str()).build().unwrap();
    let mut watch = client.watch::<u32>("");
    watch.open().await.unwrap();
    client.create("a", &1).await.unwrap();
    assert_eq!(client.get::<u32>("a").await.unwrap().unwrap().into_value(), 1);
    assert_eq!(watch.next().await.unwrap().unwrap().events()[0].key(), "a");

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let strangers = [
        quick(&url).root_certificate_pem(other),
        quick(server.url().replace("http:", "https:")).root_certificate_pem(certificate),
    ];
    for stranger in strangers {
        let error = stranger.build().unwrap().put("a", &2).await.unwrap_err();
        let ClientError::Transport(transport) = error else { panic!("{error}") };
        assert_eq!(transport.outcome(), Outcome::NotSent, "nothing is said to a stranger");
    }
}
