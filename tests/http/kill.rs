//! A server that is killed with SIGKILL while clients write loses nothing that it acknowledged, and never hands out a
//! revision twice.
//!
//! `IFMATCH_KILLS=50 cargo test --features cli --test http kill -- --nocapture` for more rounds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 8;

/// Keys that all clients write to, by compare-and-swap.
const SHARED: usize = 3;

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ifmatch"))
            .args(["serve", "--listen", "127.0.0.1:0", "--durability", "sync", "--data"])
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, address }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// What one client knows.
#[derive(Default)]
struct Known {
    /// Acknowledged writes: revision, key, value.
    acknowledged: Vec<(u64, String, String)>,
    /// Sent, and never answered.
    in_flight: Option<(String, String)>,
    conflicts: u64,
}

fn revision_of(etag: &str) -> u64 {
    etag.trim_matches('"').split('-').next().unwrap().parse().unwrap()
}

fn etag_of(response: &ureq::http::Response<ureq::Body>) -> Option<String> {
    Some(response.headers().get("etag")?.to_str().unwrap().to_owned())
}

/// Writes until the server is gone: to a key of its own, and by compare-and-swap to the shared ones.
fn write(address: &str, client: usize, round: usize) -> Known {
    let agent = agent();
    let mut known = Known::default();
    for number in 0.. {
        let shared = number % 2 == 1;
        let key = if shared {
            format!("shared/{}", number / 2 % SHARED)
        } else {
            format!("own/{client}")
        };
        let url = format!("{address}/v1/kv/{key}");
        let value = format!("round {round}, client {client}, write {number}");
        let mut request = agent.put(&url);
        if shared {
            let Ok(read) = agent.get(&url).call() else { return known };
            request = match etag_of(&read) {
                Some(etag) => request.header("if-match", etag),
                None => request.header("if-none-match", "*"),
            };
        }
        match request.send(&value) {
            Ok(response) if response.status() == 409 => known.conflicts += 1,
            Ok(response) => {
                assert!([201, 204].contains(&response.status().as_u16()), "{}", response.status());
                known.acknowledged.push((revision_of(&etag_of(&response).unwrap()), key, value));
            }
            Err(_) => {
                known.in_flight = Some((key, value));
                return known;
            }
        }
    }
    unreachable!("the range has no end")
}

#[test]
fn a_killed_server_has_every_acknowledged_write_at_its_revision() {
    let rounds = std::env::var("IFMATCH_KILLS").map_or(5, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    // Over all rounds: what was seen at each revision, what is known to have been the newest of each key, and what
    // was sent to it without an answer since.
    let mut seen: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let (mut unanswered, mut conflicts, mut survived) = (Vec::new(), 0, 0);
    let mut note = |revision: u64, key: &str, value: &str| {
        let before = seen.insert(revision, (key.to_owned(), value.to_owned()));
        let same = before.is_none_or(|before| before == (key.to_owned(), value.to_owned()));
        assert!(same, "revision {revision} was handed out twice");
    };
    for round in 0..rounds {
        let server = Server::start(&data);
        let floor = newest.values().copied().max().unwrap_or(0);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let address = server.address.clone();
                thread::spawn(move || write(&address, client, round))
            })
            .collect();
        thread::sleep(Duration::from_millis(100 + u64::try_from(round * 37 % 200).unwrap()));
        server.kill();
        for client in clients {
            let known = client.join().unwrap();
            for (revision, key, value) in known.acknowledged {
                assert!(revision > floor, "revision {revision} of round {round} is not new");
                note(revision, &key, &value);
                let newest = newest.entry(key).or_default();
                *newest = revision.max(*newest);
            }
            unanswered.extend(known.in_flight);
            conflicts += known.conflicts;
        }

        let server = Server::start(&data);
        let agent = agent();
        for (key, acknowledged) in &mut newest {
            let mut read = agent.get(format!("{}/v1/kv/{key}", server.address)).call().unwrap();
            assert_eq!(read.status(), 200, "{key} was acknowledged at {acknowledged}");
            let revision = revision_of(&etag_of(&read).unwrap());
            let value = read.body_mut().read_to_string().unwrap();
            assert!(
                revision >= *acknowledged,
                "{key}: at {revision}, acknowledged at {acknowledged}"
            );
            if revision > *acknowledged {
                let sent = (key.clone(), value.clone());
                assert!(unanswered.contains(&sent), "{key}: nobody wrote {value:?}");
                survived += 1;
            }
            note(revision, key, &value);
            *acknowledged = revision;
        }
        server.kill();
    }
    println!(
        "kill: {rounds} rounds, {} writes acknowledged or found, 0 lost; {} without an answer, {survived} of them \
         survived; {conflicts} conflicts",
        seen.len(),
        unanswered.len(),
    );
    assert!(seen.len() > rounds * 10, "the clients wrote");
}
