//! What another program stored under a document's key, be it something or nothing that this version can read.

use bytes::Bytes;
use ifmatch::Txn;
use ifmatch::http::{DocumentStore, Options, documents};

use crate::support::{Client, Server};

/// As of a later version of the form.
const UNREADABLE: &[u8] = b"\xff\x02of a later version";
/// How an image begins.
const IMAGE: &[u8] = b"\xff\xd8\xff\xe0JFIF";

/// A server, and the store behind it, into which anything can be put.
fn server() -> (Server, Client, DocumentStore) {
    let store = documents().history(10).build();
    let server = Server::over(store.clone(), Options::default());
    let client = server.client();
    (server, client, store)
}

fn store(store: &DocumentStore, key: &'static str, value: &'static [u8]) -> u64 {
    store.put(Bytes::from(key), Bytes::from(value)).unwrap().get()
}

/// An image that `etcdctl` had written once made every list and every watch end, because it begins as our documents do.
#[test]
fn a_foreign_value_is_octets_whatever_it_begins_with() {
    let (_server, client, backend) = server();
    let before = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    for value in [IMAGE, b"\xff", b"\xff\xfea\0", b"", b"text"] {
        store(&backend, "img/b.jpg", value);
        let answer = client.get("/v1/kv/img/b.jpg", &[]).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.body, value);
    }
    store(&backend, "img/b.jpg", IMAGE);
    let list = client.get("/v1/kv", &[]).expect(200).json();
    assert_eq!(list["items"][1]["base64"], "/9j/4EpGSUY=");
    client.get("/v1/history/img/b.jpg", &[]).expect(200);
    let mut events = client.events(&format!("/v1/watch?since={before}"), &[]);
    let told = (0..6).map(|_| events.message().unwrap().json()).last().unwrap();
    assert_eq!(told["events"][0]["base64"], "/9j/4EpGSUY=");
}

#[test]
fn who_asks_for_many_is_told_which_cannot_be_read() {
    let (_server, client, backend) = server();
    client.put("/v1/kv/a", &[], "1").expect(201);
    let revision = store(&backend, "b/c", UNREADABLE);
    for target in ["/v1/kv", "/v1/kv?prefix=b/", "/v1/kv/b/c", "/v1/history/b/c"] {
        let problem = client.get(target, &[]).problem(500, "internal");
        assert_eq!((&problem["key"], &problem["revision"]), (&"b/c".into(), &revision.into()));
        assert!(problem["detail"].as_str().unwrap().contains("\"b/c\""), "{target}: {problem}");
    }
    client.get("/v1/kv?prefix=a", &[]).expect(200);
}

/// A watch was once answered 200, told nothing and ended, each time that a client came back: it could not see why.
#[test]
fn a_watch_says_which_commit_it_cannot_tell_and_another_goes_on_since_it() {
    let (_server, client, backend) = server();
    let before = client.put("/v1/kv/a", &[], "1").expect(201).revision();
    let txn = Txn::new()
        .put(Bytes::from("b/a"), Bytes::from("1"))
        .put(Bytes::from("b/c"), Bytes::from(UNREADABLE));
    let revision = backend.commit(txn).unwrap().get();
    client.put("/v1/kv/b/d", &[], "2").expect(201);
    client.delete("/v1/kv/b/c", &[]).expect(204);
    for _ in 0..2 {
        let mut events = client.events(&format!("/v1/watch?since={before}"), &[]);
        assert_eq!(events.next().unwrap().id, Some(before));
        let message = events.next().unwrap();
        assert_eq!(message.event.as_deref(), Some("unreadable"));
        // Whoever does not know the event comes back with the id from before, and misses nothing unseen.
        assert_eq!(message.id, None);
        let data = message.json();
        assert_eq!((&data["revision"], &data["key"]), (&revision.into(), &"b/c".into()));
        assert_eq!(data["keys"], serde_json::json!(["b/a", "b/c"]), "all of the commit");
        assert!(data["detail"].as_str().unwrap().contains("b/c"), "{data}");
        assert_eq!(events.next(), None, "it is the last");
    }
    let mut events = client.events(&format!("/v1/watch?since={revision}"), &[]);
    assert_eq!(events.message().unwrap().json()["events"][0]["key"], "b/d");
    assert_eq!(events.message().unwrap().json()["events"][0]["type"], "delete");
    // Whom it does not concern is not told.
    let mut events = client.events(&format!("/v1/watch?since={before}&prefix=b/d"), &[]);
    assert_eq!(events.message().unwrap().json()["events"][0]["key"], "b/d");
}

#[test]
fn what_cannot_be_read_is_replaced_and_deleted_in_every_way() {
    let (_server, client, backend) = server();
    let repeatable = |name: &'static str| [("idempotency-key", name)];
    let revision = store(&backend, "a", UNREADABLE);
    let put = client.put("/v1/kv/a", &repeatable("put"), "1").expect(204);
    assert_eq!(put.header("ifmatch-write-count"), Some("2"), "it is no creation");
    assert_eq!(put.header("ifmatch-created-revision"), Some(&*revision.to_string()));
    assert_eq!(client.get("/v1/kv/a", &[]).expect(200).text(), "1");
    // The same request again is the same write.
    let again = client.put("/v1/kv/a", &repeatable("put"), "1").expect(204);
    assert_eq!(again.etag(), put.etag());

    store(&backend, "a", UNREADABLE);
    client.delete("/v1/kv/a", &repeatable("delete")).expect(204);
    client.get("/v1/kv/a", &[]).expect(404);

    // A condition that does not hold says what is there, and that is enough to go on.
    let revision = store(&backend, "a", UNREADABLE);
    for stale in ["/v1/kv/a?revision=1", "/v1/kv/a?revision=1&unless-prefix=b/"] {
        let problem = client.delete(stale, &[]).problem(409, "stale-revision");
        assert_eq!(problem["current_revision"], revision);
    }
    let lost = client.put("/v1/kv/a", &[("if-match", "\"1-000000000000\"")], "1");
    assert_eq!(lost.problem(409, "stale-revision")["current_revision"], revision);
    let healed = [("if-match", lost.etag()), ("idempotency-key", "heal")];
    client.put("/v1/kv/a", &healed, "2").expect(204);

    // Whether it was written since is not known, and what is not known does not hold.
    store(&backend, "a", UNREADABLE);
    let since = [("if-unmodified-since", "Fri, 31 Dec 1999 23:59:59 GMT")];
    client.put("/v1/kv/a", &since, "1").problem(409, "stale-revision");
    client.delete("/v1/kv/a", &since).problem(409, "stale-revision");
    client.put("/v1/kv/a", &[("if-none-match", "*")], "1").problem(409, "already-exists");

    // There is nothing that a patch could be applied to.
    store(&backend, "a", UNREADABLE);
    client.patch("/v1/kv/a", "merge-patch+json", &[], "{}").problem(500, "internal");
    client.delete("/v1/kv/a?unless-prefix=b/", &[]).expect(204);
}
