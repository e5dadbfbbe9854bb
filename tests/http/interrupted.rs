//! What happens exactly between two steps of a request.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use ifmatch::http::{DocumentStore, Options, ServeOptions, documents, router};
use ifmatch::{
    Backend, BackendStatus, Capability, Cause, CommitError, Deleted, Identity, KeyHistory,
    KeyRange, Precondition, ReadError, Revision, Txn, Versioned, WatchError, WriteError, Written,
};
use serde_json::json;

use crate::support::{Answer, Client, Server};

const JSON: (&str, &str) = ("content-type", "application/json");

type Interruption = Box<dyn FnOnce() + Send>;

/// A store that, once, does something else before or after it reads the document `a`, or before a commit.
#[derive(Clone)]
struct Interrupted {
    store: DocumentStore,
    before: Arc<Mutex<Option<Interruption>>>,
    after: Arc<Mutex<Option<Interruption>>>,
    /// Whether nothing but `a` can be read, and why.
    hides_records: Arc<Mutex<Option<ReadError>>>,
}

fn run(interruption: &Mutex<Option<Interruption>>) {
    let interruption = interruption.lock().unwrap().take();
    if let Some(interruption) = interruption {
        interruption();
    }
}

impl Backend for Interrupted {
    type Snapshot = <DocumentStore as Backend>::Snapshot;
    type Watch = <DocumentStore as Backend>::Watch;

    fn identity(&self) -> Identity {
        self.store.identity()
    }

    fn supports(&self, capability: Capability) -> bool {
        Backend::supports(&self.store, capability)
    }

    async fn status(&self) -> Result<BackendStatus, ReadError> {
        Backend::status(&self.store).await
    }

    async fn get(&self, key: &Bytes) -> Result<Option<Versioned<Bytes>>, ReadError> {
        if key != "a" {
            let hidden = self.hides_records.lock().unwrap().clone();
            return match hidden {
                Some(error) => Err(error),
                None => Backend::get(&self.store, key).await,
            };
        }
        run(&self.before);
        let got = Backend::get(&self.store, key).await;
        run(&self.after);
        got
    }

    async fn get_at(
        &self,
        key: &Bytes,
        revision: Revision,
    ) -> Result<Option<Versioned<Bytes>>, ReadError> {
        Backend::get_at(&self.store, key, revision).await
    }

    async fn history(&self, key: &Bytes) -> Result<KeyHistory<Bytes>, ReadError> {
        Backend::history(&self.store, key).await
    }

    async fn snapshot(&self) -> Result<Self::Snapshot, ReadError> {
        Backend::snapshot(&self.store).await
    }

    async fn snapshot_at(&self, revision: Revision) -> Result<Self::Snapshot, ReadError> {
        Backend::snapshot_at(&self.store, revision).await
    }

    async fn put_if(
        &self,
        key: Bytes,
        value: Bytes,
        precondition: Precondition,
    ) -> Result<Written, WriteError<Bytes, Bytes>> {
        Backend::put_if(&self.store, key, value, precondition).await
    }

    async fn delete_if(
        &self,
        key: Bytes,
        precondition: Precondition,
    ) -> Result<Option<Deleted<Bytes>>, WriteError<Bytes, Bytes>> {
        Backend::delete_if(&self.store, key, precondition).await
    }

    async fn commit(&self, txn: Txn<Bytes, Bytes>) -> Result<Revision, CommitError<Bytes, Bytes>> {
        run(&self.before);
        Backend::commit(&self.store, txn).await
    }

    async fn watch(
        &self,
        range: KeyRange<Bytes>,
        since: Option<Revision>,
    ) -> Result<Self::Watch, WatchError> {
        Backend::watch(&self.store, range, since).await
    }
}

/// Two servers over one store, in which `a` is `{"list": []}`: the first can be interrupted, the other not.
struct Servers {
    interrupted: Interrupted,
    first: Server,
    other: Server,
}

impl Servers {
    fn new() -> Self {
        let store = documents().build();
        let interrupted = Interrupted {
            store: store.clone(),
            before: Arc::default(),
            after: Arc::default(),
            hides_records: Arc::default(),
        };
        let first =
            Server::of(router(interrupted.clone(), Options::default()), ServeOptions::default());
        let other = Server::over(store, Options::default());
        other.client().put("/v1/kv/a", &[JSON], r#"{"list": []}"#).expect(201);
        Self { interrupted, first, other }
    }

    /// What the first server answers if the other is asked before (or after) it reads `a`; and what the other did.
    fn race(
        &self,
        is_before: bool,
        first: impl FnOnce(&Client) -> Answer,
        other: impl FnOnce(&Client) -> Answer + Send + 'static,
    ) -> [Answer; 2] {
        let (tell, told) = std::sync::mpsc::channel();
        let client = self.other.client();
        let interruption: Interruption = Box::new(move || tell.send(other(&client)).unwrap());
        let place = if is_before { &self.interrupted.before } else { &self.interrupted.after };
        *place.lock().unwrap() = Some(interruption);
        let answer = first(&self.first.client());
        [answer, told.try_recv().expect("it was interrupted")]
    }
}

const ADD: &str = r#"[{"op": "add", "path": "/list/-", "value": 1}]"#;
const ADD_OTHER: &str = r#"[{"op": "add", "path": "/list/-", "value": 2}]"#;

#[test]
fn a_patch_is_made_again_on_top_of_a_write_that_came_between() {
    let servers = Servers::new();
    let patch = |client: &Client, body| client.patch("/v1/kv/a", "json-patch+json", &[], body);
    let answers = servers.race(
        false,
        |client| patch(client, ADD),
        move |client| client.patch("/v1/kv/a", "json-patch+json", &[], ADD_OTHER),
    );
    assert_eq!(answers.map(|answer| answer.status), [204, 204]);
    let client = servers.first.client();
    assert_eq!(client.get("/v1/kv/a", &[]).json(), json!({"list": [2, 1]}));
    // Nor is one that is guarded made on top of what it was not guarded for.
    let tag = client.get("/v1/kv/a", &[]).etag().to_owned();
    let [lost, _] = servers.race(
        false,
        |client| client.patch("/v1/kv/a", "json-patch+json", &[("if-match", &tag)], ADD),
        |client| client.put("/v1/kv/a", &[JSON], r#"{"list": []}"#),
    );
    lost.problem(409, "stale-revision");
    assert_eq!(client.get("/v1/kv/a", &[]).json(), json!({"list": []}));
}

/// Its own repeat took place after the request had looked for one: that is no conflict with somebody else.
#[test]
fn a_request_that_loses_against_its_own_repeat_is_answered_as_that() {
    for is_before in [true, false] {
        let servers = Servers::new();
        let tag = servers.first.client().get("/v1/kv/a", &[]).etag().to_owned();
        let key = ("idempotency-key", "k");
        let put = move |client: &Client| {
            client.put("/v1/kv/a", &[JSON, key, ("if-match", &tag)], r#"{"list": []}"#)
        };
        let [first, repeat] = servers.race(is_before, &put, put.clone());
        assert_eq!((first.status, first.etag()), (204, repeat.etag()));

        let key = ("idempotency-key", "patch");
        let patch = move |client: &Client| client.patch("/v1/kv/a", "json-patch+json", &[key], ADD);
        let [first, repeat] = servers.race(is_before, patch, patch);
        assert_eq!((first.status, first.etag()), (204, repeat.etag()));
        assert_eq!(servers.first.client().get("/v1/kv/a", &[]).json(), json!({"list": [1]}));

        let key = ("idempotency-key", "delete");
        let delete = move |client: &Client| client.delete("/v1/kv/a", &[key]);
        let [first, repeat] = servers.race(is_before, delete, delete);
        assert_eq!((first.status, first.etag()), (204, repeat.etag()));

        let key = ("idempotency-key", "post");
        let body = r#"{"key": "a", "value": 1}"#;
        let post = move |client: &Client| client.post_with("/v1/kv", &[JSON, key], body);
        let [first, repeat] = servers.race(is_before, post, post);
        assert_eq!((first.status, first.etag()), (201, repeat.etag()));
        assert_eq!(first.header("location"), Some("/v1/kv/a"));
    }
}

/// Whether it lost against itself cannot be known while the record of that cannot be read: its outcome is unknown, and it is
/// asked to come again. It is neither told that somebody else was first, nor that nothing was written.
#[test]
fn a_request_that_may_have_lost_against_its_own_repeat_is_of_unknown_outcome() {
    let away = || ReadError::Unavailable(Cause::new("it is away"));
    let denied = || ReadError::Denied(Cause::new("permission denied"));
    for error in [away(), denied()] {
        let servers = Servers::new();
        let tag = servers.first.client().get("/v1/kv/a", &[]).etag().to_owned();
        let key = ("idempotency-key", "put");
        let put = move |client: &Client| {
            client.put("/v1/kv/a", &[JSON, key, ("if-match", &tag)], r#"{"list": []}"#)
        };
        is_undecided(&servers, &error, true, put, 204);
        // What it wants to write has not changed, but its record is there.
        let key = ("idempotency-key", "late");
        let put = move |client: &Client| client.put("/v1/kv/a", &[JSON, key], r#"{"list": []}"#);
        is_undecided(&servers, &error, false, put, 204);
        let key = ("idempotency-key", "delete");
        let delete = move |client: &Client| client.delete("/v1/kv/a", &[key]);
        is_undecided(&servers, &error, true, delete, 204);
        let key = ("idempotency-key", "txn");
        let body = r#"{"operations": [{"put": "t", "value": 1}]}"#;
        let post = move |client: &Client| client.post_with("/v1/txn", &[JSON, key], body);
        is_undecided(&servers, &error, true, post, 200);
    }
}

fn is_undecided(
    servers: &Servers,
    error: &ReadError,
    is_before: bool,
    ask: impl Fn(&Client) -> Answer + Clone + Send + 'static,
    status: u16,
) {
    let hides_records = Arc::clone(&servers.interrupted.hides_records);
    let (error, repeat) = (error.clone(), ask.clone());
    let [first, repeat] = servers.race(is_before, &ask, move |client| {
        let answer = repeat(client);
        *hides_records.lock().unwrap() = Some(error);
        answer
    });
    repeat.expect(status);
    assert!(first.header("retry-after").is_some());
    first.problem(503, "outcome-unknown");
    *servers.interrupted.hides_records.lock().unwrap() = None;
    ask(&servers.first.client()).expect(status);
}
