//! What clients are told over HTTP, checked for linearizability: racing for few keys, some of them hanging up before the
//! answer.

use std::collections::BTreeMap;
use std::time::Duration;

use ifmatch::client::{
    Client, ClientConflict, ClientError, ClientPrecondition, ClientTxn, EntityTag,
};
use ifmatch::testing::{self, Model, Recorder, Step, check};
use ifmatch::{Precondition, Revision};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::Server;

/// Races, of four clients each. A good look takes minutes:
/// `IFMATCH_RUNS=1000 cargo test --features full --test client histories -- --nocapture`.
const RUNS: u64 = 40;
const KEYS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Asked {
    Get(&'static str),
    Put {
        key: &'static str,
        value: u64,
        expect: Precondition,
    },
    Delete {
        key: &'static str,
        expect: Precondition,
    },
    /// One transaction: the first is written, the second deleted.
    Move {
        key: &'static str,
        value: u64,
        expect: Precondition,
        other: &'static str,
    },
}

#[derive(Clone, Debug)]
enum Told {
    Found(Option<(Revision, u64)>),
    /// Written, deleted or committed at this revision.
    Done(Revision),
    /// There was nothing to delete.
    Nothing,
    /// 409: this is there.
    Lost(Option<There>),
}

/// What a conflict says of a key that is there: its revision, and its value if it came along.
#[derive(Clone, Copy, Debug)]
struct There {
    revision: Revision,
    value: Option<u64>,
}

/// Keys with revisions and values: what one who uses HTTP sees of a store.
struct Documents;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    newest: Revision,
    /// The revision of a write whose answer never came is known when somebody reads it.
    documents: BTreeMap<&'static str, (Option<Revision>, u64)>,
}

impl State {
    /// Learns the revision of a key, unless it is another.
    fn is_at(&mut self, key: &'static str, told: Option<Revision>) -> bool {
        match (self.documents.get_mut(key), told) {
            (None, None) => true,
            (Some((at, _)), Some(told)) => {
                self.newest = self.newest.max(told);
                *at.get_or_insert(told) == told
            }
            _ => false,
        }
    }

    fn holds(&mut self, key: &'static str, expect: Precondition) -> bool {
        match expect {
            Precondition::Any => true,
            Precondition::Absent => !self.documents.contains_key(key),
            Precondition::Present => self.documents.contains_key(key),
            Precondition::Revision(revision) => self.is_at(key, Some(revision)),
        }
    }

    fn lost(&mut self, key: &'static str, expect: Precondition, there: Option<There>) -> bool {
        let revision = there.map(|there| there.revision);
        let told = there.and_then(|there| there.value);
        let value = self.documents.get(key).map(|(_, value)| *value);
        self.is_at(key, revision)
            && told.is_none_or(|told| Some(told) == value)
            && !expect.holds(revision)
    }

    /// A commit at this revision, which comes after all others; of one that nobody was told, whatever it was.
    fn commit(&mut self, at: Option<Revision>, changes: &[(&'static str, Option<u64>)]) -> bool {
        for (key, value) in changes {
            match value {
                Some(value) => drop(self.documents.insert(key, (at, *value))),
                None => drop(self.documents.remove(key)),
            }
        }
        let newest = self.newest;
        self.newest = at.unwrap_or(newest);
        self.newest > newest || at.is_none()
    }
}

impl Model for Documents {
    type Operation = Asked;
    type Outcome = Told;
    type State = State;
    type Revision = Revision;

    fn initial(&self) -> State {
        State { newest: Revision::MIN, documents: BTreeMap::new() }
    }

    fn step(&self, state: &mut State, asked: &Asked, told: Option<&Told>) -> Step {
        let mut next = state.clone();
        let done = match told {
            Some(Told::Done(revision)) => Some(*revision),
            _ => None,
        };
        let is_so = match (asked, told) {
            (Asked::Get(_), None) => true,
            (Asked::Get(key), Some(Told::Found(found))) => {
                let value = next.documents.get(key).map(|(_, value)| *value);
                next.is_at(key, found.map(|(revision, _)| revision))
                    && value == found.map(|(_, value)| value)
            }
            (
                Asked::Put { key, expect, .. }
                | Asked::Delete { key, expect }
                | Asked::Move { key, expect, .. },
                Some(Told::Lost(there)),
            ) => next.lost(key, *expect, *there),
            (Asked::Delete { key, .. }, Some(Told::Nothing)) => !next.documents.contains_key(key),
            (Asked::Put { key, value, expect }, None | Some(Told::Done(_))) => {
                next.holds(key, *expect) && next.commit(done, &[(key, Some(*value))])
            }
            (Asked::Delete { key, expect }, None | Some(Told::Done(_))) => {
                next.documents.contains_key(key)
                    && next.holds(key, *expect)
                    && next.commit(done, &[(key, None)])
            }
            (Asked::Move { key, value, expect, other }, None | Some(Told::Done(_))) => {
                next.holds(key, *expect) && next.commit(done, &[(key, Some(*value)), (other, None)])
            }
            _ => false,
        };
        if !is_so {
            return Step::Impossible;
        }
        let step = if *state == next { Step::Unchanged } else { Step::Changed };
        *state = next;
        step
    }

    fn revision(&self, _: &Asked, told: &Told) -> Option<Revision> {
        match told {
            Told::Done(revision) => Some(*revision),
            _ => None,
        }
    }

    fn is_read(&self, _: &Asked, told: &Told) -> bool {
        !matches!(told, Told::Done(_))
    }
}

/// The tag is opaque to clients; this test knows the server.
fn revision_of(tag: &EntityTag) -> Revision {
    tag.as_str().trim_matches('"').split('-').next().unwrap().parse().unwrap()
}

/// What this client saw of each key last.
type Seen = BTreeMap<&'static str, (EntityTag, Revision)>;

fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

fn some_operation(state: &mut u64, seen: &Seen) -> Asked {
    let key = KEYS[usize::try_from(random(state, 3)).unwrap()];
    let expect = match random(state, 5) {
        0 => Precondition::Any,
        1 => Precondition::Absent,
        2 => Precondition::Present,
        _ => seen.get(key).map_or(Precondition::Absent, |(_, at)| Precondition::Revision(*at)),
    };
    let value = random(state, 1 << 30);
    match random(state, 10) {
        0..=3 => Asked::Get(key),
        4..=6 => Asked::Put { key, value, expect },
        7 => Asked::Delete { key, expect },
        _ => {
            let other = *KEYS.iter().find(|other| **other != key).unwrap();
            Asked::Move { key, value, expect, other }
        }
    }
}

fn demand(key: &str, expect: Precondition, seen: &Seen) -> ClientPrecondition {
    match expect {
        Precondition::Any => ClientPrecondition::Any,
        Precondition::Absent => ClientPrecondition::Absent,
        Precondition::Present => ClientPrecondition::Present,
        Precondition::Revision(_) => ClientPrecondition::Tag(seen[key].0.clone()),
    }
}

async fn ask(client: &Client, asked: &Asked, seen: &mut Seen) -> Result<Told, ClientError> {
    match asked {
        Asked::Get(key) => {
            let found = client.get::<u64>(key).await?;
            let found = found.map(|entry| {
                let at = revision_of(entry.etag());
                seen.insert(key, (entry.etag().clone(), at));
                (at, *entry.value())
            });
            Ok(Told::Found(found))
        }
        Asked::Put { key, value, expect } => {
            let written = client.put_if(key, value, demand(key, *expect, seen)).await?;
            let at = revision_of(written.etag());
            seen.insert(key, (written.etag().clone(), at));
            Ok(Told::Done(at))
        }
        Asked::Delete { key, expect } => {
            let deleted = client.delete_if(key, demand(key, *expect, seen)).await?;
            Ok(deleted.map_or(Told::Nothing, |deleted| Told::Done(revision_of(deleted.etag()))))
        }
        Asked::Move { key, value, expect, other } => {
            let txn = ClientTxn::new().require(*key, *expect).put(*key, value).delete(*other);
            Ok(Told::Done(client.commit(&txn).await?))
        }
    }
}

/// What a conflict says is there, in its body; that has to agree with itself.
fn there(asked: &Asked, conflict: &ClientConflict) -> Option<There> {
    let failed = match asked {
        Asked::Move { key, .. } => {
            let [failed] = conflict.operations() else { panic!("one precondition: {conflict}") };
            assert_eq!((failed.index(), failed.key()), (0, Some(*key)));
            failed
        }
        _ => &**conflict,
    };
    assert_eq!(failed.is_deleted(), failed.revision().is_none(), "{conflict}");
    let current = failed.current();
    // The client asks for it in a transaction; in a put only where `update` merges.
    let comes_along = failed.revision().is_some() && matches!(asked, Asked::Move { .. });
    assert_eq!(current.is_some(), comes_along, "{conflict}");
    failed.revision().map(|revision| {
        assert_eq!(failed.etag().map(revision_of), Some(revision));
        let value = current.map(|current| {
            assert_eq!((current.revision(), Some(current.etag())), (Some(revision), failed.etag()));
            current.clone().decode::<u64>().unwrap().into_value()
        });
        There { revision, value }
    })
}

async fn race(clients: u64, calls: u64, seed: u64) -> testing::History<Asked, Told> {
    let server = Server::new().await;
    let recorder = Recorder::new();
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let (client, recorded) = (server.client(), recorder.client());
        tasks.spawn(async move {
            let (mut state, mut seen) = (seed * 1000 + number, Seen::new());
            for _ in 0..calls {
                let asked = some_operation(&mut state, &seen);
                let open = recorded.begin(asked.clone());
                let hangs_up = random(&mut state, 12) == 0;
                let patience = if hangs_up { random(&mut state, 900) } else { 20_000_000 };
                let told =
                    timeout(Duration::from_micros(patience), ask(&client, &asked, &mut seen));
                match told.await {
                    Ok(Ok(told)) => open.end(told),
                    Ok(Err(error)) => match error.conflict() {
                        Some(conflict) => open.end(Told::Lost(there(&asked, conflict))),
                        None => assert!(error.is_outcome_unknown(), "{error}"),
                    },
                    // It may have taken place, or may yet: the call stays open.
                    Err(_) => {}
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    server.stop().await;
    recorder.take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_racing_clients_are_told_over_http_is_linearizable() {
    let races = std::env::var("IFMATCH_RUNS").map_or(RUNS, |text| text.parse().unwrap());
    let (mut calls, mut open, mut lost) = (0, 0, 0);
    for seed in 0..races {
        let history = race(4, 20, seed).await;
        calls += history.len();
        open += history.calls().iter().filter(|call| call.outcome.is_none()).count();
        let is_lost = |call: &&testing::Call<_, _>| matches!(call.outcome, Some(Told::Lost(_)));
        lost += history.calls().iter().filter(is_lost).count();
        check(&Documents, &history).unwrap();
    }
    println!("{races} histories, {calls} calls, {open} open, {lost} conflicts");
    assert!(open > 0 && lost > 0, "some hang up, and some lose");
}
