//! What whoever asks a server of ours, or reads its log, is told of an etcd that does not do what it should.

use std::path::PathBuf;

use ifmatch::client::{Client, ClientError, ProblemDocument};
use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::others::etcdctl;
use crate::serve::{Front, backend};
use crate::server::{Place, Server};

/// A server whose log can be read.
struct Logged {
    front: Front,
    log: PathBuf,
    _directory: tempfile::TempDir,
}

impl Logged {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let front = Front::serve_to(arguments, variables, std::fs::File::create(&log).unwrap());
        Self { front, log, _directory: directory }
    }

    /// The lines of requests that failed, of which there must be some by now.
    async fn failures(&self) -> Vec<String> {
        crate::support::at_last(async || {
            let text = std::fs::read_to_string(&self.log).unwrap();
            let failed = text.lines().filter(|line| line.contains("ifmatch::request"));
            let failed: Vec<String> = failed.map(str::to_owned).collect();
            if failed.is_empty() { Err("nothing is logged") } else { Ok(failed) }
        })
        .await
    }
}

/// Does not ask again.
fn once(front: &Front) -> Client {
    Client::builder(&front.url).retries(ifmatch::client::Backoff::none()).build().unwrap()
}

/// Whether it is ready, and what it says.
fn asked(front: &Front) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.get(format!("{}/readyz", front.url)).call().unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
    (status, answer.body_mut().read_to_string().unwrap())
}

fn ready(front: &Front) -> u16 {
    asked(front).0
}

/// What a server says that is not ready.
fn not_ready(front: &Front) -> String {
    let (status, said) = asked(front);
    assert_eq!(status, 503, "{said}");
    said
}

#[track_caller]
fn problem<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Box<ProblemDocument> {
    match result {
        Err(ClientError::Problem(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

/// A permission that is missing looked as an etcd that is down: 503, come again, and not a word of it in the log.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_by_etcd_does_not_ask_for_another_attempt_and_logs_why() {
    let server = Server::start(&[]);
    crate::others::let_ann_in(&server.url);
    let etcd = backend(&server);
    let arguments = ["--backend", &etcd, "--backend-user", "ann"];
    let logged = Logged::start(&arguments, &[("IFMATCH_BACKEND_PASSWORD", "hers")]);
    let client = once(&logged.front);
    client.put("a", &1).await.unwrap();
    let revoke =
        ["--user=root:secret", "role", "revoke-permission", "blue", "ifmatch/", "ifmatch0"];
    etcdctl(&server.url, &revoke);
    for refused in [
        problem(client.get::<u64>("a").await),
        problem(client.put("a", &2).await),
        problem(client.page::<u64>("", None, None).await),
    ] {
        assert_eq!((refused.status(), refused.slug()), (500, "internal"), "{refused}");
        assert_eq!(refused.retry_after(), None);
        assert!(refused.detail().contains("does not allow it"), "{refused}");
    }
    let failures = logged.failures().await;
    assert_eq!(failures.len(), 3, "each once: {failures:?}");
    for line in failures {
        assert!(line.contains("ERROR") && line.contains("permission denied"), "{line}");
    }
}

/// A probe waits for a second or a few, and etcd for more than ten.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_etcd_hangs_says_soon_that_it_is_not_ready() {
    let server = Server::start(&[]);
    let logged = Logged::start(&["--backend", &backend(&server)], &[]);
    server.signal(Signal::STOP);
    let said = not_ready(&logged.front);
    assert!(said.contains("did not answer within 2 seconds"), "{said}");
    server.signal(Signal::CONT);
}

/// Nobody else asks: a server that is not ready is left alone by whoever balances the load.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_member_hangs_is_ready_by_another_one() {
    let cluster = Cluster::start();
    let leader = cluster.leader().await;
    let urls = cluster.urls();
    let asked: Vec<_> =
        (1..=3).map(|next| urls[(leader + next) % 3].replace("http://", "")).collect();
    let front = Front::start(&format!("etcd://{}", asked.join(",")));
    assert_eq!(ready(&front), 200);
    cluster.signal((leader + 1) % 3, Signal::STOP);
    not_ready(&front);
    // A connection that nobody answers on is found out later than that.
    let probes: Vec<u16> = (0..3).map(|_| ready(&front)).collect();
    cluster.signal((leader + 1) % 3, Signal::CONT);
    assert!(probes.contains(&200), "{probes:?}");
}

/// As operators are told to do it: the cluster has another token, and the store in it the same identity.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_etcd_was_restored_under_it_is_not_ready_and_writes_nothing() {
    let place = Place { is_kept: true, ..Place::alone(&[]) };
    let server = place.start();
    let logged = Logged::start(&["--backend", &backend(&server)], &[]);
    let front = &logged.front;
    let client = once(front);
    client.put("a", &1).await.unwrap();
    let server = place.restored(server, "other");
    crate::support::raw(&server.url).await;
    crate::support::at_last(async || {
        let said = asked(front);
        let log = std::fs::read_to_string(&logged.log).unwrap();
        if log.contains("another store") { Ok(()) } else { Err(format!("{said:?}, {log}")) }
    })
    .await;
    assert_eq!(ready(front), 503);
    let refused = problem(client.put("b", &1).await);
    assert_eq!((refused.status(), refused.slug()), (503, "unavailable"), "{refused}");
    assert_eq!(etcdctl(&server.url, &["get", "ifmatch/b"]), "");
    // Another server finds what was restored.
    assert_eq!(ready(&Front::start(&backend(&server))), 200);
    assert_eq!(ready(front), 503, "for ever");
    drop(server);
    std::fs::remove_dir_all(&place.directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_etcd_does_not_answer_is_not_titled_as_a_write_and_the_log_names_the_member() {
    let server = Server::start(&[]);
    let logged = Logged::start(&["--backend", &backend(&server)], &[]);
    let member = server.url.clone();
    drop(server);
    let down = problem(once(&logged.front).get::<u64>("a").await);
    assert_eq!((down.status(), down.slug()), (503, "unavailable"), "{down}");
    assert!(down.retry_after().is_some() && !down.title().contains("write"), "{down}");
    let failures = logged.failures().await;
    assert!(failures[0].contains(&member) && failures[0].contains("refused"), "{failures:?}");
    assert!(!failures[0].contains("source:"), "it is for people: {failures:?}");
}

/// Where there is no room, the record of a delete has none, but a delete does.
#[tokio::test(flavor = "multi_thread")]
async fn deletes_pass_though_etcd_is_full() {
    let server = Server::start(&["--quota-backend-bytes=16777216"]);
    let front = Front::start(&backend(&server));
    let client = once(&front);
    let large = vec![7_u8; 1 << 20];
    let document = ifmatch::client::Document::new("application/octet-stream", large);
    let mut written = 0;
    let full = loop {
        match client.put(&format!("blob/{written}"), &document).await {
            Ok(_) => written += 1,
            Err(ClientError::Problem(problem)) if problem.status() == 507 => break problem,
            Err(error) => panic!("{error}"),
        }
        assert!(written < 100);
    };
    assert_eq!(full.slug(), "storage-full");
    assert!(client.delete("blob/0").await.unwrap().is_some());
    assert!(client.delete("blob/0").await.unwrap().is_none());
    let said = not_ready(&front);
    assert!(said.contains("it has no room (then deletes pass), or its log failed"), "{said}");
}
