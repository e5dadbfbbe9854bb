//! One key: reads, writes and conflicts.

use ifmatch::client::{
    ClientError, ClientPrecondition, ConflictKind, Document, EntityTag, IfChanged,
};
use ifmatch::http::{Options, PreconditionStatus, documents};
use serde_json::{Value, json};

use crate::support::Server;

#[tokio::test]
async fn what_is_written_is_read_with_its_tag_and_any_content_is_kept() {
    let server = Server::new().await;
    let client = server.client();
    for key in ["a", "users/Zo\u{eb} 1%2F?#+&=\\", "\u{20ac}/...", &"k".repeat(1_024)] {
        assert_eq!(client.get::<Value>(key).await.unwrap(), None);
        assert_eq!(client.head(key).await.unwrap(), None);
        let written = client.create(key, &json!({"n": 1})).await.unwrap();
        assert!(written.is_creation());
        let entry = client.get::<Value>(key).await.unwrap().unwrap();
        assert_eq!((entry.key(), entry.value()), (key, &json!({"n": 1})));
        assert_eq!(entry.etag(), written.etag());
        assert!(entry.last_modified().is_some());
        assert_eq!(client.head(key).await.unwrap().unwrap().etag(), written.etag());
        let deleted = client.delete_if(key, &entry).await.unwrap().unwrap();
        assert_ne!(deleted.etag(), written.etag());
        assert_eq!(client.delete(key).await.unwrap(), None);
    }
    let picture = Document::new("image/png", &b"\x89PNG\xff"[..]);
    client.put("picture", &picture).await.unwrap();
    let read = client.get::<Document>("picture").await.unwrap().unwrap();
    assert_eq!(read.value(), &picture);
    let head = client.head("picture").await.unwrap().unwrap();
    assert_eq!((head.content_type(), head.bytes()), ("image/png", Some(5)));
    let error = client.get::<Value>("picture").await.unwrap_err();
    let ClientError::Decode(error) = error else { panic!("{error}") };
    assert_eq!(error.key(), Some("picture"));
}

#[tokio::test]
async fn an_entry_is_read_again_only_if_it_has_changed() {
    let server = Server::new().await;
    let client = server.client();
    let first = client.create("a", &1).await.unwrap().into_etag();
    let read = |etag: EntityTag| {
        let client = client.clone();
        async move { client.get_if_changed::<u32>("a", &etag).await.unwrap() }
    };
    assert_eq!(read(first.clone()).await, IfChanged::NotModified);
    let second = client.put("a", &2).await.unwrap().into_etag();
    let IfChanged::Changed(entry) = read(first.clone()).await else { panic!("it has changed") };
    assert_eq!((entry.value(), entry.etag()), (&2, &second));
    client.delete("a").await.unwrap();
    assert_eq!(read(second).await, IfChanged::Absent);
}

#[tokio::test]
async fn a_lost_race_says_what_is_there_whatever_was_demanded_and_in_both_modes() {
    for status in [PreconditionStatus::Conflict, PreconditionStatus::PreconditionFailed] {
        let options = Options::default().precondition_status(status);
        let server = Server::over(documents().build(), options).await;
        let client = server.client();
        let old = client.create("a", &1).await.unwrap();
        let now = client.put("a", &2).await.unwrap();
        let revision = client.get_versioned::<u32>("a").await.unwrap().unwrap().revision().unwrap();
        let stale = revision.get() - 1;
        let demands: [(ClientPrecondition, ConflictKind); 3] = [
            (old.etag().into(), ConflictKind::Stale),
            (ifmatch::Revision::try_from(stale).unwrap().into(), ConflictKind::Stale),
            (ClientPrecondition::Absent, ConflictKind::Exists),
        ];
        for (demand, kind) in demands {
            let error = client.put_if("a", &3, demand.clone()).await.unwrap_err();
            let conflict = error.conflict().unwrap_or_else(|| panic!("{demand:?}: {error}"));
            assert_eq!(conflict.kind(), kind);
            assert_eq!(conflict.key(), Some("a"));
            assert_eq!(conflict.etag(), Some(now.etag()));
            assert_eq!(conflict.revision(), Some(revision));
            assert!(!conflict.is_deleted());
            assert!(!error.is_outcome_unknown());
            if kind == ConflictKind::Stale {
                assert!(client.delete_if("a", demand).await.unwrap_err().conflict().is_some());
            }
        }
        let error = client.put_if("b", &1, ClientPrecondition::Present).await.unwrap_err();
        assert_eq!(error.conflict().unwrap().kind(), ConflictKind::NotFound);
        let error = client.put_if("b", &1, now.etag()).await.unwrap_err();
        assert!(error.conflict().unwrap().is_deleted());
        // The tag in the conflict is what the next attempt needs.
        client.put_if("a", &3, now.etag()).await.unwrap();
        assert_eq!(client.get::<u32>("a").await.unwrap().unwrap().into_value(), 3);
    }
}

#[tokio::test]
async fn patches_change_what_they_name_and_a_failed_test_is_a_conflict() {
    let server = Server::new().await;
    let client = server.client();
    let first = client.create("a", &json!({"x": 1, "y": 2})).await.unwrap().into_etag();
    let patched = client.patch("a", &json!({"x": null, "z": 3}), &first).await.unwrap();
    let entry = client.get::<Value>("a").await.unwrap().unwrap();
    assert_eq!((entry.value(), entry.etag()), (&json!({"y": 2, "z": 3}), patched.etag()));
    let error = client.patch("a", &json!({}), &first).await.unwrap_err();
    assert_eq!(error.conflict().unwrap().kind(), ConflictKind::Stale);
    let test = json!([{"op": "test", "path": "/y", "value": 3}]);
    let error = client.patch_json("a", &test, ClientPrecondition::Any).await.unwrap_err();
    assert_eq!(error.conflict().unwrap().kind(), ConflictKind::PatchTestFailed);
    let remove = json!([{"op": "remove", "path": "/y"}]);
    client.patch_json("a", &remove, &entry).await.unwrap();
    let error = client.patch("b", &json!({}), ClientPrecondition::Any).await.unwrap_err();
    let ClientError::Problem(problem) = error else { panic!("{error}") };
    assert_eq!((problem.status(), problem.slug()), (404, "not-found"));
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted_and_the_blockers_are_named() {
    let server = Server::new().await;
    let client = server.client();
    let team = client.create("teams/1", &1).await.unwrap().into_etag();
    client.create("members/1/ann", &1).await.unwrap();
    let delete = || client.delete_unless_used("teams/1", &team, "members/1/");
    let error = delete().await.unwrap_err();
    let conflict = error.conflict().unwrap();
    assert_eq!(conflict.kind(), ConflictKind::InUse);
    assert_eq!(
        (conflict.blockers(), conflict.blocker_count()),
        (&["members/1/ann".to_owned()][..], 1)
    );
    client.delete("members/1/ann").await.unwrap();
    assert!(delete().await.unwrap().is_some());
}

#[tokio::test]
async fn the_past_is_read_where_it_is_kept_and_is_compacted_elsewhere() {
    let server = Server::over(documents().history(10).build(), Options::default()).await;
    let client = server.client();
    client.create("a", &1).await.unwrap();
    let first = client.get_versioned::<u32>("a").await.unwrap().unwrap().revision().unwrap();
    client.put("a", &2).await.unwrap();
    client.delete("a").await.unwrap();
    let then = client.get_at::<u32>("a", first).await.unwrap().unwrap();
    assert_eq!(then.into_value(), 1);
    assert_eq!(client.get_versioned::<u32>("a").await.unwrap(), None);
    let history = client.history::<u32>("a").await.unwrap().unwrap();
    assert_eq!(history.versions().len(), 3);
    assert!(matches!(history.versions()[2], ifmatch::client::ClientVersion::Deleted(_)));

    let server = Server::new().await;
    let client = server.client();
    client.create("a", &1).await.unwrap();
    client.put("a", &2).await.unwrap();
    let error = client.get_at::<u32>("a", ifmatch::Revision::MIN).await.unwrap_err();
    assert!(matches!(error, ClientError::Compacted { .. }), "{error}");
}

#[tokio::test]
async fn a_long_poll_returns_when_the_key_changes() {
    let server = Server::new().await;
    let client = server.client();
    client.create("a", &1).await.unwrap();
    let entry = client.get_versioned::<u32>("a").await.unwrap().unwrap();
    let wait = std::time::Duration::from_secs(60);
    let waiting = client.get_after::<u32>("a", entry.revision().unwrap(), wait);
    let (seen, written) = tokio::join!(waiting, client.put("a", &2));
    written.unwrap();
    assert_eq!(seen.unwrap().unwrap().into_value(), 2);
}
