//! What holds while members of a cluster die, hang, come back, and are compacted.
//!
//! Clients race for few keys by compare and swap, and by transactions. All that they are told goes through the linearizability
//! checker; what they were told to be written is looked for in what a watch told, which began before them, and the other way
//! round; at the end everything works again, by itself. The figures are printed: `-- --nocapture faults`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ifmatch::etcd::Etcd;
use ifmatch::testing::{Recorder, StoreModel, StoreOperation, StoreOutcome, check};
use ifmatch::{
    Backend, BackendWatch, CommitError, KeyRange, Precondition, Reason, Revision, Txn, WatchError,
    WriteError,
};
use rustix::process::Signal;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::others::etcdctl;
use crate::support::{compact, delete_at_last, key, next, put_at_last, raw};

const CLIENTS: u64 = 6;
const KEYS: u64 = 4;

type Record = Recorder<StoreOperation<Bytes, Bytes>, StoreOutcome<Bytes, Bytes>>;

/// What clients were told.
#[derive(Default)]
struct Figures {
    acknowledged: AtomicU64,
    conflicts: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
}

/// A revision at which a key was written, with the value, or deleted.
type Writes = BTreeMap<(Revision, Bytes), Option<Bytes>>;

struct Load {
    stop: Arc<AtomicBool>,
    figures: Arc<Figures>,
    clients: Vec<JoinHandle<Writes>>,
    listener: JoinHandle<Heard>,
    recorder: Record,
    start: Revision,
    etcd: Etcd,
}

/// What a watch told, and what it said to be missing.
struct Heard {
    told: Writes,
    missing: Vec<(Revision, Revision)>,
    order: Vec<Revision>,
}

async fn connect(cluster: &Cluster) -> Etcd {
    Etcd::builder(cluster.urls())
        .request_timeout(Duration::from_secs(3))
        .connect_timeout(Duration::from_secs(1))
        .connect()
        .await
        .unwrap()
}

fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

impl Load {
    async fn start(cluster: &Cluster, seed: u64) -> Self {
        let etcd = connect(cluster).await;
        let start = put_at_last(&etcd, "start").await;
        let (stop, figures) = (Arc::<AtomicBool>::default(), Arc::<Figures>::default());
        let recorder = Record::new();
        let watch = etcd.watch(KeyRange::all(), Some(start)).await.unwrap();
        let listener = tokio::spawn(listen(watch));
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            // Each has connections of its own.
            let client = recorder.client().of_backend(connect(cluster).await);
            let (stop, figures) = (Arc::clone(&stop), Arc::clone(&figures));
            let mut state = seed * 1_000 + number;
            clients.push(tokio::spawn(async move {
                let mut written = Writes::new();
                while !stop.load(Ordering::Relaxed) {
                    let name = key(&format!("k{}", random(&mut state, KEYS)));
                    one(&client, &figures, &mut state, name, number, &mut written).await;
                }
                written
            }));
        }
        Self { stop, figures, clients, listener, recorder, start, etcd }
    }

    /// Waits until so many more writes are refused.
    async fn until_refused(&self, writes: u64) {
        let refused = || self.figures.refused.load(Ordering::Relaxed);
        let (began, before) = (Instant::now(), refused());
        while refused() < before + writes {
            assert!(began.elapsed() < Duration::from_secs(120), "nothing is refused");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn acknowledged(&self) -> u64 {
        self.figures.acknowledged.load(Ordering::Relaxed)
    }

    /// How long it takes until so many more writes are acknowledged.
    async fn until_more(&self, writes: u64) -> Duration {
        let (began, before) = (Instant::now(), self.acknowledged());
        while self.acknowledged() < before + writes {
            assert!(began.elapsed() < Duration::from_secs(120), "it does not recover");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// Ends it, and judges what everybody was told.
    async fn judge(self, what: &str, recovery: &[Duration]) {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = Writes::new();
        for client in self.clients {
            written.extend(client.await.unwrap());
        }
        let history = self.recorder.take();
        let calls = history.len();
        let there = put_at_last(&self.etcd, "end").await;
        let heard = tokio::time::timeout(Duration::from_secs(90), self.listener).await;
        let heard = heard.expect("the watch comes to the end").unwrap();

        let model = StoreModel::starting_with([], self.start);
        check(&model, &history).unwrap_or_else(|violation| panic!("{what}: {violation}"));
        assert!(heard.order.windows(2).all(|pair| pair[0] < pair[1]), "{what}: out of order");
        let is_missing =
            |at: Revision| heard.missing.iter().any(|(after, to)| *after < at && at <= *to);
        let mut lost = 0;
        for ((at, name), value) in &written {
            assert!(*at < there, "{what}: after the end");
            match heard.told.get(&(*at, name.clone())) {
                Some(told) => assert_eq!(told, value, "{what}: another value at {at}"),
                None if is_missing(*at) => {}
                None => lost += 1,
            }
        }
        assert_eq!(lost, 0, "{what}: acknowledged, and not told by the watch: a gap");
        // What nobody was told is one of those of which nobody knows.
        let is_load = |name: &Bytes| !name.starts_with(b"fill/");
        let told = heard.told.keys().filter(|(_, name)| is_load(name));
        let untold = told.filter(|write| !written.contains_key(*write)).count();
        let unknown = self.figures.unknown.load(Ordering::Relaxed);
        assert!(u64::try_from(untold).unwrap() <= 2 * unknown, "{what}: {untold} of {unknown}");
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        println!(
            "{what}: {} writes acknowledged, {} conflicts, {} refused, {unknown} unknown ({untold} took place), 0 lost; \
             a history of {calls} calls linearizable; {} commits watched, 0 gaps, {} said to be compacted; recovered in {:?}",
            read(&self.figures.acknowledged),
            read(&self.figures.conflicts),
            read(&self.figures.refused),
            heard.order.len(),
            heard.missing.len(),
            recovery
        );
    }
}

/// One write of one of the kinds, by what was read.
async fn one<B: Backend>(
    client: &B,
    figures: &Figures,
    state: &mut u64,
    name: Bytes,
    number: u64,
    written: &mut Writes,
) {
    let count = |figure: &AtomicU64| {
        figure.fetch_add(1, Ordering::Relaxed);
    };
    let Ok(current) = client.get(&name).await else { return count(&figures.refused) };
    let unchanged = current.as_ref().map_or(Precondition::Absent, Precondition::from);
    let value = key(&format!("{number}/{}", random(state, 1 << 40)));
    let done = match random(state, 10) {
        0 if current.is_some() => {
            let deleted = client.delete_if(name.clone(), unchanged).await;
            deleted.map(|deleted| deleted.map(|deleted| vec![(deleted.revision(), name, None)]))
        }
        1 | 2 => {
            let other = key(&format!("t{}", random(state, KEYS)));
            let txn = Txn::new()
                .require(name.clone(), unchanged)
                .put(name.clone(), value.clone())
                .put(other.clone(), value.clone());
            match client.commit(txn).await {
                Ok(at) => Ok(Some(vec![(at, name, Some(value.clone())), (at, other, Some(value))])),
                Err(CommitError::Conflicts { .. }) => return count(&figures.conflicts),
                Err(CommitError::OutcomeUnknown(_)) => return count(&figures.unknown),
                Err(CommitError::Refused { .. }) => return count(&figures.refused),
                Err(other) => panic!("{other}"),
            }
        }
        _ => {
            let put = client.put_if(name.clone(), value.clone(), unchanged).await;
            put.map(|put| Some(vec![(put.revision(), name, Some(value))]))
        }
    };
    match done {
        Ok(writes) => {
            count(&figures.acknowledged);
            let writes = writes.into_iter().flatten();
            written.extend(writes.map(|(at, name, value)| ((at, name), value)));
        }
        Err(WriteError::Conflict(_)) => count(&figures.conflicts),
        Err(WriteError::OutcomeUnknown(_)) => count(&figures.unknown),
        Err(WriteError::Refused(_)) => count(&figures.refused),
        Err(other) => panic!("{other}"),
    }
}

/// All that a watch tells, up to the end.
async fn listen(mut watch: ifmatch::etcd::EtcdWatch) -> Heard {
    let mut heard = Heard { told: Writes::new(), missing: Vec::new(), order: Vec::new() };
    let end = key("end");
    loop {
        let before = watch.position();
        match next(&mut watch).await.expect("the watch goes on") {
            Ok(commit) => {
                if commit.events().iter().any(|event| *event.key() == end) {
                    return heard;
                }
                heard.order.push(commit.revision());
                for event in commit.events() {
                    let value = event.entry().map(|entry| entry.value().clone());
                    heard.told.insert((commit.revision(), event.key().clone()), value);
                }
            }
            Err(WatchError::Lagged { resume, .. }) => heard.missing.push((before, resume)),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_leader_is_killed_again_and_again() {
    let mut cluster = Cluster::start();
    let load = Load::start(&cluster, 1).await;
    load.until_more(200).await;
    let mut recovery = Vec::new();
    for _ in 0..3 {
        let leader = cluster.leader().await;
        cluster.kill(leader);
        recovery.push(load.until_more(20).await);
        cluster.restart(leader);
        load.until_more(100).await;
    }
    load.judge("the leader is killed", &recovery).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_hangs_and_goes_on() {
    let cluster = Cluster::start();
    let load = Load::start(&cluster, 2).await;
    load.until_more(200).await;
    let mut recovery = Vec::new();
    let leader = cluster.leader().await;
    for member in [leader, (leader + 1) % 3] {
        cluster.signal(member, Signal::STOP);
        recovery.push(load.until_more(20).await);
        tokio::time::sleep(Duration::from_secs(6)).await;
        cluster.signal(member, Signal::CONT);
        load.until_more(100).await;
    }
    load.judge("a member hangs", &recovery).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_members_are_killed_and_come_back() {
    let mut cluster = Cluster::start();
    let load = Load::start(&cluster, 3).await;
    load.until_more(200).await;
    let mut recovery = Vec::new();
    for _ in 0..2 {
        for member in 0..3 {
            cluster.kill(member);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        for member in 0..3 {
            cluster.restart(member);
        }
        recovery.push(load.until_more(20).await);
        load.until_more(100).await;
    }
    load.judge("all are killed", &recovery).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watch_is_compacted_while_its_member_is_away() {
    let mut cluster = Cluster::start();
    let load = Load::start(&cluster, 4).await;
    load.until_more(100).await;
    let mut recovery = Vec::new();
    for _ in 0..3 {
        let leader = cluster.leader().await;
        cluster.kill(leader);
        recovery.push(load.until_more(50).await);
        let newest = load.etcd.status().await.unwrap().revision;
        compact(&cluster.urls()[(leader + 1) % 3], newest).await;
        cluster.restart(leader);
        load.until_more(50).await;
    }
    load.judge("compacted", &recovery).await;
}

/// The quota is used up under load: until there is room again nothing is written but what was said to be, or to be unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_quota_is_used_up_and_there_is_room_again() {
    let cluster = Cluster::with(&["--quota-backend-bytes=6000000"]);
    let load = Load::start(&cluster, 5).await;
    load.until_more(100).await;
    let value = Bytes::from(vec![7; 200_000]);
    let mut filled = 0;
    // By transactions: the one that goes over the quota takes place, and etcd answers it as if it were refused.
    let reason = loop {
        let name = key(&format!("fill/{filled}"));
        let txn = Txn::new().require(name.clone(), Precondition::Absent);
        match load.etcd.commit(txn.put(name.clone(), value.clone())).await {
            Ok(_) | Err(CommitError::OutcomeUnknown(_)) => filled += 1,
            Err(CommitError::Refused { reason, .. }) => {
                let there = load.etcd.get(&name).await.unwrap();
                assert!(there.is_none(), "refused, and there");
                break reason;
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert!(matches!(reason, Reason::Full(_)), "{reason}");
    load.until_refused(100).await;
    assert!(!load.etcd.status().await.unwrap().writable);
    // Reads go on, and deletes make room.
    for number in 0..=filled {
        delete_at_last(&load.etcd, &format!("fill/{number}")).await;
    }
    let newest = load.etcd.status().await.unwrap().revision;
    compact(&cluster.urls()[0], newest).await;
    for url in cluster.urls() {
        raw(&url).await.defragment().await.unwrap();
    }
    etcdctl(&cluster.urls()[0], &["alarm", "disarm"]);
    let recovery = load.until_more(100).await;
    assert!(load.etcd.status().await.unwrap().writable);
    load.judge("the quota is used up", &[recovery]).await;
}
