//! Clients that race, and resolve their conflicts.

use std::sync::atomic::{AtomicUsize, Ordering};

use ifmatch::http::{Options, documents};

use crate::support::{Client, Server};

const CLIENTS: usize = 8;
const EACH: usize = 50;

/// Adds one to the number under `path`, reading and writing until nobody came between; counts the conflicts.
fn increment(client: &Client, path: &str, by_header: bool, conflicts: &AtomicUsize) {
    loop {
        let read = client.get(path, &[]).expect(200);
        let next = (read.json()["n"].as_u64().unwrap() + 1).to_string();
        let body = format!("{{\"n\": {next}}}");
        let json = ("content-type", "application/json");
        let put = if by_header {
            client.put(path, &[json, ("if-match", read.etag())], body)
        } else {
            client.put(&format!("{path}?revision={}", read.revision()), &[json], body)
        };
        if put.status == 204 {
            return;
        }
        let problem = put.problem(409, "stale-revision");
        let current = problem["current_revision"].as_u64().unwrap();
        assert!(current > read.revision(), "a conflict shows what is newer than what was read");
        conflicts.fetch_add(1, Ordering::Relaxed);
    }
}

fn race(server: &Server) -> usize {
    let conflicts = AtomicUsize::new(0);
    let json = [("content-type", "application/json")];
    server.client().put("/v1/kv/counter", &json, r#"{"n": 0}"#).expect(201);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let conflicts = &conflicts;
            scope.spawn(move || {
                let client = server.client();
                for _ in 0..EACH {
                    increment(&client, "/v1/kv/counter", number % 2 == 0, conflicts);
                }
            });
        }
    });
    let sum = server.client().get("/v1/kv/counter", &[]).json()["n"].as_u64().unwrap();
    assert_eq!(usize::try_from(sum).unwrap(), CLIENTS * EACH, "no edit is lost");
    conflicts.into_inner()
}

#[test]
fn no_edit_of_racing_clients_is_lost_in_memory() {
    race(&Server::new());
}

#[test]
fn no_edit_of_racing_clients_is_lost_on_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = documents().open(directory.path()).unwrap();
    let server = Server::over(store.clone(), Options::default());
    let conflicts = race(&server);
    assert!(conflicts > 0, "eight clients on one key meet");
    drop(server);
    store.close().unwrap();
}

#[test]
fn of_many_that_create_one_key_exactly_one_succeeds() {
    let server = Server::new();
    for round in 0..20 {
        let created: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CLIENTS)
                .map(|number| {
                    let client = server.client();
                    scope.spawn(move || {
                        let body = format!("{{\"key\": \"k/{round}\", \"value\": {number}}}");
                        let answer = if number % 2 == 0 {
                            client.post("/v1/kv", &body)
                        } else {
                            client.put(
                                &format!("/v1/kv/k/{round}"),
                                &[("if-none-match", "*")],
                                &body,
                            )
                        };
                        if answer.status != 201 {
                            answer.problem(409, "already-exists");
                        }
                        usize::from(answer.status == 201)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(created, 1);
    }
}
