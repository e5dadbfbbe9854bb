//! Whether a write took place: it did, it did not, or nobody knows.

use std::time::Duration;

use bytes::Bytes;
use ifmatch::etcd::Etcd;
use ifmatch::{Backend, CommitError, Precondition, ReadError, Reason, Txn, WriteError};

use crate::others::etcdctl;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::support::{connect, key, put, raw};

async fn impatient(url: &str) -> Etcd {
    Etcd::builder([url])
        .request_timeout(Duration::from_millis(700))
        .retry_for(Duration::from_secs(2))
        .connect()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_unknown_and_not_repeated() {
    let server = Server::start(&[]);
    let proxy = Proxy::to(&server.url).await;
    let (direct, through) = (connect(&server.url).await, impatient(&proxy.url).await);
    put(&direct, "b", "1").await;
    proxy.silence(true);
    let lost = through.put_if(key("a"), key("1"), Precondition::Absent).await;
    assert!(matches!(lost, Err(WriteError::OutcomeUnknown(_))), "{lost:?}");
    let lost = through.delete_if(key("b"), Precondition::Present).await;
    assert!(matches!(lost, Err(WriteError::OutcomeUnknown(_))), "{lost:?}");
    let lost = through.commit(Txn::new().put(key("c"), key("1"))).await;
    assert!(matches!(lost, Err(CommitError::OutcomeUnknown(_))), "{lost:?}");
    let lost = through.get(&key("a")).await;
    assert!(matches!(lost, Err(ReadError::Unavailable(_))), "{lost:?}");
    proxy.silence(false);
    proxy.cut();
    // They took place, once.
    let count = |entry: Option<ifmatch::Versioned<Bytes>>| entry.map(|entry| entry.write_count());
    assert_eq!(count(direct.get(&key("a")).await.unwrap()), Some(1));
    assert_eq!(count(direct.get(&key("b")).await.unwrap()), None);
    assert_eq!(count(direct.get(&key("c")).await.unwrap()), Some(1));
    assert!(through.get(&key("a")).await.unwrap().is_some(), "it recovers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_never_sent_is_refused_and_comes_back() {
    let server = Server::start(&[]);
    let etcd = impatient(&server.url).await;
    drop(server);
    // Whatever became of the connection that there was.
    let _lost = etcd.put_if(key("a"), key("0"), Precondition::Any).await;
    let error = etcd.put_if(key("a"), key("1"), Precondition::Any).await.unwrap_err();
    match &error {
        WriteError::Refused(refused) => {
            assert!(matches!(refused.reason(), Reason::Unavailable(_)), "{error}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(error.into_rejected(), Some(key("1")));
    let error = etcd.commit(Txn::new().put(key("a"), key("1"))).await.unwrap_err();
    assert_eq!(error.into_txn().unwrap().changes().len(), 1);
}

/// Two endpoints, of which one is nothing: it is as if there were one.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_not_there_is_passed_over() {
    let server = Server::start(&[]);
    let [free] = crate::server::free_ports();
    for endpoints in [
        [format!("127.0.0.1:{free}"), server.url.clone()],
        [server.url.clone(), format!("127.0.0.1:{free}")],
    ] {
        let etcd = Etcd::builder(&endpoints).connect().await.unwrap();
        for number in 0..10 {
            put(&etcd, "a", &number.to_string()).await;
        }
    }
}

/// etcd carries out the write that goes over its quota, and answers it as those that it refuses.
#[tokio::test(flavor = "multi_thread")]
async fn without_room_a_write_is_refused_only_if_it_did_not_take_place() {
    let server = Server::start(&["--quota-backend-bytes=4000000"]);
    let etcd = connect(&server.url).await;
    let value = Bytes::from(vec![7; 400_000]);
    let (mut acknowledged, mut full, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    // Those that are on their way at once are let in while there is room for each of them.
    for round in 0..4 {
        let writes: Vec<_> = (0..16)
            .map(|number| {
                let (etcd, value) = (etcd.clone(), value.clone());
                let name = key(&format!("{round}/{number:02}"));
                tokio::spawn(
                    async move { (name.clone(), write(&etcd, number % 3, name, value).await) },
                )
            })
            .collect();
        for write in writes {
            let (name, done) = write.await.unwrap();
            match done {
                Ok(()) => acknowledged.push(name),
                Err(WriteError::Refused(refused)) => {
                    assert!(matches!(refused.reason(), Reason::Full(_)), "{refused}");
                    full.push(name);
                }
                Err(WriteError::OutcomeUnknown(_)) => unknown.push(name),
                Err(other) => panic!("{other}"),
            }
        }
    }
    println!(
        "without room: {} acknowledged, {} refused, {} unknown",
        acknowledged.len(),
        full.len(),
        unknown.len()
    );
    assert!(!acknowledged.is_empty() && full.len() > 10);
    for name in &acknowledged {
        assert!(etcd.get(name).await.unwrap().is_some(), "acknowledged, and lost");
    }
    for name in &full {
        assert!(etcd.get(name).await.unwrap().is_none(), "refused, and there");
    }
    assert!(!etcd.status().await.unwrap().writable);
    let mut there = 0;
    for name in &unknown {
        there += usize::from(etcd.get(name).await.unwrap().is_some());
    }
    println!("of those that are unknown {there} are there");
    for name in acknowledged.iter().chain(&unknown) {
        etcd.delete_if(name.clone(), Precondition::Any).await.unwrap();
    }
    let mut operator = raw(&server.url).await;
    let newest = etcd.status().await.unwrap().revision;
    let physical = etcd_client::CompactionOptions::new().with_physical();
    operator.compact(i64::try_from(newest.get()).unwrap(), Some(physical)).await.unwrap();
    operator.defragment().await.unwrap();
    etcdctl(&server.url, &["alarm", "disarm"]);
    assert!(etcd.status().await.unwrap().writable);
    etcd.put_if(key("again"), value, Precondition::Absent).await.unwrap();
}

/// One of the three ways to put a value.
async fn write(
    etcd: &Etcd,
    way: usize,
    name: Bytes,
    value: Bytes,
) -> Result<(), WriteError<Bytes, Bytes>> {
    match way {
        0 => etcd.put_if(name, value, Precondition::Absent).await.map(drop),
        1 => etcd.put_if(name, value, Precondition::Any).await.map(drop),
        _ => match etcd.commit(Txn::new().put(name, value)).await {
            Ok(_) => Ok(()),
            Err(CommitError::Refused { reason, .. }) => {
                Err(WriteError::Refused(ifmatch::Refused::new(reason, None)))
            }
            Err(CommitError::OutcomeUnknown(outcome)) => Err(WriteError::OutcomeUnknown(outcome)),
            Err(other) => panic!("{other}"),
        },
    }
}
