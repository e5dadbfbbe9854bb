//! An ETag names one content, for ever.

use ifmatch::Revision;
use ifmatch::http::{Options, documents};

use crate::support::Server;

#[test]
fn an_etag_never_matches_after_delete_and_recreation() {
    let server = Server::new();
    let client = server.client();
    let etag = client.put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    client.delete("/v1/kv/a", &[]).expect(204);
    let recreated = client.put("/v1/kv/a", &[], "1").expect(201);
    assert_ne!(recreated.etag(), etag);
    client.put("/v1/kv/a", &[("if-match", &etag)], "2").problem(409, "stale-revision");
    client.delete("/v1/kv/a", &[("if-match", &etag)]).problem(409, "stale-revision");
    client.get("/v1/kv/a", &[("if-none-match", &etag)]).expect(200);
}

/// The story: a server that kept everything in memory was restarted, revisions began again, and a client's old tag
/// named somebody else's content.
#[test]
fn an_etag_never_matches_at_another_store_even_at_the_same_revision() {
    let first_revision = Revision::try_from(1_000).unwrap();
    let in_memory =
        || Server::over(documents().first_revision(first_revision).build(), Options::default());
    let before = in_memory();
    let etag = before.client().put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    drop(before);
    let after = in_memory();
    let client = after.client();
    let again = client.put("/v1/kv/a", &[], "other").expect(201);
    assert_eq!(again.revision(), 1_000);
    assert_ne!(again.etag(), etag);
    client.put("/v1/kv/a", &[("if-match", &etag)], "2").problem(409, "stale-revision");
    client.get("/v1/kv/a", &[("if-none-match", &etag)]).expect(200);
    client.get("/v1/kv/a", &[("if-match", &etag)]).problem(412, "stale-revision");
}

#[test]
fn equal_content_written_twice_has_two_tags() {
    let server = Server::new();
    let client = server.client();
    let first = client.put("/v1/kv/a", &[], "1").expect(201).etag().to_owned();
    let second = client.put("/v1/kv/a", &[], "1").expect(204).etag().to_owned();
    let other = client.put("/v1/kv/b", &[], "1").expect(201).etag().to_owned();
    assert!(first != second && second != other);
    client.put("/v1/kv/a", &[("if-match", &other)], "2").problem(409, "stale-revision");
}

#[test]
fn a_tag_never_matches_what_a_copy_of_the_store_wrote_under_the_same_revision() {
    let (original, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = |directory: &tempfile::TempDir| {
        Server::over(documents().open(directory.path()).unwrap(), Options::default())
    };
    let server = open(&original);
    let common = server.client().put("/v1/kv/a", &[], "common").expect(201);
    drop(server);
    for file in std::fs::read_dir(original.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let servers = [open(&original), open(&copy)];
    let [original, copy] = &servers;
    // What both have has one tag.
    assert_eq!(copy.client().get("/v1/kv/a", &[]).etag(), common.etag());

    let mine = original.client().put("/v1/kv/a", &[], "mine").expect(204);
    let other = copy.client().put("/v1/kv/a", &[], "other").expect(204);
    assert_eq!(mine.revision(), other.revision(), "the copy counts on from where it was made");
    assert_ne!(mine.etag(), other.etag());
    let stale = copy.client().put("/v1/kv/a", &[("if-match", mine.etag())], "overwritten");
    stale.problem(409, "stale-revision");
    copy.client().get("/v1/kv/a", &[("if-none-match", mine.etag())]).expect(200);
    assert_eq!(copy.client().get("/v1/kv/a", &[]).text(), "other");
}
