//! A read that waits until the document has changed.

use std::time::{Duration, Instant};

use ifmatch::http::{Options, documents};

use crate::support::{Client, Server};

fn server() -> (Server, Client, u64) {
    let server = Server::new();
    let client = server.client();
    let revision = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    (server, client, revision)
}

/// What a reader that waits gets when `change` takes place; it must not take the whole wait.
fn wake(client: &Client, target: &str, change: impl FnOnce()) -> crate::support::Answer {
    std::thread::scope(|scope| {
        let began = Instant::now();
        let waiting = scope.spawn(|| client.get(target, &[]));
        change();
        let answer = waiting.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(25), "it was woken");
        answer
    })
}

#[test]
fn a_change_ends_the_wait_whenever_it_comes() {
    let (_server, client, mut revision) = server();
    for number in 0..30 {
        let target = format!("/v1/kv/a?wait=30s&after={revision}");
        let mut written = 0;
        let answer = wake(&client, &target, || {
            if number % 3 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            client.put("/v1/kv/b", &[], "other");
            written = client.put("/v1/kv/a", &[], number.to_string()).expect(204).revision();
        });
        assert_eq!(answer.expect(200).revision(), written);
        revision = written;
    }
}

#[test]
fn what_has_changed_already_is_answered_at_once() {
    let (_server, client, revision) = server();
    let now = client.put("/v1/kv/a", &[], "2").expect(204).revision();
    let began = Instant::now();
    let answer = client.get(&format!("/v1/kv/a?wait=30s&after={revision}"), &[]).expect(200);
    assert_eq!(answer.revision(), now);
    assert!(began.elapsed() < Duration::from_secs(25));
}

#[test]
fn a_deletion_wakes_and_so_does_a_creation() {
    let (_server, client, revision) = server();
    let target = format!("/v1/kv/a?wait=30s&after={revision}");
    let mut deleted = 0;
    wake(&client, &target, || deleted = client.delete("/v1/kv/a", &[]).expect(204).revision())
        .problem(404, "not-found");
    let target = format!("/v1/kv/a?wait=30s&after={deleted}");
    let answer = wake(&client, &target, || drop(client.put("/v1/kv/a", &[], "2").expect(201)));
    assert_eq!(answer.expect(200).text(), "2");
}

#[test]
fn at_the_end_it_is_answered_as_without_waiting() {
    let (_server, client, revision) = server();
    let target = format!("/v1/kv/a?wait=50ms&after={revision}");
    let began = Instant::now();
    let answer = client.get(&target, &[]).expect(200);
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(answer.revision(), revision);
    client.get(&target, &[("if-none-match", answer.etag())]).expect(304);
    client.head(&target, &[]).expect(200);
    client.get(&format!("/v1/kv/x?wait=0s&after={revision}"), &[]).problem(404, "not-found");
}

#[test]
fn what_is_not_known_any_more_is_410_and_what_is_there_is_told() {
    let store = documents().watch_window(64).build();
    let server = Server::over(store, Options::default());
    let client = server.client();
    let old = client.put("/v1/kv/old", &[], "1").expect(201).revision();
    for _ in 0..200 {
        client.put("/v1/kv/other", &[], "1");
    }
    let newer = client.put("/v1/kv/new", &[], "1").expect(201).revision();
    let began = Instant::now();
    client.get(&format!("/v1/kv/new?wait=30s&after={old}"), &[]).expect(200);
    assert!(began.elapsed() < Duration::from_secs(25), "what is there tells that it has changed");
    client.get(&format!("/v1/kv/absent?wait=30s&after={old}"), &[]).problem(410, "compacted");
    client.get(&format!("/v1/kv/new?wait=30s&after={}", newer + 1), &[]).problem(410, "compacted");
    // It has not changed since, which what is there tells; so it waits, and is woken.
    let unchanged = format!("/v1/kv/old?wait=50ms&after={old}");
    assert_eq!(client.get(&unchanged, &[]).expect(200).revision(), old);
    let woken = wake(&client, &format!("/v1/kv/old?wait=30s&after={old}"), || {
        std::thread::sleep(Duration::from_millis(20));
        client.put("/v1/kv/old", &[], "2").expect(204);
    });
    assert_eq!(woken.expect(200).text(), "2");
}

#[test]
fn a_malformed_wait_is_400() {
    let (_server, client, revision) = server();
    for bad in [
        "wait=30s".to_owned(),
        format!("after={revision}"),
        format!("wait=30&after={revision}"),
        format!("wait=301s&after={revision}"),
        format!("wait=1s&after={revision}&at={revision}"),
        format!("wait=1s&wait=1s&after={revision}"),
        "wait=1s&after=0".to_owned(),
    ] {
        client.get(&format!("/v1/kv/a?{bad}"), &[]).problem(400, "invalid-query");
    }
}
