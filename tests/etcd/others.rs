//! Other programs on the same etcd, other stores, and who may use them.

use std::process::Command;
use std::time::Duration;

use ifmatch::etcd::{ConnectError, Etcd};
use ifmatch::{Backend, KeyRange, Precondition, Txn};

use crate::proxy::Proxy;
use crate::server::{Place, Server};
use crate::support::{connect, key, put, raw};

pub(crate) fn etcdctl(url: &str, arguments: &[&str]) -> String {
    let output = Command::new("etcdctl")
        .env("ETCDCTL_API", "3")
        .arg(format!("--endpoints={url}"))
        .args(arguments)
        .output()
        .expect("etcdctl is there: apt-get install etcd-client");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn etcdctl_reads_what_was_written_and_the_other_way_round() {
    let server = Server::start(&[]);
    let etcd = connect(&server.url).await;
    put(&etcd, "page", "Hello").await;
    assert_eq!(etcdctl(&server.url, &["get", "ifmatch/page"]), "ifmatch/page\nHello\n");
    etcdctl(&server.url, &["put", "ifmatch/page", "Hello, world"]);
    let entry = etcd.get(&key("page")).await.unwrap().unwrap();
    assert_eq!((&entry[..], entry.write_count()), (&b"Hello, world"[..], 2));
    let json = etcdctl(&server.url, &["get", "ifmatch/page", "--write-out=json"]);
    assert!(json.contains(&format!("\"mod_revision\":{}", entry.revision())), "{json}");
    assert!(json.contains(&format!("\"create_revision\":{}", entry.created_revision())), "{json}");
    let identity = etcdctl(&server.url, &["get", "ifmatch.identity", "--print-value-only"]);
    assert_eq!(identity.trim().len(), 32);
    etcdctl(&server.url, &["del", "ifmatch/page"]);
    assert!(etcd.get(&key("page")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_the_same_for_all_who_connect_and_no_other() {
    let mut place = Place { is_kept: true, ..Place::alone(&[]) };
    let server = place.start();
    let connects = (0..8).map(|_| {
        let url = server.url.clone();
        tokio::spawn(async move { connect(&url).await.identity() })
    });
    let mut identities = Vec::new();
    for connect in connects.collect::<Vec<_>>() {
        identities.push(connect.await.unwrap());
    }
    identities.dedup();
    assert_eq!(identities.len(), 1, "whoever comes first decides");
    let other = Etcd::builder([&server.url]).namespace("other/").connect().await.unwrap();
    assert_ne!(other.identity(), identities[0]);
    other.put_if(key("a"), key("1"), Precondition::Absent).await.unwrap();
    assert!(connect(&server.url).await.get(&key("a")).await.unwrap().is_none());
    drop(server);

    // Made anew at the same place, the cluster has the same number.
    std::fs::remove_dir_all(place.directory.join("data")).unwrap();
    place.is_kept = false;
    let server = place.start();
    assert_ne!(connect(&server.url).await.identity(), identities[0]);
}

/// Its revisions begin anew, and what was read before would match what it was never of.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_made_anew_under_who_is_connected_is_noticed() {
    let mut place = Place { is_kept: true, ..Place::alone(&[]) };
    let server = place.start();
    let etcd = connect(&server.url).await;
    put(&etcd, "a", "1").await;
    etcd.status().await.unwrap();
    drop(server);
    std::fs::remove_dir_all(place.directory.join("data")).unwrap();
    place.is_kept = false;
    let server = place.start();
    let other = connect(&server.url).await;
    let error = crate::support::at_last(async || match etcd.status().await {
        Err(error) if chain(&error).contains("another store") => Ok(error),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(matches!(error, ifmatch::ReadError::Unavailable(_)), "{error}");
    let refused = etcd.put_if(key("b"), key("1"), Precondition::Any).await.unwrap_err();
    assert!(chain(&refused).contains("another store"), "{refused}");
    let refused = etcd.commit(Txn::new().delete(key("b"))).await.unwrap_err();
    assert!(chain(&refused).contains("another store"), "{refused}");
    assert_eq!(refused.into_txn().unwrap().changes().len(), 1);
    assert!(other.get(&key("b")).await.unwrap().is_none());
    put(&other, "b", "2").await;

    // As if it had been restored, and was meant to be another store.
    let identity = etcdctl(&server.url, &["get", "ifmatch.identity", "--print-value-only"]);
    etcdctl(&server.url, &["del", "ifmatch.identity"]);
    assert!(chain(&other.status().await.unwrap_err()).contains("another store"));
    assert!(chain(&other.get(&key("b")).await.unwrap_err()).contains("another store"));
    // Once noticed, it is not taken back: what was read meanwhile is not of this store.
    etcdctl(&server.url, &["put", "ifmatch.identity", identity.trim()]);
    assert!(chain(&other.status().await.unwrap_err()).contains("another store"));
    etcdctl(&server.url, &["del", "ifmatch.identity"]);
    assert!(connect(&server.url).await.status().await.unwrap().writable);
}

/// Restored with another token, the store has the identity that it had, and the cluster at its address another number.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_restored_under_who_is_connected_is_noticed_by_whatever_is_asked() {
    let place = Place { is_kept: true, ..Place::alone(&[]) };
    let server = place.start();
    let (writes, reads) = (connect(&server.url).await, connect(&server.url).await);
    let commits = connect(&server.url).await;
    let watches = connect(&server.url).await;
    put(&writes, "a", "1").await;
    let mut watch = crate::support::watch(&watches, None).await;
    let server = place.restored(server, "other");
    raw(&server.url).await;

    let lost = noticed(async || writes.put_if(key("b"), key("1"), Precondition::Any).await).await;
    assert!(matches!(lost, ifmatch::WriteError::OutcomeUnknown(_)), "{lost}");
    let refused = writes.put_if(key("c"), key("1"), Precondition::Any).await.unwrap_err();
    assert!(refused.into_rejected().is_some());
    noticed(async || reads.get(&key("a")).await).await;
    let refused = reads.delete_if(key("a"), Precondition::Any).await.unwrap_err();
    assert!(matches!(refused, ifmatch::WriteError::Refused(_)), "{refused}");
    // Nothing would have been written.
    let absent = || Txn::new().require(key("a"), Precondition::Absent).put(key("a"), key("2"));
    let refused = noticed(async || commits.commit(absent()).await).await;
    assert!(matches!(refused, ifmatch::CommitError::Refused { .. }), "{refused}");
    let ended = crate::support::next(&mut watch).await.unwrap().unwrap_err();
    assert!(matches!(ended, ifmatch::WatchError::Unavailable(_)), "{ended}");
    assert!(chain(&ended).contains("another store"), "{ended}");
    assert!(watches.watch(KeyRange::all(), None).await.is_err());

    let other = connect(&server.url).await;
    assert_ne!(other.identity(), writes.identity());
    assert_eq!(other.get(&key("a")).await.unwrap().unwrap().value(), "1");
    assert!(other.get(&key("c")).await.unwrap().is_none());
    for old in [writes, reads, commits, watches] {
        assert!(chain(&old.status().await.unwrap_err()).contains("another store"));
    }
    drop(server);
    std::fs::remove_dir_all(&place.directory).unwrap();
}

/// Asks until it is noticed that it is another store: a connection may be lost first.
async fn noticed<T: std::fmt::Debug, E: std::error::Error>(
    mut ask: impl AsyncFnMut() -> Result<T, E>,
) -> E {
    crate::support::at_last(async || match ask().await {
        Err(error) if chain(&error).contains("another store") => Ok(error),
        Err(error) => Err(chain(&error)),
        Ok(answer) => panic!("{answer:?} is of another store"),
    })
    .await
}

/// An error with all that is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_is_named_in_words() {
    let [free] = crate::server::free_ports();
    let nobody = format!("http://127.0.0.1:{free}");
    let quick = |url: &str| Etcd::builder([url]).retry_for(Duration::from_millis(300)).connect();
    let said = chain(&quick(&nobody).await.unwrap_err());
    assert!(said.contains(&nobody) && said.to_lowercase().contains("refused"), "{said}");
    assert!(!said.contains("code:") && !said.contains("Error("), "{said}");

    // A server of HTTP that is no etcd.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let app = axum::Router::new().fallback(|| async { "{\"health\": \"true\"}" });
        axum::serve(listener, app).await
    });
    let said = chain(&quick(&format!("http://{address}")).await.unwrap_err());
    assert!(said.contains("does the endpoint speak gRPC"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_identity_is_not_overwritten() {
    let server = Server::start(&[]);
    raw(&server.url).await.put("ifmatch.identity", "mine", None).await.unwrap();
    match Etcd::builder([&server.url]).connect().await {
        Err(ConnectError::InvalidIdentity { key }) => assert_eq!(key, "ifmatch.identity"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_two_clusters_are_not_taken_for_one() {
    let options = ["--initial-cluster-token=other"];
    let place = Place { is_kept: true, ..Place::alone(&[]) };
    let (one, other) = (place.start(), Server::start(&options));
    let etcd = Etcd::builder([&one.url, &other.url]).connect().await.unwrap();
    put(&etcd, "a", "1").await;
    drop(one);
    let _lost = etcd.put_if(key("a"), key("2"), Precondition::Any).await;
    let error = etcd.put_if(key("a"), key("3"), Precondition::Any).await.unwrap_err();
    assert_eq!(error.into_rejected(), Some(key("3")));
    let found = raw(&other.url).await.get("ifmatch/a", None).await.unwrap();
    assert!(found.kvs().is_empty(), "nothing was written elsewhere");

    let one = place.start();
    raw(&one.url).await;
    let mut tries = 0;
    while etcd.put_if(key("a"), key("4"), Precondition::Any).await.is_err() {
        tries += 1;
        assert!(tries < 10, "whoever is of another cluster is not asked for ever");
    }
    drop(one);
    std::fs::remove_dir_all(&place.directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_is_let_in() {
    let server = Server::start(&[]);
    let url = server.url.as_str();
    let_ann_in(url);
    let refused = |result: Result<Etcd, ConnectError>| match result {
        Err(ConnectError::Refused(_)) => {}
        other => panic!("{other:?}"),
    };
    refused(Etcd::builder([url]).connect().await);
    refused(Etcd::builder([url]).user("ann", "wrong").connect().await);
    refused(Etcd::builder([url]).user("ann", "hers").namespace("other/").connect().await);
    let etcd = ann(url).await;
    put(&etcd, "a", "1").await;
    assert!(etcd.status().await.unwrap().writable);
    let mut watch = crate::support::watch(&etcd, None).await;
    let next = put(&etcd, "a", "2").await;
    assert_eq!(crate::support::told(&mut watch).await.revision(), next);
}

/// No more is needed than the permissions that are documented.
#[cfg(feature = "cli")]
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_how_a_member_is_is_let_in() {
    let server = Server::start(&[]);
    let_ann_in(&server.url);
    let url = crate::guarded::way_to(&server.url).await;
    let denied = raw_as_ann(&url).await.status().await.unwrap_err();
    assert!(denied.to_string().contains("permission denied"), "{denied}");
    let etcd = ann(&url).await;
    assert_eq!(etcd.identity(), ann(&server.url).await.identity());
    let written = put(&etcd, "a", "1").await;
    let status = etcd.status().await.unwrap();
    assert_eq!((status.revision, status.writable), (written, true));
}

/// A watch that is opened again cannot see by an error that its token is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_though_its_token_is_over() {
    let server = Server::start(&["--auth-token-ttl=1"]);
    let_ann_in(&server.url);
    let proxy = Proxy::to(&server.url).await;
    let (direct, through) = (ann(&server.url).await, ann(&proxy.url).await);
    let mut watch = crate::support::watch(&through, None).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    proxy.cut();
    let next = put(&direct, "a", "1").await;
    assert_eq!(crate::support::told(&mut watch).await.revision(), next);
}

/// A token that is a JWT says as of which change of the users it is, and is refused after the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_older_than_the_last_change_of_the_users_is_renewed() {
    let (server, _secret) = start_with_jwt();
    let url = server.url.as_str();
    let_ann_in(url);
    let etcd = ann(url).await;
    let first = put(&etcd, "a", "1").await;
    let mut watch = crate::support::watch(&etcd, None).await;
    for role in ["one", "two", "three", "four"] {
        etcdctl(url, &["--user=root:secret", "role", "add", role]);
        match role {
            "one" => drop(put(&etcd, "a", role).await),
            "two" => drop(etcd.get(&key("a")).await.unwrap().unwrap()),
            "three" => {
                let txn =
                    Txn::new().require(key("a"), Precondition::Present).put(key("a"), key(role));
                etcd.commit(txn).await.unwrap();
            }
            _ => drop(etcd.delete_if(key("a"), Precondition::Any).await.unwrap().unwrap()),
        }
    }
    for _ in 0..3 {
        assert!(crate::support::told(&mut watch).await.revision() > first);
    }
    // Who is not let in any more is told, once and not for ever.
    etcdctl(url, &["--user=root:secret", "user", "delete", "ann"]);
    let put = etcd.put_if(key("a"), key("1"), Precondition::Any).await.unwrap_err();
    let ifmatch::WriteError::Refused(refused) = put else { panic!("{put}") };
    assert!(matches!(refused.reason(), ifmatch::Reason::Denied(_)), "{refused}");
}

/// Nothing but the watch itself is there to find that its token is too old.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_though_its_token_is_older_than_the_last_change_of_the_users() {
    let (server, _secret) = start_with_jwt();
    let url = server.url.as_str();
    let_ann_in(url);
    let proxy = Proxy::to(url).await;
    let (direct, through) = (ann(url).await, ann(&proxy.url).await);
    let mut watch = crate::support::watch(&through, None).await;
    for role in ["one", "two", "three"] {
        let before = put(&direct, "a", role).await;
        assert_eq!(crate::support::told(&mut watch).await.revision(), before);
        etcdctl(url, &["--user=root:secret", "role", "add", role]);
        proxy.cut();
    }
    let last = put(&direct, "a", "1").await;
    assert_eq!(crate::support::told(&mut watch).await.revision(), last);
    // Who is not let in any more is told.
    etcdctl(url, &["--user=root:secret", "user", "delete", "ann"]);
    proxy.cut();
    let told = crate::support::next(&mut watch).await;
    assert!(matches!(told, Some(Err(ifmatch::WatchError::Denied(_)))), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_none_is_told_before_anybody_is_asked() {
    for endpoint in ["", "a:x", "ftp://a", "a/b", "::1"] {
        let connected = Etcd::builder([endpoint]).connect().await;
        assert!(matches!(connected, Err(ConnectError::InvalidEndpoint { .. })), "{connected:?}");
    }
}

/// An etcd whose tokens are JWTs, and where its secret is.
fn start_with_jwt() -> (Server, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "a secret of some length, which only etcd has").unwrap();
    let token = format!("--auth-token=jwt,priv-key={},sign-method=HS256", secret.display());
    (Server::start(&[&token]), directory)
}

#[cfg(feature = "cli")]
async fn raw_as_ann(url: &str) -> etcd_client::Client {
    let options = etcd_client::ConnectOptions::new().with_user("ann", "hers");
    etcd_client::Client::connect([url], Some(options)).await.unwrap()
}

async fn ann(url: &str) -> Etcd {
    Etcd::builder([url]).user("ann", "hers").connect().await.unwrap()
}

/// From then on etcd asks who one is; ann may use the store.
pub(crate) fn let_ann_in(url: &str) {
    let own = ["role", "grant-permission", "blue", "readwrite", "ifmatch/", "ifmatch0"];
    let identity = ["role", "grant-permission", "blue", "readwrite", "ifmatch.identity"];
    for arguments in [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["role", "add", "blue"],
        &own,
        &identity,
        &["user", "add", "ann:hers"],
        &["user", "grant-role", "ann", "blue"],
        &["auth", "enable"],
    ] {
        etcdctl(url, arguments);
    }
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_whom_is_trusted() {
    use ifmatch::etcd::Tls;

    let directory = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), name.to_owned()]).unwrap()
    };
    let (server_cert, client_cert) = (made("127.0.0.1"), made("client"));
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cert = write("cert.pem", server_cert.cert.pem());
    let key_file = write("key.pem", server_cert.signing_key.serialize_pem());
    let client_ca = write("client.pem", client_cert.cert.pem());
    let mut place = Place::alone(&[
        &format!("--cert-file={cert}"),
        &format!("--key-file={key_file}"),
        &format!("--trusted-ca-file={client_ca}"),
        "--client-cert-auth",
    ]);
    place.scheme = "https";
    let server = place.start();
    let url = server.url.replace("127.0.0.1", "localhost");
    let ours = || Tls::trusting_pem(server_cert.cert.pem());
    let shown = ours().showing_pem(client_cert.cert.pem(), client_cert.signing_key.serialize_pem());
    let etcd = Etcd::builder([&url]).tls(shown).connect().await.unwrap();
    put(&etcd, "a", "1").await;
    let quick = |tls| {
        Etcd::builder([&url]).tls(tls).retry_for(std::time::Duration::from_millis(300)).connect()
    };
    let plain = Server::start(&[]);
    let plain = plain.url.replace("http://", "https://");
    let tls_to_nobody = Etcd::builder([&plain])
        .tls(ours())
        .retry_for(std::time::Duration::from_millis(300))
        .connect();
    let said = chain(&tls_to_nobody.await.unwrap_err());
    // Who does not understand may also reset the connection.
    assert!(
        ["does the endpoint speak TLS?", "reset"].iter().any(|text| said.contains(text)),
        "{said}"
    );
    for (what, tls) in
        [("a stranger", Tls::trusting_pem(client_cert.cert.pem())), ("who shows nothing", ours())]
    {
        match quick(tls).await {
            Err(ConnectError::Unreachable(_)) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

/// As one that was stopped: its kernel accepts connections, and nobody answers on them.
#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_before_tls_is_agreed_on_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let certificate = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let connect = Etcd::builder([&url])
        .tls(ifmatch::etcd::Tls::trusting_pem(certificate.cert.pem()))
        .connect_timeout(Duration::from_millis(300))
        .retry_for(Duration::from_millis(300))
        .connect();
    match tokio::time::timeout(Duration::from_secs(60), connect).await {
        Ok(Err(ConnectError::Unreachable(_))) => {}
        other => panic!("{other:?}"),
    }
}
