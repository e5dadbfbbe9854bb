//! Many keys: transactions and lists.

use ifmatch::client::{ClientError, ClientTxn, ConflictKind, Document};
use ifmatch::{Precondition, Revision};

use crate::support::Server;

#[tokio::test]
async fn a_transaction_is_whole_or_tells_every_precondition_that_failed_by_its_index() {
    let server = Server::new().await;
    let client = server.client();
    let first = client.commit(&ClientTxn::new().put("a", &1).put("b", &1)).await.unwrap();
    let read = client.get_versioned::<u32>("a").await.unwrap().unwrap();
    assert_eq!(read.revision(), Some(first), "a transaction has one revision");

    let good = ClientTxn::new()
        .require("a", first)
        .require("b", Precondition::Present)
        .require("c", Precondition::Absent)
        .require_none_under("d/")
        .require_unchanged_under("a", first)
        .put("a", &2)
        .put("raw", &Document::new("text/plain", "x"))
        .delete("b");
    let second = client.commit(&good).await.unwrap();
    assert_eq!(client.get::<u32>("b").await.unwrap(), None);
    assert_eq!(client.get::<Document>("raw").await.unwrap().unwrap().body(), "x");

    let bad = ClientTxn::new()
        .require("a", Precondition::Any)
        .require("a", first)
        .require("a", Precondition::Any)
        .require("a", second)
        .require_none_under("ra")
        .require_unchanged_under("a", first)
        .put("c", &1);
    let error = client.commit(&bad).await.unwrap_err();
    let conflict = error.conflict().unwrap();
    assert_eq!(conflict.kind(), ConflictKind::Transaction);
    let failed: Vec<_> =
        conflict.operations().iter().map(|one| (one.index(), one.kind())).collect();
    let expected = [(1, ConflictKind::Stale), (4, ConflictKind::InUse), (5, ConflictKind::Stale)];
    assert_eq!(failed, expected);
    let stale = &conflict.operations()[0];
    assert_eq!((stale.key(), stale.expected_revision()), (Some("a"), Some(first)));
    assert_eq!(stale.revision(), Some(second));
    let current = stale.current().expect("it is sent along").clone();
    assert_eq!(current.decode::<u32>().unwrap().into_value(), 2);
    assert_eq!(conflict.operations()[1].blockers(), ["raw"]);
    assert_eq!(client.get::<u32>("c").await.unwrap(), None, "nothing was written");
}

#[tokio::test]
async fn a_key_or_value_that_cannot_be_written_is_refused_before_it_is_sent() {
    let client = ifmatch::client::Client::new("http://127.0.0.1:1").unwrap();
    let keys = std::collections::HashMap::from([(vec![1], 1)]);
    for txn in [
        ClientTxn::new().put("a//b", &1),
        ClientTxn::new().delete(""),
        ClientTxn::new().require("..", Precondition::Absent),
        ClientTxn::new().put("a", &keys),
    ] {
        let error = client.commit(&txn).await.unwrap_err();
        assert!(matches!(error, ClientError::InvalidKey(_) | ClientError::Decode(_)), "{error}");
    }
}

#[tokio::test]
async fn a_list_has_every_entry_once_in_order_at_one_revision_while_others_write() {
    let server = Server::new().await;
    let client = server.client();
    for number in 0..25 {
        client.create(&format!("n/{number:02}"), &number).await.unwrap();
    }
    client.create("m", &0).await.unwrap();
    client.create("o", &0).await.unwrap();
    let mut list = client.list::<u32>("n/").page_size(4);
    let first = list.next().await.unwrap().unwrap();
    client.put("n/20", &99).await.unwrap();
    client.delete("n/21").await.unwrap();
    client.create("n/001", &99).await.unwrap();
    let rest = list.collect().await.unwrap();
    let values: Vec<u32> =
        [first].into_iter().chain(rest).map(|entry| entry.into_value()).collect();
    assert_eq!(values, (0..25).collect::<Vec<_>>());

    let page = client.page::<u32>("n/", Some(3), None).await.unwrap();
    assert_eq!(page.entries().len(), 3);
    let entry = &page.entries()[0];
    assert!(entry.revision().unwrap() <= page.revision());
    assert_eq!(entry.write_count(), Some(1));
    client.put_if(entry.key(), &7, entry).await.unwrap();
    client.put_if("n/01", &7, page.entries()[2].revision().unwrap()).await.unwrap();
    let next = client.page::<u32>("n/", Some(100), page.next()).await.unwrap();
    assert_eq!((next.revision(), next.next()), (page.revision(), None));
    assert_eq!(client.list::<u32>("nothing/").collect().await.unwrap(), []);
}

#[tokio::test]
async fn a_cursor_of_a_server_that_is_gone_is_compacted() {
    let server = Server::new().await;
    let client = server.client();
    for key in ["a", "b", "c"] {
        client.create(key, &1).await.unwrap();
    }
    let cursor = client.page::<u32>("", Some(1), None).await.unwrap().next().unwrap().to_owned();
    let other = Server::new().await;
    let error = other.client().page::<u32>("", Some(1), Some(&cursor)).await.unwrap_err();
    assert!(matches!(error, ClientError::Compacted { .. }), "{error}");
    let error = client.page::<u32>("", None, Some("nonsense")).await.unwrap_err();
    assert!(matches!(error, ClientError::Problem(problem) if problem.status() == 400));
    let _kept = Revision::MIN;
}
