//! `ifmatch serve --backend etcd://..`: many servers are one service, and the contract is that of any other.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ifmatch::Precondition;
use ifmatch::client::{
    Client, ClientCommit, ClientConflict, ClientError, ConflictKind, Document, Watch,
};
use tokio::task::JoinSet;

use crate::others::etcdctl;
use crate::server::{Place, Server};

/// A server of ours, over an etcd.
pub(crate) struct Front {
    child: Child,
    pub(crate) url: String,
}

impl Front {
    pub(crate) fn start(etcd: &str) -> Self {
        Self::serve(&["--backend", etcd])
    }

    pub(crate) fn serve(arguments: &[&str]) -> Self {
        Self::serve_in(arguments, &[])
    }

    /// With these variables.
    fn serve_in(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::serve_to(arguments, variables, Stdio::inherit())
    }

    /// With its log there.
    pub(crate) fn serve_to(
        arguments: &[&str],
        variables: &[(&str, &str)],
        log: impl Into<Stdio>,
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("it says where").to_owned();
        Self { child, url }
    }

    pub(crate) fn client(&self) -> Client {
        Client::builder(&self.url).build().unwrap()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

pub(crate) fn backend(server: &Server) -> String {
    server.url.replace("http://", "etcd://")
}

/// How many clients, and how many writes in all: `IFMATCH_CLIENTS`, `IFMATCH_WRITES`. The full size is 64 and 10,000.
fn size() -> (usize, usize) {
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    (number("IFMATCH_CLIENTS", 16), number("IFMATCH_WRITES", 800))
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_through_two_servers_are_all_there() {
    let (clients, writes) = size();
    let server = Server::start(&[]);
    let fronts = [Front::start(&backend(&server)), Front::start(&backend(&server))];
    let calls = Arc::new(AtomicUsize::new(0));
    let began = std::time::Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let (client, calls) = (fronts[number % 2].client(), Arc::clone(&calls));
        let share = writes / clients + usize::from(number < writes % clients);
        tasks.spawn(async move {
            for _ in 0..share {
                let increment = |n: Option<&u64>| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    n.copied().unwrap_or(0) + 1
                };
                client.update("counter", increment).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for front in &fronts {
        let entry = front.client().get::<u64>("counter").await.unwrap().unwrap();
        assert_eq!(usize::try_from(*entry.value()).unwrap(), writes, "no increment is lost");
    }
    println!(
        "{clients} clients over 2 servers, {writes} increments, {} conflicts, {:?}",
        calls.load(Ordering::Relaxed) - writes,
        began.elapsed()
    );
}

/// `etcds://` without a certificate of its own trusts what the system does, as OpenSSL's variable says where that is.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_system_trusts_is_trusted_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (known, stranger) = (made(), made());
    let certificate = write("known.pem", known.cert.pem());
    let key = write("key.pem", known.signing_key.serialize_pem());
    let other = write("stranger.pem", stranger.cert.pem());
    let mut place =
        Place::alone(&[&format!("--cert-file={certificate}"), &format!("--key-file={key}")]);
    place.scheme = "https";
    let server = place.start();
    let url = server.url.replace("https://127.0.0.1", "etcds://localhost");

    let front = Front::serve_in(&["--backend", &url], &[("SSL_CERT_FILE", &certificate)]);
    front.client().put("a", &1).await.unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
        .args(["serve", "--listen", "127.0.0.1:0", "--backend", &url])
        .env("SSL_CERT_FILE", other)
        .output()
        .unwrap();
    assert!(!refused.status.success(), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("no member of the cluster answered"), "{said}");
}

#[test]
fn a_user_without_a_password_is_told_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--backend",
            "etcd://127.0.0.1",
            "--backend-user",
            "ann",
        ])
        .env_remove("IFMATCH_BACKEND_PASSWORD")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("IFMATCH_BACKEND_PASSWORD"), "{said}");
    assert_eq!(output.status.code(), Some(2), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_on_one_server_sees_a_write_through_the_other() {
    let server = Server::start(&[]);
    let fronts = [Front::start(&backend(&server)), Front::start(&backend(&server))];
    let mut watch = fronts[0].client().watch::<u64>("a/");
    watch.open().await.unwrap();
    for number in 0..20_u64 {
        fronts[1].client().put("a/n", &number).await.unwrap();
        fronts[1].client().put("elsewhere", &number).await.unwrap();
        let commit = watch.next().await.unwrap().unwrap();
        let told: Vec<u64> = commit
            .events()
            .iter()
            .filter_map(|event| event.entry().map(|entry| *entry.value()))
            .collect();
        assert_eq!(told, [number]);
    }
}

#[track_caller]
pub(crate) fn conflict<T: std::fmt::Debug>(result: Result<T, ClientError>) -> ClientConflict {
    match result {
        Err(ClientError::Conflict(conflict)) => *conflict,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_is_the_same() {
    let server = Server::start(&[]);
    let fronts = [Front::start(&backend(&server)), Front::start(&backend(&server))];
    let (one, other) = (fronts[0].client(), fronts[1].client());
    one.create("team/red", &1_u64).await.unwrap();
    let read = other.get::<u64>("team/red").await.unwrap().unwrap();
    one.put_if("team/red", &2_u64, &read).await.unwrap();
    // A tag of one server is one of the other, and is stale there, too.
    let lost = conflict(other.put_if("team/red", &3_u64, &read).await);
    assert_eq!(lost.kind(), ConflictKind::Stale);
    conflict(other.create("team/red", &4_u64).await);
    one.put("member/red/ada", &1_u64).await.unwrap();
    conflict(other.delete_unless_used("team/red", Precondition::Any, "member/red/").await);
    // Pages are at one revision, however many servers are asked.
    for number in 0..30_u64 {
        one.put(&format!("list/{number:02}"), &number).await.unwrap();
    }
    let first = one.page::<u64>("list/", Some(10), None).await.unwrap();
    one.delete("list/15").await.unwrap();
    let second = other.page::<u64>("list/", Some(20), first.next()).await.unwrap();
    assert_eq!((first.revision(), second.entries().len()), (second.revision(), 20));

    // What another program wrote is bytes of no known type.
    etcdctl(&server.url, &["put", "ifmatch/plain", "{}"]);
    let plain = one.get::<Document>("plain").await.unwrap().unwrap();
    assert_eq!(plain.document().content_type(), "application/octet-stream");
    assert_eq!(&plain.document().body()[..], b"{}");
    let read = plain.etag().clone();
    etcdctl(&server.url, &["put", "ifmatch/plain", "[]"]);
    conflict(one.put_if("plain", &1_u64, &read).await);
}

/// A cluster that is made anew at the same place begins with the same revisions.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_tag_matches_nothing_in_a_new_cluster() {
    let mut place = Place { is_kept: true, ..Place::alone(&[]) };
    let server = place.start();
    let front = Front::start(&backend(&server));
    front.client().create("a", &1_u64).await.unwrap();
    let old = front.client().get::<u64>("a").await.unwrap().unwrap();
    drop((front, server));
    std::fs::remove_dir_all(place.directory.join("data")).unwrap();
    place.is_kept = false;
    let server = place.start();
    let front = Front::start(&backend(&server));
    front.client().create("a", &2_u64).await.unwrap();
    let new = front.client().get::<u64>("a").await.unwrap().unwrap();
    assert_eq!(old.revision(), new.revision(), "they look alike");
    conflict(front.client().put_if("a", &3_u64, &old).await);
    // Nor if something else wrote it, so that it has no stamp of its own.
    etcdctl(&server.url, &["put", "ifmatch/b", "x"]);
    let etag = front.client().get::<Document>("b").await.unwrap().unwrap().etag().clone();
    drop((front, server));
    let server = Server::start(&[]);
    let front = Front::start(&backend(&server));
    etcdctl(&server.url, &["put", "ifmatch/z", "x"]);
    etcdctl(&server.url, &["put", "ifmatch/b", "y"]);
    conflict(front.client().put_if("b", &3_u64, &etag).await);
}

/// Of an image that `etcdctl` wrote the first bytes look like a document's; what `etcdctl` writes is anything.
#[tokio::test(flavor = "multi_thread")]
async fn what_etcdctl_wrote_is_octets_or_named_and_never_in_the_way_unseen() {
    let server = Server::start(&[]);
    let front = Front::start(&backend(&server));
    let client = front.client();
    let mut watch = client.watch::<Document>("");
    watch.open().await.unwrap();
    etcdctl_put(&server.url, "ifmatch/img/b.jpg", b"\xff\xd8\xff\xe0JFIF");
    let told = next(&mut watch).await.unwrap().unwrap();
    let image = told.events()[0].entry().unwrap();
    assert_eq!(&image.document().body()[..], b"\xff\xd8\xff\xe0JFIF");
    assert_eq!(client.page::<Document>("", None, None).await.unwrap().entries().len(), 1);

    etcdctl_put(&server.url, "ifmatch/img/c", b"\xff\x02of a later version");
    client.put("d", &1_u64).await.unwrap();
    let Some(Err(ClientError::Decode(error))) = next(&mut watch).await else {
        panic!("it is told")
    };
    assert_eq!(error.key(), Some("img/c"));
    assert_eq!(next(&mut watch).await.unwrap().unwrap().events()[0].key(), "d");
    let error = client.page::<Document>("", None, None).await.unwrap_err();
    assert!(error.to_string().contains("\"img/c\""), "{error}");
    client.delete("img/c").await.unwrap().unwrap();
    assert_eq!(client.page::<Document>("", None, None).await.unwrap().entries().len(), 2);
}

/// What a watch says next, which must be something.
async fn next(watch: &mut Watch<Document>) -> Option<Result<ClientCommit<Document>, ClientError>> {
    let said = tokio::time::timeout(std::time::Duration::from_secs(60), watch.next());
    said.await.expect("the watch says something")
}

/// As `etcdctl put KEY < FILE`.
fn etcdctl_put(url: &str, key: &str, value: &[u8]) {
    let mut put = Command::new("etcdctl")
        .arg(format!("--endpoints={url}"))
        .args(["put", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    put.stdin.take().unwrap().write_all(value).unwrap();
    assert!(put.wait().unwrap().success());
}
