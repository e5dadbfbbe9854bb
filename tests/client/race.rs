//! Clients that race for one key, and lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ifmatch::client::{
    Backoff, ClientConflict, ClientError, ConflictKind, MergeError, UpdateError,
};
use ifmatch::json::Json;
use ifmatch::merge::{Choice, MergeRules};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Scripted, Server, problem, quick};

/// How many clients, and how many writes in all: `IFMATCH_CLIENTS`, `IFMATCH_WRITES`.
fn size() -> (usize, usize) {
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    (number("IFMATCH_CLIENTS", 8), number("IFMATCH_WRITES", 400))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_of_racing_clients_is_lost() {
    let (clients, writes) = size();
    let server = Server::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        // Each has connections of its own.
        let (client, calls) = (server.client(), calls.clone());
        tasks.spawn(async move {
            for _ in 0..writes / clients {
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
    let sum = server.client().get::<u64>("counter").await.unwrap().unwrap().into_value();
    let sum = usize::try_from(sum).unwrap();
    assert_eq!(sum, writes / clients * clients, "no update is lost");
    // Each call of the closure is one write, that took place or was told 409.
    let conflicts = calls.load(Ordering::Relaxed) - sum;
    println!("{clients} clients, {sum} increments, {conflicts} conflicts");
    assert!(conflicts > 0, "they meet");
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counters(std::collections::BTreeMap<String, u64>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_different_members_never_reach_the_caller_as_a_conflict() {
    let (clients, writes) = size();
    let server = Server::new().await;
    let names = || (0..clients).map(|number| format!("member{number}"));
    let start = Counters(names().map(|name| (name, 0)).collect());
    server.client().create("document", &start).await.unwrap();
    let mut tasks = JoinSet::new();
    for name in names() {
        let client = server.client();
        tasks.spawn(async move {
            let mut base = client.get::<Counters>("document").await.unwrap().unwrap();
            for _ in 0..writes / clients {
                let mut mine = base.value().clone();
                *mine.0.get_mut(&name).unwrap() += 1;
                base = client.update_merging(&base, &mine, &MergeRules::new()).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let end = server.client().get::<Counters>("document").await.unwrap().unwrap().into_value();
    let each = u64::try_from(writes / clients).unwrap();
    assert!(end.0.values().all(|count| *count == each), "{end:?}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    email: String,
}

#[tokio::test]
async fn a_clash_is_told_by_pointer_and_decided_on_top_of_what_is_there() {
    let server = Server::new().await;
    let client = server.client();
    let user = |name: &str, email: &str| User { name: name.to_owned(), email: email.to_owned() };
    client.create("u", &user("Ann", "a@old")).await.unwrap();
    let base = client.get::<User>("u").await.unwrap().unwrap();
    client.put_if("u", &user("Ann", "a@theirs"), &base).await.unwrap();
    let mine = user("Anna", "a@mine");
    let error = client.update_merging(&base, &mine, &MergeRules::new()).await.unwrap_err();
    let MergeError::Clashes(clashes) = error else { panic!("{error}") };
    let [clash] = clashes.merged().clashes() else { panic!("{clashes:?}") };
    assert_eq!(clash.to_string(), r#"/email: base "a@old", mine "a@mine", theirs "a@theirs""#);
    let (merged, theirs) = clashes.into_parts();
    let decided: Json = merged.resolve(|_| Choice::Mine);
    client.put_if("u", &decided, &theirs).await.unwrap();
    let now = client.get::<User>("u").await.unwrap().unwrap();
    assert_eq!(now.value(), &mine);

    client.delete("u").await.unwrap();
    let error = client.update_merging(&now, &base, &MergeRules::new()).await.unwrap_err();
    let MergeError::Client(error) = error else { panic!("{error}") };
    assert!(error.conflict().is_some_and(|conflict| conflict.is_deleted()), "{error}");
}

#[tokio::test]
async fn what_the_type_does_not_know_survives_a_merge() {
    let server = Server::new().await;
    let client = server.client();
    let stored = json!({"name": "Ann", "email": "a", "added": {"by": "others"}});
    client.create("u", &stored).await.unwrap();
    let base = client.get::<User>("u").await.unwrap().unwrap();
    let mine = User { name: "Anna".to_owned(), ..base.value().clone() };
    client.update_merging(&base, &mine, &MergeRules::new()).await.unwrap();
    let now = client.get::<Value>("u").await.unwrap().unwrap();
    assert_eq!(now.value(), &json!({"name": "Anna", "email": "a", "added": {"by": "others"}}));
}

#[tokio::test]
async fn an_update_takes_the_value_from_the_conflict_and_reads_only_once() {
    let server = Server::new().await;
    let target = server.address;
    server.client().create("n", &10).await.unwrap();
    let other = server.client();
    // Somebody writes between the first read and the first write.
    let relay = Scripted::new(move |request| {
        let other = other.clone();
        async move {
            if request.number == 1 {
                other.put("n", &20).await.unwrap();
            }
            request.forward(target).await
        }
    })
    .await;
    let entry =
        relay.client().update("n", |n: Option<&u32>| n.copied().unwrap() + 1).await.unwrap();
    assert_eq!(entry.value(), &21);
    let methods: Vec<String> = {
        let seen = relay.seen.lock().unwrap();
        seen.iter().map(|head| head.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(methods, ["GET", "PUT", "PUT"]);
}

#[tokio::test]
async fn an_update_ends_after_its_attempts_with_the_last_conflict() {
    let stale = problem("409 Conflict", "stale-revision", "", r#", "deleted": true"#);
    let missing = problem("404 Not Found", "not-found", "", "");
    let server = Scripted::new(move |request| {
        let answer = if request.head.starts_with("GET") { &missing } else { &stale };
        std::future::ready(answer.clone().into_bytes())
    })
    .await;
    let brief = Backoff::new(7, std::time::Duration::ZERO, std::time::Duration::ZERO);
    let client = quick(server.url()).update_retries(brief).build().unwrap();
    let error = client.update("n", |_: Option<&u32>| 1).await.unwrap_err();
    let ClientError::Contended { attempts, last } = &error else { panic!("{error}") };
    assert_eq!((*attempts, last.kind()), (7, ConflictKind::Stale));
    assert_eq!(server.requests(), 1 + 7);
    let _typed: Option<&ClientConflict> = error.conflict();
}

#[tokio::test]
async fn what_is_no_lost_race_is_not_retried_and_a_closure_may_refuse() {
    let server = Scripted::new(|request| {
        let answer = if request.head.starts_with("GET") {
            problem("404 Not Found", "not-found", "", "")
        } else {
            problem("409 Conflict", "team-is-full", "", r#", "members": 8"#)
        };
        std::future::ready(answer.into_bytes())
    })
    .await;
    let error = server.client().update("n", |_: Option<&u32>| 1).await.unwrap_err();
    let conflict = error.conflict().unwrap();
    assert_eq!((conflict.kind(), conflict.problem().slug()), (ConflictKind::Rule, "team-is-full"));
    assert_eq!(server.requests(), 2);

    let refused = server.client().try_update("n", |_: Option<&u32>| Err("no")).await.unwrap_err();
    assert!(matches!(refused, UpdateError::Refused("no")));
    assert_eq!(server.requests(), 3, "nothing was written");
}

#[tokio::test]
async fn what_the_type_writes_otherwise_than_the_document_is_no_clash() {
    #[derive(Clone, Serialize, Deserialize)]
    struct User {
        name: String,
        #[serde(default)]
        visits: u32,
    }
    let server = Server::new().await;
    let client = server.client();
    client.put("u", &json!({"name": "Ann", "more": 1})).await.unwrap();
    let base = client.get::<User>("u").await.unwrap().unwrap();
    client.put("u", &json!({"name": "Anna", "more": 2})).await.unwrap();
    let mine = User { visits: 1, ..base.value().clone() };
    client.update_merging(&base, &mine, &Default::default()).await.unwrap();
    let now = client.get::<Value>("u").await.unwrap().unwrap();
    assert_eq!(now.value(), &json!({"name": "Anna", "more": 2, "visits": 1}));
}
