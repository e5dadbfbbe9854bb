//! Every precondition against every state of the key.

use crate::support::{Answer, Client, Server};

/// What the key is when the request comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Absent,
    /// It is at the revision that the placeholder `{now}` stands for; `{old}` is an earlier one.
    Present,
}

/// Brings a new key into `state`; returns its newest tag and revision, and an older one.
fn prepare(client: &Client, path: &str, state: State) -> (Answer, Answer) {
    let old = client.put(path, &[], "old").expect(201);
    let now = client.put(path, &[], "now").expect(204);
    if state == State::Absent {
        client.delete(path, &[]).expect(204);
    }
    (old, now)
}

struct Case {
    name: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// Status and kind on a key that is there, and on one that is not.
    put: [(u16, &'static str); 2],
    delete: u16,
}

const fn case(
    name: &'static str,
    query: &'static str,
    headers: &'static [(&'static str, &'static str)],
    put: [(u16, &'static str); 2],
    delete: u16,
) -> Case {
    Case { name, query, headers, put, delete }
}

const DONE: (u16, &str) = (204, "");
const CREATED: (u16, &str) = (201, "");
const STALE: (u16, &str) = (409, "stale-revision");
const EXISTS: (u16, &str) = (409, "already-exists");
const MISSING: (u16, &str) = (409, "not-found");

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("nothing", "", &[], [DONE, CREATED], 204),
    case("this revision", "?revision={now}", &[], [DONE, STALE], 204),
    case("an old revision", "?revision={old}", &[], [STALE, STALE], 409),
    case("a revision of the future", "?revision=9007199254740991", &[], [STALE, STALE], 409),
    case("match: this tag", "", &[("if-match", "{now}")], [DONE, STALE], 204),
    case("match: an old tag", "", &[("if-match", "{old}")], [STALE, STALE], 409),
    case("match: a foreign tag", "", &[("if-match", "\"x\"")], [STALE, STALE], 409),
    case("match: a weak tag", "", &[("if-match", "W/{now}")], [STALE, STALE], 409),
    case("match: star", "", &[("if-match", "*")], [DONE, MISSING], 204),
    case("match: a list with it", "", &[("if-match", "{old}, \"x\", {now}")], [DONE, STALE], 204),
    case("match: a list without it", "", &[("if-match", "{old}, W/{now}")], [STALE, STALE], 409),
    case("match: on two lines", "", &[("if-match", "{old}"), ("if-match", "{now}")], [DONE, STALE], 204),
    case("none match: star", "", &[("if-none-match", "*")], [EXISTS, CREATED], 409),
    case("none match: this tag", "", &[("if-none-match", "{now}")], [EXISTS, CREATED], 409),
    case("none match: this tag, weak", "", &[("if-none-match", "W/{now}")], [EXISTS, CREATED], 409),
    case("none match: an old tag", "", &[("if-none-match", "{old}")], [DONE, CREATED], 204),
    case("none match: a foreign tag", "", &[("if-none-match", "\"x\"")], [DONE, CREATED], 204),
    case("none match: a list with it", "", &[("if-none-match", "\"x\", {now}")], [EXISTS, CREATED], 409),
    case("revision and match agree", "?revision={now}", &[("if-match", "{now}")], [DONE, STALE], 204),
    case("revision holds, match fails", "?revision={now}", &[("if-match", "{old}")], [STALE, STALE], 409),
    case("revision fails, match holds", "?revision={old}", &[("if-match", "{now}")], [STALE, STALE], 409),
    case("revision fails before none match", "?revision={old}", &[("if-none-match", "*")], [STALE, STALE], 409),
    case("revision holds, none match fails", "?revision={now}", &[("if-none-match", "*")], [EXISTS, STALE], 409),
    case("match holds, none match fails", "", &[("if-match", "{now}"), ("if-none-match", "{now}")], [EXISTS, STALE], 409),
    case("match star, none match an old tag", "", &[("if-match", "*"), ("if-none-match", "{old}")], [DONE, MISSING], 204),
    case("match star and none match star", "", &[("if-match", "*"), ("if-none-match", "*")], [EXISTS, MISSING], 409),
];

fn filled(text: &str, old: &str, now: &str) -> String {
    text.replace("{old}", old).replace("{now}", now)
}

#[test]
fn every_precondition_passes_or_fails_as_the_contract_says() {
    let server = Server::new();
    let client = server.client();
    for (number, case) in CASES.iter().enumerate() {
        for (state, (status, slug)) in [State::Present, State::Absent].into_iter().zip(case.put) {
            let path = format!("/v1/kv/put/{number}/{state:?}");
            let answer = run(&client, &path, state, case, |target, headers| {
                client.put(target, headers, "new")
            });
            assert_eq!(answer.status, status, "PUT, {}, {state:?}: {answer:?}", case.name);
            if slug.is_empty() {
                assert_eq!(client.get(&path, &[]).etag(), answer.etag(), "{}", case.name);
            } else {
                answer.problem(status, slug);
                unchanged(&client, &path, state, case.name);
            }
        }
    }
}

#[test]
fn a_delete_passes_or_fails_like_a_put_but_is_404_where_there_is_nothing() {
    let server = Server::new();
    let client = server.client();
    for (number, case) in CASES.iter().enumerate() {
        let path = format!("/v1/kv/delete/{number}/present");
        let answer = run(&client, &path, State::Present, case, |target, headers| {
            client.delete(target, headers)
        });
        assert_eq!(answer.status, case.delete, "DELETE, {}: {answer:?}", case.name);
        if case.delete == 204 {
            client.get(&path, &[]).problem(404, "not-found");
        } else {
            answer.problem(409, case.put[0].1);
            unchanged(&client, &path, State::Present, case.name);
        }
        let path = format!("/v1/kv/delete/{number}/absent");
        let answer = run(&client, &path, State::Absent, case, |target, headers| {
            client.delete(target, headers)
        });
        answer.problem(404, "not-found");
    }
}

/// Prepares the key, and sends the case's request to it.
fn run(
    client: &Client,
    path: &str,
    state: State,
    case: &Case,
    send: impl Fn(&str, &[(&str, &str)]) -> Answer,
) -> Answer {
    let (old, now) = prepare(client, path, state);
    let revision = |answer: &Answer| answer.revision().to_string();
    let query = filled(case.query, &revision(&old), &revision(&now));
    let headers: Vec<(&str, String)> = case
        .headers
        .iter()
        .map(|(name, value)| (*name, filled(value, old.etag(), now.etag())))
        .collect();
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send(&format!("{path}{query}"), &headers)
}

fn unchanged(client: &Client, path: &str, state: State, name: &str) {
    let got = client.get(path, &[]);
    match state {
        State::Present => assert_eq!(got.text(), "now", "{name}"),
        State::Absent => assert_eq!(got.status, 404, "{name}"),
    }
}

/// The story: a check that reads, then writes unconditionally, loses updates although each of its conditions held
/// when it was looked at.
#[test]
fn conditions_that_are_no_single_precondition_are_atomic_with_the_write() {
    const WRITERS: usize = 4;
    const EACH: usize = 50;
    let server = Server::new();
    let start = server.client().put("/v1/kv/n", &[], "0").expect(201).etag().to_owned();
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let client = server.client();
                for _ in 0..EACH {
                    loop {
                        let read = client.get("/v1/kv/n", &[]).expect(200);
                        let count: u64 = read.text().parse().unwrap();
                        // A list of two of our tags is no single precondition.
                        let tags = format!("{start}, {}", read.etag());
                        let headers = [("if-match", &*tags), ("if-none-match", "\"x\"")];
                        let put = client.put("/v1/kv/n", &headers, (count + 1).to_string());
                        if put.status == 204 {
                            break;
                        }
                        put.problem(409, "stale-revision");
                    }
                }
            });
        }
    });
    let count: usize = server.client().get("/v1/kv/n", &[]).text().parse().unwrap();
    assert_eq!(count, WRITERS * EACH);
}

/// A precondition that holds is never 409, however many others write in between.
#[test]
fn a_condition_that_holds_all_along_passes_under_a_storm_of_writes() {
    let server = Server::new();
    let old = server.client().put("/v1/kv/n", &[], "0").expect(201).etag().to_owned();
    server.client().put("/v1/kv/n", &[], "1").expect(204);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = server.client();
                for _ in 0..100 {
                    // "Anything but that old one" holds whoever wrote last.
                    client.put("/v1/kv/n", &[("if-none-match", &old)], "2").expect(204);
                }
            });
        }
    });
}
