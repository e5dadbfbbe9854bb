//! Throughput of `ifmatch::etcd` beside that of etcd-client by hand, over one etcd on loopback that it starts: reads, compare and
//! swap, and a watch that reads what was written, with 1 client and with 64. The two take turns, a moment each; what is
//! printed is the median of the ratios, and the least and the greatest.
//!
//! By hand is what one would write: a transaction that compares the revision, puts, and else gets.

mod by_hand;
mod ours;
mod server;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So often each is measured.
const ROUNDS: usize = 9;
/// For so long.
const MOMENT: Duration = Duration::from_millis(700);
/// So many keys are read, and so many commits watched.
pub const KEYS: usize = 100;
pub const COMMITS: usize = 3_000;
pub const VALUE: [u8; 100] = [7; 100];

/// One who works for a moment.
pub trait Client: Clone + Send + 'static {
    /// Reads a key.
    fn get(&mut self, number: usize) -> impl Future<Output = ()> + Send;
    /// Writes a key of its own as it knows it, and returns what it knows then.
    fn swap(&mut self, number: usize, known: Option<u64>) -> impl Future<Output = u64> + Send;
    /// Hears all commits there are.
    fn watch(&mut self, since: u64) -> impl Future<Output = ()> + Send;
}

#[derive(Clone, Copy)]
enum Work {
    Get,
    Swap,
    Watch { since: u64 },
}

/// How many operations a second `clients` do.
async fn measure<C: Client>(client: &C, work: Work, clients: usize) -> f64 {
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            let (mut client, done, stop) = (client.clone(), Arc::clone(&done), Arc::clone(&stop));
            tokio::spawn(async move {
                if let Work::Watch { since } = work {
                    client.watch(since).await;
                    done.fetch_add(COMMITS as u64, Ordering::Relaxed);
                    return;
                }
                let mut known = None;
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    match work {
                        Work::Swap => known = Some(client.swap(number, known).await),
                        _ => client.get((number + count) % KEYS).await,
                    }
                    count += 1;
                }
                done.fetch_add(count as u64, Ordering::Relaxed);
            })
        })
        .collect();
    if !matches!(work, Work::Watch { .. }) {
        tokio::time::sleep(MOMENT).await;
        stop.store(true, Ordering::Relaxed);
    }
    for task in tasks {
        task.await.expect("it went well");
    }
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

#[tokio::main]
async fn main() {
    let server = server::Server::start();
    let ours = ours::Ours::connect(&server.url).await;
    let by_hand = by_hand::ByHand::connect(&server.url).await;
    let since = by_hand.prepare().await;
    println!("| what | clients | ours, a second | by hand | ratio (least - greatest of {ROUNDS}) |");
    println!("| --- | --- | --- | --- | --- |");
    let works = [("get", Work::Get), ("compare and swap", Work::Swap), ("watch, commits", Work::Watch { since })];
    for (name, work) in works {
        for clients in [1, 64] {
            let mut rounds = Vec::new();
            for round in 0..=ROUNDS {
                // Who comes first changes.
                let (one, other) = if round % 2 == 0 {
                    let one = measure(&ours, work, clients).await;
                    (one, measure(&by_hand, work, clients).await)
                } else {
                    let other = measure(&by_hand, work, clients).await;
                    (measure(&ours, work, clients).await, other)
                };
                // The first warms up.
                if round > 0 {
                    rounds.push((one / other, one, other));
                }
            }
            rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
            let (ratio, one, other) = rounds[ROUNDS / 2];
            let (least, greatest) = (rounds[0].0, rounds[ROUNDS - 1].0);
            println!(
                "| {name} | {clients} | {one:.0} | {other:.0} | {ratio:.2} ({least:.2} - {greatest:.2}) |"
            );
        }
    }
}
