//! `Prefer: return=representation` (RFC 7240): what was written, or what is there instead.

use ifmatch::http::{Options, documents};

use crate::support::{Answer, Server};

const JSON: (&str, &str) = ("content-type", "application/json");
const PREFER: (&str, &str) = ("prefer", "return=representation");
const EXACT: &str = r#"{"z": 1.50, "n": 12345678901234567890123, "s": "\u0000"}"#;

#[track_caller]
fn is_applied(answer: &Answer) {
    assert_eq!(answer.header("preference-applied"), Some("return=representation"), "{answer:?}");
}

#[test]
fn a_write_answers_with_what_it_wrote() {
    let server = Server::new();
    let client = server.client();
    let created = client.put("/v1/kv/a", &[JSON, PREFER], EXACT).expect(201);
    assert_eq!(created.header("location"), Some("/v1/kv/a"));
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let updated = client.put("/v1/kv/a", &[JSON, PREFER], EXACT).expect(200);
    assert_eq!(updated.header("cache-control"), Some("no-cache"));
    let posted = r#"{"key": "b", "value": {"z": 1.50}}"#;
    let posted = client.post_with("/v1/kv", &[JSON, PREFER], posted).expect(201);
    assert_eq!(posted.text(), r#"{"z": 1.50}"#);
    for answer in [&created, &updated] {
        assert_eq!(answer.text(), EXACT);
    }
    let patched =
        client.patch("/v1/kv/a", "merge-patch+json", &[PREFER], r#"{"z": null}"#).expect(200);
    let got = client.get("/v1/kv/a", &[]).expect(200);
    assert_eq!(patched.text(), got.text());
    for header in ["etag", "last-modified", "content-type", "content-security-policy"] {
        assert_eq!(patched.header(header), got.header(header), "{header}");
    }
    for answer in [created, updated, posted, patched] {
        is_applied(&answer);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
    }
    let deleted = client.delete("/v1/kv/a", &[PREFER]).expect(204);
    assert!(deleted.body.is_empty() && deleted.header("preference-applied").is_none());
    let first_counts = [("prefer", "return=minimal, return=representation")];
    assert!(client.put("/v1/kv/c", &first_counts, "1").expect(201).body.is_empty());
    let minimal = client.put("/v1/kv/c", &[("prefer", "return=minimal")], "1").expect(204);
    assert_eq!(minimal.header("preference-applied"), None);
}

#[test]
fn every_conflict_shows_what_is_there_if_asked_to_its_text_kept() {
    let server = Server::new();
    let client = server.client();
    let first = client.put("/v1/kv/a", &[JSON], "1").expect(201);
    let second = client.put("/v1/kv/a", &[JSON], EXACT).expect(204);
    client.put("/v1/kv/a/member", &[], "1").expect(201);
    let stale = [PREFER, ("if-match", first.etag())];
    let fails = r#"[{"op": "test", "path": "/n", "value": 1}]"#;
    let body = r#"{"key": "a", "value": 1}"#;
    for (lost, slug) in [
        (client.put("/v1/kv/a", &stale, "2"), "stale-revision"),
        (client.delete("/v1/kv/a", &stale), "stale-revision"),
        (client.patch("/v1/kv/a", "merge-patch+json", &stale, "{}"), "stale-revision"),
        (client.put("/v1/kv/a", &[PREFER, ("if-none-match", "*")], "2"), "already-exists"),
        (client.post_with("/v1/kv", &[JSON, PREFER], body), "already-exists"),
        (client.patch("/v1/kv/a", "json-patch+json", &[PREFER], fails), "patch-test-failed"),
        (client.delete("/v1/kv/a?unless-prefix=a/", &[PREFER]), "in-use"),
    ] {
        let problem = lost.problem(409, slug);
        is_applied(&lost);
        assert_eq!(lost.etag(), second.etag(), "{slug}");
        assert_eq!(problem["current"]["key"], "a", "{slug}");
        assert_eq!(problem["current"]["revision"], second.revision(), "{slug}");
        assert_eq!(problem["current"]["created_revision"], first.revision(), "{slug}");
        assert_eq!(problem["current"]["write_count"], 2, "{slug}");
        assert_eq!(problem["current"]["content_type"], "application/json", "{slug}");
        assert!(lost.text().contains(&format!("\"value\":{EXACT}")), "{}", lost.text());
        for (relation, link) in problem["links"].as_object().unwrap() {
            let status = client.get(link.as_str().unwrap(), &[]).status;
            assert_eq!(status, 200, "{slug}: {relation} resolves");
        }
        assert_eq!(problem["links"]["history"], "/v1/history/a", "{slug}");
    }
    let lost = client.put("/v1/kv/a", &[("if-match", first.etag())], "2");
    assert!(lost.problem(409, "stale-revision").get("current").is_none());
    assert_eq!(lost.header("preference-applied"), None);
    let body = r#"{"require": [{"key": "a", "absent": true}]}"#;
    let lost = client.post_with("/v1/txn", &[JSON, PREFER], body);
    lost.problem(409, "transaction-conflict");
    is_applied(&lost);
    assert!(lost.text().contains(&format!("\"value\":{EXACT}")), "{}", lost.text());
}

#[test]
fn the_base_of_a_conflict_is_linked_to_if_it_is_kept() {
    let server =
        Server::over(documents().history(10).history_commits(100).build(), Options::default());
    let client = server.client();
    let first = client.put("/v1/kv/a%20b", &[JSON], "1").expect(201);
    client.put("/v1/kv/a%20b", &[JSON], "2").expect(204);
    let lost = client.put("/v1/kv/a%20b", &[("if-match", first.etag())], "3");
    let problem = lost.problem(409, "stale-revision");
    let base = problem["links"]["base"].as_str().unwrap();
    assert_eq!(base, format!("/v1/kv/a%20b?at={}", first.revision()));
    let base = client.get(base, &[]).expect(200);
    assert_eq!((base.text(), base.etag()), ("1", first.etag()));
    client.delete("/v1/kv/a%20b", &[]).expect(204);
    let lost = client.put("/v1/kv/a%20b", &[("if-match", first.etag())], "3");
    let problem = lost.problem(409, "stale-revision");
    assert_eq!(problem["deleted"], true);
    for link in problem["links"].as_object().unwrap().values() {
        client.get(link.as_str().unwrap(), &[]).expect(200);
    }
    assert!(problem["links"].get("current").is_none());
}
